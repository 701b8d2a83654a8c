// Shared by the end-to-end tests: a static server under a sub-path, and a browser on the built page.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const modules = process.env.INKLING_NODE;
if (!modules) throw new Error("INKLING_NODE is not set: run `make test-page`, or eval \"$(scripts/setup env)\" first");
const { chromium } = createRequire(join(modules, "x.js"))("playwright-core");

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** The site that is tested. */
export const SITE = process.env.INKLING_SITE ?? join(ROOT, "dist");
/** Serving the site under this path proves that nothing in the page assumes that it is at the root. */
export const PREFIX = "/some/where/";

/** What `make test-all` requires and `make test` leaves out: the reason to skip a test that needs it, or false. */
const leftOut = (what, there) => !process.env.INKLING_ALL && !there && `${what} is left out here; \`make test-all\` tests it`;
const WORKERS = readFileSync(join(SITE, "index.html"), "utf8").match(/name="inkling-workers" content="([^"]*)"/)[1].split(" ");
/** The program that trains on the CPU in Chromium. */
export const CPU_PROGRAM = WORKERS.includes("relaxed") ? "worker_relaxed" : "worker_cpu";
export const NO_WEBGPU = leftOut("WebGPU", WORKERS.includes("webgpu"));
export const NO_NDARRAY = leftOut("burn-ndarray", WORKERS.includes("ndarray"));
export const NO_SERVER = !WORKERS.includes("remote") && "training on a server is left out here; `make test-optional` tests it";
export const NO_PYTHON = leftOut("Python", existsSync(process.env.INKLING_PYTHON ?? ""));
export const NO_RELEASE = leftOut("the release site", false);

export const TYPES = {
  ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".wasm": "application/wasm",
  ".gz": "application/gzip", ".json": "application/json", ".svg": "image/svg+xml",
};

/**
 * Serves the site under PREFIX (and under `alias`), and the folder `data` (unless null) as `data/`. `intercept(path, response, query)`
 * may answer first. The folder of the site and the headers may change while it serves.
 */
export async function serve(options = {}) {
  const { data = null, alias = null, intercept = () => false } = options;
  const requests = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://x");
    const path = decodeURIComponent(url.pathname);
    requests.push(path);
    if (intercept(path, response, url.searchParams, request)) return;
    const prefix = [PREFIX, alias].find((prefix) => prefix && path.startsWith(prefix));
    const below = prefix ? normalize(path.slice(prefix.length) || "index.html") : null;
    if (!below || below.startsWith("..")) return response.writeHead(404).end();
    const isData = below.startsWith("data/");
    if (isData && !data) return response.writeHead(404).end();
    try {
      const body = await readFile(isData ? join(data, below.slice(5)) : join(options.site ?? SITE, below));
      response.writeHead(200, { ...options.headers, "content-type": TYPES[extname(below)] ?? "application/octet-stream" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref(); // a test that failed has not closed it
  return {
    url: `http://127.0.0.1:${server.address().port}${PREFIX}`,
    requests,
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
  };
}

/**
 * An `intercept` for `serve`: the session's first, second, ... worker first runs the first, second, ... script in `faults`. There is
 * no service worker: one that is ready before the session's worker starts would hand out its own copy of the loader.
 */
export function sabotage(faults) {
  let workers = 0;
  return (path, response, query) => {
    if (path.endsWith("/sw.js")) return response.writeHead(404).end(), true;
    if (!path.endsWith("worker-loader.js") || query.get("role") === "replica") return false;
    const fault = faults[workers++] ?? "";
    const loader = readFileSync(join(SITE, "worker-loader.js"));
    response.writeHead(200, { "content-type": "text/javascript" }).end(`${fault}\n${loader}`);
    return true;
  };
}

/**
 * Script for a worker: keeps its GPU device as `gpu.device`, and counts the live buffers. CubeCL destroys none of them: a buffer
 * that its pools release lives until the browser collects it, which `await gpu.collect()` triggers.
 */
export const WATCH_GPU = `
  self.gpu = { buffers: 0, bytes: 0, collect: () => (gc(), new Promise((resolve) => setTimeout(resolve, 500))) };
  const collected = new FinalizationRegistry((size) => { gpu.buffers--, gpu.bytes -= size; });
  const { requestDevice } = GPUAdapter.prototype, { createBuffer } = GPUDevice.prototype, { destroy } = GPUBuffer.prototype;
  GPUAdapter.prototype.requestDevice = async function (...options) {
    return (gpu.device = await requestDevice.apply(this, options));
  };
  GPUDevice.prototype.createBuffer = function (options) {
    const buffer = createBuffer.call(this, options);
    gpu.buffers++, gpu.bytes += buffer.size;
    collected.register(buffer, buffer.size, buffer);
    return buffer;
  };
  GPUBuffer.prototype.destroy = function () {
    if (collected.unregister(this)) gpu.buffers--, gpu.bytes -= this.size;
    destroy.call(this);
  };
`;

/** Script for a worker: runs `action` shortly after the worker has sent a checkpoint. */
export const AFTER_A_CHECKPOINT = (action) => `{
  const say = self.postMessage.bind(self);
  self.postMessage = (message, ...more) => {
    say(message, ...more);
    if (message?.event?.Checkpoint) setTimeout(() => { ${action} }, 150);
  };
}`;

const NAMES = ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"];
export const EXECUTABLE = [
  process.env.CHROME,
  ...process.env.PATH.split(":").flatMap((folder) => NAMES.map((name) => join(folder, name))),
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
].find((path) => path && existsSync(path));
if (!EXECUTABLE) throw new Error("neither Chromium nor Chrome is on PATH; set CHROME to the path of a browser");

/**
 * Launches a browser; with `webgpu`, WebGPU runs on Chromium's software adapter; with `camera`, it has a camera that shows a test picture;
 * with `backForward`, it may keep a page that is left as it is, for when the visitor comes back.
 */
export function launch({ webgpu = false, camera = false, backForward = false } = {}) {
  const gpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader", "--js-flags=--expose-gc"];
  const quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
  const fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
  const args = [...quiet, ...(webgpu ? gpu : []), ...(camera ? fake : [])];
  return chromium.launch({ executablePath: EXECUTABLE, args, ignoreDefaultArgs: backForward ? ["--disable-back-forward-cache"] : [] });
}

/**
 * Opens a page that collects console errors and uncaught errors in `page.problems`. Service workers are blocked unless a test is
 * about them: they would answer in place of a server that a test makes faulty.
 */
export async function open(browser, url, options = {}) {
  const { init, ...context } = options;
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, serviceWorkers: "block", ...context })).newPage();
  page.problems = [];
  page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
  page.on("pageerror", (error) => page.problems.push(String(error)));
  if (init) await page.addInitScript(init);
  await page.goto(url);
  return page;
}

/** Opens a section: the settings (`fold`), or what takes the timeline's place. */
export async function unfold(page, id) {
  if ((await page.locator(`#${id}`).getAttribute("open")) !== null) return;
  if (await page.locator("details.opens[open]").count()) await page.keyboard.press("Escape"); // it may cover what opens this one
  await page.locator(`#${id}-summary`).click();
}

/** Chooses files once a visitor could: before the section's program has arrived, it is inert, and nobody would hear of them. */
export async function choose(input, files) {
  await input.page().waitForFunction((element) => !element.closest("[inert]"), await input.elementHandle());
  await input.setInputFiles(files);
}

/** Ends a run: it is paused first. The summary may be a frame ahead of the buttons, so this looks again if Stop does not appear. */
export async function stop(page, tries = 3) {
  const pause = page.locator('#train[data-action="Pause"]');
  if (await pause.count()) await pause.click();
  try {
    await page.locator("#stop:enabled").click({ timeout: 10_000 });
  } catch (error) {
    if (tries === 0) throw error;
    await stop(page, tries - 1);
  }
}

export const summary = async (page) => JSON.parse(await page.locator("#run-summary").textContent());

/** Waits until the run's summary satisfies `test`, and returns it. */
export async function until(page, what, test, seconds = 60) {
  let now;
  await repeat(seconds, async () => test((now = await summary(page))),
    () => `no ${what} within ${seconds} s; the summary is ${JSON.stringify(now).slice(0, 1500)}; the console said ${page.problems.join(" | ")}`);
  return now;
}

/** Tries again and again until `attempt` returns something true. */
async function repeat(seconds, attempt, failure) {
  const end = Date.now() + 1000 * seconds;
  while (!(await attempt())) {
    if (Date.now() > end) throw new Error(failure());
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Waits until what the browser keeps as `record` (www/store.js) satisfies `test`, which runs in the page: writing takes its time. */
export const kept = (page, record, test, seconds = 60) =>
  repeat(seconds, () => page.evaluate(`self.inklingStore.load("${record}").then(${test})`),
    () => `"${record}" does not satisfy ${test} after ${seconds} s`);

/** Draws strokes on the pad; coordinates are fractions of its side. */
export async function draw(page, strokes) {
  if (await page.locator("#pad").isHidden()) await page.locator("#input-draw").click();
  await page.locator("#pad").scrollIntoViewIfNeeded();
  const box = await page.locator("#pad").boundingBox();
  for (const [first, ...rest] of strokes) {
    const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
    await page.mouse.move(...at(first));
    await page.mouse.down();
    for (const point of rest) await page.mouse.move(...at(point), { steps: 6 });
    await page.mouse.up();
  }
}

/** A seven. */
export const SEVEN = [[[0.25, 0.22], [0.75, 0.2], [0.45, 0.82]]];

/** Images and labels of ten classes in IDX form. */
export function idx(count) {
  const head = (...words) => Buffer.concat(words.map((word) => { const b = Buffer.alloc(4); b.writeUInt32BE(word); return b; }));
  const labels = Buffer.from(Array.from({ length: count }, (_, i) => i % 10));
  const pixels = Buffer.alloc(count * 784);
  // Class k: a bar in row 2 k + 4, with noise.
  for (let i = 0; i < count; i++) for (let x = 4; x < 24; x++) pixels[i * 784 + (2 * labels[i] + 4) * 28 + x] = 155 + ((i * 37 + x * 11) % 100);
  return [Buffer.concat([head(0x803, count, 28, 28), pixels]), Buffer.concat([head(0x801, count), labels])];
}
