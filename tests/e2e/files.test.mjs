// Saving and opening files: what the page saves opens in the tools that it is meant for, and in the page itself.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { gunzipSync, gzipSync } from "node:zlib";
import { NO_PYTHON, ROOT, SEVEN, choose, draw, idx, launch, open, serve, stop, summary, unfold, until } from "./lib.mjs";

let server, browser, folder;
before(async () => ([server, browser, folder] = [await serve(), await launch(), await mkdtemp(join(tmpdir(), "inkling-"))]));
after(async () => (await browser.close(), await server.close()));

const RUN = "?dataset=synthetic&backend=cpu&images=600&batch=32&epochs=2&seed=3&replicas=1&lr=0.002";
const finished = (page) => until(page, "finished run", (s) => s.state === "finished");
const save = async (page, name) => {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name, exact: true }).click()]);
  return [download.suggestedFilename(), await readFile(await download.path())];
};
const pick = (page, label, name, buffer) => choose(page.getByLabel(label), { name, mimeType: "application/octet-stream", buffer });

test("weights, history, report and charts open elsewhere with the same contents", { skip: NO_PYTHON }, async () => {
  const page = await open(browser, `${server.url}${RUN}&autostart=1`);
  const done = await finished(page);
  await unfold(page, "files");
  const [weightsName, weights] = await save(page, "safetensors");
  assert.equal(weightsName, "inkling-step-36.safetensors");
  const [onnxName, onnx] = await save(page, "ONNX");
  assert.equal(onnxName, "inkling-step-36.onnx");
  const [historyName, history] = await save(page, "History as CSV");
  assert.equal(historyName, "inkling-history.csv");

  // The sketch as the network sees it, and its answer.
  await draw(page, SEVEN);
  await page.locator("#sketch-note").getByText("looks like").waitFor();
  await unfold(page, "inside");
  await page.getByText(/Your sketch\. The network says/).waitFor();
  const said = (await page.locator("#logits td:nth-child(2)").allTextContents()).map(Number);
  const pixels = await page.evaluate(() => {
    const { data } = document.getElementById("thumb").getContext("2d").getImageData(0, 0, 28, 28);
    return [...data].filter((_, i) => i % 4 === 0);
  });
  await writeFile(join(folder, "images.f32"), new Uint8Array(Float32Array.from(pixels, (ink) => ink / 255).buffer));
  await writeFile(join(folder, "weights.safetensors"), weights);
  await writeFile(join(folder, "weights.onnx"), onnx);
  await writeFile(join(folder, "history.csv"), history);
  const python = process.env.INKLING_PYTHON;
  const { stdout } = await promisify(execFile)(python, [join(ROOT, "tests/e2e/read_exports.py"), folder], { maxBuffer: 1 << 24 });
  const read = JSON.parse(stdout);
  assert.deepEqual(read.shapes, {
    "conv1.weight": [32, 1, 3, 3], "conv1.bias": [32], "conv2.weight": [64, 32, 3, 3], "conv2.bias": [64],
    "dense1.weight": [128, 1600], "dense1.bias": [128], "dense2.weight": [10, 128], "dense2.bias": [10],
  });
  for (let digit = 0; digit < 10; digit++) {
    assert.ok(Math.abs(read.onnx[0][digit] - read.safetensors[0][digit]) < 1e-4, "ONNX Runtime and numpy differ");
    assert.ok(Math.abs(read.onnx[0][digit] - said[digit]) < 0.0051, `digit ${digit}: ${read.onnx[0][digit]}, the page shows ${said[digit]}`);
  }
  const scores = { averaged_validation_loss: null, averaged_validation_accuracy: null };
  assert.deepEqual(read.history, done.history.map(({ parts, averaged, ...rest }) => ({ ...rest, ...scores })));

  await unfold(page, "files");
  const [jsonName, json] = await save(page, "History as JSON");
  assert.deepEqual([jsonName, JSON.parse(json)], ["inkling-history.json", done.history]);
  const [, text] = await save(page, "Report as text");
  assert.match(text.toString(), /precision +recall +f1-score +support[\s\S]+accuracy +[\d.]+ +100\n/);
  const [, markdown] = await save(page, "Report as Markdown");
  assert.equal(markdown.toString().trim().split("\n").length, 15);
  const [svgName, svg] = await save(page, "Loss as SVG");
  assert.equal(svgName, "inkling-loss.svg");
  assert.match(svg.toString(), /^<svg [\s\S]+polyline[\s\S]+<\/svg>\s*$/);
  const [, png] = await save(page, "Matrix as PNG");
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  assert.deepEqual(page.problems, []);
});

test("opened weights can be queried, scored and trained on; a wrong file is refused with a reason and loses nothing", async () => {
  const page = await open(browser, `${server.url}${RUN}&autostart=1`);
  const done = await finished(page);
  await unfold(page, "files");
  const [, burnpack] = await save(page, "burnpack");
  const other = await open(browser, server.url + RUN);
  await other.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  await unfold(other, "files");
  for (const [name, bytes] of [["a.safetensors", Buffer.from("no weights at all")], ["b.bpk", burnpack.subarray(0, 5000)]]) {
    const before = (await summary(other)).warnings.length;
    await pick(other, "Open weights", name, bytes);
    const now = await until(other, "refusal", (s) => s.warnings.length > before);
    assert.match(now.warnings.at(-1), /^The file was not opened: /);
    assert.equal(now.state, "idle");
  }
  await pick(other, "Open weights", "c.bpk", burnpack);
  await until(other, "weights", (s) => s.state === "paused");
  await other.getByRole("button", { name: "Evaluate on test set" }).click();
  assert.equal((await until(other, "score", (s) => s.test_accuracy !== null)).test_accuracy, done.test_accuracy);
  await draw(other, SEVEN);
  await other.locator("#sketch-note").getByText("looks like").waitFor();
  await other.getByRole("button", { name: "Resume", exact: true }).click();
  assert.equal((await finished(other)).history.length, 2);
  assert.deepEqual(other.problems, []);
});

test("a whole run is saved as one file, and resumes from it as if it had never stopped", async () => {
  const whole = await finished(await open(browser, `${server.url}${RUN}&epochs=12&autostart=1`));
  const page = await open(browser, `${server.url}${RUN}&epochs=12&autostart=1`);
  await until(page, "second epoch", (s) => s.history.length >= 2);
  await stop(page);
  await until(page, "stop", (s) => s.state === "stopped");
  await unfold(page, "files");
  const [name, file] = await save(page, "Save the run");
  assert.equal(name, "inkling-run.json.gz");
  assert.equal(JSON.parse(gunzipSync(file).toString()).settings.epochs, 12, "other programs can read it, too");

  const other = await open(browser, `${server.url}?backend=cpu&epochs=9`);
  await other.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  await unfold(other, "files");
  const hostile = [
    [Buffer.from("junk"), /not gzipped/], [file.subarray(0, file.length / 2), /not gzipped, or it is cut short/], [gzipSync("{}"), /The run was not opened/],
    [gzipSync(JSON.stringify({ ...JSON.parse(gunzipSync(file).toString()), version: 99 })), /another version/],
    [gzipSync(Buffer.alloc(70 << 20)), /larger than 64 MiB/],
  ];
  for (const [bytes, words] of hostile) {
    const before = (await summary(other)).warnings.length;
    await pick(other, "Open a run", "x.gz", bytes);
    assert.match((await until(other, "refusal", (s) => s.warnings.length > before)).warnings.at(-1), words);
  }
  await pick(other, "Open a run", name, file);
  const done = await finished(other);
  const curve = (s) => s.history.map((epoch) => [epoch.train_loss, epoch.validation_loss]);
  assert.deepEqual(curve(done), curve(whole));
  assert.equal(done.test_accuracy, whole.test_accuracy);
  assert.deepEqual(other.problems, []);
});

test("a visitor's own data set is trained on, with its class names", async () => {
  const page = await open(browser, `${server.url}?dataset=own&backend=cpu&epochs=4&batch=32&augment=0&replicas=1`);
  await page.getByText("Choose the files of your data set, then press Train.").waitFor();
  const files = (list) => page.locator("#own-files").setInputFiles(list.map(([name, buffer]) => ({ name, mimeType: "application/gzip", buffer })));
  const [images, labels] = idx(700);
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  await files([["bars-images.gz", gzipSync(images)], ["junk.gz", Buffer.from("junk")]]);
  assert.match((await until(page, "refusal", (s) => s.warnings.length === 1)).warnings[0], /^The data set was not accepted: no labels match bars-images\.gz: it has 700 images/);
  await files([["bars-images.gz", gzipSync(images)], ["bars-labels", labels]]);
  await unfold(page, "fold");
  await page.getByText(/^60\d images to train with, \d+ to test with: 28 by 28 pixels, gray, 10 classes\./).waitFor();
  await page.getByLabel("Names of the classes").fill("top bar, second, third <i>");
  await page.getByLabel("Names of the classes").blur();
  await page.getByRole("button", { name: "Train", exact: true }).click();
  const done = await finished(page);
  assert.equal(done.dataset.source, "your own files");
  assert.ok(done.test_accuracy > 0.9, `accuracy ${done.test_accuracy}`);
  await unfold(page, "scores");
  await page.locator("#report th").first().waitFor();
  assert.deepEqual((await page.locator("#report th").allTextContents()).slice(0, 4), ["top bar", "second", "third <i>", "3"]);
  assert.deepEqual(page.problems, []);
});

test("files dropped on the page go where they belong", async () => {
  const page = await open(browser, `${server.url}${RUN}&epochs=3&autostart=1`);
  const drop = (files) => page.evaluate((files) => {
    const dataTransfer = new DataTransfer();
    for (const [name, bytes] of files) dataTransfer.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
    for (const kind of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
    return document.body.className;
  }, files.map(([name, buffer]) => [name, buffer.toString("base64")])); // an array of numbers takes Playwright a minute
  const done = await finished(page);
  await unfold(page, "files");
  const [runName, run] = await save(page, "Save the run");
  const [weightsName, weights] = await save(page, "safetensors");
  await drop([[weightsName, weights]]);
  await until(page, "weights", (s) => s.state === "paused" && s.history.length === 0);
  await drop([[runName, run]]);
  await until(page, "refusal", (s) => s.warnings.at(-1) === "A run is in progress. Stop it before opening another.");
  await drop([["images", run], ["labels", run]]);
  await until(page, "refusal", (s) => s.warnings.at(-1) === "A run is in progress. Stop it before choosing other data.");
  assert.match(page.url(), /dataset=synthetic/);
  await stop(page);
  await until(page, "stop", (s) => s.state === "stopped");
  assert.equal(await drop([[runName, run]]), "", "the drop overlay is gone");
  assert.equal((await until(page, "the run again", (s) => s.state === "finished" && s.history.length === 3)).test_accuracy, done.test_accuracy);
  const refused = (words) => until(page, "refusal", (s) => words.test(s.warnings.at(-1)));
  await drop([["holiday.pth", Buffer.from("no weights")]]);
  await refused(/^The file was not opened: this is not a safetensors or burnpack weights file/);
  await drop([["a", Buffer.from("a")], ["b", Buffer.from("b")], ["c", Buffer.from("c")]]);
  await refused(/^The data set was not accepted: a: this is not a file of images or labels/);
  assert.equal(await page.locator("#dataset").inputValue(), "synthetic", "files that are not a data set change no setting");
  const [images, labels] = idx(168);
  await drop([["images", images], ["labels", labels]]);
  await unfold(page, "fold");
  await page.getByText(/^14\d images to train with, 2\d to test with: 28 by 28 pixels/).waitFor();
  assert.equal(await page.locator("#dataset").inputValue(), "own");
  assert.deepEqual(page.problems, []);
});

test("several formats requested in a row are all written, and the page says so when one can't be", async (t) => {
  let gone = false;
  const intercept = (path, response) => gone && path.endsWith("worker_files_bg.wasm.zst") && response.writeHead(404).end();
  const own = await serve({ intercept });
  t.after(() => own.close());
  const page = await open(browser, `${own.url}${RUN}&images=120&autostart=1`);
  await finished(page);
  await unfold(page, "files");
  const names = [];
  page.on("download", (download) => names.push(download.suggestedFilename()));
  for (const name of ["safetensors", "burnpack", "ONNX"]) await page.getByRole("button", { name, exact: true }).click();
  for (let i = 0; (names.length < 3 || page.workers().length > 1) && i < 150; i++) await page.waitForTimeout(100);
  assert.deepEqual(names.sort(), ["inkling-step-8.bpk", "inkling-step-8.onnx", "inkling-step-8.safetensors"]);
  assert.equal(page.workers().length, 1, "the file worker closes when it is done");
  gone = true;
  await page.getByRole("button", { name: "ONNX", exact: true }).click();
  await page.getByText(/^The file could not be saved or opened: its program could not be loaded: .*404/).waitFor();
});
