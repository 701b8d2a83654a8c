// Replicas in the built page: they train as one worker does, and losing one of them loses nothing.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SEVEN, SITE, draw, kept, launch, open, sabotage, serve, stop, unfold, until } from "./lib.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const RUN = "?dataset=synthetic&backend=cpu&images=1200&batch=48&epochs=3&seed=3&autostart=1&replicas=";
const curve = (s) => s.history.map((epoch) => [epoch.train_loss, epoch.validation_loss, epoch.validation_accuracy]);

/** Runs to the end; `fault` is a script that runs in the first `faulty` replicas before anything else. */
async function run(replicas, fault, faulty = 1) {
  const loader = readFileSync(join(SITE, "worker-loader.js"));
  let started = 0;
  const intercept = (path, response, query) => {
    if (!path.endsWith("worker-loader.js") || query.get("role") !== "replica" || ++started > faulty || !fault) return false;
    response.writeHead(200, { "content-type": "text/javascript" }).end(`${fault}\n${loader}`);
    return true;
  };
  const server = await serve({ intercept });
  const page = await open(browser, server.url + RUN + replicas);
  const done = await until(page, "finished run", (s) => s.state === "finished" || s.state === "failed", 120);
  assert.equal(done.state, "finished", done.error);
  assert.deepEqual(page.problems, []);
  await server.close();
  return done;
}

test("two and three replicas train as one worker does, and the page says where the time goes", async () => {
  const alone = await run(1);
  assert.equal(alone.workers, 1);
  assert.ok(alone.history[2].parts.waiting < 0.02 * alone.history[2].parts.steps, "a single worker has nobody to wait for");
  for (const replicas of [2, 3]) {
    const together = await run(replicas);
    assert.equal(together.workers, replicas);
    assert.deepEqual(together.warnings, []);
    const { messages, steps, idle } = together.history[2].parts;
    assert.ok(messages > 0 && idle > 0 && idle < steps * replicas, JSON.stringify(together.history[2].parts));
    curve(together).forEach((epoch, i) => {
      epoch.forEach((value, j) => assert.ok(Math.abs(value - curve(alone)[i][j]) < 0.03, `${epoch} against ${curve(alone)[i]}`));
    });
    assert.ok(Math.abs(together.test_accuracy - alone.test_accuracy) <= 0.02);
  }
});

const AT_THE_FIFTH_TASK = (action) => `let tasks = 0;
addEventListener("message", (event) => {
  if (event.data instanceof WebAssembly.Module || ++tasks !== 5) return;
  event.stopImmediatePropagation();
  ${action};
});`;

test("a replica that traps or falls silent is replaced, and the run stays the same bit for bit", async () => {
  const whole = await run(2);
  for (const [action, reason] of [["throw new Error('killed by the test')", /killed by the test/], ["close()", /no response/]]) {
    const mended = await run(2, AT_THE_FIFTH_TASK(action));
    assert.equal(mended.warnings.length, 1, `${mended.warnings}`);
    assert.match(mended.warnings[0], reason);
    assert.deepEqual(curve(mended), curve(whole));
    assert.equal(mended.test_accuracy, whole.test_accuracy);
  }
});

test("replicas that live on take the recipe of the next run", async () => {
  const server = await serve();
  const other = RUN.replace("autostart=1&", "smoothing=0.1&") + 2;
  const fresh = await open(browser, server.url + other);
  await fresh.locator("#train:enabled").click();
  const expected = await until(fresh, "finished run", (s) => s.state === "finished", 120);
  const page = await open(browser, server.url + RUN + 2);
  const before = await until(page, "finished run", (s) => s.state === "finished", 120);
  await unfold(page, "fold");
  await page.locator("#smoothing").fill("0.1");
  await page.locator("#train:enabled").click();
  const after = await until(page, "second run", (s) => s.state === "finished" && s.history.length === 3 && s.history[0].train_loss !== before.history[0].train_loss, 120);
  assert.deepEqual(curve(after), curve(expected));
  assert.notDeepEqual(curve(after), curve(before));
  await server.close();
});

test("a worker that does not return from starting another one is replaced within 20 seconds", async () => {
  const whole = await run(2);
  const server = await serve({ intercept: sabotage(["self.Worker = function () { for (;;); };"]) });
  const page = await open(browser, server.url + RUN + 2);
  const done = await until(page, "finished run", (s) => s.state === "finished" || s.state === "failed", 60);
  assert.deepEqual(done.incidents.map(({ reason }) => reason), ["it hung while it started another worker"]);
  assert.deepEqual(curve(done), curve(whole));
  assert.deepEqual(page.problems, []);
  await server.close();
});

test("replicas that hang again and again are removed, the run goes on with fewer, and the page says so once", async () => {
  const alone = await run(1);
  const left = await run(2, AT_THE_FIFTH_TASK("close()"), 99);
  assert.equal(left.workers, 1);
  assert.equal(left.warnings.length, 2, `${left.warnings}`);
  assert.match(left.warnings[1], /A replica was lost again \(no response for 5 s\)\. The run goes on with one worker\./);
  assert.ok(Math.abs(left.test_accuracy - alone.test_accuracy) <= 0.02);
});

test("without a number of workers the fastest is found by measuring, and the run keeps it when it resumes", async () => {
  const claims = (cores) => `Object.defineProperty(WorkerNavigator.prototype, "hardwareConcurrency", { get: () => ${cores} });`;
  const server = await serve({ intercept: sabotage([claims(6), claims(6)]) });
  const page = await open(browser, `${server.url}${RUN.replace("epochs=3", "epochs=60")}0`);
  const first = await until(page, "second epoch", (s) => s.history?.length >= 2, 120);
  assert.ok(first.workers >= 1 && first.workers <= 6, `${first.workers}`);
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await until(page, "pause", (s) => s.state === "paused");
  await kept(page, "last", (run) => run?.checkpoint.epoch >= 3);
  await page.reload();
  await page.locator("#resume-run").click();
  const second = await until(page, "epochs of the resumed run", (s) => s.state === "training" && s.history.length > first.history.length, 120);
  assert.equal(second.workers, first.workers);
  assert.deepEqual(page.problems, []);
  await server.close();
});

test("a sketch is answered while all replicas train", async () => {
  const server = await serve();
  const page = await open(browser, `${server.url}?dataset=synthetic&backend=cpu&images=6000&epochs=30&replicas=2&autostart=1`);
  await until(page, "first epoch", (s) => s.history.length >= 1, 120);
  await draw(page, SEVEN);
  await page.locator("#sketch-note").getByText(/after \d+ training steps/).waitFor();
  assert.match(await page.locator("#tile-workers").textContent(), /2 workers/);
  await unfold(page, "epochs-table");
  await page.locator("#time-parts").getByText(/forward \d+%/).waitFor();
  await stop(page);
  await until(page, "stopped run", (s) => s.state === "stopped");
  assert.deepEqual(page.problems, []);
  await server.close();
});
