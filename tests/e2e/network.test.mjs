// Any network: described in the form or the address, trained, looked into, saved, opened again and resumed.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { NO_PYTHON, ROOT, SEVEN, choose, draw, launch, open, serve, unfold, until } from "./lib.mjs";

let server, browser, folder;
before(async () => ([server, browser, folder] = [await serve(), await launch(), await mkdtemp(join(tmpdir(), "inkling-"))]));
after(async () => (await browser.close(), await server.close()));

const RUN = "?dataset=synthetic&backend=cpu&images=240&batch=24&epochs=2&seed=3";
const finished = (page) => until(page, "finished run", (s) => s.state === "finished");
/** The page paints a frame after an event: waits for what element `id` then says. */
const says = (page, id, words) => page.locator(`#${id}`).filter({ hasText: words }).waitFor();

test("a network is chosen, changed and corrected in the form, and trained as it says", async () => {
  const page = await open(browser, server.url + RUN);
  await unfold(page, "edit");
  await says(page, "net-note", /→ 64 x 5 x 5 → 128 → 10\. 225,034 parameters/);
  assert.equal(await page.locator("#net").inputValue(), "conv 32, pool, conv 64, pool, dense 128, dropout 0.3");
  await page.locator("#ready-made").selectOption({ label: "LeNet-5" });
  await says(page, "net-note", /61,706 parameters/);
  await says(page, "net-lesson", /1998/);
  assert.match(await page.locator("#net").inputValue(), /^conv 6 5x5 same tanh, avgpool/);

  await page.locator("#net").fill("conv 8, pool, pool, pool, conv 8 5x5");
  await page.locator("#net").blur();
  await says(page, "net-error", "can't be built");
  assert.equal(await page.locator("#net-error").textContent(), 'Network can\'t be built: in layer 5, "conv 8 5x5", the image is 3x3 here: no room for a 5x5 convolution; write "same".');
  assert.equal(await page.locator("#net-note").textContent(), "", "what is said is about the text that is shown");
  await page.locator("#train").click();
  assert.equal((await page.locator("#net").getAttribute("aria-invalid")), "true");
  assert.notEqual((await page.locator("#state").textContent()).trim(), "training", "nothing is trained that was not asked for");

  await page.locator("#net").fill("conv 8,\n pool, CONV 8 same gelu, dense 16");
  await page.locator("#train").click();
  const done = await finished(page);
  assert.equal(done.settings.net, "conv 8, pool, conv 8 same gelu, dense 16");
  assert.match(page.url(), /net=conv\+8,pool,conv\+8\+same\+gelu,dense\+16/);
  assert.equal(await page.locator("#ready-made").inputValue(), "", "no ready-made network has this description");

  // After a reload, the run has its own network, whatever the address says.
  await page.goto(server.url + RUN);
  await page.locator("#resume-run").click();
  assert.equal((await finished(page)).settings.net, done.settings.net);
  assert.equal(await page.locator("#net").inputValue(), done.settings.net);
  assert.deepEqual(page.problems, []);
});

const NETS = ["none", "dense 24 sigmoid, dense 16 none", "conv 4 5x5 same stride 2 gelu, avgpool, conv 6 silu, dropout 0.2, conv 4 1x1 leaky, globalpool, dense 12 tanh",
  "conv 4 none, batchnorm relu, pool, residual 4, pool, residual 6 silu, globalpool, dense 12 none, batchnorm tanh"];
for (const net of NETS) {
  test(`ONNX Runtime computes what the page does: ${net}`, { skip: NO_PYTHON }, async () => {
    const page = await open(browser, `${server.url}${RUN}&net=${encodeURIComponent(net)}&autostart=1`);
    await finished(page);
    await draw(page, SEVEN);
    await page.locator("#sketch-note").getByText("looks like").waitFor();
    await unfold(page, "inside");
    await page.getByText(/Your sketch\. The network says/).waitFor();
    const layers = net === "none" ? [] : net.split(", ");
    const texts = [...layers, "the answer"].map((text, at) => `${at + 1}: ${text}`);
    assert.deepEqual(await page.locator("#inside-layer option").allTextContents(), texts);
    let isFlat = false; // a dense layer that sees an image has filters, one behind another has none
    for (const [at, text] of [...layers, ""].entries()) {
      await page.locator("#inside-layer").selectOption(String(at));
      const hasFilters = /^(conv|residual)/.test(text) || (/^(dense.*|)$/.test(text) && !isFlat);
      isFlat ||= /^(dense|globalpool)/.test(text);
      await page.waitForFunction(([filters, maps]) => document.getElementById("filters-part").hidden !== filters && document.getElementById("maps-part").hidden !== maps, [hasFilters, text !== ""]);
    }
    const said = (await page.locator("#logits td:nth-child(2)").allTextContents()).map(Number);
    const pixels = await page.evaluate(() => {
      const { data } = document.getElementById("thumb").getContext("2d").getImageData(0, 0, 28, 28);
      return [...data].filter((_, i) => i % 4 === 0);
    });
    await writeFile(join(folder, "image.f32"), new Uint8Array(Float32Array.from(pixels, (ink) => ink / 255).buffer));
    await unfold(page, "files");
    const save = async (name) => (await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name, exact: true }).click()]))[0].path();
    const onnx = await save("ONNX");
    const { stdout } = await promisify(execFile)(process.env.INKLING_PYTHON, [join(ROOT, "tests/e2e/run_onnx.py"), onnx, join(folder, "image.f32")]);
    JSON.parse(stdout).forEach((logit, digit) => assert.ok(Math.abs(logit - said[digit]) < 0.0051, `digit ${digit}: ${logit}, the page shows ${said[digit]}`));

    // The file says which network it is of: a page with another one takes that.
    const buffer = await readFile(await save("safetensors"));
    await page.goto(`${server.url}${RUN}&net=${encodeURIComponent(net)}`);
    await unfold(page, "files");
    const pick = () => choose(page.getByLabel("Open weights"), { name: "weights.safetensors", mimeType: "application/octet-stream", buffer });
    await pick();
    await until(page, "imported weights", (s) => s.state === "paused");
    await page.goto(`${server.url}${RUN}&net=conv+5`);
    await unfold(page, "files");
    await pick();
    await until(page, "imported weights", (s) => s.state === "paused");
    await page.getByText(`The weights in this file belong to another network: ${net}. The settings now have that network.`).first().waitFor();
    assert.equal(await page.locator("#net").inputValue(), net);
    assert.deepEqual(page.problems, []);
    await page.context().close();
  });
}
