// When a worker is lost during a run, the run resumes from its last checkpoint, and the visitor need not do anything.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AFTER_A_CHECKPOINT, launch, open, sabotage, serve, until } from "./lib.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const RUN = "?dataset=synthetic&backend=cpu&images=1200&batch=48&epochs=4&seed=3&autostart=1&replicas=1";
const curve = (s) => s.history.map((epoch) => [epoch.epoch, epoch.train_loss, epoch.validation_loss, epoch.validation_accuracy]);

/** Runs to the end. The session's first, second, ... worker first runs the first, second, ... script in `faults`. */
async function run(faults) {
  const server = await serve({ intercept: sabotage(faults) });
  try {
    const page = await open(browser, server.url + RUN);
    return { page, done: await until(page, "end of the run", (s) => s.state === "finished" || s.state === "failed", 120) };
  } finally {
    await server.close();
  }
}

test("a run whose worker traps resumes from its checkpoint, and ends as it would have", async () => {
  const { done: whole } = await run([]);
  assert.deepEqual(whole.incidents, []);
  const { done: healed, page } = await run([AFTER_A_CHECKPOINT("throw new Error('killed by the test')")]);
  assert.equal(healed.state, "finished", healed.error);
  assert.equal(healed.incidents.length, 1);
  const [{ backend, reason, step, from, remedy }] = healed.incidents;
  assert.deepEqual([backend, remedy], ["cpu", "again"]);
  assert.match(reason, /killed by the test/);
  assert.ok(from > 0 && from % 23 === 0 && step >= from, `step ${step}, from ${from}`);
  assert.deepEqual(curve(healed), curve(whole), "the healed run differs from the uninterrupted one");
  assert.equal(healed.test_accuracy, whole.test_accuracy);
  await page.getByRole("alert").filter({ hasText: /^The worker was lost at step \d+ \(killed by the test\)\. A fresh worker resumed from step \d+\.$/ }).waitFor();
  assert.match(await page.locator("#accuracy").getAttribute("aria-label"), /Dashed lines mark where the run resumed/);
});

test("a CPU worker that is lost twice ends the run with an explanation, and the page keeps its history", async () => {
  const kill = AFTER_A_CHECKPOINT("throw new Error('killed by the test')");
  const { done: failed, page } = await run([kill, kill]);
  assert.equal(failed.state, "failed");
  assert.match(failed.error, /^The worker was lost again at step \d+ \(killed by the test\)\. Resume the run, or press Train/);
  assert.deepEqual(failed.incidents.map((incident) => incident.remedy), ["again", "none"]);
  assert.ok(failed.history.length >= 1, "the page has lost the epochs up to then");
  await page.getByText(/This browser has kept an unfinished run: epoch \d of 4/).waitFor();
});
