// Data sets other than digits: drawn in the tab, from arrays, from tables, and from folders of pictures.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { npy, png, zip } from "./formats.mjs";
import { SEVEN, draw, kept, launch, open, serve, summary, unfold, until } from "./lib.mjs";

let server, browser, folder;
before(async () => ([server, browser, folder] = [await serve(), await launch(), await mkdtemp(join(tmpdir(), "inkling-data-"))]));
after(async () => (await browser.close(), await server.close(), await rm(folder, { recursive: true })));

const finished = (page) => until(page, "finished run", (s) => s.state === "finished" || s.state === "failed", 120);
const texts = (page, selector) => page.locator(selector).allTextContents();

const pick = (page, list) => page.locator("#own-files").setInputFiles(list.map(([name, buffer]) => ({ name, mimeType: "application/octet-stream", buffer })));
const own = async (query = "") => {
  const page = await open(browser, `${server.url}?dataset=own&backend=cpu&epochs=3&batch=16&lr=0.01&seed=3&replicas=1&augment=0&net=conv+8,pool,dense+32${query}`);
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  await unfold(page, "fold");
  return page;
};

test("capital letters are learned, sketched and named, with 26 classes everywhere", async () => {
  const page = await open(browser, `${server.url}?dataset=letters&backend=cpu&images=1300&epochs=3&batch=32&seed=3&lr=0.006&autostart=1`);
  const done = await finished(page);
  assert.equal(done.state, "finished", done.error);
  assert.ok(done.test_accuracy > 0.6, `${done.test_accuracy}`);
  assert.deepEqual([done.dataset.classes, done.dataset.names.length, done.confusion_matrix.length], [26, 26, 26]);
  assert.equal((await texts(page, "#bars li")).length, 5);
  await draw(page, [[[0.2, 0.15], [0.8, 0.15]], [[0.5, 0.15], [0.5, 0.85]]]);
  await page.locator("#sketch-note").getByText(/looks like an? [A-Z] /).waitFor();
  const bars = await texts(page, "#bars b");
  assert.ok(bars.every((name) => /^[A-Z]$/.test(name)), bars.join());
  await page.locator("#matrix-mistakes").filter({ hasText: /^Most frequent mistakes: [A-Z] mistaken for [A-Z] \(\d+\)/ }).waitFor();
  await unfold(page, "scores");
  await page.locator("#matrix-head th").nth(26).filter({ hasText: "Z" }).waitFor();
  await page.locator("#report tr").nth(28).waitFor();
  await unfold(page, "look");
  await page.locator("#look-class").selectOption({ label: "Q" });
  await page.locator("#look-text").filter({ hasText: /images of Q in the validation set/ }).waitFor();
  await unfold(page, "hand");
  await page.locator("#hand-text").filter({ hasText: /This network sees other images/ }).waitFor();
  assert.deepEqual(page.problems, []);

  // What the browser has kept goes on with its classes.
  await kept(page, "last", (run) => run?.test);
  await page.goto(`${server.url}?backend=cpu`);
  await page.locator("#offer-text").filter({ hasText: /finished run of 3 epochs/ }).waitFor();
  await page.locator("#resume-run").click();
  const again = await finished(page);
  assert.equal(again.test_accuracy, done.test_accuracy);
  await page.context().close();
});

test("coloured shapes are learned, shown and explained in colour, and the pad says that it can't draw them", async () => {
  const page = await open(browser, `${server.url}?dataset=shapes&backend=cpu&images=900&epochs=4&batch=32&seed=3&lr=0.006&autostart=1`);
  const done = await finished(page);
  assert.equal(done.state, "finished", done.error);
  assert.ok(done.test_accuracy > 0.6, `${done.test_accuracy}`);
  assert.deepEqual([done.dataset.channels, done.dataset.side, done.dataset.classes], [3, 32, 9]);
  await page.locator("#sketch-note").getByText("sees images in colour").waitFor();
  await unfold(page, "look");
  await page.locator("#specimens button").first().click();
  await page.getByText(/The network says (red|green|blue) (circle|square|triangle)/).waitFor();
  await page.locator("#why-then").filter({ hasText: "with that part erased" }).waitFor();
  const why = ["why-parts", "why-without"];
  await page.locator('#blocks [data-inside="0"]').first().click();
  await page.getByText(/^Image \d+: .* The network says/).waitFor();
  for (const id of [...why, "explained", "filters", "specimens-0"]) {
    const coloured = await page.locator(`#${id}`).evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((_, at) => at % 4 === 0 && Math.abs(data[at] - data[at + 1]) + Math.abs(data[at] - data[at + 2]) > 60);
    });
    assert.ok(coloured, `${id} is gray`);
  }
  await draw(page, SEVEN);
  assert.equal((await summary(page)).state, "finished");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("NumPy's arrays of 12 by 10 coloured pixels and three classes are trained on", async () => {
  const count = 300;
  const labels = Buffer.from(Array.from({ length: count }, (_, i) => i % 3));
  const pixels = Buffer.alloc(count * 12 * 10 * 3);
  for (let i = 0; i < count; i++) for (let p = 0; p < 120; p++) pixels[(i * 120 + p) * 3 + labels[i]] = 100 + ((i * 31 + p * 7) % 150);
  const page = await own();
  await pick(page, [["colours.npz", zip([["x_train.npy", npy([count, 12, 10, 3], pixels)], ["y_train.npy", npy([count], labels)]])]]);
  await page.locator("#own-note").filter({ hasText: /^\d+ images to train with, \d+ to test with: 12 by 12 pixels, in colour, 3 classes\. A seventh/ }).waitFor();
  await page.locator("#class-names").fill("reddish, greenish, blueish");
  await page.locator("#class-names").blur();
  await page.locator("#train").click();
  const done = await finished(page);
  assert.equal(done.state, "finished", done.error);
  assert.equal(done.test_accuracy, 1);
  await unfold(page, "scores");
  await page.locator("#report").filter({ hasText: "greenish" }).waitFor();
  await page.context().close();
});

test("images that are kept are there after a reload: a run on them resumes, and they can be forgotten", async () => {
  const count = 300;
  const labels = Buffer.from(Array.from({ length: count }, (_, i) => i % 2));
  const pixels = Buffer.alloc(count * 100, 255); // dark ink on light paper
  for (let i = 0; i < count; i++) for (let x = 2; x < 8; x++) pixels[i * 100 + (labels[i] ? 10 * x + 5 : 50 + x)] = (i * 31 + x * 7) % 60;
  const page = await own();
  await pick(page, [["lines.npz", zip([["x_train.npy", npy([count, 10, 10], pixels)], ["y_train.npy", npy([count], labels)]])]]);
  await page.getByLabel("Keep these images in this browser (0.0 MB)").check();
  await page.locator("#train").click();
  const done = await finished(page);
  assert.ok(done.test_accuracy > 0.9, `${done.test_accuracy}`);
  // The sketch pad draws as these images look.
  await draw(page, [[[0.2, 0.5], [0.8, 0.5]]]);
  await page.locator("#sketch-note").getByText("looks like a 0").waitFor();
  const paper = await page.evaluate(() => document.getElementById("thumb").getContext("2d").getImageData(0, 0, 1, 1).data[0]);
  assert.equal(paper, 255);
  await kept(page, "last", (run) => run?.test);
  await kept(page, "images", (images) => images);
  await page.reload();
  await unfold(page, "fold");
  await page.locator("#own-note").filter({ hasText: /^\d+ images to train with/ }).waitFor();
  assert.ok(await page.locator("#own-keep").isChecked());
  await page.keyboard.press("Escape");
  await page.locator("#resume-run").click();
  const again = await finished(page);
  assert.deepEqual([again.test_accuracy, again.history.length], [done.test_accuracy, done.history.length]);
  await unfold(page, "fold");
  await page.locator("#own-keep").uncheck();
  await kept(page, "images", (images) => !images);
  await page.reload();
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  await page.waitForTimeout(500);
  assert.equal(await page.locator("#own-note").textContent(), "");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

/** Sixty pictures of each class, of various sizes: a bright square that is red or blue, in the middle of a wide picture. */
const pictures = (formats) => {
  const files = [];
  for (const [label, colour] of [["cherry", [220, 30, 30]], ["plum", [40, 40, 220]]]) {
    for (let i = 0; i < 70; i++) {
      const [width, height] = formats[i % formats.length];
      const inside = (x, y) => Math.max(Math.abs(x - width / 2), Math.abs(y - height / 2)) < height / 3;
      files.push([`${label}/${i}.png`, png(width, height, (x, y) => (inside(x, y) ? colour.map((c) => Math.max(0, c - (i % 20))) : [20, 90, 20]))]);
    }
  }
  return files;
};

test("a ZIP with a folder of pictures for each class is decoded, cut to squares and trained on", async () => {
  const page = await own();
  await pick(page, [["fruit.zip", zip([...pictures([[60, 40], [33, 50], [16, 16]]), ["cherry/broken.png", Buffer.from("\x89PNG but no more", "latin1")], ["__MACOSX/cherry/._1.png", Buffer.from("x")]])]]);
  await page.locator("#own-note").filter({ hasText: /^1 of the pictures could not be decoded, such as fruit\/cherry\/broken\.png\. \d+ images .*: 32 by 32 pixels, in colour, 2 classes/ }).waitFor();
  await page.locator("#train").click();
  const done = await finished(page);
  assert.equal(done.state, "finished", done.error);
  assert.deepEqual(done.dataset.names, ["cherry", "plum"]);
  assert.equal(done.test_accuracy, 1);
  await page.context().close();
});

test("a folder of pictures becomes gray images of the size that the visitor chooses", async () => {
  for (const [name, bytes] of pictures([[24, 24]])) {
    await mkdir(join(folder, "fruit", name.split("/")[0]), { recursive: true });
    await writeFile(join(folder, "fruit", name), bytes);
  }
  const page = await own();
  await page.locator("#own-look").selectOption("28 gray");
  await page.locator("#own-folder").setInputFiles(join(folder, "fruit"));
  await page.locator("#own-note").filter({ hasText: /28 by 28 pixels, gray, 2 classes/ }).waitFor();
  await page.locator("#train").click();
  const done = await finished(page);
  assert.equal(done.state, "finished", done.error);
  assert.ok(done.test_accuracy > 0.9);
  await page.context().close();
});

test("a network that does not fit the images is named before Train starts, and files that are no data set are refused in words", async () => {
  const page = await own();
  const small = (side) => zip([["x.npy", npy([140, side, side], Buffer.alloc(140 * side * side, 9))], ["y.npy", npy([140], Buffer.from(Array.from({ length: 140 }, (_, i) => i % 2)))]]);
  await pick(page, [["small.npz", small(8)]]);
  await page.locator("#own-note").filter({ hasText: /8 by 8 pixels, gray, 2 classes/ }).waitFor();
  await unfold(page, "edit");
  await page.locator("#net").fill("conv 8, pool, conv 8, pool");
  await page.locator("#train").click();
  await page.locator("#net-error").filter({ hasText: /in layer 4, "pool", the image is 1x1 here/ }).waitFor();
  await page.locator("#net").fill("conv 8 same, pool");
  await page.locator("#net").blur();
  await page.locator("#net-note").filter({ hasText: /^1 x 8 x 8 → 8 x 8 x 8 → 8 x 4 x 4 → 2\./ }).waitFor();
  assert.ok(await page.locator("#net-error").isHidden());
  await unfold(page, "fold");
  for (const [name, bytes, words] of [
    ["large.npz", small(99), /is no shape of images/],
    ["damaged.zip", small(8).subarray(0, 200), /the archive is damaged/],
    ["notes.csv", Buffer.from("hello\nworld"), /it has no line with a class and its pixels/],
    ["loose.zip", zip([["a.png", png(9, 9, () => [1, 2, 3])]]), /the pictures are in no folders|there are 1 classes/],
    ["photo.gif", Buffer.from("GIF89a"), /this is not a file of images or labels/],
  ]) {
    await pick(page, [[name, bytes]]);
    await page.locator("#own-note").filter({ hasText: words }).waitFor();
    await page.locator("#error").filter({ hasText: words }).waitFor();
  }
  // What was read before is still there.
  await page.locator("#train").click();
  assert.deepEqual((await finished(page)).dataset.side, 8);
  await page.context().close();
});
