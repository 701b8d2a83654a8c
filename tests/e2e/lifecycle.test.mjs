// A tab may be frozen, thawed, hidden, left and returned to at any time: the run goes on, or is offered where it can resume.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AFTER_A_CHECKPOINT, launch, open, sabotage, serve, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close()));

const RUN = "?dataset=synthetic&backend=cpu&images=1200&batch=48&epochs=6&seed=3&replicas=2";
const curve = (s) => s.history.map((epoch) => [epoch.train_loss, epoch.validation_loss]);
const finished = (page) => until(page, "finished run", (s) => s.state === "finished", 120);

test("a run in a tab that is frozen and thawed several times ends as it would have", async () => {
  const whole = await finished(await open(browser, `${server.url}${RUN}&autostart=1`));
  const page = await open(browser, `${server.url}${RUN}&autostart=1`);
  const devtools = await page.context().newCDPSession(page);
  for (let times = 0; times < 3; times++) {
    await page.waitForTimeout(400);
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await devtools.send("Page.setWebLifecycleState", { state: "active" });
  }
  const done = await finished(page);
  assert.deepEqual([curve(done), done.incidents, done.warnings], [curve(whole), [], []]);
  await page.context().close();
});

test("a page that is left in the middle of a run offers the run when the visitor comes back", async () => {
  const page = await open(browser, `${server.url}${RUN.replace("epochs=6", "epochs=60")}&autostart=1`);
  await until(page, "second epoch", (s) => s.history.length >= 2);
  await page.goto("about:blank");
  await page.goBack();
  await page.locator("#offer-text").getByText(/unfinished run: epoch \d+ of 60/).waitFor();
  await page.context().close();
});

test("a page that the browser keeps while the visitor is elsewhere goes on with its run, and ends as it would have", async (t) => {
  const whole = await finished(await open(browser, `${server.url}${RUN}&autostart=1`));
  const keeping = await launch({ backForward: true });
  t.after(() => keeping.close());
  // The browser decides whether it keeps a page; on a busy machine it may not.
  let kept = false, done;
  for (let tries = 0; tries < 3 && !kept; tries++) {
    const page = await open(keeping, `${server.url}${RUN}&autostart=1`, { init: () => addEventListener("pageshow", (event) => (self.persisted = event.persisted)) });
    await until(page, "first epoch", (s) => s.history.length >= 1);
    await page.goto("data:text/html,elsewhere");
    await page.waitForTimeout(1500);
    await page.evaluate(() => history.back()).catch(() => {}); // the page that is asked disappears
    done = await finished(page);
    kept = await page.evaluate(() => self.persisted);
    await page.context().close();
  }
  assert.equal(kept, true, "the browser loaded the page again, three times");
  assert.deepEqual([curve(done), done.incidents, done.warnings], [curve(whole), [], []]);
});

test("a clock that jumps by a day, as after a sleep, loses no worker", async () => {
  const jump = AFTER_A_CHECKPOINT("{ const now = Performance.prototype.now; Performance.prototype.now = function () { return now.call(this) + 86_400_000; }; }");
  const other = await serve({ intercept: sabotage([jump]) });
  const init = () => {
    const { now } = Date;
    setTimeout(() => (Date.now = () => now() + 86_400_000), 500);
  };
  const page = await open(browser, `${other.url}${RUN}&autostart=1`, { init });
  const done = await finished(page);
  assert.deepEqual([done.incidents, done.warnings, done.history.length], [[], [], 6]);
  await page.context().close();
  await other.close();
});
