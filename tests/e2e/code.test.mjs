// "Take the code": the script for Keras builds the network, loads the saved weights, reproduces the page's accuracy and trains again.
// crates/inkling-train/tests/code.rs does the same with the program for Burn. PyTorch is too large to install for each run: its script is checked for syntax,
// and does all that the one for Keras does if a Python with torch and safetensors is in INKLING_TORCH.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { NO_PYTHON, launch, open, serve, unfold, until } from "./lib.mjs";

let server, browser;
const folder = mkdtempSync(join(tmpdir(), "inkling-code-"));
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close(), rmSync(folder, { recursive: true })));

const RUN = "?backend=cpu&batch=24&seed=3&replicas=1&autostart=1";
const python = (...options) => execFileSync(process.env.INKLING_PYTHON, options, { cwd: folder, encoding: "utf8", env: { ...process.env, KERAS_BACKEND: "jax" } });

for (const [name, query] of [
  ["gray letters, every optimizer's options", "dataset=letters&images=2400&epochs=2&optimizer=adamw&decay=0.01&clip=1&smoothing=0.1&ema=0.9&balance=1&net=conv 8, pool, conv 8 5x5 same stride 2 leaky, dropout 0.1, dense 24 gelu"],
  ["coloured shapes, batch norm and residual blocks", "dataset=shapes&images=1200&epochs=2&optimizer=nesterov&lr=0.05&decay=0.0001&schedule=onecycle&net=conv 6 none, batchnorm relu, pool, residual 8, avgpool, residual 8 silu, globalpool, dense 12 tanh, batchnorm"],
]) {
  test(`the scripts reproduce the page's accuracy: ${name}`, { skip: NO_PYTHON }, async (t) => {
    const page = await open(browser, `${server.url}${RUN}&${query}`);
    const done = await until(page, "finished run", (s) => s.state === "finished", 120);
    await unfold(page, "files");
    const save = async (id) => {
      const [download] = await Promise.all([page.waitForEvent("download"), page.locator(`#${id}`).click()]);
      const path = join(folder, download.suggestedFilename());
      await download.saveAs(path);
      return path;
    };
    const weights = await save("save-safetensors");
    const data = await save("save-data");
    const keras = await save("code-keras");
    const accuracy = (text) => Number(text.match(/test accuracy: ([\d.]+) %/)[1]);
    const share = 100 * done.test_accuracy;
    assert.ok(Math.abs(accuracy(python(keras, weights, data)) - share) < 0.006, `the page says ${share}%`);
    const again = accuracy(python(keras, weights, data, "train"));
    t.diagnostic(`the page ${share.toFixed(2)}%, trained again by Keras ${again}%`);
    assert.ok(again > 20, `${again} %; a guess is right in at most 11%`);
    const pytorch = await save("code-pytorch");
    python("-m", "py_compile", pytorch);
    if (process.env.INKLING_TORCH) {
      const torch = (...options) => execFileSync(process.env.INKLING_TORCH, [pytorch, weights, data, ...options], { cwd: folder, encoding: "utf8" });
      const found = torch();
      assert.ok(Math.abs(accuracy(found) - share) < 0.006, `the page says ${share}%, PyTorch ${found}`);
      const again = accuracy(torch("train"));
      t.diagnostic(`trained again by PyTorch ${again}%`);
      assert.ok(again > 20, `${again}%`);
    }
    assert.match(await save("code-burn"), /inkling_burn\.rs$/);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}
