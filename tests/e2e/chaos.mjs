// For HOURS (1), disturbs runs at random: clicks, reloads, closed tabs, killed workers, frozen tabs. Each run must end as the undisturbed
// one does, to the bit. SEED repeats an order of events. `make chaos` runs it.
import assert from "node:assert/strict";
import { SEVEN, draw, launch, open, serve, summary, until } from "./lib.mjs";

const HOURS = Number(process.env.HOURS ?? 1);
const SEED = Number(process.env.SEED ?? Date.now() % 1e9);
console.log(`SEED=${SEED}`);
let state = SEED;
/** Mulberry32 (T. Ettinger). */
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const one = (list) => list[Math.floor(random() * list.length)];

const [server, browser] = [await serve(), await launch()];
const address = (seed) => `${server.url}?dataset=synthetic&backend=cpu&images=6000&batch=48&epochs=6&seed=${seed}&replicas=1`;
const result = (run) => ({ test: run.test_accuracy, history: run.history.map((epoch) => [epoch.train_loss, epoch.validation_loss, epoch.validation_accuracy]) });
/** Pauses or resumes, if the button says so: at the end of the run it would start another. */
const pauseOrResume = (page) => page.evaluate(() => document.querySelector('#train:not([data-action="Train"])')?.click());
const press = (page, id) => page.evaluate((id) => document.getElementById(id)?.click(), id);

/** What happens to a run; each returns the page that is open afterwards. */
const EVENTS = {
  "reload": async (page) => (await page.reload(), page),
  "another tab": async (page) => {
    const next = await page.context().newPage();
    next.problems = [];
    // Its form has the run's own settings: a run that was lost before its first checkpoint is started again.
    const url = page.url().replace("&autostart=1", "");
    await page.close();
    await next.goto(url);
    return next;
  },
  "killed worker": async (page) => {
    const [worker] = page.workers();
    await worker?.evaluate(() => void setTimeout(() => { throw new Error("killed by chaos"); }));
    return page;
  },
  "frozen tab": async (page) => {
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    await new Promise((resolve) => setTimeout(resolve, 2000 * random()));
    await devtools.send("Page.setWebLifecycleState", { state: "active" });
    await devtools.detach();
    return page;
  },
  "pause": async (page) => (await pauseOrResume(page), page),
  "step": async (page) => (await press(page, "step"), page),
  "test": async (page) => (await press(page, "test"), page),
  "robustness": async (page) => (await press(page, "measure"), page),
  "saved file": async (page) => (await press(page, "files-summary"), await press(page, one(["save-onnx", "save-safetensors", "save-run", "svg-loss"])), page),
  "panel": async (page) => {
    await page.locator(`#${one(["look", "inside", "doctor", "trust", "hand", "runs"])}`).evaluate((element) => (element.open = !element.open));
    return page;
  },
  "sketch": async (page) => (await draw(page, SEVEN).catch(() => {}), page),
  "digit": async (page) => (await press(page, "name-7"), page),
};

const counts = {};
let runs = 0;
for (const begun = Date.now(); Date.now() - begun < HOURS * 3_600_000; runs++) {
  const seed = 1 + Math.floor(random() * 1000);
  const quiet = await open(browser, `${address(seed)}&autostart=1`);
  const whole = result(await until(quiet, "undisturbed run", (s) => s.state === "finished", 120));
  await quiet.context().close();

  let page = await open(browser, `${address(seed)}&autostart=1`);
  const story = [];
  for (let seen; ; ) {
    assert.ok(!page.isClosed(), `run ${runs} (seed ${seed}): the tab is gone after ${story.slice(-5)}`);
    seen = await summary(page).catch(() => ({}));
    const resumed = seen.history?.length === 6 && seen.settings.seed === seed;
    if (seen.state === "finished" && resumed) break;
    assert.ok(story.length < 2000, `run ${runs} never ends: ${story.slice(-20)}; ${JSON.stringify(seen).slice(0, 500)}`);
    // A visitor presses what the page offers.
    const offered = await page.evaluate(() => !document.getElementById("offer").hidden).catch(() => false);
    // While a run is in progress, a kept one can't be resumed.
    if (offered && ["idle", "finished", "failed", "stopped"].includes(seen.state)) await press(page, "resume-run");
    else if (seen.state === "paused") await pauseOrResume(page);
    else if (["idle", "failed"].includes(seen.state) && story.length > 0 && story.at(-1) === "waited" && !offered) {
      const waited = story.slice(-8).every((event) => event === "waited");
      if (waited) await press(page, "train"); // it was lost before its first checkpoint
    }
    // It gets a little time between two events, or it would never arrive at the next checkpoint.
    await page.waitForTimeout(300 + 900 * random()).catch(() => {});
    if (seen.state === "training" || seen.state === "finished") {
      const event = one(Object.keys(EVENTS));
      story.push(event);
      counts[event] = (counts[event] ?? 0) + 1;
      page = await EVENTS[event](page);
    } else story.push("waited");
  }
  const done = await until(page, "finished run", (s) => s.state === "finished" && s.test_accuracy !== null, 120);
  assert.deepEqual(result(done), whole, `run ${runs} (seed ${seed}) ended otherwise: ${story.join(", ")}`);
  await page.context().close();
  console.log(`run ${runs + 1}: ${story.filter((event) => event !== "waited").length} events, ${done.incidents.length} workers lost; as undisturbed`);
}
console.log(`${runs} runs, ${Object.values(counts).reduce((a, b) => a + b, 0)} events: ${JSON.stringify(counts)}`);
await browser.close();
process.exit();
