// WebGPU on Chromium's software adapter: tiny, because it is slow; and every way to fall back to the CPU.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, serve, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch({ webgpu: true })]));
after(async () => (await browser.close(), await server.close()));

const TINY = "?dataset=synthetic&images=24&batch=11&epochs=1&augment=0&autostart=1";

test("the page trains on WebGPU after its self-test", async (t) => {
  const page = await open(browser, `${server.url}${TINY}&backend=webgpu`);
  const adapter = await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()));
  if (!adapter) return t.skip("SKIPPED: this browser has no WebGPU adapter, so nothing is known about WebGPU");
  const done = await until(page, "finished run", (s) => ["finished", "failed"].includes(s.state), 400);
  assert.deepEqual([done.state, done.error], ["finished", null]);
  assert.equal(done.backend.name, "webgpu", `fell back: ${done.backend.reason}`);
  assert.equal(done.history.length, 1);
  assert.ok(Number.isFinite(done.history[0].train_loss) && done.history[0].train_loss < 4);
  assert.equal(done.confusion_matrix.flat().reduce((a, b) => a + b), 10);
  assert.deepEqual(page.problems, []);
});

test("a software adapter is not taken for faster than the CPU", async (t) => {
  const page = await open(browser, `${server.url}${TINY}&backend=auto`);
  if (!(await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter())))) return t.skip("SKIPPED: no WebGPU adapter");
  const done = await until(page, "finished run", (s) => s.state === "finished");
  assert.deepEqual([done.backend.name, done.backend.reason], ["cpu", "the only WebGPU adapter here is software, which is slower than the CPU worker"]);
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
  test(`falls back to the CPU: ${reason}`, async () => {
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

test("burn-ndarray can be chosen", async () => {
  const page = await open(browser, `${server.url}${TINY}&backend=ndarray`);
  const done = await until(page, "finished run", (s) => s.state === "finished", 120);
  assert.equal(done.backend.name, "ndarray");
  assert.deepEqual(page.problems, []);
});
