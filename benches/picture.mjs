// What the picture costs: training speed with it and without it, epoch by epoch in one run; and the longest task of the page's thread.
// `make bench-picture` runs it. Without the picture, the browser says that the visitor wants little motion: then the page asks the
// network nothing between two epochs. Alternating epochs see the same background load; separate runs would not.
import { launch, open, serve, until } from "../tests/e2e/lib.mjs";

/** Epochs that count, after two that warm up. They alternate: without the picture, with it, without it. */
const EPOCHS = Number(process.env.EPOCHS ?? 41);
const data = process.env.MNIST_DIR ?? null;
const RUN = data ? "?dataset=mnist&images=12000" : "?dataset=synthetic&images=6000";
const server = await serve({ data });
const browser = await launch();
const init = () => {
  self.tasks = [];
  new PerformanceObserver((list) => self.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
};

async function train(epochs, section) {
  const page = await open(browser, `${server.url}${RUN}&backend=cpu&replicas=1&epochs=${epochs}&seed=3`, { init });
  await page.locator("#train:enabled").waitFor();
  await page.waitForTimeout(1000);
  if (section) await page.locator(`#${section}-summary`).click();
  await page.locator("#train").click();
  await until(page, "first epoch", (s) => s.history.length >= 1, 120);
  await page.evaluate(() => (self.tasks.length = 0)); // while it trains: not while it starts
  return page;
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const page = await train(EPOCHS + 2);
for (let epoch = 2; epoch < EPOCHS + 2; epoch++) {
  await until(page, `epoch ${epoch}`, (s) => s.history.length >= epoch, 120);
  await page.emulateMedia({ reducedMotion: epoch % 2 ? "no-preference" : "reduce" });
}
const done = await until(page, "finished run", (s) => s.state === "finished", 240);
const speeds = done.history.slice(2).map((epoch) => epoch.images_per_second);
const ratios = [];
for (let at = 1; at + 1 < speeds.length; at += 2) ratios.push((2 * speeds[at]) / (speeds[at - 1] + speeds[at + 1]));
const sorted = [...ratios].sort((a, b) => a - b), quarter = (part) => sorted[Math.floor((part * sorted.length) / 4)].toFixed(3);
const long = await page.evaluate(() => self.tasks);
await page.context().close();
for (const section of ["look", "inside", "trust", "epochs-table"]) {
  const page = await train(3, section);
  await until(page, "finished run", (s) => s.state === "finished", 120);
  long.push(...(await page.evaluate(() => self.tasks)));
  await page.context().close();
}
console.log(`${ratios.length} epochs with the picture ran at ${median(ratios).toFixed(3)} times the speed of those before and after them, without it (median; quartiles ${quarter(1)} to ${quarter(3)})`);
console.log(`tasks over 50 ms while training: ${long.length ? long.map((ms) => ms.toFixed(0)).join(", ") : "none"}`);
await browser.close();
await server.close();
