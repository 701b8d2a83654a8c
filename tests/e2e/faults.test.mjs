// Whatever goes wrong, the page says so in a sentence, and nothing is lost.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CPU_PROGRAM, PREFIX, SEVEN, SITE, draw, launch, open, serve, stop, summary, unfold, until } from "./lib.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const withServer = (options, body) => async () => {
  const server = await serve(options);
  try {
    await body(server);
  } finally {
    await server.close();
  }
};

test("a wrong setting is reported beside its control and affects nothing else", withServer({}, async (server) => {
  const page = await open(browser, `${server.url}?dataset=synthetic&backend=cpu&epochs=0&batch=32&lr=fast&images=120&autostart=1`);
  await page.getByText('Epochs must be a whole number from 1 to 100; it is "0".').waitFor();
  await page.getByText('Learning rate must be a number from 0.000001 to 1; it is "fast".').waitFor();
  assert.equal((await summary(page)).state, "idle", "a link with a wrong setting must not start by itself");
  assert.equal(await page.locator("#batch").inputValue(), "32");

  await page.locator("#batch").fill("-3");
  await page.locator("#seed").fill("12");
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.getByText('Batch size must be a whole number from 1 to 1024; it is "-3".').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "batch");
  assert.equal((await summary(page)).state, "idle");
  assert.match(page.url(), /seed=12/);

  await page.locator("#batch").fill("16");
  await page.locator("#epochs").fill("1");
  await page.getByRole("button", { name: "Train", exact: true }).click();
  const done = await until(page, "finished run", (s) => s.state === "finished");
  assert.deepEqual([done.settings.batch, done.settings.epochs, done.settings.seed], [16, 1, 12]);
  assert.match(page.url(), /batch=16/);
  assert.deepEqual(page.problems, []);
}));

test("without a network connection MNIST fails with an explanation, and the synthetic digits still train", withServer({}, async (server) => {
  const page = await open(browser, `${server.url}?dataset=mnist&backend=cpu&images=120&epochs=1`);
  await page.context().route("https://**", (route) => route.abort());
  await page.getByRole("button", { name: "Train", exact: true }).click();
  const failed = await until(page, "failure", (s) => s.state === "failed");
  assert.match(failed.error, /^MNIST could not be fetched \(127\.0\.0\.1:\d+ returned 404; cdn\.jsdelivr\.net.*Check the connection.*synthetic digits/);
  await page.getByRole("alert").filter({ hasText: "MNIST could not be fetched" }).waitFor();
  await page.locator("#dataset").selectOption("synthetic");
  await page.getByRole("button", { name: "Train", exact: true }).click();
  const done = await until(page, "finished run", (s) => s.state === "finished");
  assert.deepEqual([done.dataset.name, done.error], ["synthetic", null]);
}));

test("a damaged file is refused, and the next source is tried", withServer({
  intercept: (path, response) => path.includes("/data/") && (response.writeHead(200).end("<html>not MNIST</html>"), true),
}, async (server) => {
  const page = await open(browser, `${server.url}?dataset=mnist&backend=cpu&autostart=1`);
  await page.context().route("https://**", (route) => route.fulfill({ status: 503, headers: { "access-control-allow-origin": "*" } }));
  const failed = await until(page, "failure", (s) => s.state === "failed");
  assert.match(failed.error, /train-images-idx3-ubyte\.gz: the checksum .* is [0-9a-f]{64}, expected ba891046/);
  assert.match(failed.error, /githubusercontent/);
}));

test("a worker that does not load gives an error message, not a blank page", withServer({
  intercept: (path, response) => path.endsWith(`${CPU_PROGRAM}.js`) && (response.writeHead(404).end(), true),
}, async (server) => {
  const page = await open(browser, `${server.url}?dataset=synthetic&backend=cpu`);
  const failed = await until(page, "failure", (s) => s.state === "failed");
  assert.match(failed.error, /^The worker could not start: its program could not be loaded: .*Reload the page/);
}));

const listing = (ready, building) => (path, response) => {
  if (path !== PREFIX) return false;
  const page = readFileSync(join(SITE, "index.html"), "utf8");
  const listed = page.replace(/(name="inkling-workers" content=")[^"]*(" data-building=")[^"]*/, `$1${ready}$2${building}`);
  response.writeHead(200, { "content-type": "text/html" }).end(listed);
  return true;
};

test("while WebGPU is being built the CPU trains, and the page says so", withServer({ intercept: listing("cpu", "files webgpu") }, async (server) => {
  const page = await open(browser, `${server.url}?dataset=synthetic&images=300&epochs=1&autostart=1`);
  await page.getByText("(WebGPU is still being built; the CPU trains until then)").waitFor();
  assert.equal((await until(page, "finished run", (s) => s.state === "finished")).backend.name, "cpu");
}));

test("a page whose program does not load says so", withServer({
  intercept: (path, response) => /\/page-.*\.js$/.test(path) && (response.writeHead(404).end(), true),
}, async (server) => {
  const page = await open(browser, server.url);
  await page.getByRole("alert").filter({ hasText: "The page could not start" }).waitFor();
}));

test("a finished network is restored when its worker is lost", withServer({}, async (server) => {
  const page = await open(browser, `${server.url}?dataset=synthetic&backend=cpu&images=300&batch=32&epochs=2&seed=3&replicas=1&autostart=1`);
  const done = await until(page, "finished run", (s) => s.state === "finished");
  await draw(page, SEVEN);
  const bar = () => page.locator("#bar-7-value").textContent();
  await page.locator("#sketch-note").getByText("looks like").waitFor();
  const said = await bar();
  await page.workers()[0].evaluate(() => setTimeout(() => { throw new Error("killed by the test"); }));
  await until(page, "loss", (s) => s.state !== "finished");
  const back = await until(page, "the network", (s) => s.state === "finished");
  assert.deepEqual([back.test_accuracy, back.history], [done.test_accuracy, done.history]);
  await page.locator("#sketch-note").getByText("looks like").waitFor();
  assert.equal(await bar(), said);
  await unfold(page, "runs");
  await page.locator("#run-rows tr").first().waitFor();
  assert.equal(await page.locator("#run-rows tr").count(), 1, "it is the same run");
}));

test("a stopped run's network is restored too, and the run stays stopped", withServer({}, async (server) => {
  const page = await open(browser, `${server.url}?dataset=synthetic&backend=cpu&images=300&batch=32&epochs=90&seed=3&replicas=1&autostart=1`);
  await until(page, "second epoch", (s) => s.history.length >= 2);
  await stop(page);
  const { history } = await until(page, "stop", (s) => s.state === "stopped");
  await page.workers()[0].evaluate(() => setTimeout(() => { throw new Error("killed by the test"); }));
  await until(page, "loss", (s) => s.state !== "stopped");
  const back = await until(page, "stop", (s) => s.state === "stopped");
  assert.ok(back.history.length < 90 && back.history.length >= history.length);
  await draw(page, SEVEN);
  await page.locator("#sketch-note").getByText("looks like").waitFor();
  await page.waitForTimeout(500);
  assert.equal((await summary(page)).state, "stopped");
}));
