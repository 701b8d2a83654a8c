// Training on a server: `inkling serve` and the worker for it (`make test-optional` builds both).
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { NO_SERVER, launch, open, serve, until } from "./lib.mjs";

const COMMAND = join(process.env.CARGO_TARGET_DIR ?? "target", "debug/inkling");
const serves = () => existsSync(COMMAND) && spawnSync(COMMAND, ["serve", "--help"]).status === 0;
const skip = NO_SERVER || (!serves() && `SKIPPED: ${COMMAND} is not built with the feature serve`);
let site, browser;
before(async () => ([site, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await site.close()));

const RUN = "dataset=synthetic&images=600&batch=16&seed=3&replicas=1";
// Without random numbers of a layer or an image, rounding alone makes a difference, which 35 steps do not amplify.
const EXACT = `${RUN}&net=conv+32,pool,conv+64,pool,dense+128&augment=0`;
const ended = (s) => ["finished", "failed"].includes(s.state);
const ask = (page) => page.getByText(/they leave this tab/);

/** Starts the command on a free port. Returns its link, with more settings, and how to end it. */
async function start(t, ...options) {
  const child = spawn(COMMAND, ["serve", "--backend", "cpu", "--listen", "127.0.0.1:0", "--page", site.url, "--json", ...options]);
  t.after(() => child.kill("SIGKILL"));
  const [line] = await createInterface(child.stdout)[Symbol.asyncIterator]().next().then(({ value }) => [value]);
  const { link, address } = JSON.parse(line);
  return { address, child, link: (settings) => link.replace("?backend=remote", `?backend=remote&${settings}`) };
}

/** Counts what a page and its workers request from the server. */
function watch(page, address) {
  const seen = { requests: 0 };
  page.context().on("request", (request) => (seen.requests += request.url().startsWith(address)));
  return seen;
}

test("once the visitor agrees, a server computes the same run as this tab", { skip }, async (t) => {
  const server = await start(t);
  const page = await open(browser, server.link(`${EXACT}&epochs=1`));
  const seen = watch(page, server.address);
  await ask(page).waitFor();
  await page.locator("#train").click();
  const here = await until(page, "a run in this tab", ended, 120);
  assert.equal(here.backend.name, "cpu");
  assert.equal(here.backend.reason, "you have not let data leave this tab");
  assert.equal(seen.requests, 0, "the server heard of this tab before the visitor agreed");

  await page.locator("#server-allow").click();
  await ask(page).waitFor({ state: "hidden" });
  await page.locator("#train").click();
  const there = await until(page, "a run on the server", (s) => s.backend.name === "remote" && ended(s), 240);
  assert.deepEqual([there.state, there.error, there.backend.name], ["finished", null, "remote"]);
  assert.ok(seen.requests > 0, "requests are counted, or their absence proves nothing");
  const { largest_difference } = there.backend.check;
  assert.ok(largest_difference > 0 && largest_difference < 1e-4, JSON.stringify(there.backend.check));
  for (const [epoch, record] of there.history.entries()) {
    for (const metric of ["train_loss", "validation_loss"]) {
      const difference = Math.abs(record[metric] - here.history[epoch][metric]);
      assert.ok(difference < 1e-5, `epoch ${epoch + 1}: ${metric} differs by ${difference}`);
    }
  }
  t.diagnostic(`${there.history.at(-1).images_per_second.toFixed(0)} images/s on the server, ${here.history.at(-1).images_per_second.toFixed(0)} in the tab`);
  await page.getByText(/Server: 127\.0\.0\.1:\d+\. Data leaves this tab/).waitFor();
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a server that is killed is noticed in seconds, and the run goes on in this tab from its last checkpoint", { skip }, async (t) => {
  const server = await start(t);
  const page = await open(browser, server.link(`${RUN}&epochs=40`));
  await page.locator("#server-allow").click();
  await page.locator("#train").click();
  const before = await until(page, "three epochs on the server", (s) => s.history.length >= 3, 240);
  assert.equal(before.backend.name, "remote");
  server.child.kill("SIGKILL");
  const killed = Date.now();
  const lost = await until(page, "an incident", (s) => s.incidents.length > 0, 30);
  t.diagnostic(`noticed after ${((Date.now() - killed) / 1000).toFixed(1)} s`);
  assert.ok(Date.now() - killed < 15_000);
  assert.match(lost.incidents[0].reason, /does not answer any more/);
  const after = await until(page, "a run on the CPU", (s) => s.backend.name === "cpu" && s.state === "training", 60);
  assert.match(after.backend.reason, /does not answer .*start `inkling serve` there/);
  assert.ok(after.history.length >= 2, "more than the last epoch was lost");
  await page.context().close();
});

test("the relay passes on only for those who have the link", { skip }, async (t) => {
  const server = await start(t);
  const page = await open(browser, server.link(RUN).replace(/.(.{31})$/, (_, rest) => `x${rest}`));
  await page.locator("#server-allow").click();
  const refused = await until(page, "a fall-back", (s) => s.backend.name === "cpu", 90);
  assert.match(refused.backend.reason, /can't be used: the server cannot be reached/);
  await page.context().close();
});

test("a wrong key is rejected, and text that is not a link is refused with a sentence", { skip }, async (t) => {
  const server = await start(t);
  const page = await open(browser, server.link(RUN).replace(/.$/, (last) => (last === "0" ? "1" : "0")));
  await page.locator("#server-allow").click();
  const refused = await until(page, "a fall-back", (s) => s.backend.name === "cpu", 60);
  assert.match(refused.backend.reason, /its link is no longer valid/);
  await page.context().close();

  const other = await open(browser, `${site.url}?backend=remote&${RUN}`);
  await other.locator("#server-link").fill("http://localhost:3340/");
  await other.locator("#server-link").press("Tab");
  await other.getByText(/This is not the link of a server/).waitFor();
  await other.locator("#server-link").fill(server.link(RUN));
  await other.locator("#server-link").press("Tab");
  await ask(other).waitFor();
  await other.locator("#server-decline").click();
  await ask(other).waitFor({ state: "hidden" });
  assert.equal(new URL(other.url()).searchParams.get("backend"), "auto");
  assert.deepEqual(other.problems, []);
  await other.context().close();
});

test("a server that starts again with its key has the same link", { skip }, async (t) => {
  const key = join(mkdtempSync(join(tmpdir(), "inkling-key-")), "key");
  const links = [];
  for (let time = 0; time < 2; time++) {
    const server = await start(t, "--key", key);
    links.push(server.link(RUN).split("/").slice(-2).join("/"));
    server.child.kill("SIGKILL");
  }
  assert.equal(links[0], links[1]);
});
