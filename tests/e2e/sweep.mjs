// Fault injection: the n-th call to the outside fails or hangs, for every n, in the page and in each kind of worker.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SITE, open, serve } from "./lib.mjs";

/** Where a call is made. */
export const REALMS = ["page", "session", "replica", "files"];
export const MODES = ["fail", "hang"];

/**
 * Runs in a page or worker before anything else: lets time pass faster, so that deadlines are reached soon. A deadline still
 * leaves a second: a browser that is busy with three runs needs some of it.
 */
function hasten() {
  const timer = self.setTimeout.bind(self);
  const sooner = (milliseconds) => Math.max(milliseconds / 40, milliseconds < 5000 ? 0 : 1000);
  self.setTimeout = (then, milliseconds = 0, ...more) => timer(then, sooner(milliseconds), ...more);
}

/**
 * Runs in a page or worker before anything else: wraps its calls to the outside and counts them. Call `fault.n` fails, or hangs if
 * that is possible. Reports each call on the channel "sweep".
 */
function wrap(fault) {
  const channel = new BroadcastChannel("sweep");
  let calls = 0;
  const never = () => new Promise(() => {});
  /** Wraps `object[name]`. `hang` makes what a call that hangs returns. */
  const around = (object, name, hang, label = name) => {
    const original = object?.[name];
    if (typeof original !== "function") return;
    object[name] = function (...options) {
      const injected = ++calls === fault.n && (fault.mode === "fail" || hang !== undefined);
      channel.postMessage({ realm: fault.realm, name: label, injected, n: calls });
      if (!injected) return original.apply(this, options);
      const error = () => new DOMException("injected by the test", "UnknownError");
      if (fault.mode === "hang") return hang();
      if (hang === never) return Promise.reject(error());
      throw error();
    };
  };
  around(self, "fetch", never);
  for (const name of ["open", "match", "keys", "delete"]) around(self.CacheStorage?.prototype, name, never, `caches.${name}`);
  for (const name of ["match", "put", "keys", "delete"]) around(self.Cache?.prototype, name, never, `cache.${name}`);
  around(IDBFactory.prototype, "open", () => ({}), "indexedDB.open");
  around(IDBFactory.prototype, "databases", never, "indexedDB.databases");
  around(IDBDatabase.prototype, "transaction", () => ({ objectStore: () => ({ get() {}, put() {}, delete() {} }) }), "database.transaction");
  for (const name of ["get", "put", "delete"]) around(IDBObjectStore.prototype, name, undefined, `store.${name}`);
  around(self.Storage?.prototype, "getItem", undefined, "localStorage.getItem");
  around(self.Storage?.prototype, "setItem", undefined, "localStorage.setItem");
  around(self.SubtleCrypto?.prototype, "digest", never, "crypto.digest");
  around(self.Crypto?.prototype, "getRandomValues", undefined, "crypto.getRandomValues");
  around(WebAssembly, "compileStreaming", never, "WebAssembly.compileStreaming");
  around(WebAssembly, "instantiateStreaming", never, "WebAssembly.instantiateStreaming");
  around(WebAssembly, "instantiate", never, "WebAssembly.instantiate");
  around(self.LockManager?.prototype, "request", never, "locks.request");
  around(self.StorageManager?.prototype, "persist", never, "storage.persist");
  around(self.ServiceWorkerContainer?.prototype, "register", never, "serviceWorker.register");
  around(self, "importScripts", undefined);
  // A message that hangs is one that does not arrive.
  around(self.Worker?.prototype, "postMessage", () => undefined, "worker.postMessage");
  if (fault.realm !== "page") around(self, "postMessage", () => undefined);
  const { Worker } = self;
  if (Worker) {
    const silent = () => Object.assign(new EventTarget(), { postMessage() {}, terminate() {} });
    const holder = { create: (address, options) => new Worker(address, options) };
    around(holder, "create", silent, "new Worker");
    self.Worker = function (address, options) { return holder.create(address, options); };
    self.Worker.prototype = Worker.prototype;
  }
}

const hastened = (fault) => (fault.mode === "hang" ? `(${hasten})();` : "");
const script = (fault) => `${hastened(fault)}(${wrap})(${JSON.stringify(fault)});`;
const RUN = "?dataset=synthetic&backend=cpu&images=24&batch=12&epochs=24&seed=3&replicas=2";

/** What a visitor sees. */
const look = () => {
  const text = (id) => document.getElementById(id);
  const shown = (id) => text(id) && !text(id).hidden && text(id).textContent.trim();
  const run = JSON.parse(text("run-summary").textContent);
  return {
    state: run.state, run, said: shown("error") || "", offer: shown("offer") || "", badge: shown("badge") || "",
    started: "started" in (document.body?.dataset ?? {}), canTrain: text("train") && !text("train").disabled,
  };
};

/** Whether the browser has kept a run, or the page has said that it has not. */
const isStored = async () => {
  if (/A reload would lose this run/.test(document.getElementById("run-summary").textContent)) return true;
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open(`inkling ${location.pathname}`, 1);
    request.onupgradeneeded = () => request.transaction.abort();
    [request.onsuccess, request.onerror] = [() => resolve(request.result), () => reject(request.error)];
  }).catch(() => undefined);
  if (!database) return false;
  const request = database.transaction("runs").objectStore("runs").get("last");
  const found = await new Promise((resolve) => ([request.onsuccess, request.onerror] = [() => resolve(request.result), () => resolve()]));
  database.close();
  return found !== undefined;
};

/**
 * One server for all faults, and tabs that are used again: to open a window costs more than to train. `run(tab, fault)` injects one
 * fault; `tab()` opens another tab.
 */
export async function laboratory(browser) {
  const loader = readFileSync(join(SITE, "worker-loader.js"), "utf8");
  const faults = new Map(); // by the case's number, which is in its address
  const intercept = (path, response, query, request) => {
    if (!path.endsWith("worker-loader.js") || !query.has("worker")) return false;
    const number = new URL(request.headers.referer ?? "http://x/").searchParams.get("case");
    const realm = query.get("role") === "replica" ? "replica" : query.get("worker") === "worker_files" ? "files" : "session";
    // A replica's request names its leader's script, not the page.
    const meant = (fault) => fault.realm === realm && !fault.spent && (realm === "replica" || fault === faults.get(number));
    const fault = [...faults.values()].find(meant);
    if (!fault) return false;
    fault.spent = true;
    response.writeHead(200, { "content-type": "text/javascript" }).end(`${script(fault)}\n${loader}`);
    return true;
  };
  const server = await serve({ intercept });
  let cases = 0;

  const tab = async () => {
    // A small window, because painting takes time as well.
    const page = await open(browser, "about:blank", { bypassCSP: true, viewport: { width: 320, height: 200 } });
    const lane = { page, calls: [], devtools: await page.context().newCDPSession(page) };
    await page.exposeFunction("sweepSaw", (call) => void lane.calls.push(call));
    await page.addInitScript(`{
      new BroadcastChannel("sweep").onmessage = ({ data }) => sweepSaw(data);
      const fault = JSON.parse(new URLSearchParams(location.search).get("fault"));
      if (fault?.mode === "hang") (${hasten})();
      if (fault?.realm === "page") (${wrap})(fault);
    }`);
    page.on("download", () => (lane.downloads = (lane.downloads ?? 0) + 1));
    return lane;
  };
  const run = async (lane, fault) => {
    const number = String(++cases);
    faults.set(number, { ...fault });
    try {
      return await inject(lane, server, fault, number);
    } finally {
      faults.delete(number);
      await lane.page.goto("about:blank").catch(() => {});
      await lane.devtools.send("Storage.clearDataForOrigin", { origin: new URL(server.url).origin, storageTypes: "all" }).catch(() => {});
    }
  };
  return { server, tab, run };
}

/**
 * Trains with one fault, saves a file, and reloads without the fault. Returns what was injected and seen; throws if a visitor was
 * left without a word, or lost something without one.
 */
async function inject(lane, server, fault, number) {
  const { page } = lane;
  const calls = (lane.calls = []);
  lane.downloads = 0;
  const say = (where, seen) => new Error(`${fault.realm} ${fault.mode} ${fault.n} (${calls.find((call) => call.injected)?.name}): ${where}; ${JSON.stringify({ ...seen, run: undefined })}`);
  await page.goto(`${server.url}${RUN}&case=${number}&fault=${encodeURIComponent(JSON.stringify(fault))}&autostart=1`);
  const outcome = await settle(page, (seen) => seen.state === "finished" || seen.state === "failed" || (seen.said !== "" && !seen.started), say, "the run ended in silence");
  const saves = fault.realm === "page" || fault.realm === "files";
  if (outcome.state === "finished" && saves) {
    const before = outcome.run.warnings.length;
    // The section's program may be what does not come: then the page says so.
    await page.evaluate(async () => {
      document.getElementById("files-summary").click();
      const button = document.getElementById("save-onnx");
      for (let tries = 0; tries < 600 && button.closest("[inert]"); tries++) await new Promise((resolve) => setTimeout(resolve, 50));
      button.click();
    });
    await settle(page, (seen) => lane.downloads > 0 || seen.run.warnings.length > before || seen.state !== "finished", say, "a file was neither saved nor refused");
    // What was lost while saving comes back.
    await settle(page, (seen) => seen.state === "finished" || seen.state === "failed", say, "the network did not come back");
  }
  // The run takes less time than its first record needs to be written: a reload would come too early.
  if (fault.realm === "page") await page.waitForTimeout(500);
  else for (let tries = 0; tries < 100 && !(await page.evaluate(isStored)); tries++) await page.waitForTimeout(50);
  const last = await page.evaluate(look);
  if (last.state === "failed" && !/[.!?]$/.test(last.said)) throw say("a failure without a sentence", last);
  // Without the fault: what was kept is offered, unless the page has said that it would be lost.
  await page.goto(`${server.url}${RUN}`);
  const again = await settle(page, (seen) => seen.started && seen.canTrain, say, "the page did not come back after a reload");
  const warned = (last.run.warnings ?? []).some((words) => words.startsWith("A reload would lose this run"));
  // The last record may still have been on its way: then the one before is there.
  if (last.state === "finished" && !warned) await settle(page, (seen) => /This browser has kept an? (un)?finished run/.test(seen.offer), say, "a run was lost without a word");
  return { calls, injected: calls.find((call) => call.injected), outcome: last.state, said: last.said, offer: again.offer };
}

/** Waits until what the visitor sees passes `test`. */
async function settle(page, test, say, where) {
  const end = Date.now() + 25_000;
  for (;;) {
    const seen = await page.evaluate(look).catch(() => undefined); // during a navigation there is nothing to see
    if (seen && test(seen)) return seen;
    if (Date.now() > end) throw say(where, seen);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}
