// The workbench, used as a visitor would use it: the run's lifecycle, the images, the inside of the network, runs side by side.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SEVEN, draw, kept, launch, open, serve, stop, summary, unfold, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close()));

const RUN = "?dataset=synthetic&backend=cpu&images=600&batch=32&epochs=2&seed=3&replicas=1&lr=0.002";
const button = (page, name) => page.getByRole("button", { name, exact: true });
const finished = (page) => until(page, "finished run", (s) => s.state === "finished");
const step = async (page) => Number((await page.locator("#progress-text").textContent()).match(/step (\d+) of/)?.[1]);
/** Share of a canvas's pixels that are neither black nor transparent. */
const lit = (page, id) =>
  page.evaluate((id) => {
    const canvas = document.getElementById(id);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) count += data[i] + data[i + 1] + data[i + 2] > 60 ? 1 : 0;
    return count / (canvas.width * canvas.height);
  }, id);

test("a paused run advances step by step, and continues with another learning rate and without augmentation", async () => {
  const page = await open(browser, `${server.url}${RUN.replace("epochs=2", "epochs=40")}&autostart=1`);
  await until(page, "training", (s) => s.state === "training");
  await button(page, "Pause").click();
  await until(page, "pause", (s) => s.state === "paused");
  await page.waitForTimeout(300);
  const before = await step(page);
  for (let i = 1; i <= 3; i++) {
    await button(page, "Step").click();
    await page.getByText(`step ${before + i} of`).waitFor();
  }
  assert.equal((await summary(page)).state, "paused");
  await page.locator("#lr").fill("7");
  await page.locator("#lr").blur();
  await page.getByText("Learning rate must be").waitFor();
  await page.locator("#lr").fill("0.001");
  await page.getByLabel(/^Augment/).uncheck();
  const changed = await until(page, "two changes", (s) => s.adjustments.length === 2);
  assert.deepEqual(changed.adjustments.map(([, to]) => [to.lr, to.augment]), [[0.001, true], [0.001, false]]);
  assert.deepEqual([changed.settings.lr, changed.settings.augment], [0.001, false]);
  assert.match(page.url(), /lr=0\.001.*augment=0/);
  await page.locator('#loss[aria-label*="settings were changed (2 in all)"]').waitFor(); // drawn with the next frame
  await unfold(page, "fold");
  assert.ok(await page.getByRole("textbox", { name: "Epochs" }).isDisabled(), "these settings are fixed while a run lasts");
  await button(page, "Resume").click();
  await until(page, "training", (s) => s.state === "training");
  await stop(page);
  assert.deepEqual(page.problems, []);
});

test("a run ends early when it stops improving", async () => {
  const page = await open(browser, `${server.url}${RUN.replace("epochs=2", "epochs=60").replace("lr=0.002", "lr=0.3")}&images=120&patience=2&autostart=1`);
  const done = await finished(page);
  assert.ok(done.history.length < 60, `${done.history.length} epochs`);
  await page.locator("#error").getByText(/Stopped early after epoch \d+: the validation loss was lowest in epoch \d+\./).waitFor();
  assert.notEqual(done.test_accuracy, null);
});

test("a cell of the matrix shows its images, and an image shows the inside of the network", async () => {
  const page = await open(browser, `${server.url}${RUN}&images=300&epochs=1&autostart=1`);
  const done = await finished(page);
  const counts = done.confusion_matrix.flatMap((row, label) => row.map((count, predicted) => ({ count, label, predicted })));
  const mistake = counts.filter(({ label, predicted }) => label !== predicted).sort((a, b) => b.count - a.count)[0];
  assert.ok(mistake.count > 0, "a network without mistakes shows none");
  // With the mouse, in the middle of the cell: 34 pixels of labels, then ten cells.
  const box = await page.locator("#matrix").boundingBox();
  const cell = Math.floor((box.width - 34) / 10);
  await page.locator("#matrix").click({ position: { x: 34 + (mistake.predicted + 0.5) * cell, y: 34 + (mistake.label + 0.5) * cell } });
  const { count, label, predicted } = mistake;
  await page.getByText(`1 to ${Math.min(40, count)} of ${count} images of ${label} predicted as ${predicted} in the test set, the most confident first.`).waitFor();
  assert.equal(await page.locator("#specimens button").count(), Math.min(40, count));
  const names = await page.locator("#specimens button").evaluateAll((all) => all.map((one) => one.getAttribute("aria-label")));
  const sure = names.map((name) => Number(name.match(new RegExp(`an? ${label} predicted as ${predicted}, ([\\d.]+)% confident`))[1]));
  assert.deepEqual(sure, [...sure].sort((a, b) => b - a));
  assert.ok((await lit(page, "specimens-0")) > 0.05);
  // With the keyboard, in the table.
  await unfold(page, "scores");
  const right = counts.find((one) => one.label === one.predicted && one.count > 0);
  await page.getByRole("button", { name: `${right.count} images of ${right.label} predicted as ${right.label}` }).press("Enter");
  await page.getByText(`of ${right.count} images of ${right.label} predicted as ${right.label}`).waitFor();

  await page.locator("#specimens button").first().click();
  // Why it says so: the part that counts most, and what it says without it.
  await page.getByText(new RegExp(`^This is an? ${right.label}\\. The network says ${right.label} \\(`)).waitFor();
  await page.locator("#why-then").filter({ hasText: /^with that part erased: \d, / }).waitFor();
  for (const id of ["why-parts", "why-without"]) assert.ok((await lit(page, id)) > 0.01, `${id} is blank`);
  assert.equal(await page.locator("#nearest li").count(), 8);
  // What happens inside, by the block of the first layer.
  await page.locator('#blocks [data-inside="0"]').first().click();
  await page.getByText(new RegExp(`^Image \\d+: an? ${right.label}\\. The network says ${right.label} \\(`)).waitFor();
  for (const id of ["explained", "saliency", "maps", "filters"]) assert.ok((await lit(page, id)) > 0.01, `${id} is blank`);
  // By its block in the picture: the second convolution, whose filters look at the maps of the first.
  await page.locator('#blocks [data-inside="2"]').click();
  await page.locator("#filters-note").filter({ hasText: /each row has/ }).waitFor();
  assert.equal(await page.locator("#inside-layer").inputValue(), "2");
  for (const id of ["maps", "filters"]) assert.ok((await lit(page, id)) > 0.01, `${id} is blank`);
  const probabilities = await page.locator("#logits td:nth-child(3)").allTextContents();
  const sum = probabilities.reduce((sum, text) => sum + Number.parseFloat(text), 0);
  assert.ok(Math.abs(sum - 100) < 0.1, `the probabilities are ${sum}% together`);

  await unfold(page, "look");
  await page.locator("#look-part").selectOption("train");
  await page.locator("#look-class").selectOption("4");
  await page.getByText(/^1 to \d+ of \d+ images of 4 in the training set/).waitFor();
  assert.deepEqual(page.problems, []);
});

test("the time machine goes back to an earlier epoch: filters, matrix and the answer to the sketch", async () => {
  const page = await open(browser, `${server.url}${RUN}&epochs=3&autostart=1`);
  await finished(page);
  await draw(page, SEVEN);
  const note = page.locator("#sketch-note");
  await note.getByText(/after 54 training steps/).waitFor();
  await unfold(page, "inside");
  const pixels = () => page.evaluate(() => document.getElementById("filters").toDataURL());
  // They are drawn with the next frame: 16 filters of 3 pixels and the gaps between them.
  await page.waitForFunction(() => document.getElementById("filters").width === 63);
  const now = await pixels();
  await page.locator("#machine").fill("1");
  await page.getByText("Time machine: after epoch 1").waitFor();
  await note.getByText(/^After epoch 1 it looked like an? \d/).waitFor();
  await page.getByText(/Validation set after epoch 1, by the time machine/).waitFor();
  await page.waitForFunction((now) => document.getElementById("filters").toDataURL() !== now, now);
  await page.locator("#machine").fill("4");
  await note.getByText(/after 54 training steps/).waitFor();
  await page.waitForFunction((now) => document.getElementById("filters").toDataURL() === now, now);
  assert.deepEqual(page.problems, []);
});

test("the doctor says what each stage of the preparation does to a sketch, and which training images are nearest", async () => {
  const page = await open(browser, `${server.url}${RUN}&autostart=1`);
  await finished(page);
  await unfold(page, "scores"); // nothing else would trigger a redraw now
  await page.locator("#matrix-cells tr").nth(9).waitFor();
  await draw(page, SEVEN);
  await page.locator("#sketch-note").getByText("looks like").waitFor();
  await unfold(page, "doctor");
  await page.locator("#variants tr").nth(3).waitFor();
  const usual = await page.locator("#variants tr").first().locator("td").allTextContents();
  const shown = await page.locator(`#bar-${usual[1]}-value`).textContent();
  assert.equal(usual[2], shown);
  const pictures = await page.locator("#variants canvas").evaluateAll((all) => all.map((one) => one.toDataURL()));
  assert.equal(new Set(pictures).size, 4, "two preparations are the same");
  assert.equal(await page.locator("#nearest li").count(), 8);
  await page.locator("#why-text").filter({ hasText: /^The network says \S+ \(.*(because of the framed part|no single part changes that)/ }).waitFor();
  assert.deepEqual(page.problems, []);
});

test("the page shows how far to trust the network, by calibration and robustness, while it trains", async () => {
  const page = await open(browser, `${server.url}${RUN.replace("epochs=2", "epochs=60")}&autostart=1`);
  await until(page, "first epoch", (s) => s.history.length >= 1);
  await unfold(page, "trust");
  await page.getByText("Appears when the test set is scored.").waitFor();
  await button(page, "Evaluate on test set").click();
  await page.getByText(/expected calibration error/).waitFor();
  await button(page, "Measure it now").click();
  const measured = await until(page, "all points", (s) => s.robustness.length === 37);
  assert.equal(measured.state, "training", "training continues during the measurement");
  const at = (motion, amount) => measured.robustness.find((point) => point.motion === motion && Math.abs(point.amount - amount) < 1e-9).accuracy;
  assert.ok(at("rotation", 0) > at("rotation", 90) + 0.2, "a quarter turn makes no difference?");
  await button(page, "Measure it now").waitFor();
  await page.getByText(/^Accuracy on unchanged images: [\d.]+%\. At worst: [\d.]+% rotated, [\d.]+% shifted, [\d.]+% resized\.$/).waitFor();
  assert.match(await page.locator("#robust-rotation").getAttribute("aria-label"), /Accuracy on rotated images: [\d.]+% at worst/);
  await stop(page);
  assert.deepEqual(page.problems, []);
});

test("the page describes the data set: classes, test images that it has seen before, and labels to check", async () => {
  const page = await open(browser, `${server.url}${RUN}&autostart=1`);
  const run = await finished(page);
  await unfold(page, "survey");
  await button(page, "Look at the data set").click();
  await page.getByText(/^No test image equals a training image, and none is nearly the same\. The most similar pairs, with the training image on the left, /).waitFor();
  const classes = await page.locator("#survey-classes li").allTextContents();
  assert.equal(classes.length, 10);
  const pictures = await page.locator("#survey-classes canvas").evaluateAll((all) => all.map((one) => one.toDataURL()));
  assert.equal(new Set(pictures).size, 10, "two classes have the same mean image");
  assert.equal(await page.locator("#twins canvas").count(), 24);
  const words = await page.getByText(/^The network (agrees with every label|takes \d+ of [\d,]+ training images for another class)/).textContent();
  const [, mistakes] = words.match(/takes (\d+) of/) ?? [null, "0"];
  if (mistakes !== "0") {
    await button(page, "Show these images").click();
    await page.getByText(new RegExp(`of ${mistakes} mistakes in the training set, the most confident first`)).waitFor();
    assert.equal(await page.locator("#specimens .wrong").count(), Math.min(40, Number(mistakes)));
  }
  assert.equal(run.state, "finished");
  assert.deepEqual(page.problems, []);
});

test("runs are listed side by side by name, a test says whether one is better, and they survive a reload", async () => {
  const page = await open(browser, `${server.url}${RUN}&autostart=1`);
  await finished(page);
  await page.locator("#lr").fill("0.00001");
  await unfold(page, "fold");
  await page.getByRole("textbox", { name: "Seed" }).fill("5");
  await button(page, "Train").click();
  await until(page, "second run", (s) => s.state === "finished" && s.settings.lr === 0.00001);
  await unfold(page, "runs");
  await page.locator("#run-rows tr").nth(1).waitFor();
  assert.match(await page.locator("#accuracy").getAttribute("aria-label"), /validation of 1 earlier run\./);
  const heads = await page.locator("#run-head th").allTextContents();
  assert.ok(heads.includes("Learning rate") && heads.includes("Seed") && !heads.includes("Batch size"), heads.join());
  await page.getByLabel("Name of run 2").fill("slow <b>");
  await page.getByLabel("Name of run 2").blur();
  await page.getByText(/^Only Run 1 gets \d+ of the test images right, and only slow <b> gets \d+: (Run 1 is better|this may well be chance)/).waitFor();
  await kept(page, "shelf", (history) => JSON.stringify(history).includes("slow <b>"));
  await page.reload();
  await unfold(page, "runs");
  assert.equal(await page.getByLabel("Name of run 2").inputValue(), "slow <b>");
  await page.getByRole("button", { name: "Remove Run 1" }).click();
  await page.locator("#run-rows tr").nth(1).waitFor({ state: "detached" });
  assert.equal(await page.getByLabel("Name of run 1").inputValue(), "slow <b>");
  assert.deepEqual(page.problems, []);
});

// While a run trains, the page redraws four times a second; typing a key takes longer than that.
test("a run can be renamed while another one trains, and no menu or cell loses its focus", async () => {
  const page = await open(browser, `${server.url}${RUN}&autostart=1`);
  await finished(page);
  await unfold(page, "fold");
  await page.getByRole("textbox", { name: "Epochs" }).fill("100");
  await button(page, "Train").click();
  await until(page, "training", (s) => s.state === "training" && s.history.length >= 1);
  await unfold(page, "runs");
  const name = page.getByLabel("Name of run 1");
  await name.fill("");
  await name.pressSequentially("slow hand", { delay: 400 });
  assert.equal(await name.inputValue(), "slow hand");
  await name.press("Enter");
  await page.waitForTimeout(600);
  assert.equal(await name.inputValue(), "slow hand");
  assert.ok(await name.evaluate((input) => input === document.activeElement), "the field has lost the focus");
  await unfold(page, "scores");
  await page.locator("#matrix-cells button").first().focus();
  const epochs = (await summary(page)).history.length;
  await until(page, "another epoch", (s) => s.history.length > epochs);
  await page.waitForTimeout(600);
  assert.ok(await page.evaluate(() => document.activeElement.closest("#matrix-cells") !== null), "the cell has lost the focus");
  await stop(page);
  await until(page, "stop", (s) => s.state === "stopped");
  assert.deepEqual(page.problems, []);
});

test("a digit can be drawn with the keyboard alone", async () => {
  const page = await open(browser, `${server.url}${RUN}&autostart=1`);
  await finished(page);
  await page.locator("#pad").focus();
  const press = async (key, times = 1) => { for (let i = 0; i < times; i++) await page.keyboard.press(key); };
  await press("ArrowUp", 6);
  await press("Space");
  await press("ArrowDown", 12);
  await press("Space");
  await page.locator("#sketch-note").getByText(/It looks like an? \d/).waitFor();
  await press("Backspace");
  await page.getByText("Draw a digit and see what the network makes of it.").waitFor();
  assert.deepEqual(page.problems, []);
});

test("a visitor's digits are named, read, taught and taken back, and they survive a reload", async () => {
  const page = await open(browser, `${server.url}${RUN}`);
  await unfold(page, "hand");
  const said = page.locator("#hand-text");
  assert.ok(await page.locator("#name-7").isDisabled(), "nothing is drawn yet");
  // Ones drawn as a cross: the network has never seen that.
  const CROSS = [[[0.2, 0.2], [0.8, 0.8]], [[0.8, 0.2], [0.2, 0.8]]];
  const name = async (strokes, digit) => {
    await draw(page, strokes);
    await page.locator(`#name-${digit}`).click();
  };
  for (let i = 0; i < 4; i++) await name(CROSS, 1);
  await said.getByText("4 digits. 1 more, and you can teach it.").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "pad", "the next one can be drawn at once");
  for (let i = 0; i < 2; i++) await name(SEVEN, 7);
  await page.locator("#own-digits button").nth(5).click();
  await page.locator("#own-digits button").nth(5).waitFor({ state: "detached" });
  await said.getByText("5 digits. Train a network to see how well it reads them.").waitFor();
  assert.ok(await button(page, "Train on my handwriting").isDisabled());
  await kept(page, "digits", (digits) => digits?.labels.length === 5);
  await page.reload();
  await unfold(page, "hand");
  await said.getByText("5 digits.").waitFor();
  assert.equal(await page.locator("#own-digits .dashed").count(), 1);
  await button(page, "Train").click();
  await finished(page);
  await said.getByText(/^It reads [0-5] of your 5 digits correctly\.$/).waitFor();
  const before = await said.textContent();
  const scored = (await summary(page)).test_accuracy;
  await button(page, "Train on my handwriting").click();
  await said.getByText("The network is tested, learns your digits, and is tested again.").waitFor();
  await page.waitForFunction(() => document.getElementById("teaching").value > 0);
  // The score comes with the next event.
  const scoredAs = ([right, of]) => (s) => s.test_accuracy === right / of;
  const taught = await until(page, "taught network", (s) => s.fine_tuned !== null && scoredAs(s.fine_tuned[1].test)(s));
  await said.getByText("It reads 5 of your 5 digits correctly.").waitFor();
  const [then, now] = taught.fine_tuned;
  assert.deepEqual([now.own, now.aside, now.test[1]], [[4, 4], [1, 1], 100]);
  assert.ok(then.own[0] < 4, "it could already read them before");
  const rows = await page.locator("#hand-rows tr").evaluateAll((all) => all.map((row) => row.innerText.split("\t")));
  assert.deepEqual(rows[0], ["yours, taught", "4", `${(25 * then.own[0]).toFixed(2)}%`, "100.00%"]);
  await page.getByText(/^Finished, and taught your digits: /).waitFor();
  await unfold(page, "runs");
  assert.match(await page.locator("#run-rows tr").first().textContent(), new RegExp(`${(100 * then.test[0] / then.test[1]).toFixed(2)}%`), "what a network is taught later does not change its run's score");
  await unfold(page, "hand");
  await draw(page, CROSS);
  await page.locator("#sketch-note").getByText("looks like a 1").waitFor();
  await button(page, "Undo teaching").click();
  await until(page, "the network before", (s) => s.fine_tuned === null && s.test_accuracy === scored);
  await said.getByText(before).waitFor();
  // If teaching is stopped halfway, the network is as it was before.
  await button(page, "Train on my handwriting").click();
  await page.waitForFunction(() => document.getElementById("teaching").value > 0);
  await button(page, "Stop teaching").click();
  await said.getByText(before).waitFor();
  assert.equal((await summary(page)).test_accuracy, scored);
  await button(page, "Remove all").click();
  await said.getByText("None yet.").waitFor();
  await button(page, "Undo: bring them back").click();
  await said.getByText(before).waitFor();
  await page.locator("#own-digits button").nth(4).focus();
  await page.keyboard.press("Enter");
  await page.locator("#own-digits button").nth(4).waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.dataset.place), "3", "the focus stays among the digits");
  assert.deepEqual(page.problems, []);
});

test("sliders show their effect at once, and a run in progress receives the change once", async () => {
  const page = await open(browser, `${server.url}${RUN.replace("epochs=2", "epochs=40")}&rotation=12.34&autostart=1`);
  await until(page, "training", (s) => s.state === "training");
  await unfold(page, "fold");
  const rotation = page.locator("#rotation-slider");
  assert.equal(await page.getByRole("textbox", { name: "Rotation" }).inputValue(), "12.34", "a link is exact");
  assert.equal(await rotation.inputValue(), "12");
  const preview = () => page.evaluate(() => document.getElementById("preview").toDataURL());
  const still = await preview();
  await rotation.evaluate((slider) => {
    for (const value of [40, 60, 80]) {
      slider.value = value;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
  await page.waitForFunction((still) => document.getElementById("preview").toDataURL() !== still, still);
  const shows = (id, value) => page.waitForFunction(([id, value]) => document.getElementById(id).value === value, [id, value]);
  await shows("rotation", "80");
  assert.deepEqual((await summary(page)).adjustments, []);
  await rotation.evaluate((slider) => slider.dispatchEvent(new Event("change", { bubbles: true })));
  const { adjustments } = await until(page, "an adjustment", (s) => s.adjustments.length > 0);
  assert.deepEqual(adjustments.map(([, to]) => to.augmentation.rotation), [80]);
  await page.getByRole("textbox", { name: "Rotation" }).fill("5");
  await page.getByRole("textbox", { name: "Rotation" }).blur();
  await shows("rotation-slider", "5");
  await stop(page);
  assert.deepEqual(page.problems, []);
});

test("only the first visit shows how to begin", async () => {
  const page = await open(browser, `${server.url}${RUN}`);
  await page.getByText("A network that knows nothing sees thousands").waitFor();
  await button(page, "Got it").click();
  await page.locator("#welcome").waitFor({ state: "hidden" });
  assert.equal(await page.evaluate(() => document.activeElement.id), "train");
  await page.reload();
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  assert.ok(await page.locator("#welcome").isHidden());
  for (const help of await page.locator(".help").all()) {
    const sheet = await help.evaluate((help) => help.closest("details.opens")?.id);
    if (sheet) await unfold(page, sheet);
    await help.locator("summary").click();
    await help.locator("p").first().waitFor();
    await help.locator("summary").click();
    await page.keyboard.press("Escape");
  }
  assert.deepEqual(page.problems, []);
});
