// Real MNIST, if MNIST_DIR names its folder.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, serve, until } from "./lib.mjs";

const data = process.env.MNIST_DIR;
const skip = data ? false : "SKIPPED: MNIST_DIR is not set, so the page is not tested on real MNIST";
let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const SMALL = "?dataset=mnist&backend=cpu&images=600&epochs=1&batch=64&autostart=1";

test("the files are fetched once, checked, and cached for the next visit", { skip }, async () => {
  const server = await serve({ data });
  const page = await open(browser, server.url + SMALL);
  const done = await until(page, "finished run", (s) => s.state === "finished", 120);
  assert.match(done.dataset.source, /^MNIST, from 127\.0\.0\.1/);
  assert.deepEqual([done.dataset.train, done.dataset.validation, done.dataset.test], [550, 50, 10000]);
  const fetched = () => server.requests.filter((path) => path.endsWith("-ubyte.gz")).length;
  assert.equal(fetched(), 4);
  await page.reload();
  const again = await until(page, "finished run", (s) => s.state === "finished", 120);
  assert.equal(again.dataset.source, "MNIST, from the browser's cache");
  assert.equal(fetched(), 4);
  assert.equal(again.test_accuracy, done.test_accuracy);
  await server.close();
});

test("files that the server has already decompressed are accepted", { skip }, async () => {
  const intercept = (path, response) => {
    if (path.includes("/data/")) response.setHeader("content-encoding", "gzip");
    return false;
  };
  const server = await serve({ data, intercept });
  const page = await open(browser, server.url + SMALL);
  await until(page, "training", (s) => s.state === "training" || s.state === "finished", 120);
  assert.deepEqual(page.problems, []);
  await server.close();
});

test("one epoch on all of MNIST reaches 98.5%", { skip }, async () => {
  const server = await serve({ data });
  const page = await open(browser, `${server.url}?dataset=mnist&backend=cpu&epochs=1&autostart=1`);
  const done = await until(page, "finished run", (s) => ["finished", "failed"].includes(s.state), 800);
  console.log(`test accuracy ${done.test_accuracy}, ${done.history[0]?.images_per_second.toFixed(0)} images/s, ${done.timings.epochs_seconds.toFixed(0)} s`);
  assert.ok(done.test_accuracy >= 0.985, JSON.stringify([done.state, done.error, done.test_accuracy]));
  assert.deepEqual(page.problems, []);
  await server.close();
});
