// Measures the numbers in docs/performance.md, in one run on one machine: `make bench`.
//
// The contestants run in turn, round after round (A B C A B C), so that a slow moment of the machine affects all of them alike.
// The result is the median of the rounds. The benchmarks need real MNIST: MNIST_DIR must name its folder.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ENGINES, within } from "../tests/e2e/engines.mjs";
import { NO_WEBGPU, SEVEN, draw, launch, open, sabotage, serve, until } from "../tests/e2e/lib.mjs";

const data = process.env.MNIST_DIR;
if (!data) throw new Error("MNIST_DIR is not set: the benchmarks need real MNIST (scripts/data fetches it)");
const target = process.env.CARGO_TARGET_DIR;
const quick = process.env.QUICK === "1";
const rounds = Number(process.env.ROUNDS ?? (quick ? 1 : 3));
/** With this, only the contestants whose names match take part, and nothing else is measured. */
const only = process.env.ONLY && new RegExp(process.env.ONLY);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Where the files of each peer are; its page is here. */
const PEERS = { tfjs: ["@tensorflow/tfjs/dist", "@tensorflow/tfjs-backend-wasm/dist"], jaxjs: ["@jax-js/jax/dist"] };
const peerFile = (peer, name) =>
  [here(name), ...PEERS[peer].map((folder) => join(process.env.INKLING_BENCH_NODE, folder, name))].find((place) => existsSync(place));
/** With these, a page may share memory between threads. */
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** Serves the wasm of parts.rs and the peers next to the page. */
function intercept(path, response) {
  const [, folder, name] = path.match(/\/(parts|tfjs|jaxjs)\/(.+)$/) ?? [];
  if (!name) return false;
  if (folder in PEERS) {
    const place = peerFile(folder, name);
    const type = { html: "text/html", wasm: "application/wasm" }[name.split(".").at(-1)] ?? "text/javascript";
    const headers = folder === "jaxjs" ? ISOLATED : {};
    response.writeHead(place ? 200 : 404, { "content-type": type, ...headers }).end(place && readFileSync(place));
    return true;
  }
  const worker = `importScripts("parts.js"); wasm_bindgen("parts_bg.wasm").then(() => postMessage(wasm_bindgen.bench()));`;
  const made = { html: "<!doctype html><title>Parts of a step</title>", js: worker };
  const end = name.split(".").at(-1);
  const body = /\/(index\.html|worker\.js)$/.test(name) ? made[end] : readFileSync(join(target, "parts", name));
  const type = { html: "text/html", wasm: "application/wasm" }[end] ?? "text/javascript";
  response.writeHead(200, { "content-type": type, ...ISOLATED }).end(body); // with a finer clock
  return true;
}

const server = await serve({ data, intercept });

/** One run in a fresh browser, in which `init` runs first. */
async function inBrowser(query, init) {
  const browser = await launch();
  const begun = Date.now();
  const page = await open(browser, `${server.url}?dataset=mnist&autostart=1&${query}`, { init });
  const done = await until(page, "finished run", (s) => s.state === "finished" || s.state === "failed", 900);
  const clicked = (Date.now() - begun) / 1000;
  await browser.close();
  if (done.state !== "finished") throw new Error(`${query}: ${done.error}`);
  const last = done.history.at(-1);
  return { speed: last.images_per_second, seconds: clicked, test: done.test_accuracy, parts: last.parts, workers: done.workers };
}

/** The same in Firefox. */
async function inFirefox(query) {
  const [, launch, absent] = ENGINES.find(([name]) => name === "Firefox");
  if (absent) return null;
  const engine = await launch();
  try {
    await engine.goto(`${server.url}?dataset=mnist&autostart=1&${query}`);
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const look = () => document.getElementById("run-summary").textContent;
      const now = JSON.parse(await within(300, "a look", engine.evaluate(look)));
      if (now.state === "failed") throw new Error(`${query}: ${now.error}`);
      if (now.state === "finished") return { speed: now.history.at(-1).images_per_second };
    }
  } finally {
    await engine.close();
  }
}

/** Two browsers that train at the same time, and their speeds together: what two workers could reach. */
async function twoPages(query) {
  const runs = await Promise.all([inBrowser(query), inBrowser(query)]);
  return { speed: runs[0].speed + runs[1].speed };
}

/**
 * Dispatches of compute shaders for a training step on WebGPU, without the picture's questions. Their number does not depend on the
 * batch. A step augments its images once, and nothing else does, so the shader for that counts the steps.
 */
async function dispatches() {
  if (NO_WEBGPU) return null;
  const count = `
    self.counted = { dispatches: 0, steps: 0 };
    const { dispatchWorkgroups, setPipeline } = GPUComputePassEncoder.prototype;
    const { createShaderModule, createComputePipeline } = GPUDevice.prototype;
    const augments = new WeakSet();
    GPUDevice.prototype.createShaderModule = function (options) {
      const module = createShaderModule.call(this, options);
      if (/grid_sample/.test(options.code)) augments.add(module);
      return module;
    };
    GPUDevice.prototype.createComputePipeline = function (options) {
      const pipeline = createComputePipeline.call(this, options);
      if (augments.has(options.compute.module)) augments.add(pipeline);
      return pipeline;
    };
    GPUComputePassEncoder.prototype.setPipeline = function (pipeline) {
      if (augments.has(pipeline)) counted.steps++;
      setPipeline.call(this, pipeline);
    };
    GPUComputePassEncoder.prototype.dispatchWorkgroups = function (...size) {
      counted.dispatches++;
      dispatchWorkgroups.apply(this, size);
    };`;
  const own = await serve({ intercept: sabotage([count]) });
  const browser = await launch({ webgpu: true });
  const page = await open(browser, `${own.url}?dataset=synthetic&backend=webgpu&images=4000&batch=4&epochs=1&autostart=1`, { reducedMotion: "reduce" });
  await until(page, "training on WebGPU", (s) => s.state === "training", 300);
  const after = async (steps) => {
    for (;;) {
      const now = await page.workers()[0].evaluate(() => self.counted);
      if (now.steps >= steps) return now;
      await page.waitForTimeout(500);
    }
  };
  const first = await after(10), last = await after(first.steps + 50);
  await browser.close();
  await own.close();
  return (last.dispatches - first.dispatches) / (last.steps - first.steps);
}

/** The parts of a step, in the program `plain` or `relaxed`. */
async function parts(program) {
  const browser = await launch();
  const page = await open(browser, `${server.url}parts/${program}/index.html`); // the site's own policy allows no other workers
  const table = await page.evaluate(() => new Promise((resolve, reject) => {
    const worker = new Worker("worker.js");
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  }));
  await browser.close();
  return table;
}

/**
 * The same network in TensorFlow.js or jax-js, without augmentation. TensorFlow.js runs on one thread, because its page has no
 * special headers, as the hosted Inkling has none; jax-js runs on all cores.
 */
async function peer(name, backend) {
  const browser = await launch();
  const page = await open(browser, `${server.url}${name}/${name}.html`);
  try {
    await page.waitForFunction(() => window.speed);
    return { speed: await page.evaluate((backend) => speed(backend), backend) };
  } catch (error) {
    console.error(`${name} ${backend}: ${error.message.split("\n")[0]}`);
    return null;
  } finally {
    await browser.close();
  }
}

/** While all replicas train: how long the page's thread is busy at a stretch, and how long a sketch waits for its answer. */
async function responsiveness() {
  const init = () => {
    window.busy = [];
    window.waits = [];
    new PerformanceObserver((list) => window.busy.push(...list.getEntries().map((e) => e.duration))).observe({ type: "longtask" });
    const asked = new Map();
    window.Worker = class extends Worker {
      constructor(...address) {
        super(...address);
        this.addEventListener("message", ({ data }) => {
          const id = data?.event?.Answer?.id;
          if (asked.has(id)) window.waits.push(performance.now() - asked.get(id));
        });
      }
      postMessage(message, ...more) {
        if (message?.Ask?.question?.Predict) asked.set(message.Ask.id, performance.now());
        super.postMessage(message, ...more);
      }
    };
  };
  const browser = await launch();
  const page = await open(browser, `${server.url}?dataset=mnist&autostart=1&backend=cpu&epochs=30`, { init });
  await until(page, "training", (s) => s.state === "training", 120);
  await draw(page, SEVEN);
  await page.evaluate(() => (window.busy.length = window.waits.length = 0));
  await page.waitForTimeout(quick ? 5000 : 20000);
  const { busy, waits } = await page.evaluate(() => ({ busy: window.busy, waits: window.waits }));
  await browser.close();
  waits.sort((a, b) => a - b);
  return { busy, answers: waits.length, median: waits[waits.length >> 1], p95: waits[Math.floor(0.95 * waits.length)] };
}

/** One run of the command. */
function native(query) {
  const options = [...new URLSearchParams(query)].flatMap(([key, value]) => [`--${key}`, value]);
  const run = join(tmpdir(), "inkling-bench.json.gz");
  const out = execFileSync(join(target, "release", "inkling"), ["train", "--backend", "cpu", "--mnist", data, "--json", "--output", run, "--force", ...options]);
  const lines = out.toString().trim().split("\n").map(JSON.parse);
  const of = (event) => lines.filter((line) => line.event === event).at(-1);
  return { speed: of("epoch").images_per_second, test: of("test").accuracy };
}

/** Keras on all cores of this machine: images/s of the last epoch, seconds and accuracy. */
function keras(...args) {
  const python = process.env.PYTHON ?? "python3";
  try {
    return JSON.parse(execFileSync(python, [here("keras_mnist.py"), data, ...args], { stdio: ["ignore", "pipe", "ignore"] }).toString().trim().split("\n").at(-1));
  } catch {
    return null;
  }
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const images = quick ? 6000 : 20000;
const some = `images=${images}&epochs=2`;
const contestants = [
  ["Inkling, 1 worker", () => inBrowser(`backend=cpu&replicas=1&${some}`)],
  ["Inkling, 1 worker, without relaxed SIMD", () => inBrowser(`backend=cpu&replicas=1&${some}`, "WebAssembly.validate = () => false;")],
  ["Inkling, 1 worker, in Firefox", () => inFirefox(`backend=cpu&replicas=1&${some}`)],
  ["Inkling, 2 workers, in Firefox", () => inFirefox(`backend=cpu&replicas=2&${some}`)],
  ["Inkling, 1 worker in each of two browsers", () => twoPages(`backend=cpu&replicas=1&${some}`)],
  ["Inkling, 8 workers", () => inBrowser(`backend=cpu&replicas=8&${some}`)],
  ["Inkling, 2 workers", () => inBrowser(`backend=cpu&replicas=2&${some}`)],
  ["Inkling, 2 workers, batch 128", () => inBrowser(`backend=cpu&replicas=2&batch=128&${some}`)],
  ["unmodified burn-flex, 1 worker", () => inBrowser(`backend=cpu&replicas=1&kernels=stock&images=${images / 4}&epochs=2`)],
  ["burn-ndarray, 1 worker", () => inBrowser("backend=ndarray&images=240&epochs=1")],
  ["native Inkling, 1 thread", () => native(`replicas=1&${some}`)],
  ["native Inkling, 2 threads", () => native(`replicas=2&${some}`)],
  ["native unmodified burn-flex, 1 thread", () => native(`replicas=1&kernels=stock&images=${images / 4}&epochs=2`)],
  ["TensorFlow.js, cpu", () => peer("tfjs", "cpu")],
  ["TensorFlow.js, wasm", () => peer("tfjs", "wasm")],
  ["TensorFlow.js, webgl (software)", () => peer("tfjs", "webgl")],
  ["jax-js, wasm, all cores", () => peer("jaxjs", "wasm")],
  ["native Keras, all cores", () => keras("speed", String(images))],
];
const chosen = contestants.filter(([name]) => !only || only.test(name));
const found = new Map(chosen.map(([name]) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, measure] of chosen) {
    const result = await measure();
    if (result) found.get(name).push(result);
    console.error(`round ${round + 1}: ${name}: ${result ? `${result.speed.toFixed(0)} images/s` : "not available"}`);
  }
}

console.log(`${cpus().length} x ${cpus()[0].model}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${new Date().toISOString().slice(0, 10)}; augmentation on; medians of ${rounds}\n`);
console.log("| | images/s | lowest | highest |\n|---|---:|---:|---:|");
for (const [name, results] of found) {
  const speeds = results.map((r) => r.speed);
  const cells = speeds.length ? [median(speeds), Math.min(...speeds), Math.max(...speeds)].map((v) => v.toFixed(0)) : ["not available", "", ""];
  console.log(`| ${name} | ${cells.join(" | ")} |`);
}
if (only) {
  await server.close();
  process.exit();
}

const runners = [
  ["Inkling, preset fast", () => inBrowser("backend=cpu&preset=fast")],
  ["Keras script", () => keras("until99")],
  ["Keras with the recipe of preset fast, without its shifts", () => keras("recipe")],
];
const until99 = new Map(runners.map(([name]) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, measure] of runners) {
    const result = await measure();
    if (result) until99.get(name).push(result);
    console.error(`round ${round + 1}: ${name}: ${result ? `${result.seconds.toFixed(1)} s` : "not available"}`);
  }
}
const tables = [await parts("plain"), await parts("relaxed")];
const page = await responsiveness();
const dispatched = await dispatches();
await server.close();

console.log("\n| to 99 % test accuracy | seconds | test accuracy |\n|---|---:|---:|");
for (const [name, results] of until99) {
  const seconds = results.map((r) => r.seconds);
  const cells = seconds.length ? [median(seconds).toFixed(1), results.map((r) => `${(100 * r.test).toFixed(2)} %`).join(", ")] : ["not available", ""];
  console.log(`| ${name} | ${cells.join(" | ")} |`);
}
const shared = found.get("Inkling, 2 workers").at(-1).parts;
console.log("\nWhere the leading worker's time goes (2 workers, batch 64): " + Object.entries(shared).filter(([k]) => !["steps", "idle"].includes(k)).map(([k, v]) => `${k} ${((100 * v) / shared.steps).toFixed(0)} %`).join(", "));
console.log(`\nWhile all replicas train: ${page.busy.length} tasks of more than 50 ms on the page's thread (longest ${Math.max(0, ...page.busy).toFixed(0)} ms); a sketch is answered after ${page.median?.toFixed(0)} ms (median of ${page.answers}), 95 % within ${page.p95?.toFixed(0)} ms`);
if (dispatched) console.log(`\nA training step on WebGPU dispatches ${dispatched.toFixed(0)} compute shaders.`);
console.log(`\nParts of a step in the browser (one worker, batch 64):\n\n${tables[0]}\n\nThe same with relaxed SIMD:\n\n${tables[1]}`);
