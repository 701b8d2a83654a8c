// WebGPU on Chromium's software adapter, with tiny runs because it is slow, and every way to fall back to the CPU.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readFile } from "node:fs/promises";
import { AFTER_A_CHECKPOINT, NO_NDARRAY, NO_WEBGPU, WATCH_GPU, choose, idx, launch, open, sabotage, serve, unfold, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch({ webgpu: true })]));
after(async () => (await browser.close(), await server.close()));

const TINY = "?dataset=synthetic&images=24&batch=11&epochs=1&augment=0&autostart=1";
const SKIPPED = "SKIPPED: this browser has no WebGPU adapter, so WebGPU is not tested";
const adapter = (page) => page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()));
const ended = (s) => ["finished", "failed"].includes(s.state);

/** A server whose first, second, ... worker first runs the first, second, ... script in `faults`. */
async function own(t, faults) {
  const server = await serve({ intercept: sabotage(faults) });
  t.after(() => server.close());
  return server;
}

test("on WebGPU the page trains as on the CPU, its memory does not grow, and its self-test is remembered", { skip: NO_WEBGPU }, async (t) => {
  const server = await own(t, [WATCH_GPU]);
  const run = (backend, epochs) => `${server.url}?dataset=synthetic&images=120&batch=2&epochs=6&seed=3&autostart=1&backend=${backend}`;
  const page = await open(browser, run("webgpu"));
  if (!(await adapter(page))) return t.skip(SKIPPED);
  const memory = async (epochs) => {
    const now = await until(page, `epoch ${epochs}`, (s) => s.history.length >= epochs || ended(s), 400);
    assert.equal(now.error, null);
    return page.workers()[0].evaluate(async () => {
      await gpu.collect();
      return { buffers: gpu.buffers, bytes: gpu.bytes };
    });
  };
  const early = await memory(1);
  const late = await memory(6);
  t.diagnostic(`device memory: ${JSON.stringify(early)} after 55 steps, ${JSON.stringify(late)} after 330`);
  // The pools may take another page now and then, and CubeCL keeps the last 512 different arguments of kernels, each in a small buffer:
  // Adam's differ in each step. Leaking one gradient of the network (0.9 MB) per step would add 248 MB.
  assert.ok(late.bytes < early.bytes + 4e6 && late.buffers < early.buffers + 512, "memory grows");
  const there = await until(page, "finished run", ended, 100);
  assert.deepEqual([there.state, there.error, there.incidents], ["finished", null, []]);
  assert.equal(there.backend.name, "webgpu", `fell back: ${there.backend.reason}`);
  const { largest_difference, earlier } = there.backend.check;
  assert.ok(largest_difference > 0 && largest_difference < 1e-4 && !earlier, JSON.stringify(there.backend.check));
  await page.getByText(/✓ Same results as the CPU: at most/).waitFor();

  const here = await open(browser, run("cpu") + "&replicas=1");
  const { history } = await until(here, "finished run", ended);
  const [gpu, cpu] = [there.history[0], history[0]];
  t.diagnostic(`55 steps: loss ${gpu.train_loss} on WebGPU, ${cpu.train_loss} on the CPU; validation ${gpu.validation_loss}, ${cpu.validation_loss}`);
  for (const metric of ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]) {
    assert.ok(Math.abs(gpu[metric] - cpu[metric]) < 0.01, `${metric}: ${gpu[metric]} on WebGPU, ${cpu[metric]} on the CPU`);
  }

  await page.goto(server.url + TINY + "&backend=webgpu");
  await page.getByText(/✓ Same results as the CPU on an earlier visit/).waitFor({ timeout: 60000 });
  assert.ok((await until(page, "finished run", ended, 100)).backend.check.earlier);
  assert.deepEqual(page.problems, []);
});

// The last batch of an epoch is padded on a GPU: batch norm must not see the padding.
const NETS = { letters: "conv 4, pool, residual 6, globalpool", shapes: "conv 4 none, batchnorm relu, pool, residual 4, dense 8 none, batchnorm tanh" };
for (const [dataset, net] of Object.entries(NETS)) {
  test(`on WebGPU, ${dataset} and a network of other layers train as on the CPU`, { skip: NO_WEBGPU }, async (t) => {
    const run = (backend) => `${server.url}?dataset=${dataset}&net=${encodeURIComponent(net)}&images=120&batch=16&epochs=2&seed=3&autostart=1&replicas=1&backend=${backend}`;
    const there = await open(browser, run("webgpu"));
    if (!(await adapter(there))) return t.skip(SKIPPED);
    const gpu = await until(there, "finished run", ended, 400);
    assert.deepEqual([gpu.state, gpu.error, gpu.incidents], ["finished", null, []]);
    assert.equal(gpu.backend.name, "webgpu", `fell back: ${gpu.backend.reason}`);
    const here = await open(browser, run("cpu"));
    const cpu = await until(here, "finished run", ended);
    t.diagnostic(`losses on WebGPU ${gpu.history.map((e) => e.train_loss)}, on the CPU ${cpu.history.map((e) => e.train_loss)}`);
    for (const metric of ["train_loss", "validation_loss"]) {
      gpu.history.forEach((epoch, i) => assert.ok(Math.abs(epoch[metric] - cpu.history[i][metric]) < 0.01, `${metric}: ${epoch[metric]} on WebGPU, ${cpu.history[i][metric]} on the CPU`));
    }
    assert.deepEqual([...there.problems, ...here.problems], []);
    await there.context().close();
    await here.context().close();
  });
}

// What may happen to a GPU, and what the page says about it.
const NAN_LOSS = `
  const { getMappedRange } = GPUBuffer.prototype;
  GPUBuffer.prototype.getMappedRange = function (...range) {
    return new Float32Array(getMappedRange.apply(this, range).byteLength / 4).fill(NaN).buffer;
  };`;
const FAULTS = {
  "the device is lost": ["gpu.device.destroy()", /could not be read from the device|lost/],
  "a call is invalid": ["gpu.device.createBuffer({ size: 16, usage: 0 })", /^wgpu error: Buffer usages must not be 0/],
  "the loss is not a number": [NAN_LOSS, /the loss stopped being a number/],
  "memory runs out": [
    'gpu.device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error: new GPUOutOfMemoryError("the test took it") }))',
    /out of memory|the test took it/i,
  ],
};
for (const pair of [["the device is lost", "a call is invalid"], ["the loss is not a number", "memory runs out"]]) {
  test(`a run resumes when ${pair.join(", and then ")}`, { skip: NO_WEBGPU }, async (t) => {
    const faults = pair.map((name) => WATCH_GPU + AFTER_A_CHECKPOINT(FAULTS[name][0]));
    const server = await own(t, faults);
    const page = await open(browser, `${server.url}${TINY.replace("epochs=1", "epochs=4")}&backend=webgpu`);
    if (!(await adapter(page))) return t.skip(SKIPPED);
    const done = await until(page, "end of the run", ended, 300);
    t.diagnostic(JSON.stringify(done.incidents));
    assert.deepEqual([done.state, done.error], ["finished", null]);
    assert.deepEqual(done.incidents.map((i) => [i.backend, i.remedy]), [["webgpu", "again"], ["webgpu", "cpu"]]);
    pair.forEach((name, i) => assert.match(done.incidents[i].reason, FAULTS[name][1]));
    // How far the checkpoints are apart depends on the machine's speed; 0 would be the beginning.
    assert.ok(done.incidents[0].from >= 1 && done.incidents[1].from >= done.incidents[0].from, "the run started over");
    assert.deepEqual(done.history.map((epoch) => epoch.epoch), [1, 2, 3, 4]);
    assert.equal(done.backend.name, "cpu");
    await page.getByText(/CPU: burn-flex, SIMD(, FMA)? \(webgpu was lost twice: /).waitFor();
    });
}

test("a GPU that computes wrongly is detected: the page falls back to the CPU, and remembers that", { skip: NO_WEBGPU }, async (t) => {
  // Every result that is read back is slightly off.
  const wrong = `
    const { getMappedRange } = GPUBuffer.prototype;
    GPUBuffer.prototype.getMappedRange = function (...range) {
      return new Float32Array(getMappedRange.apply(this, range).slice()).map((value) => value * 1.01).buffer;
    };`;
  const server = await own(t, [wrong]);
  const page = await open(browser, `${server.url}${TINY}&backend=webgpu`);
  if (!(await adapter(page))) return t.skip(SKIPPED);
  const done = await until(page, "finished run", ended, 200);
  assert.equal(done.backend.name, "cpu");
  assert.match(done.backend.reason, /computes incorrectly: the largest error in images is 1\.0e-2 of the CPU's largest value/);
  assert.match(await page.evaluate(() => localStorage.getItem("inkling /some/where/ webgpu verdict")), /\nfailed\nthe WebGPU adapter .* computes incorrectly/);
});

test("a visitor's own data set trains on WebGPU, and the saved run opens there again", { skip: NO_WEBGPU }, async (t) => {
  const page = await open(browser, `${server.url}${TINY.replace("synthetic", "own").replace("&autostart=1", "")}&backend=webgpu`);
  if (!(await adapter(page))) return t.skip(SKIPPED);
  await page.getByText(/✓ Same results as the CPU/).waitFor({ timeout: 100_000 });
  const [images, labels] = idx(168);
  await page.locator("#own-files").setInputFiles([["images", images], ["labels", labels]].map(([name, buffer]) => ({ name, buffer, mimeType: "" })));
  await unfold(page, "fold");
  await page.getByText(/images to train with/).waitFor();
  await page.getByRole("button", { name: "Train", exact: true }).click();
  const done = await until(page, "finished run", ended, 100);
  assert.deepEqual([done.state, done.error, done.backend.name, done.dataset.source], ["finished", null, "webgpu", "your own files"]);
  await unfold(page, "files");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save the run" }).click()]);
  const buffer = await readFile(await download.path());
  await page.getByRole("button", { name: "Reset" }).click();
  await until(page, "nothing", (s) => s.state === "idle");
  await choose(page.locator("#open-run"), { name: "run.json.gz", mimeType: "", buffer });
  const again = await until(page, "the run again", ended, 100);
  assert.deepEqual([again.state, again.backend.name, again.test_accuracy], ["finished", "webgpu", done.test_accuracy]);
  assert.deepEqual(again.history, done.history);
  assert.deepEqual(page.problems, []);
});

test("a software adapter is not preferred to the CPU", { skip: NO_WEBGPU }, async (t) => {
  const page = await open(browser, `${server.url}${TINY}&backend=auto`);
  if (!(await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter())))) return t.skip("SKIPPED: no WebGPU adapter");
  const done = await until(page, "finished run", (s) => s.state === "finished");
  assert.deepEqual([done.backend.name, done.backend.reason], ["cpu", "the only WebGPU adapter here is a software one, which is slower than the CPU worker"]);
});

const FALLBACKS = {
  "no WebGPU in this browser": () => Object.defineProperty(Navigator.prototype, "gpu", { value: undefined }),
  "no WebGPU adapter in this browser": () => {
    if (globalThis.GPU) GPU.prototype.requestAdapter = async () => null;
    else Object.defineProperty(Navigator.prototype, "gpu", { value: { requestAdapter: async () => null } });
  },
  "the WebGPU adapter of this browser lacks timestamp-query, which Burn needs": () => {
    const adapter = { features: new Set(["shader-f16"]), info: {} };
    Object.defineProperty(Navigator.prototype, "gpu", { value: { requestAdapter: async () => adapter } });
  },
};

for (const [reason, init] of Object.entries(FALLBACKS)) {
  test(`the page falls back to the CPU: ${reason}`, { skip: NO_WEBGPU }, async () => {
    for (const choice of ["auto", "webgpu"]) {
      const page = await open(browser, `${server.url}${TINY}&backend=${choice}`, { init });
      const done = await until(page, "finished run", (s) => s.state === "finished");
      assert.deepEqual([done.backend.name, done.backend.reason], ["cpu", reason]);
      await page.getByText(`(${reason})`).waitFor();
      assert.deepEqual(page.problems, []);
      await page.close();
    }
  });
}

test("burn-ndarray can be chosen", { skip: NO_NDARRAY }, async () => {
  const page = await open(browser, `${server.url}${TINY}&backend=ndarray`);
  const done = await until(page, "finished run", (s) => s.state === "finished", 120);
  assert.equal(done.backend.name, "ndarray");
  assert.deepEqual(page.problems, []);
});
