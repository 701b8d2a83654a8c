// A visitor trains on synthetic digits, on the CPU, in the built page under a sub-path.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SEVEN, draw, launch, open, serve, stop, summary, unfold, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close()));

const RUN = "?dataset=synthetic&backend=cpu&images=1200&batch=32&epochs=3&augment=0&seed=3";

/** Share of a canvas's pixels that do not have its most frequent colour. */
const inked = (page, id) =>
  page.evaluate((id) => {
    const canvas = document.getElementById(id);
    const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    const counts = new Map();
    for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
    return 1 - Math.max(...counts.values()) / pixels.length;
  }, id);

test("a run goes from Train to the test accuracy, with curves, matrix, report and a sketch", async () => {
  const init = () => {
    window.longTasks = [];
    new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((e) => e.duration))).observe({ type: "longtask" });
  };
  // With augmentation, so that the network recognises a sketch that is not drawn like the synthetic digits.
  const page = await open(browser, server.url + RUN.replace("augment=0", "augment=1"), { init });
  assert.equal((await summary(page)).state, "idle");
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  await page.locator("#sketch-note").getByText("The network has learned nothing yet").waitFor();
  const empty = await inked(page, "accuracy");
  await page.evaluate(() => (window.longTasks.length = 0));

  const progress = page.waitForFunction(() => /Epoch \d of 3 · step \d+ of 105/.test(document.querySelector("#progress-text").textContent));
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await progress; // the run may be over before the sketch is drawn
  await until(page, "first epoch", (s) => s.history.length >= 1);
  await draw(page, SEVEN);
  const note = page.locator("#sketch-note");
  await note.getByText(/after \d+ training steps/).waitFor();

  const done = await until(page, "finished run", (s) => s.state === "finished");
  assert.equal(done.history.length, 3);
  assert.ok(done.test_accuracy > 0.95, `test accuracy ${done.test_accuracy}`);
  assert.ok(done.history[2].validation_loss < done.history[0].validation_loss);
  assert.equal(done.confusion_matrix.flat().reduce((a, b) => a + b), 200);
  assert.deepEqual([done.backend.name, done.dataset.train, done.dataset.validation], ["cpu", 1100, 100]);
  await unfold(page, "scores");
  await page.locator("#report tr").nth(12).waitFor();
  await unfold(page, "epochs-table");
  await page.locator("#history tr").nth(2).waitFor();
  await page.keyboard.press("Escape");
  assert.ok((await inked(page, "accuracy")) > empty, "the accuracy chart has no curve");
  assert.ok((await inked(page, "matrix")) > 0.08, "the matrix is blank");
  await note.getByText(/It looks like a 7 .* after 105 training steps/).waitFor();
  assert.ok(Number.parseFloat((await page.locator("#bar-7-value").textContent()).replace(">", "")) > 50);

  // The machine may have no more cores than the training needs; a page that trained on its own thread would always be busy.
  const long = (await page.evaluate(() => window.longTasks)).filter((ms) => ms > 250);
  assert.ok(long.length <= 2, `the page's thread was busy for ${long} ms at a stretch`);
  assert.deepEqual(page.problems, []);
  assert.ok(server.requests.every((path) => !/webgpu|ndarray/.test(path)), "another backend's worker was fetched");
});

test("the same link repeats the same run", async () => {
  const runs = [];
  for (let i = 0; i < 2; i++) {
    const page = await open(browser, `${server.url}${RUN.replace("epochs=3", "epochs=1")}&replicas=2&autostart=1`);
    const { history, test_accuracy } = await until(page, "finished run", (s) => s.state === "finished");
    runs.push([test_accuracy, history.map((h) => [h.train_loss, h.validation_loss])]);
    await page.close();
  }
  assert.deepEqual(runs[0], runs[1]);
});

test("pause, resume, stop, test on request and reset do what they say", async () => {
  const page = await open(browser, `${server.url}${RUN.replace("epochs=3", "epochs=50")}&autostart=1`);
  const button = (name) => page.getByRole("button", { name, exact: true });
  const step = () => page.locator("#progress-text").textContent();
  await until(page, "training", (s) => s.state === "training");
  await page.getByText(/step [1-9]\d* of/).waitFor();
  await button("Pause").click();
  await until(page, "pause", (s) => s.state === "paused");
  await button("Resume").waitFor();
  await page.waitForTimeout(500); // the steps done before the pause are read and drawn
  const rested = await step();
  await draw(page, SEVEN);
  await page.locator("#sketch-note").getByText(/training steps/).waitFor();
  await page.waitForTimeout(500);
  assert.equal(await step(), rested, "a paused run continued");
  await button("Evaluate on test set").click();
  await until(page, "test score", (s) => s.test_accuracy !== null);
  assert.equal((await summary(page)).state, "paused");
  await button("Resume").click();
  await until(page, "training", (s) => s.state === "training");
  await page.waitForFunction((rested) => document.getElementById("progress-text").textContent !== rested, rested);
  await stop(page);
  await until(page, "stop", (s) => s.state === "stopped");
  await page.locator("#train:enabled").waitFor(); // drawn with the next frame
  await button("Reset").click();
  const idle = await until(page, "reset", (s) => s.state === "idle");
  assert.deepEqual([idle.history, idle.test_accuracy, idle.confusion_matrix], [[], null, null]);
  await page.getByText(/^The network has learned nothing yet: it guesses an? \d\. Press Train\.$/).waitFor();
  assert.deepEqual(page.problems, []);
});

test("Undo removes a stroke, and Clear removes all of them", async () => {
  const page = await open(browser, server.url + RUN);
  await draw(page, [...SEVEN, [[0.3, 0.5], [0.6, 0.5]]]);
  const settled = () => page.waitForFunction(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))));
  await settled();
  const two = await inked(page, "pad");
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  await settled();
  const one = await inked(page, "pad");
  assert.ok(one < two && one > 0, `${one} of ${two}`);
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByText("Draw here").waitFor();
  assert.deepEqual(page.problems, []);
});

test("nothing is wider than a small screen", async () => {
  for (const width of [320, 360, 768]) {
    const page = await open(browser, `${server.url}${RUN.replace("epochs=3", "epochs=1")}&autostart=1`, { viewport: { width, height: 740 } });
    await until(page, "finished run", (s) => s.state === "finished");
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `at ${width} pixels`);
    await page.close();
  }
});
