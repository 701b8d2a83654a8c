// MNIST's sources may drip, never end, or hang: each is given up in time, and the next one is tried.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, sabotage, serve, until } from "./lib.mjs";

let browser;
before(async () => (browser = await launch()));
after(async () => browser.close());

const RUN = "?dataset=mnist&backend=cpu&images=120&epochs=1&replicas=1&autostart=1";

/** Script for a worker: time passes thirty times as fast. */
const FAST = `{
  const timer = self.setTimeout.bind(self), now = Performance.prototype.now;
  self.setTimeout = (then, milliseconds = 0, ...more) => timer(then, milliseconds / 30, ...more);
  Performance.prototype.now = function () { return 30 * now.call(this); };
}`;

for (const [name, answer, reason] of [
  ["drips", (response) => {
    const drip = setInterval(() => response.write("x"), 300);
    response.on("close", () => clearInterval(drip));
  }, /127\.0\.0\.1:\d+: sent only \d+ bytes in 20 s/],
  ["never ends", (response) => {
    const megabyte = Buffer.alloc(1 << 20);
    const more = () => { while (!response.destroyed && response.write(megabyte)); };
    response.on("drain", more);
    more();
  }, /127\.0\.0\.1:\d+: sent more than 64 MiB/],
  ["never answers", () => {}, /127\.0\.0\.1:\d+: no response for 20 s/],
]) {
  test(`a source that ${name} is given up, its request is aborted, and the page names it`, async () => {
    let [open_, closed] = [0, 0];
    const slow = sabotage([FAST]);
    const intercept = (path, response, query) => {
      if (!path.includes("/data/")) return slow(path, response, query);
      open_++;
      response.on("close", () => closed++);
      if (name !== "never answers") response.writeHead(200, { "content-type": "application/gzip" });
      answer(response);
      return true;
    };
    const server = await serve({ intercept });
    const page = await open(browser, "about:blank");
    await page.context().route("https://**", (route) => route.abort());
    await page.goto(server.url + RUN);
    const failed = await until(page, "failure", (s) => s.state === "failed", 60);
    assert.match(failed.error, reason);
    assert.match(failed.error, /cdn\.jsdelivr\.net.*raw\.githubusercontent\.com/);
    // The loader asks early for all four files; those that nobody waits for end with the page.
    await page.context().close();
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(closed, open_, "a request outlives its page");
    await server.close();
  });
}

const data = process.env.MNIST_DIR;
test("a cache that never answers costs a few seconds, not the data set", { skip: data ? false : "SKIPPED: MNIST_DIR is not set" }, async () => {
  const silent = ["CacheStorage.prototype.match", "Cache.prototype.match", "Cache.prototype.put"].map((call) => `${call} =`).join(" ");
  const server = await serve({ data, intercept: sabotage([`${FAST} ${silent} () => new Promise(() => {});`]) });
  const page = await open(browser, server.url + RUN);
  const done = await until(page, "finished run", (s) => s.state === "finished", 60);
  assert.deepEqual([done.history.length, done.warnings, done.incidents], [1, [], []]);
  await page.context().close();
  await server.close();
});
