// The npm package, as other people's pages use it: the examples in examples/embed, from the packed file.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { launch, open, PREFIX, ROOT, serve, SITE } from "./lib.mjs";

const run = promisify(execFile);
const TOOLS = join(process.env.INKLING_NPM ?? "", ".bin");
const EXAMPLES = join(ROOT, "examples/embed");

let folder, browser;
const servers = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "inkling-package-"));
  await run(join(ROOT, "scripts/package"), [SITE, join(folder, "packed")]);
  const packed = (await readdir(join(folder, "packed"))).find((name) => name.endsWith(".tgz"));
  // What `npm install inkling` leaves, from the file that would be published.
  await mkdir(join(folder, "vite/node_modules/inkling"), { recursive: true });
  await run("tar", ["xzf", join(folder, "packed", packed), "--strip-components=1", "-C", join(folder, "vite/node_modules/inkling")]);
  for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) assert.ok((await readdir(join(folder, "vite/node_modules/inkling"))).includes(name), name);
  await cp(join(EXAMPLES, "vite"), join(folder, "vite"), { recursive: true });
  await mkdir(join(folder, "bare"));
  await writeFile(join(folder, "bare/index.html"), '<!doctype html><title>A page</title><link rel="icon" href="data:," />');
  for (const name of ["plain", "slide"]) await cp(join(EXAMPLES, name), join(folder, name), { recursive: true });
  for (const name of ["plain", "slide", "bare"]) {
    for (const part of ["dist", "site"]) await cp(join(folder, "vite/node_modules/inkling", part), join(folder, name, "inkling", part), { recursive: true });
  }
  browser = await launch();
});
after(async () => {
  await browser?.close();
  for (const server of servers) await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** Serves a folder, and opens its page. */
async function visit(name, options = {}) {
  const server = await serve({ site: join(folder, name), ...options.serve });
  servers.push(server);
  return open(browser, server.url + (options.path ?? ""), options.page);
}
const text = (page, selector, pattern, seconds = 120) =>
  page.waitForFunction(([selector, pattern]) => new RegExp(pattern).test(document.querySelector(selector)?.textContent), [selector, pattern], { timeout: 1000 * seconds });
/** Its workers end within five seconds. */
async function noWorkers(page) {
  for (let tries = 0; page.workers().length > 0 && tries < 50; tries++) await page.waitForTimeout(100);
  assert.deepEqual(page.workers().map((worker) => worker.url()), []);
}

test("a plain page: the element trains, shows the parts it is asked for, is as tall as they are, and says how it goes", async () => {
  const page = await visit("plain");
  const frame = page.frameLocator("inkling-trainer iframe");
  await frame.locator("#train:enabled").click();
  await text(page, "#result", "It reads [\\d.]+ % of the test images");
  const accuracy = await page.locator("inkling-trainer").evaluate((element) => element.summary.test_accuracy);
  assert.ok(accuracy > 0.5, `accuracy ${accuracy}`);
  const pad = await frame.locator("#pad").boundingBox();
  await page.mouse.move(pad.x + pad.width / 2, pad.y + pad.height / 5);
  await page.mouse.down();
  await page.mouse.move(pad.x + pad.width / 2, pad.y + pad.height * 0.8, { steps: 8 });
  await page.mouse.up();
  await frame.locator("#answer", { hasText: /^\d$/ }).waitFor();
  assert.deepEqual(await Promise.all(["#pad", "#accuracy", "#network", "#matrix", "#dataset", "h1"].map((part) => frame.locator(part).isVisible())), [true, true, false, false, false, false]);
  const [outer, inner] = await Promise.all([
    page.locator("inkling-trainer").boundingBox(),
    frame.locator("body").evaluate((body) => [body.getBoundingClientRect().height, document.documentElement.scrollWidth > innerWidth]),
  ]);
  assert.ok(Math.abs(outer.height - inner[0]) <= 1 && !inner[1], JSON.stringify([outer, inner]));
  // Nothing is left in the browser.
  assert.deepEqual(await page.evaluate(async () => [(await indexedDB.databases()).length, (await navigator.serviceWorker?.getRegistrations())?.length ?? 0]), [0, 0]);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("the element restarts with other settings, follows its methods, and ends its workers when it is removed", async () => {
  const page = await visit("plain");
  const trainer = page.locator("inkling-trainer");
  await page.frameLocator("inkling-trainer iframe").locator("#train:enabled").waitFor();
  // What is pressed before the trainer is there waits for it.
  await trainer.evaluate(async (element) => {
    for (const [name, value] of Object.entries({ epochs: "100", net: "dense 8", controls: "curves", balance: "" })) element.setAttribute(name, value);
    element.train();
  });
  const settings = (key) => page.waitForFunction((key) => document.querySelector("inkling-trainer").summary?.settings?.[key], key).then((value) => value.jsonValue());
  const frame = page.frameLocator("inkling-trainer iframe");
  await frame.locator('html[data-embed="curves"] #train:enabled').waitFor({ state: "attached" });
  const state = (state) => page.waitForFunction((state) => document.querySelector("inkling-trainer").summary?.state === state, state, { timeout: 60_000 });
  await state("training");
  assert.deepEqual([await settings("net"), await settings("epochs"), await settings("balance")], ["dense 8", 100, true]);
  await trainer.evaluate((element) => element.train());
  await state("paused");
  await trainer.evaluate((element) => element.train());
  await state("training");
  assert.ok(page.workers().length > 0);
  await trainer.evaluate((element) => element.remove());
  await noWorkers(page);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a slide: an iframe without a script trains", async () => {
  const page = await visit("slide");
  const frame = page.frameLocator("iframe");
  await frame.locator("#train:enabled").click();
  await frame.locator('#state[data-state="finished"]').waitFor({ timeout: 120_000 });
  assert.equal(await frame.locator("#pad").isVisible(), false);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a Vite app passes tsc, and its build trains on its own images, saves, loads and predicts", async () => {
  const app = join(folder, "vite");
  await run(join(TOOLS, "tsc"), ["-p", app]);
  await run(join(TOOLS, "vite"), ["build", app, "--logLevel", "error"]);
  const page = await visit("vite/dist");
  await page.locator("#train").click();
  await text(page, "#answer", "takes vertical stripes for vertical");
  assert.match(await page.locator("#state").textContent(), /^(9\d|100)\.\d % of the test images are right\.$/);
  assert.equal(await page.locator("#epochs tr").count(), 3);
  // `using` has ended both workers.
  await page.locator("#train:enabled").waitFor();
  await noWorkers(page);

  await page.locator("#train").click();
  await text(page, "#state", "images to train on");
  await page.locator("#cancel").click();
  await text(page, "#state", "Cancelled", 10);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("Vite's own server has Inkling's files as well", async () => {
  // The server's dependency is in the tools, not in the app.
  const script = join(folder, "vite-serve.mjs");
  await writeFile(script, `
    import { createServer } from ${JSON.stringify(join(process.env.INKLING_NPM ?? "", "vite/dist/node/index.js"))};
    const server = await createServer({ root: ${JSON.stringify(join(folder, "vite"))}, logLevel: "error", server: { port: 0, host: "127.0.0.1" } });
    await server.listen();
    console.log(server.resolvedUrls.local[0] ?? server.resolvedUrls.network[0]);
  `);
  const server = execFile(process.execPath, [script]);
  try {
    const url = await new Promise((resolve, reject) => {
      server.stdout.once("data", (line) => resolve(String(line).trim()));
      server.once("exit", (code) => reject(new Error(`Vite ended with ${code}`)));
    });
    const page = await open(browser, url);
    await page.locator("#train").click();
    await text(page, "#answer", "takes vertical stripes for vertical");
    assert.deepEqual(page.problems, []);
    await page.context().close();
  } finally {
    server.kill();
  }
});

/** A page with the API as `inkling`, without a build. */
const api = async (options) => {
  const page = await visit("bare", options);
  await page.evaluate(async () => (self.inkling = await import("./inkling/dist/index.js")));
  return page;
};

test("a page with a strict policy, as in npm/README.md: the element and the API train", async () => {
  const policy = "default-src 'none'; script-src 'self'; worker-src 'self'; frame-src 'self'; img-src data:; require-trusted-types-for 'script'; trusted-types default";
  const script = `
    trustedTypes.createPolicy("default", { createScriptURL: (address) => address });
    import("./inkling/dist/element.js");
    const { train } = await import("./inkling/dist/index.js");
    using network = await train({ dataset: "synthetic", images: 240, net: "dense 8", epochs: 1, backend: "cpu" }).network;
    document.title = (await network.predict(new Uint8Array(784))).name;
    document.querySelector("inkling-trainer").train();`;
  const answers = {
    "strict.html": ["text/html", '<!doctype html><title></title><link rel="icon" href="data:," /><inkling-trainer dataset="synthetic" images="240" net="dense 8" epochs="1" backend="cpu"></inkling-trainer><script type="module" src="strict.js"></script>'],
    "strict.js": ["text/javascript", script],
  };
  const intercept = (path, response) => {
    const [type, body] = answers[path.split("/").at(-1)] ?? [];
    return type && (response.writeHead(200, { "content-type": type, ...(type === "text/html" && { "content-security-policy": policy }) }).end(body), true);
  };
  const page = await visit("bare", { serve: { intercept }, path: "strict.html" });
  await page.waitForFunction(() => document.querySelector("inkling-trainer").summary?.state === "finished", undefined, { timeout: 60_000 });
  assert.match(await page.title(), /^\d$/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

const SMALL = { dataset: "synthetic", images: 240, net: "dense 8", epochs: 1, batch: 24, seed: 3, backend: "cpu", replicas: 1 };

test("the API: events in order, every iterator from the first, formats, classes, and answers to many questions at once", async () => {
  const page = await api();
  const found = await page.evaluate(async (settings) => {
    const run = inkling.train(settings);
    const types = async () => {
      const types = [];
      for await (const event of run) if (types.at(-1) !== event.type) types.push(event.type);
      return types;
    };
    const [first, network] = [await types(), await run.network];
    const fields = {};
    for await (const event of run) fields[event.type] = Object.keys(event).join(" ");
    const pixels = new Uint8Array(784).fill(9);
    const answers = await Promise.all(Array.from({ length: 5 }, () => network.predict(pixels)));
    const files = [];
    for (const format of ["safetensors", "onnx", "burnpack"]) files.push(await network.save(format));
    const loaded = await inkling.load(new Blob([files[2]]));
    const other = await loaded.predict(pixels);
    const { layers, image, classes } = loaded;
    const wrong = await network.predict([1, 2]).catch((error) => [error.name, error.message]);
    network.close(), loaded.close();
    const closed = await network.predict(pixels).catch((error) => error.message);
    return { fields, first, again: await types(), answers, other, layers, image, classes, sizes: files.map((file) => file.length), wrong, closed };
  }, SMALL);
  for (const type of ["backend", "loaded", "steps", "epoch", "test"]) assert.ok(found.first.includes(type), `${type} in ${found.first}`);
  assert.deepEqual(found.again, found.first);
  assert.equal(found.fields.test, "type accuracy interval loss confusion seconds");
  assert.equal(found.fields.loaded, "type source channels side classes names train validation test seconds");
  assert.ok(found.answers.every(({ probabilities }) => JSON.stringify(probabilities) === JSON.stringify(found.answers[0].probabilities)));
  assert.ok(Math.abs(found.answers[0].probabilities.reduce((sum, share) => sum + share) - 1) < 1e-4);
  found.other.probabilities.forEach((share, place) => assert.ok(Math.abs(share - found.answers[0].probabilities[place]) < 1e-5));
  assert.deepEqual([found.layers, found.image, found.classes[9]], ["dense 8", { channels: 1, side: 28 }, "9"]);
  assert.ok(found.sizes.every((size) => size > 20_000), `${found.sizes}`);
  assert.deepEqual(found.wrong, ["InklingError", "An image of this network has 784 values, not 2."]);
  assert.equal(found.closed, "The network has been closed.");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("the API: pause, resume and stop; a stopped run keeps its network", async () => {
  const page = await api();
  const states = await page.evaluate(async (settings) => {
    const run = inkling.train({ ...settings, epochs: 100 });
    const states = [];
    for await (const event of run) {
      if (event.type === "state") states.push(event.state);
      if (event.type === "epoch" && event.epoch === 1) run.pause(), run.pause();
      if (event.type === "state" && event.state === "paused") run.resume();
      if (event.type === "epoch" && event.epoch === 3) run.stop();
    }
    const network = await run.network;
    const { probabilities } = await network.predict(new Uint8Array(784));
    network.close();
    return [...states, probabilities.length];
  }, SMALL);
  assert.deepEqual(states, ["loading", "training", "paused", "training", "stopped", 10]);
  await page.context().close();
});

test("the API: what is wrong is said in a sentence, and an abort ends the worker", async () => {
  // The body breaks off.
  const intercept = (path, response) =>
    path.endsWith("broken.safetensors") && (response.writeHead(200, { "content-length": 1000 }).write("begun", () => response.destroy()), true);
  const page = await api({ serve: { intercept } });
  const said = await page.evaluate(async (settings) => {
    const failure = (promise) => promise.then(() => "nothing", (error) => `${error.name}: ${error.message}`);
    const attempt = (options) => failure((async () => inkling.train({ ...settings, ...options }).network)());
    const control = new AbortController();
    const run = inkling.train({ ...settings, epochs: 100, signal: control.signal });
    const iterated = failure((async () => { for await (const event of run) if (event.type === "epoch") control.abort(); })());
    const early = inkling.train({ ...settings, epochs: 100 });
    early.stop();
    // A browser that does not say whether there is a GPU, for as long as the API waits for it.
    navigator.gpu.requestAdapter = () => new Promise(() => {});
    const began = performance.now();
    const impatient = await attempt({ backend: "auto", signal: AbortSignal.timeout(100) });
    const waited = performance.now() - began;
    const uncopied = { channels: 1, side: 8, names: ["a", () => "b"], train: { pixels: new Uint8Array(64), labels: [0] }, test: { pixels: new Uint8Array(64), labels: [1] } };
    const damaged = { channels: 1, side: 16, names: ["a", "b"], train: { pixels: new Uint8Array(10), labels: [0] }, test: { pixels: new Uint8Array(256), labels: [1] } };
    return {
      value: await attempt({ epochs: 0 }), unknown: await attempt({ epoch: 3 }), net: await attempt({ net: "conv 8, dense x" }), data: await attempt({ dataset: damaged }),
      site: await attempt({ site: "/nowhere/" }), aborted: [await iterated, await failure(run.network)],
      early: await attempt({ signal: AbortSignal.abort() }), stopped: await failure(early.network), impatient, waited, uncopied: await attempt({ dataset: uncopied }),
      broken: await failure(inkling.load("broken.safetensors")), file: await failure(inkling.load(new Uint8Array(100))), missing: await failure(inkling.load("missing.safetensors")),
      format: await failure(inkling.train(settings).network.then((network) => network.save("pickle").finally(() => network.close()))),
    };
  }, SMALL);
  const expected = {
    value: /^InklingError: Epochs must be a whole number from 1 to 100; it is "0"\.$/, unknown: /^InklingError: There is no setting epoch\. The settings are dataset, /,
    net: /^InklingError: Network can't be built: in layer 2, /, data: /^InklingError: `dataset\.train` has 1 labels, so it needs 256 values in `pixels`; it has 10\.$/, site: /^InklingError: No worker can train: .*\/nowhere\/.*README/,
    early: /^AbortError: /, stopped: /^InklingError: The run was stopped before its first step\.$/, impatient: /^TimeoutError: /, uncopied: /^InklingError: `dataset\.names` must be texts\.$/,
    broken: /^InklingError: broken\.safetensors can't be fetched: .+\.$/, file: /^InklingError: /, missing: /^InklingError: missing\.safetensors can't be fetched: the server answered 404\.$/, format: /^InklingError: "pickle" is no format; use safetensors, onnx, burnpack\.$/,
  };
  for (const [what, pattern] of Object.entries(expected)) assert.match(said[what], pattern);
  assert.ok(said.waited < 5_000, `an abort took ${said.waited} ms`);
  for (const words of said.aborted) assert.match(words, /^AbortError: /);
  await noWorkers(page);
  await page.context().close();
});

test("the API: files of another build are refused with what to do", async () => {
  const intercept = (path, response) =>
    path.endsWith("dist/build.js") && (response.writeHead(200, { "content-type": "text/javascript" }).end('export const BUILD = "0.0.1-older";'), true);
  const page = await api({ serve: { intercept } });
  const said = await page.evaluate((settings) => inkling.train(settings).network.catch((error) => error.message), SMALL);
  assert.match(said, /is of build .*, and this package of 0\.0\.1-older: copy the package's folder `site` there again\.$/);
  await page.context().close();
});

test("the API: a worker that is lost is replaced, and the run ends as it would have", async () => {
  let workers = 0;
  // The first worker breaks once it has sent its first checkpoint, and says so.
  const breaks = `{
    const say = self.postMessage.bind(self);
    self.postMessage = (message) => {
      say(message);
      if (message?.event?.Checkpoint) say({ run: 0, event: { Unavailable: { reason: "lost on purpose" } } });
    };
  }`;
  const intercept = (path, response) => {
    if (!path.endsWith("worker-loader.js") || workers++ > 0) return false;
    return response.writeHead(200, { "content-type": "text/javascript" }).end(breaks + readFileSync(join(SITE, "worker-loader.js"))), true;
  };
  const settings = { ...SMALL, epochs: 4 };
  const train = (page) => page.evaluate(async (settings) => {
    const run = inkling.train(settings);
    const epochs = [], moved = [];
    for await (const event of run) {
      if (event.type === "epoch") epochs[event.epoch - 1] = event.validationLoss;
      if (event.type === "moved") moved.push(event.reason);
    }
    (await run.network).close();
    return { epochs, moved };
  }, settings);
  const [usual, healed] = [await train(await api()), await train(await api({ serve: { intercept } }))];
  assert.equal(usual.moved.length, 0);
  assert.ok(healed.moved.length === 1 && healed.moved[0] === "lost on purpose", JSON.stringify(healed));
  assert.deepEqual(healed.epochs, usual.epochs);
  // Told while the next worker loads, it still ends with what the first one had learned.
  workers = 0;
  const page = await api({ serve: { intercept } });
  const stopped = await page.evaluate(async (settings) => {
    const run = inkling.train({ ...settings, epochs: 100 });
    let last;
    for await (const event of run) {
      if (event.type === "moved") run.stop();
      if (event.type === "state") last = event.state;
    }
    const network = await run.network;
    const { probabilities } = await network.predict(new Uint8Array(784));
    network.close();
    return [last, probabilities.length];
  }, settings);
  assert.deepEqual(stopped, ["stopped", 10]);
});
