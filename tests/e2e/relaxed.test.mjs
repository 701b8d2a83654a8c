// The CPU worker with relaxed SIMD: where the browser runs it, it trains, and a run that moves between the two says so.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { kept, launch, open, serve, summary, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close()));

const RUN = "?dataset=synthetic&backend=cpu&images=2400&batch=48&epochs=4&seed=3&replicas=2";
const curve = (s) => s.history.map((epoch) => [epoch.train_loss, epoch.validation_loss, epoch.validation_accuracy]);
const finished = (page) => until(page, "finished run", (s) => s.state === "finished");
/** In a browser without relaxed SIMD, the page finds such a module invalid. */
const init = () => localStorage.without && (WebAssembly.validate = () => false);
const without = (page, value) => page.evaluate((value) => (localStorage.without = value), value);
const engine = (page) => page.locator("#backend-badge").textContent();
const FUSED = /CPU: burn-flex, SIMD, FMA/;

test("both programs train with replicas that run the same program, and their results differ only by rounding", async () => {
  server.requests.length = 0;
  const programs = () => new Set(server.requests.splice(0).map((path) => path.split("/").pop()).filter((name) => /^worker_(cpu|relaxed)/.test(name)));
  const page = await open(browser, `${server.url}${RUN}&autostart=1`, { init });
  const fused = await finished(page);
  assert.match(await engine(page), FUSED);
  assert.deepEqual([...programs()].sort(), ["worker_relaxed.js", "worker_relaxed_bg.wasm.zst"]);
  await without(page, "1");
  await page.goto(`${server.url}${RUN}`);
  await page.getByRole("button", { name: "Discard it", exact: true }).click();
  await page.getByRole("button", { name: "Train", exact: true }).click();
  const plain = await finished(page);
  assert.match(await engine(page), /CPU: burn-flex, SIMD \(/);
  assert.deepEqual([fused.workers, plain.workers, fused.warnings, plain.warnings], [2, 2, [], []]);
  assert.deepEqual([...programs()].sort(), ["worker_cpu.js", "worker_cpu_bg.wasm.zst"]);
  assert.notDeepEqual(curve(fused), curve(plain), "both rounded alike, so it was the same program twice");
  curve(fused).flat().forEach((value, at) => assert.ok(Math.abs(value - curve(plain).flat()[at]) < 0.05, `${value} ${curve(plain).flat()[at]}`));
  assert.deepEqual(page.problems, []);
});

for (const [first, then] of [["", "1"], ["1", ""]]) {
  test(`a run that goes on in a browser ${then ? "without" : "with"} relaxed SIMD says that it rounds differently`, async () => {
    const page = await open(browser, server.url, { init });
    await without(page, first);
    await page.goto(`${server.url}${RUN}&autostart=1`);
    await until(page, "second epoch", (s) => s.history.length >= 2);
    await kept(page, "last", (run) => run?.checkpoint.epoch >= 3);
    await without(page, then);
    await page.goto(server.url);
    await page.getByRole("button", { name: "Resume it", exact: true }).click();
    const done = await finished(page);
    assert.equal(done.history.length, 4);
    assert.equal(done.warnings.length, 1);
    assert.match(done.warnings[0], /arithmetic rounds differently/);
    assert.equal((await summary(page)).state, "finished");
    assert.deepEqual(page.problems, []);
  });
}
