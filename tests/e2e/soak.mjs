// Trains one image at a time, with one section open after another, for HOURS (2), and checks that nothing grows: memory, nodes, listeners, Blob URLs, the
// longest task of the page's thread, and what is written to disk; with BACKEND=webgpu, also the memory of the device. `make soak` runs it.
import { WATCH_GPU, launch, open, sabotage, serve, summary } from "./lib.mjs";

const BACKEND = process.env.BACKEND ?? "cpu";

const HOURS = Number(process.env.HOURS ?? 2);
const EVERY_MS = Math.min(60_000, (HOURS * 3_600_000) / 20);
const RUN = `?dataset=synthetic&backend=${BACKEND}&images=6000&batch=1&epochs=100&seed=3&replicas=1&autostart=1`;

const gpu = BACKEND === "webgpu";
const [server, browser] = [await serve(gpu ? { intercept: sabotage([WATCH_GPU]) } : {}), await launch({ webgpu: gpu })];
const init = () => {
  self.longest = 0;
  self.written = 0;
  self.urls = 0;
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (blob) => (self.urls++, createObjectURL.call(URL, blob));
  URL.revokeObjectURL = (url) => (self.urls--, revokeObjectURL.call(URL, url));
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (self.longest = Math.max(self.longest, duration)))).observe({ type: "longtask" });
  const { put } = IDBObjectStore.prototype;
  const size = (value) => (ArrayBuffer.isView(value) ? value.byteLength : value && typeof value === "object" ? Object.values(value).reduce((sum, part) => sum + size(part), 0) : 8);
  IDBObjectStore.prototype.put = function (value, key) {
    self.written += size(value);
    return put.call(this, value, key);
  };
};
const page = await open(browser, server.url + RUN, { init });
await page.locator("#state").getByText("training").waitFor();
const SECTIONS = ["look", "inside", "doctor", "trust", "hand", "runs", "files", "scores", "edit", "survey", "epochs-table", "fold"];
const devtools = await page.context().newCDPSession(page);
await devtools.send("Performance.enable");

const samples = [];
const columns = ["minutes", "step", "heap MB", "nodes", "listeners", "Blob URLs", "device MB", "longest task ms", "MB written"];
console.log(columns.join("\t"));
for (const begun = Date.now(); Date.now() - begun < HOURS * 3_600_000; ) {
  await page.locator(`#${SECTIONS[samples.length % SECTIONS.length]}`).evaluate((element) => (element.open = true));
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  await devtools.send("HeapProfiler.collectGarbage");
  const metrics = Object.fromEntries((await devtools.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  const [longest, written, urls] = await page.evaluate(() => {
    const seen = [self.longest, self.written, self.urls];
    [self.longest, self.written] = [0, 0];
    return seen;
  });
  const device = gpu ? await page.workers()[0].evaluate(async () => (await self.gpu.collect(), self.gpu.bytes)) : 0;
  const { state, history, backend, incidents } = await summary(page);
  if (backend.name !== BACKEND || incidents.length > 0) throw new Error(`the run went on elsewhere: ${JSON.stringify([backend, incidents])}`);
  // A chart that is saved as SVG goes through the file worker and a Blob URL, which ends after a minute.
  if (history.length > 0) await page.evaluate(() => document.getElementById("svg-loss").click());
  const step = (await page.locator("#progress-text").textContent()).match(/step (\d+)/)?.[1];
  const row = [(Date.now() - begun) / 60_000, step ?? history.length, metrics.JSHeapUsedSize / 1e6, metrics.Nodes, metrics.JSEventListeners, urls, device / 1e6, longest, written / 1e6];
  console.log(row.map((value) => (typeof value === "number" ? value.toFixed(1) : value)).join("\t"));
  samples.push(row);
  if (state !== "training") await page.locator("#train").click();
}
await browser.close();
await server.close();

/** The median of a column in the second quarter of the time (the first warms up), and in the last. */
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const quarter = (which, column) => median(samples.slice((which * samples.length) / 4, ((which + 1) * samples.length) / 4).map((row) => row[column]));
let grown = false;
for (let column = 2; column < columns.length; column++) {
  const [early, late] = [quarter(1, column), quarter(3, column)];
  // A task counts as long from 50 ms on, and other programs on the machine make one longer.
  const grows = late > 1.15 * early + (columns[column] === "longest task ms" ? 100 : 2);
  grown ||= grows;
  console.log(`${columns[column]}: ${early.toFixed(1)} early, ${late.toFixed(1)} late${grows ? ": GROWS" : ""}`);
}
process.exit(grown ? 1 : 0);
