// A run survives a reload, a crash and a closed tab.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { kept, launch, open, serve, summary, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close()));

const RUN = "?dataset=synthetic&backend=cpu&images=2400&batch=48&epochs=4&seed=3&replicas=1";
const curve = (s) => s.history.map((epoch) => [epoch.epoch, epoch.train_loss, epoch.validation_loss, epoch.validation_accuracy]);
const finished = (page) => until(page, "finished run", (s) => s.state === "finished");
const button = (page, name) => page.getByRole("button", { name, exact: true });

test("a run whose page is killed in the middle of an epoch resumes after a reload, and ends as it would have", async () => {
  const whole = await finished(await open(browser, `${server.url}${RUN}&autostart=1`));
  const page = await open(browser, `${server.url}${RUN}&autostart=1`);
  await until(page, "second epoch", (s) => s.history.length >= 2);
  await kept(page, "last", (run) => run?.checkpoint.epoch >= 3);
  // Another address: the kept run brings its own settings.
  await page.goto(`${server.url}?backend=cpu&epochs=9`);
  await page.getByText(/This browser has kept an unfinished run: epoch [34] of 4, step \d+ of 184\./).waitFor();
  assert.equal((await summary(page)).state, "idle", "the run waits to be resumed");
  await button(page, "Resume it").click();
  const done = await finished(page);
  assert.deepEqual(curve(done), curve(whole));
  assert.equal(done.test_accuracy, whole.test_accuracy);
  assert.match(page.url(), /epochs=4/);
  assert.ok(await page.locator("#offer").isHidden());

  await kept(page, "last", (run) => run?.test);
  await page.reload();
  await page.getByText("This browser has kept a finished run of 4 epochs.").waitFor();
  await button(page, "Discard it").click();
  await page.locator("#offer").waitFor({ state: "hidden" });
  await page.reload();
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  assert.ok(await page.locator("#offer").isHidden(), "a forgotten run came back");
  assert.deepEqual(page.problems, []);
});

test("a second tab leaves the first one's run alone, and says that its own is not kept", async () => {
  const first = await open(browser, `${server.url}${RUN.replace("epochs=4", "epochs=90")}&autostart=1`);
  await until(first, "first epoch", (s) => s.history.length >= 1);
  const second = await first.context().newPage();
  await second.goto(`${server.url}${RUN}`);
  await second.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  assert.ok(await second.locator("#offer").isHidden(), "another tab's run is offered");
  await button(second, "Train").click();
  const done = await finished(second);
  assert.deepEqual(done.warnings, ["A reload would lose this run: another tab is already keeping a run."]);
  await second.getByRole("alert").filter({ hasText: "A reload would lose this run" }).waitFor();
  assert.deepEqual((await summary(first)).warnings, []);
  // The first tab closes: the second takes its place, is offered the run that it left, and then keeps its own run instead.
  await first.close();
  await second.getByText(/This browser has kept an unfinished run: epoch \d+ of 90/).waitFor();
  await button(second, "Train").click();
  assert.deepEqual((await finished(second)).warnings, []);
  await kept(second, "last", (run) => run?.test);
  await second.reload();
  await second.getByText("This browser has kept a finished run of 4 epochs.").waitFor();
});

test("without storage a run trains all the same, and the page says that a reload would lose it", async () => {
  const init = () => (IDBFactory.prototype.open = () => { throw new DOMException("The quota has been exceeded.", "QuotaExceededError"); });
  const page = await open(browser, `${server.url}${RUN}&autostart=1`, { init });
  const done = await finished(page);
  assert.deepEqual(done.warnings, ["A reload would lose this run: The quota has been exceeded."]);
  assert.deepEqual(page.problems, []);
});

test("in a browser whose locks never answer, a run is kept and offered again", async () => {
  const init = () => {
    LockManager.prototype.request = LockManager.prototype.query = () => new Promise(() => {});
    const timer = self.setTimeout.bind(self);
    self.setTimeout = (then, milliseconds = 0, ...more) => timer(then, milliseconds / 10, ...more);
  };
  const page = await open(browser, `${server.url}?backend=cpu`, { init });
  // The tab waits, asks who has the lock, and then takes a note in localStorage instead.
  await page.waitForFunction(() => Object.keys(localStorage).some((key) => key.endsWith(" tab")));
  await page.waitForTimeout(500);
  await page.goto(`${server.url}${RUN}&autostart=1`);
  assert.equal((await finished(page)).history.length, 4);
  // The run may be over before the note is taken: it is kept as soon as it is.
  await kept(page, "last", (run) => run?.test);
  await page.reload();
  await page.getByText("This browser has kept a finished run of 4 epochs.").waitFor();
  assert.deepEqual(page.problems, []);
});
