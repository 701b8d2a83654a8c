// The recipe: optimizer, schedule, weight decay, label smoothing and clipping, in the form and in the address.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { kept, launch, open, serve, unfold, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close()));

const RUN = "?dataset=synthetic&backend=cpu&images=600&batch=32&epochs=3&seed=3&net=conv+8,pool,dense+32";
const ended = (page) => until(page, "end of the run", (s) => s.state === "finished" || s.state === "failed", 90);

test("a recipe is chosen under More, trains on two workers, and is resumed with its own optimizer", async () => {
  const page = await open(browser, `${server.url}${RUN}&replicas=2`);
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  await unfold(page, "fold");
  await page.locator("#optimizer").selectOption({ label: "SGD with Nesterov momentum" });
  await page.locator("#schedule").selectOption("onecycle");
  for (const what of ["Clip the gradient", "Average the weights"]) await page.getByLabel(what).check();
  for (const [key, value] of [["warmup", "0.3"], ["decay", "0.0005"], ["smoothing", "0.1"], ["clip", "2"], ["ema", "0.9"], ["lr", "0.05"]]) {
    await page.locator(`#${key}`).fill(value);
  }
  await page.locator("#train").click();
  const done = await ended(page);
  assert.equal(done.state, "finished", done.error);
  const { optimizer, schedule, warmup, decay, smoothing, clip, ema, lr } = done.settings;
  assert.deepEqual([optimizer, schedule, warmup, decay, smoothing, clip, ema, lr], ["nesterov", "onecycle", 0.3, 0.0005, 0.1, 2, 0.9, 0.05]);
  assert.match(page.url(), /optimizer=nesterov&schedule=onecycle&warmup=0\.3&decay=0\.0005&smoothing=0\.1&clip=2&ema=0\.9/);
  assert.ok(done.test_accuracy > 0.8, `${done.test_accuracy}`);
  // Smoothed labels keep the training loss above the entropy of the smoothed answers; the validation loss is not smoothed.
  assert.ok(done.history.at(-1).train_loss > 0.5, `${done.history.at(-1).train_loss}`);
  // The average of the weights has its own scores.
  const last = done.history.at(-1).averaged;
  await page.getByText(`last epoch; averaged weights: ${(100 * last.accuracy).toFixed(2)}%`).waitFor();
  await unfold(page, "epochs-table");
  await page.locator("#history td").first().waitFor(); // its program arrives with the first section
  assert.deepEqual(await page.locator("#history tr").last().locator("td").evaluateAll((all) => all.slice(4, 6).map((cell) => cell.textContent)), [last.loss.toFixed(4), last.accuracy.toFixed(4)]);
  await kept(page, "last", (run) => run?.test);
  await page.goto(`${server.url}?backend=cpu`);
  await page.locator("#resume-run").click();
  assert.equal((await ended(page)).test_accuracy, done.test_accuracy);
  assert.equal(await page.locator("#optimizer").inputValue(), "nesterov");
  // A preset stands for the whole recipe.
  await unfold(page, "fold");
  await page.getByRole("button", { name: "Fast", exact: true }).click();
  await page.waitForFunction(() => document.getElementById("optimizer").value === "adam" && document.getElementById("decay").value === "0");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("plain SGD that is interrupted ends as if it had not been", async () => {
  const address = `${server.url}${RUN.replace("epochs=3", "epochs=30")}&optimizer=sgd&schedule=step&warmup=0&lr=0.1&replicas=1&ema=0.95`;
  const curve = (run) => run.history.map((epoch) => [epoch.train_loss, epoch.validation_loss, epoch.averaged.loss]);
  const undisturbed = await open(browser, `${address}&autostart=1`);
  const whole = curve(await ended(undisturbed));
  await undisturbed.context().close();
  // In a fresh browser: while the page offers a finished run, it keeps no other.
  const page = await open(browser, `${address}&autostart=1`);
  await until(page, "third epoch", (s) => s.history.length >= 2);
  await kept(page, "last", (run) => run?.checkpoint.epoch >= 3);
  await page.goto(`${server.url}?backend=cpu`);
  await page.getByText(/This browser has kept an unfinished run: epoch \d+ of 30/).waitFor();
  await page.locator("#resume-run").click();
  assert.deepEqual(curve(await ended(page)), whole);
  await page.context().close();
});

test("an error under More is shown, wherever the value came from", async () => {
  const page = await open(browser, `${server.url}${RUN}&smoothing=0.7&optimizer=adagrad`);
  await page.locator("#smoothing-error").filter({ hasText: "Label smoothing must be a number from 0 to 0.5" }).waitFor();
  await page.locator("#optimizer-error").filter({ hasText: "Optimizer must be one of adam, adamw, sgd, momentum, nesterov, rmsprop" }).waitFor();
  await page.context().close();
});
