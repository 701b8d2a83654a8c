// Takes pictures of the page before, during and after training, from phone to desktop width, light and dark, for review.
// `make pictures` writes them to pictures/; an argument names another folder. With MNIST_DIR set, the runs are on MNIST. QUICK=1 takes
// README's alone: training.png, training.webm, mistakes.png, editor.png and own-images-1440-light.png.
import { mkdir } from "node:fs/promises";
import { png, zip } from "./formats.mjs";
import { AFTER_A_CHECKPOINT, SEVEN, draw, launch, open, sabotage, serve, summary, unfold, until } from "./lib.mjs";
import { encode, record } from "./recording.mjs";

const folder = process.argv[2] ?? "pictures";
const data = process.env.MNIST_DIR ?? null;
await mkdir(folder, { recursive: true });
const server = await serve({ data });
const browser = await launch();
const run = data ? "?dataset=mnist&backend=cpu&images=6000&epochs=3" : "?dataset=synthetic&backend=cpu&images=3000&epochs=3";

const SECTIONS = ["edit", "scores", "survey", "look", "inside", "doctor", "trust", "hand", "camera", "epochs-table", "runs", "files", "fold"];

/** What a visitor does in a section before there is something to see. */
const act = {
  survey: async (page) => {
    await page.getByRole("button", { name: "Look at the data set" }).click();
    await page.getByText(/^The network (agrees|takes)/).waitFor({ timeout: 120_000 });
  },
  look: async (page) => {
    await page.locator("#look-part").selectOption("test");
    if (data) await page.locator("#look-mistakes").check(); // on synthetic digits there may be no mistake
    await page.locator("#specimens canvas").first().waitFor();
  },
  trust: async (page) => {
    await page.getByRole("button", { name: "Measure it now" }).click();
    await until(page, "robustness", (s) => s.robustness.length === 37, 100);
  },
};

for (const colorScheme of process.env.QUICK ? [] : ["light", "dark"]) {
  for (const [width, height] of [[360, 740], [768, 1024], [1280, 720], [1440, 900]]) {
    const narrow = width < 1100;
    const shoot = (name, fullPage = narrow) => page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png`, fullPage });
    const look = { colorScheme, viewport: { width, height }, deviceScaleFactor: width < 500 ? 2 : 1 };
    let page = await open(browser, server.url + run, look);
    await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
    await page.waitForTimeout(500);
    await shoot("before");
    await page.getByRole("button", { name: "Train", exact: true }).click();
    await until(page, "second epoch", (s) => s.history.length >= 1, 300);
    await draw(page, SEVEN);
    await page.locator("#sketch-note").getByText("looks like").waitFor();
    await page.waitForTimeout(700);
    await shoot("during");
    await page.locator("#train").click();
    await until(page, "pause", (s) => s.state === "paused");
    await page.locator("#step").click();
    await page.waitForTimeout(500);
    await shoot("step");
    await page.locator("#train").click();
    await until(page, "finished run", (s) => s.state === "finished", 300);
    await page.waitForTimeout(500);
    await shoot("after");
    for (const id of SECTIONS) {
      await unfold(page, id);
      await act[id]?.(page);
      await page.waitForTimeout(400);
      await shoot(id, false);
    }
    await page.context().close();
    for (const [name, query] of [["preset", "?backend=cpu&preset=best"], ["misfit", "?backend=cpu&dataset=letters&net=conv+8,pool,pool,conv+16+7x7"], ["lesson", "?backend=cpu&lesson=epoch"]]) {
      page = await open(browser, server.url + query, look);
      await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
      await page.waitForTimeout(500);
      await shoot(name, false);
      await page.context().close();
    }
  }
}
// README's.
const size = { width: 1280, height: 720 };
{
  const page = await open(browser, server.url + run, { viewport: { width: 1440, height: 900 } });
  await page.locator("#train:enabled").waitFor();
  await unfold(page, "edit");
  await page.waitForTimeout(300);
  await page.screenshot({ path: `${folder}/editor.png` });
  await page.keyboard.press("Escape");
  await page.locator("#train").click();
  await until(page, "second epoch", (s) => s.history.length >= 1, 100);
  await draw(page, SEVEN);
  await page.waitForTimeout(700);
  await page.screenshot({ path: `${folder}/training.png` });
  await page.context().close();
}
{
  const page = await open(browser, `${server.url}${run}&epochs=6&replicas=1`, { viewport: size });
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  await page.waitForTimeout(500);
  const end = await record(page, size);
  await page.locator("#train").click();
  await page.waitForTimeout(3000);
  await draw(page, SEVEN);
  await page.waitForTimeout(2500);
  await page.locator("#input-data").click();
  await page.waitForTimeout(1500);
  await until(page, "finished run", (s) => s.state === "finished", 100);
  await page.waitForTimeout(500);
  const cells = (await summary(page)).confusion_matrix.flatMap((row, label) => row.map((count, predicted) => ({ count, label, predicted })));
  const { label, predicted } = cells.filter((cell) => cell.label !== cell.predicted).sort((a, b) => b.count - a.count)[0];
  const box = await page.locator("#matrix").boundingBox();
  const cell = Math.floor((box.width - 34) / 10);
  await page.locator("#matrix").click({ position: { x: 34 + (predicted + 0.5) * cell, y: 34 + (label + 0.5) * cell } });
  await page.waitForTimeout(2000);
  await page.screenshot({ path: `${folder}/mistakes.png` });
  await page.locator("#specimens button").first().click();
  await page.waitForTimeout(3000);
  await encode(browser, await end(), size, `${folder}/training.webm`);
  await page.context().close();
}
// Somebody's own images: faces in three moods, as a ZIP with a folder for each.
let state = 7;
const random = (from, to) => from + ((state = (state * 48271) % 2147483647) / 2147483647) * (to - from);
function face(mood) {
  const [x0, y0, radius, tint, night] = [random(20, 28), random(20, 28), random(13, 19), random(0, 60), random(0, 120)];
  const [gape, bend] = [random(2, 4), random(0.5, 1.1)];
  return png(48, 48, (px, py) => {
    const [x, y] = [(px - x0) / radius, (py - y0) / radius];
    const eye = Math.hypot(Math.abs(x) - 0.35, y + 0.25) < 0.14;
    const curve = 0.4 + (mood === "happy" ? -1 : 1) * bend * (x * x - 0.12);
    const mouth = mood === "surprised" ? Math.hypot(x, y - 0.45) < gape / 16 : Math.abs(x) < 0.5 && Math.abs(y - curve) < 0.08;
    if (x * x + y * y > 1) return [night / 2, night, 140 - night].map((v) => Math.round(v + random(0, 20)));
    return eye || mouth ? [40, 25, 20] : [250 - tint / 4, 205 - tint, 60 + tint].map((v) => Math.round(v + random(-6, 6)));
  });
}
const moods = ["happy", "sad", "surprised"];
const archive = zip(Array.from({ length: 1200 }, (_, i) => [`${moods[i % 3]}/${i}.png`, face(moods[i % 3])]));
for (const [width, colorScheme] of [[1440, "light"], [360, "dark"]]) {
  const page = await open(browser, `${server.url}?dataset=own&backend=cpu&epochs=25&batch=32&net=conv+16,pool,conv+32,pool,dense+64`, { colorScheme, viewport: { width, height: 900 } });
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  await unfold(page, "fold");
  await page.locator("#own-look").selectOption("32 colour");
  await page.locator("#own-files").setInputFiles([{ name: "moods.zip", mimeType: "application/zip", buffer: archive }]);
  await page.locator("#own-note").filter({ hasText: /classes/ }).waitFor();
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await until(page, "finished run", (s) => s.state === "finished", 300);
  await unfold(page, "look");
  await page.locator("#look-part").selectOption("test");
  await page.locator("#specimens button").nth(3).click();
  await page.getByText("The network says").waitFor();
  await page.waitForTimeout(400);
  // README shows the first one.
  await page.screenshot({ path: `${folder}/own-images-${width}-${colorScheme}.png` });
  await page.context().close();
}
// A run that loses its worker twice, on WebGPU in software if the browser has it.
const hurt = await serve({ intercept: sabotage([1, 2].map(() => AFTER_A_CHECKPOINT("throw new Error('killed for the picture')"))) });
const gpu = await launch({ webgpu: true });
const page = await open(gpu, `${hurt.url}?dataset=synthetic&backend=webgpu&images=60&batch=11&epochs=6&autostart=1`, { viewport: { width: 1440, height: 900 } });
await until(page, "WebGPU", (s) => s.history.length >= 1, 100);
await page.screenshot({ path: `${folder}/webgpu-1440-light.png`, fullPage: true });
await until(page, "healed run", (s) => ["finished", "failed"].includes(s.state), 100); // without WebGPU, the CPU worker is given up
await page.waitForTimeout(500);
await page.screenshot({ path: `${folder}/healed-1440-light.png`, fullPage: true });
await gpu.close();
await hurt.close();
await browser.close();
await server.close();
