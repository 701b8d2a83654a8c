// Makes Inkling work offline after the first visit.
//
// A version of the site is kept as a whole or not at all: its files go into a cache of their own, each checked against the digest
// that it was built with, and only a complete version takes over. Programs of workers are large and few visitors need all of
// them: each joins its version when a page first uses it. The worker caches data sets itself (src/worker/download.rs).
"use strict";
// scripts/seal writes this version here: its name, its build, and its files with their digests. While Trunk serves, there is none,
// and nothing is kept.
const VERSION = null;

const SCOPE = new URL(self.registration.scope);
// Two sites on one origin have caches of their own.
const OURS = `inkling ${SCOPE.pathname} `;
const CACHE = OURS + VERSION?.name;
// A kept page is shown if the network has not sent one by then; a cache that has not answered by then keeps nothing.
const PATIENCE = 4_000;
const late = () => new Promise((resolve) => setTimeout(resolve, PATIENCE));
const PAGE = "./";

const digests = { ...VERSION?.files, ...VERSION?.programs };
/** The name of a file of this site; undefined for anything else. */
const nameOf = (url) => {
  if (url.origin !== SCOPE.origin || !url.pathname.startsWith(SCOPE.pathname)) return undefined;
  const name = decodeURIComponent(url.pathname.slice(SCOPE.pathname.length));
  return name === "" || name === "index.html" ? PAGE : name;
};
const isProgram = (name) => /^(worker[-_]|fzstd\.)/.test(name);
// A program's name does not change with its content, so the build is part of the key. Other parameters do not change the file.
const keyOf = (name, build) => new URL(name, SCOPE).href + (isProgram(name) ? `?build=${build}` : "");
// A name with a hash, and a program's key, mean the same file in every version.
const isUnique = (name) => isProgram(name) || /-[0-9a-f]{12,}(_bg)?\./.test(name);

const digest = async (bytes) =>
  `sha256-${btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))))}`;

/** Puts a response under `name` if it is the file that this version was built with. */
async function keep(cache, name, response) {
  const bytes = await response.arrayBuffer();
  if ((await digest(bytes)) !== digests[name]) throw new Error(`${name} is not the file of this version`);
  await cache.put(keyOf(name, VERSION.build), new Response(bytes, { headers: response.headers }));
}

/** Puts a file into this version's cache: from an earlier version if it has not changed, otherwise from the network. */
async function obtain(cache, name) {
  if (await cache.match(keyOf(name, VERSION.build))) return;
  for (const other of await caches.keys()) {
    if (!other.startsWith(OURS)) continue;
    const have = await (await caches.open(other)).match(keyOf(name, ""), { ignoreSearch: true });
    if (have && (await keep(cache, name, have).then(() => true, () => false))) return;
  }
  const address = name === PAGE ? SCOPE.href : keyOf(name, VERSION.build);
  const response = await fetch(address, { cache: "no-cache" });
  if (!response.ok) throw new Error(`${address} returned ${response.status}`);
  await keep(cache, name, response);
}

/** The worker that a program belongs to. Earlier versions packed no programs. */
const workerOf = (name) => name?.match(/^(worker[-_].*?)(_bg\.wasm(\.zst)?|\.js)$/)?.[1];
/** The programs of these workers in this version. */
const programsOf = (workers) => Object.keys(VERSION.programs).filter((name) => workers.includes(workerOf(name)));

/** The programs of the workers that an earlier version kept: without them, this one could do less offline. */
async function programsInUse() {
  const used = new Set();
  for (const other of await caches.keys()) {
    if (!other.startsWith(OURS)) continue;
    for (const { url } of await (await caches.open(other)).keys()) used.add(workerOf(nameOf(new URL(url))));
  }
  return programsOf([...used]);
}

async function install() {
  const cache = await caches.open(CACHE);
  const names = [...Object.keys(VERSION.files), ...(await programsInUse())];
  try {
    await Promise.all(names.map((name) => obtain(cache, name)));
  } catch (error) {
    await caches.delete(CACHE); // half a version is of no use
    throw error;
  }
}

async function activate() {
  await self.clients.claim();
  if (!VERSION) return;
  // A page of the version before may still be open.
  const earlier = (await caches.keys()).filter((cache) => cache.startsWith(OURS) && cache !== CACHE);
  await Promise.all(earlier.slice(0, -1).map((cache) => caches.delete(cache)));
  // Until version 0.1, all sites of an origin shared one cache.
  const shared = await caches.open("inkling-site-1");
  for (const request of await shared.keys()) if (nameOf(new URL(request.url)) !== undefined) await shared.delete(request);
}

self.addEventListener("install", (event) => {
  // A version that can't be kept as a whole does not take over: the one before stays, and works offline.
  if (VERSION) event.waitUntil(install());
  self.skipWaiting();
});
self.addEventListener("activate", (event) => event.waitUntil(activate()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  const name = nameOf(url);
  if (!VERSION || request.method !== "GET" || name === undefined || request.cache === "no-store") return;
  if (request.mode === "navigate") {
    if (name === PAGE) event.respondWith(page(event));
  } else if (name !== PAGE && (name in digests || isUnique(name))) {
    event.respondWith(file(event, name, url.searchParams.get("build") ?? ""));
  }
});

/** What is kept under this key. A cache that can't be read keeps nothing. */
function kept(name, build) {
  const key = keyOf(name, build);
  const found = async () => (await (await caches.open(CACHE)).match(key)) ?? (isUnique(name) ? await caches.match(key) : undefined);
  return Promise.race([found().catch(() => undefined), late()]);
}

async function file(event, name, build) {
  const { request } = event;
  // Whoever asks for a reload has found the file wrong. A good answer replaces what is kept.
  if (request.cache !== "reload") {
    const have = await kept(name, build);
    // A worker takes the URL of its response as its own address. A new response has no URL, so the worker keeps the requested one.
    if (have) return new Response(have.body, { headers: have.headers });
  }
  const response = await fetch(request);
  // The answer does not wait for it to be kept, and does not fail with it: there may be no room.
  const ours = response.status === 200 && name in digests && (!isProgram(name) || build === VERSION.build);
  if (ours) {
    const copy = response.clone();
    event.waitUntil(caches.open(CACHE).then((cache) => keep(cache, name, copy)).catch(() => {}));
  }
  return response;
}

/** The page as the network has it. Any other answer, a portal's or a server's that is down, does not beat a kept page. */
async function page(event) {
  const network = fetch(event.request);
  const ours = async () => {
    const response = await network;
    if (response.type === "opaqueredirect") return response;
    const text = response.ok ? await response.clone().text() : "";
    if (!text.includes('name="inkling-workers"')) throw new Error("not the page");
    return response;
  };
  const response = await Promise.race([ours().catch(() => undefined), late()]);
  return response ?? (await kept(PAGE, "")) ?? network;
}

// Once a page's worker is ready, the page says which workers it uses.
self.addEventListener("message", (event) => {
  const { workers, build } = event.data;
  if (!VERSION || build !== VERSION.build) return; // a version that is about to take over, or was replaced
  const obtainAll = async () => {
    const cache = await caches.open(CACHE);
    await Promise.all([...Object.keys(VERSION.files), ...programsOf(workers)].map((name) => obtain(cache, name)));
    event.source?.postMessage("kept");
  };
  event.waitUntil(obtainAll().catch(() => {}));
});
