// What the browser keeps: whatever a record holds and whatever storage does, the page works, says so, and overwrites nothing.
import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { PREFIX, SEVEN, choose, draw, kept, launch, open, serve, summary, unfold, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close()));

const RUN = "?dataset=synthetic&backend=cpu&images=600&batch=48&epochs=3&seed=3&replicas=1";
const button = (page, name) => page.getByRole("button", { name, exact: true });
const finished = (page) => until(page, "finished run", (s) => s.state === "finished");
const ready = (page) => page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();

/** Calls `action(store, transaction)` on the page's database, as text, with `name` and `value`. */
const database = (page, name, mode, action, value) => page.evaluate(async ([name, mode, action, value]) => {
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("runs");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const request = new Function("runs", "value", `return ${action}`)(database.transaction("runs", mode).objectStore("runs"), value);
  const result = await new Promise((resolve, reject) => ((request.onsuccess = () => resolve(request.result)), (request.onerror = () => reject(request.error))));
  database.close();
  return result;
}, [name, mode, action, value]);
const NAME = `inkling ${PREFIX}`;

/** A browser context whose pages run no script policy, so that a test may evaluate text, with a kept run of three epochs. */
async function withARun(query = RUN) {
  const page = await open(browser, `${server.url}${query}&autostart=1`, { bypassCSP: true });
  await finished(page);
  await kept(page, "last", (run) => run?.test);
  return page;
}

/** Draws a seven and keeps it as `label`. */
async function keepDigit(page, label) {
  await draw(page, SEVEN);
  if (!(await page.locator("#hand").getAttribute("open").then((open) => open !== null))) await unfold(page, "hand");
  await page.locator(`#name-${label}`).click();
}

test("a record of a version that named its database otherwise is taken over, and a discarded run does not come back", async () => {
  const page = await withARun();
  const run = await database(page, NAME, "readonly", "runs.get('last')");
  assert.equal(run.version, 3);
  // As the version before wrote it: lists instead of bytes, no fingerprint, and one database for the origin.
  await page.evaluate(async ([name]) => {
    const open = (name) => new Promise((resolve) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore("runs");
      request.onsuccess = () => resolve(request.result);
    });
    const done = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    const now = await open(name);
    const run = await done(now.transaction("runs").objectStore("runs").get("last"));
    await done(now.transaction("runs", "readwrite").objectStore("runs").clear());
    now.close();
    const floats = (bytes, Type) => [...new Type(bytes.slice().buffer)];
    const pairs = (bytes) => floats(bytes, Float64Array).reduce((all, value, i) => (i % 2 ? all.at(-1).push(value) : all.push([value]), all), []);
    run.version = 2;
    delete run.checkpoint.data;
    delete run.curves.stride;
    run.curves.loss = pairs(run.curves.loss);
    run.curves.accuracy = pairs(run.curves.accuracy);
    for (const snapshot of run.snapshots) snapshot.filters = floats(snapshot.filters, Float32Array);
    const before = await open("inkling");
    await done(before.transaction("runs", "readwrite").objectStore("runs").put(run, "last"));
    before.close();
  }, [NAME]);
  await page.goto(`${server.url}?backend=cpu`);
  await page.getByText("This browser has kept a finished run of 3 epochs.").waitFor();
  await button(page, "Resume it").click();
  assert.equal((await finished(page)).history.length, 3);
  await page.reload();
  await page.getByText("This browser has kept a finished run of 3 epochs.").waitFor();
  await button(page, "Discard it").click();
  await kept(page, "last", (run) => !run);
  await page.reload();
  await ready(page);
  await page.waitForTimeout(500);
  assert.ok(await page.locator("#offer").isHidden(), "a discarded run came back from the earlier database");
  await page.context().close();
});

test("a record that can't be read is offered as a file, and nothing overwrites it before it is discarded", async () => {
  const page = await withARun();
  await database(page, NAME, "readwrite", "runs.put(value, 'last')", { version: 99, of: "the future" });
  await page.goto(`${server.url}${RUN}`);
  await page.getByText(/This browser has kept a run, but this page can't read the record: another version of Inkling wrote it \(format 99; .*\)\. It is not overwritten\./).waitFor();
  await button(page, "Train").click();
  const done = await finished(page);
  assert.match(done.warnings.join(), /A reload would lose this run: what the browser has kept can't be read; save or discard it above\./);
  assert.deepEqual(await database(page, NAME, "readonly", "runs.get('last')"), { version: 99, of: "the future" });
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#save-unreadable").click()]);
  assert.deepEqual(JSON.parse(gunzipSync(await readFile(await download.path()))), { version: 99, of: "the future" });
  await page.locator("#discard-unreadable").click();
  await page.locator("#unreadable").waitFor({ state: "hidden" });
  await button(page, "Train").click();
  await until(page, "another run", (s) => s.state === "training");
  await finished(page);
  await kept(page, "last", (run) => run?.version === 3);
  await page.context().close();
});

test("hostile run files are refused with a sentence, and the page lives on", async () => {
  const page = await withARun();
  await unfold(page, "files");
  const [download] = await Promise.all([page.waitForEvent("download"), button(page, "Save the run").click()]);
  const file = JSON.parse(gunzipSync(await readFile(await download.path())));
  const hostile = [
    ["a loss that hung the chart", (run) => (run.history[1].validation_loss = 1.7e308), /validation loss/],
    ["four bytes of weights", (run) => (run.checkpoint.trainer.values = { base64: "AAAAAA==" }), /weights/],
    ["weights that are no numbers", (run) => {
      const bytes = Buffer.from(run.checkpoint.trainer.values.base64, "base64");
      bytes.writeFloatLE(NaN, 400);
      run.checkpoint.trainer.values.base64 = bytes.toString("base64");
    }, /weights are not all numbers/],
    ["epoch 0", (run) => (run.checkpoint.epoch = 0), /epoch/],
    ["a step beyond the end", (run) => (run.checkpoint.trainer.step = 4_000_000), /beyond its last step/],
    ["another version", (run) => (run.version = 77), /another version of Inkling/],
    ["text instead of numbers", (run) => (run.steps = "many"), /steps|invalid type/],
    ["curves that are cut short", (run) => (run.curves.loss = { base64: "AAAA" }), /invalid length/],
  ];
  for (const [name, change, reason] of hostile) {
    const bad = structuredClone(file);
    change(bad);
    await choose(page.locator("#open-run"), { name: "run.json.gz", mimeType: "application/gzip", buffer: gzipSync(JSON.stringify(bad)) });
    await page.locator("#error").filter({ hasText: reason }).waitFor({ timeout: 5000 }).catch(async () => assert.fail(`${name}: ${await page.locator("#error").textContent()}`));
    assert.equal((await summary(page)).state, "finished", name);
  }
  await choose(page.locator("#open-run"), { name: "run.json.gz", mimeType: "application/gzip", buffer: gzipSync(JSON.stringify(file)) });
  await until(page, "the run", (s) => s.state === "finished" && s.warnings.length === 0);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a tab that inherits the lock keeps the digits and runs of both", async () => {
  const first = await open(browser, `${server.url}${RUN}&autostart=1`, { bypassCSP: true });
  const second = await first.context().newPage();
  await second.goto(`${server.url}${RUN}`);
  await ready(second);
  await finished(first);
  for (const label of [1, 2]) await keepDigit(first, label);
  await button(second, "Train").click();
  await finished(second);
  await keepDigit(second, 7);
  await second.locator("#error").getByText("A reload would lose your digits: another tab is already keeping a run.").waitFor();
  await first.close();
  await kept(second, "digits", (digits) => digits?.labels.length === 3);
  await kept(second, "shelf", (history) => history?.runs.length >= 2);
  const digits = await database(second, NAME, "readonly", "runs.get('digits')");
  assert.deepEqual(Object.values(digits.labels), [1, 2, 7]);
  const shelf = await database(second, NAME, "readonly", "runs.get('shelf')");
  assert.equal(shelf.runs.length, 2);
  await second.context().close();
});

test("without Web Locks only one tab writes, and the other takes its place", async () => {
  const init = () => Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
  const first = await open(browser, `${server.url}${RUN}&autostart=1`, { init });
  await finished(first);
  const second = await first.context().newPage();
  await second.addInitScript(init);
  await second.goto(`${server.url}${RUN}&autostart=1`);
  assert.deepEqual((await finished(second)).warnings, ["A reload would lose this run: another tab is already keeping a run."]);
  assert.deepEqual((await summary(first)).warnings, []);
  await kept(first, "last", (run) => run?.test);
  await first.close();
  await second.getByText("This browser has kept a finished run of 3 epochs.").waitFor();
  await button(second, "Train").click();
  await until(second, "another run", (s) => s.state === "training");
  assert.deepEqual((await finished(second)).warnings, []);
  await second.context().close();
});

for (const [name, init, reason] of [
  ["never answers", () => (IDBFactory.prototype.open = () => ({})), /the browser's storage has not answered for 15 s/],
  ["is closed at every write", () => {
    const { transaction } = IDBDatabase.prototype;
    IDBDatabase.prototype.transaction = function (...options) {
      if (options[1] === "readwrite") this.close();
      return transaction.apply(this, options);
    };
  }, /The database connection is closing/],
]) {
  test(`storage that ${name} is said once, and the run finishes`, async () => {
    const page = await open(browser, `${server.url}${RUN}&autostart=1`, { init });
    await finished(page);
    const { warnings } = await until(page, "warning", (s) => s.warnings.length > 0, 40);
    assert.equal(warnings.length, 1, `${warnings}`);
    assert.match(warnings[0], /^A reload would lose this run: /);
    assert.match(warnings[0], reason);
    await page.context().close();
  });
}
