// Accessibility: axe finds no violation of WCAG 2.2 AA, in any state, at any width, light and dark.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { NO_WEBGPU, SEVEN, draw, launch, open, serve, unfold, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close()));

const RUN = "?dataset=synthetic&backend=cpu&images=300&batch=32&epochs=8&seed=3&replicas=1&lr=0.002";
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

async function violations(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.addScriptTag({ path: join(process.env.INKLING_NODE, "axe-core/axe.min.js") });
  const { violations } = await page.evaluate((values) => axe.run(document, { runOnly: { type: "tag", values } }), TAGS);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`).join(" | ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of [360, 768, 1280, 1440]) {
    test(`axe finds no violation at ${width} pixels, ${colorScheme}`, async () => {
      const page = await open(browser, server.url + RUN, { colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
      await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
      assert.deepEqual(await violations(page), [], "before");
      await unfold(page, "fold");
      await page.getByLabel("Batch size").fill("0");
      await page.getByLabel("Batch size").blur();
      await page.getByText("Batch size must be").waitFor();
      assert.deepEqual(await violations(page), [], "with a wrong setting");
      await page.getByLabel("Batch size").fill("32");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Train", exact: true }).click();
      await until(page, "training", (s) => s.state === "training");
      await page.getByRole("button", { name: "Pause", exact: true }).click();
      await until(page, "pause", (s) => s.state === "paused");
      await page.waitForTimeout(400);
      // The epoch may be over: then a step validates one batch.
      for (let i = 0; i < 9 && (await page.locator("#followed").textContent()) === ""; i++) {
        await page.getByRole("button", { name: "Step", exact: true }).click();
        await page.waitForTimeout(300);
      }
      await page.locator("#followed").getByText(/the loss went from/).waitFor();
      assert.deepEqual(await violations(page), [], "paused, with a step that is followed");
      await page.getByRole("button", { name: "Resume", exact: true }).click();
      await until(page, "finished run", (s) => s.state === "finished");
      await draw(page, SEVEN);
      await page.locator("#sketch-note").getByText("looks like").waitFor();
      for (const id of ["fold", "edit", "scores", "survey", "look", "inside", "doctor", "trust", "hand", "camera", "epochs-table", "runs", "files"]) {
        await unfold(page, id);
        for (const help of await page.locator(`#${id} .help > summary`).all()) await help.click();
        if (id === "survey") {
          await page.getByRole("button", { name: "Look at the data set" }).click();
          await page.getByText(/^The network (agrees|takes)/).waitFor();
        } else if (id === "look") {
          await page.locator("#specimens button").first().waitFor();
        } else if (id === "inside") {
          await page.getByText("The network says").waitFor();
        } else if (id === "trust") {
          await page.getByRole("button", { name: "Measure it now" }).click();
          await until(page, "robustness", (s) => s.robustness.length === 37);
        } else if (id === "hand") {
          await page.locator("#name-7").click();
        }
        await page.waitForTimeout(300);
        assert.deepEqual(await violations(page), [], `finished, with #${id} open`);
      }
      await page.keyboard.press("Escape");
      await page.locator("#input-data").click();
      for (const help of await page.locator(".title > .help > summary").all()) await help.click();
      assert.deepEqual(await violations(page), [], "an image of the data set, and every help");
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, "wider than the screen");
      await page.locator("#dataset").selectOption("own");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Train", exact: true }).click();
      await until(page, "failure", (s) => s.state === "failed");
      await page.waitForTimeout(400);
      assert.deepEqual(await violations(page), [], "failed");
      await page.reload();
      await page.locator("#offer:visible").waitFor();
      assert.deepEqual(await violations(page), [], "with a kept run");
      await page.close();
    });
  }
}

test("axe finds no violation on WebGPU", { skip: NO_WEBGPU }, async (t) => {
  const gpu = await launch({ webgpu: true });
  t.after(() => gpu.close());
  const page = await open(gpu, `${server.url}?dataset=synthetic&backend=webgpu&images=24&batch=11&epochs=1&autostart=1`, { bypassCSP: true });
  if (!(await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter())))) return t.skip("SKIPPED: this browser has no WebGPU adapter");
  await page.getByText(/✓ Same results as the CPU/).waitFor({ timeout: 100_000 });
  await until(page, "finished run", (s) => s.state === "finished", 100);
  await page.waitForTimeout(400);
  assert.deepEqual(await violations(page), []);
});

test("a sketch by touch does not scroll the page", async () => {
  const page = await open(browser, server.url + RUN, { viewport: { width: 360, height: 640 }, hasTouch: true });
  assert.equal(await page.locator("#pad").evaluate((pad) => getComputedStyle(pad).touchAction), "none");
});
