// What the picture costs: training speed with it and without it, in turn, in one browser; and the longest task of the page's thread.
// `make bench-picture` runs it. Without the picture, the browser says that the visitor wants little motion: then the page asks the
// network nothing between two epochs.
import { launch, open, serve, until } from "../tests/e2e/lib.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const data = process.env.MNIST_DIR ?? null;
const RUN = data ? "?dataset=mnist&images=12000" : "?dataset=synthetic&images=6000";
const server = await serve({ data });
const browser = await launch();
const init = () => {
  self.tasks = [];
  new PerformanceObserver((list) => self.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
};

/** Images per second in the last epoch of a run, and the page's tasks of over 50 ms while it trained. */
async function speed(reducedMotion, section) {
  const page = await open(browser, `${server.url}${RUN}&backend=cpu&replicas=1&epochs=3&seed=3`, { init, reducedMotion });
  await page.locator("#train:enabled").waitFor();
  await page.waitForTimeout(1000);
  if (section) await page.locator(`#${section}-summary`).click();
  await page.locator("#train").click();
  await until(page, "first epoch", (s) => s.history.length >= 1, 120);
  await page.evaluate(() => (self.tasks.length = 0));
  const done = await until(page, "finished run", (s) => s.state === "finished", 120);
  const tasks = await page.evaluate(() => self.tasks);
  await page.context().close();
  return [done.history.at(-1).images_per_second, tasks];
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
await speed("no-preference"); // the first run warms up
const ratios = [], long = [];
for (let round = 0; round < ROUNDS; round++) {
  const order = round % 2 ? ["reduce", "no-preference"] : ["no-preference", "reduce"];
  const found = {};
  for (const motion of order) found[motion] = await speed(motion);
  const [[on, tasks], [off]] = [found["no-preference"], found.reduce];
  ratios.push(on / off);
  long.push(...tasks);
  console.log(`with the picture ${on.toFixed(0)} images/s, without ${off.toFixed(0)}: ${(on / off).toFixed(3)}`);
}
for (const section of ["look", "inside", "trust", "epochs-table"]) long.push(...(await speed("no-preference", section))[1]);
console.log(`median ${median(ratios).toFixed(3)}; tasks over 50 ms while training: ${long.length ? long.map((ms) => ms.toFixed(0)).join(", ") : "none"}`);
await browser.close();
await server.close();
