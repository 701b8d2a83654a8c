// A run goes back and forth between the page and the command `inkling`: bit for bit, and with everything that the page shows of it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { choose, launch, open, serve, summary, unfold, until } from "./lib.mjs";

// `make test-native` builds it.
const COMMAND = join(process.env.CARGO_TARGET_DIR ?? "target", "debug/inkling");
const skip = existsSync(COMMAND) ? false : `SKIPPED: ${COMMAND} is not built (make test-native builds it)`;
let server, browser;
const folder = mkdtempSync(join(tmpdir(), "inkling-command-"));
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close(), rmSync(folder, { recursive: true })));

const RUN = "?backend=cpu&dataset=synthetic&images=1200&batch=24&epochs=12&seed=3&replicas=2&autostart=1";
// A browser with relaxed SIMD uses fused multiply-adds where the processor has them; the command rounds as the run did. On ARM, it can't
// do without them.
const ROUNDINGS = process.arch === "x64" ? { "with relaxed SIMD": undefined, "without it": "WebAssembly.validate = () => false;" } : { "with relaxed SIMD": undefined };
const inkling = (...options) => execFileSync(COMMAND, options, { cwd: folder, encoding: "utf8" });
const checkpoint = (path) => JSON.parse(gunzipSync(readFileSync(path))).checkpoint;

/** How many of the values differ. */
function differences(a, b) {
  const [x, y] = [a, b].map(({ base64 }) => Buffer.from(base64, "base64"));
  let count = Math.abs(x.length - y.length) / 4;
  for (let at = 0; at < Math.min(x.length, y.length); at += 4) count += x.readUInt32LE(at) !== y.readUInt32LE(at);
  return count;
}

async function saved(page, name) {
  await unfold(page, "files");
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#save-run").click()]);
  await download.saveAs(join(folder, name));
  return join(folder, name);
}

for (const [name, init] of Object.entries(ROUNDINGS)) {
  test(`the command continues the run of a page ${name} bit for bit, and the page opens what it has made`, { skip }, async () => {
    const whole = await open(browser, `${server.url}${RUN}`, { init });
    const done = await until(whole, "finished run", (s) => s.state === "finished", 120);
    const expected = checkpoint(await saved(whole, "whole.json.gz"));
    await whole.context().close();

    const page = await open(browser, `${server.url}${RUN}`, { init });
    await until(page, "an epoch", (s) => s.history.length === 1, 120);
    await page.locator("#train").click(); // pauses
    await until(page, "a pause", (s) => s.state === "paused");
    const file = await saved(page, "run.json.gz");
    assert.match(inkling("info", file), /epoch \d+ of 12, step \d+, unfinished/);
    const lines = inkling("resume", file, "--exact", "--json").trim().split("\n").map(JSON.parse);
    const found = checkpoint(file);
    assert.equal(found.trainer.step, expected.trainer.step);
    const differing = differences(found.trainer.values, expected.trainer.values);
    assert.equal(differing, 0, `${differing} of the weights and moments differ`);
    assert.equal(lines.find((line) => line.event === "test").accuracy, done.test_accuracy);
    await page.context().close();

    const back = await open(browser, `${server.url}?backend=cpu`);
    await unfold(back, "files");
    await choose(back.locator("#open-run"), file);
    const opened = await until(back, "the run", (s) => s.state === "finished", 60);
    assert.equal(opened.history.length, 12);
    assert.equal(opened.test_accuracy, done.test_accuracy);
    assert.deepEqual(back.problems, []);
    await back.context().close();
  });
}

test("the page opens a run of the command", { skip }, async () => {
  const options = new URLSearchParams(RUN.replace("&autostart=1", ""));
  inkling("train", ...[...options].flatMap(([key, value]) => [`--${key}`, value]), "--output", "new.json.gz", "--quiet");
  assert.match(inkling("test", "new.json.gz"), /weighted avg/);
  const page = await open(browser, `${server.url}?backend=cpu`);
  await unfold(page, "files");
  await choose(page.locator("#open-run"), join(folder, "new.json.gz"));
  await until(page, "the run", (s) => s.state === "finished", 60);
  assert.equal((await summary(page)).settings.batch, 24);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});
