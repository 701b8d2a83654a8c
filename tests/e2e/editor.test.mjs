// The editor: the network as a row of layers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, serve, stop, unfold, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close()));

const begin = async (query = "", options = {}) => {
  const page = await open(browser, `${server.url}?dataset=synthetic&backend=cpu&images=600&batch=32&epochs=1&seed=3&replicas=1${query}`, options);
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  await unfold(page, "edit");
  return page;
};
const network = (page, text) => page.waitForFunction((text) => new URLSearchParams(location.search).get("net") === text, text.replaceAll(", ", ","));

test("layers are added, changed, moved and removed, each change can be undone, and the result trains", async () => {
  const page = await begin("&net=conv+8,dense+16");
  const names = () => page.locator("#layers > li > :is(a, b)").allTextContents();
  await page.getByRole("button", { name: "+ Max-pool" }).click();
  await network(page, "conv 8, pool, dense 16");
  await page.locator("#layers > li").nth(4).waitFor();
  assert.deepEqual(await names(), ["Image", "Convolution", "Pool", "Dense", "Answer"]);
  await page.locator("#layers > li").nth(1).filter({ hasText: /→ 8 x 26 x 26.*80 parameters.*Inkling’s kernel/ }).waitFor();
  await page.locator("#layer-0-size").fill("12");
  await page.locator("#layer-0-size").press("Tab");
  await network(page, "conv 12, pool, dense 16");
  await page.locator("#layer-0-kernel").selectOption("5x5");
  await page.locator("#layer-0-border").selectOption("same");
  await page.locator("#layer-0-function").selectOption("tanh");
  await network(page, "conv 12 5x5 same tanh, pool, dense 16");
  await page.getByRole("button", { name: "+ Dropout" }).click();
  await page.locator("#layer-3-size").waitFor();
  await page.getByRole("button", { name: "Move earlier layer 4" }).click();
  await network(page, "conv 12 5x5 same tanh, pool, dropout 0.3, dense 16");
  await page.getByRole("button", { name: "Remove layer 3" }).click();
  await network(page, "conv 12 5x5 same tanh, pool, dense 16");
  for (const text of ["conv 12 5x5 same tanh, pool, dropout 0.3, dense 16", "conv 12 5x5 same tanh, pool, dense 16, dropout 0.3"]) {
    await page.locator("#undo-layer").click();
    await network(page, text);
  }
  assert.equal(await page.locator("#layer-0-function").inputValue(), "tanh");
  await page.locator("#train").click();
  const done = await until(page, "finished run", (s) => s.state === "finished" || s.state === "failed", 60);
  assert.deepEqual([done.state, done.settings.net], ["finished", "conv 12 5x5 same tanh, pool, dense 16, dropout 0.3"]);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("batch norm and a residual block are added, changed and trained", async () => {
  const page = await begin("&net=conv+8+none,dense+16");
  await page.getByRole("button", { name: "+ Batch norm" }).click();
  await network(page, "conv 8 none, batchnorm, dense 16");
  await page.locator("#layer-1-function").selectOption("relu");
  await network(page, "conv 8 none, batchnorm relu, dense 16");
  await page.getByRole("button", { name: "+ Residual block" }).click();
  await network(page, "conv 8 none, batchnorm relu, residual 16, dense 16");
  await page.locator("#layer-2-size").fill("4");
  await page.locator("#layer-2-size").press("Tab");
  await page.locator("#layer-2-function").selectOption("tanh");
  await network(page, "conv 8 none, batchnorm relu, residual 4 tanh, dense 16");
  // 8 x 4 x 9 + 4, 4 x 4 x 9 + 4, and 8 x 4 + 4 for the shortcut.
  await page.locator("#layers > li").nth(3).filter({ hasText: /→ 4 x 26 x 26.*476 parameters/ }).waitFor();
  await page.locator("#train").click();
  const done = await until(page, "finished run", (s) => s.state === "finished" || s.state === "failed", 60);
  assert.equal(done.state, "finished");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a layer that does not fit is marked with what would work, and the layers before it keep their sizes", async () => {
  const page = await begin("&net=pool,pool,pool,dense+8");
  await page.getByRole("button", { name: "+ Convolution" }).click();
  await page.getByRole("button", { name: "+ Convolution" }).click();
  const wrong = page.locator("#layers > li.wrong");
  await wrong.first().filter({ hasText: /the image is 1x1 here: no room for a 3x3 convolution/ }).waitFor();
  await page.locator("#layers-error").filter({ hasText: /in layer 5/ }).waitFor();
  await page.locator("#layers > li").nth(4).filter({ hasText: "→ 16" }).waitFor();
  await page.locator("#layer-4-border").selectOption("same");
  await page.locator("#layers-error").waitFor({ state: "hidden" });
  assert.equal(await wrong.count(), 0);
  await page.locator("#layer-4-size").fill("0");
  await page.locator("#layer-4-size").press("Tab");
  await page.locator("#layers-error").filter({ hasText: /a number of filters from 1 to 512/ }).waitFor();
  await page.context().close();
});

test("the editor works by keyboard alone, on a phone, and is closed while a run trains", async () => {
  const page = await begin("&net=dense+16&epochs=60", { viewport: { width: 360, height: 740 } });
  await page.locator("#add-layer button").first().focus();
  await page.keyboard.press("Enter");
  await network(page, "conv 16, dense 16");
  await page.locator("#layer-0-after").focus();
  await page.keyboard.press("Enter");
  await network(page, "dense 16, conv 16");
  assert.equal(await page.evaluate(() => document.activeElement.id), "layer-1-after", "the focus goes with the layer");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "layer-1-after", "there is nothing behind it");
  await page.locator("#undo-layer").focus();
  await page.keyboard.press("Enter");
  await network(page, "conv 16, dense 16");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, "the page is no wider than the screen");
  await page.locator("#train").click();
  await until(page, "training", (s) => s.state === "training");
  await page.locator("#layer-0-size:disabled").waitFor();
  await stop(page);
  await page.locator("#layer-0-size:enabled").waitFor();
  await page.context().close();
});
