// Makes Inkling work without a network after the first visit. Every file but the page itself has its content or its build in
// its address, so what was kept is never stale: the page comes from the network, or offline as it was last seen, and what it
// names comes from what was kept with it. Data sets are kept by the worker (src/web/fetch.rs), not here.
"use strict";
const CACHE = "inkling-site-1";
const LAST = "last-page";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

const named = (url) => url.searchParams.has("build") || /-[0-9a-f]{12,}(_bg)?\./.test(url.pathname);

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || /\/(data|cached)\//.test(url.pathname)) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (named(url)) event.respondWith(kept(request));
  else event.respondWith(fresh(request));
});

async function page(request) {
  try {
    const response = await fetch(request);
    if (response.ok) await (await caches.open(CACHE)).put(LAST, response.clone());
    return response;
  } catch (error) {
    return (await caches.match(LAST)) ?? Promise.reject(error);
  }
}

// What an address says beside its build does not change what it names.
const key = (address) => {
  const url = new URL(address);
  const build = url.searchParams.get("build");
  return url.origin + url.pathname + (build ? `?build=${build}` : "");
};

async function kept(request) {
  const cache = await caches.open(CACHE);
  const have = await cache.match(key(request.url));
  // A worker takes the address of its answer for its own: this one has none, and the worker keeps the one that it asked for.
  if (have) return new Response(have.body, { headers: have.headers });
  const response = await fetch(request);
  if (response.ok) await cache.put(key(request.url), response.clone());
  return response;
}

async function fresh(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    return (await cache.match(request)) ?? Promise.reject(error);
  }
}

// A page that is up says what it is made of: that is kept, and what earlier builds left behind goes.
self.addEventListener("message", (event) => {
  const { files, build } = event.data;
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      const scope = self.registration.scope;
      const wanted = new Set(files.map((file) => new URL(file, scope).href));
      const response = await fetch(scope);
      if (response.ok) await cache.put(LAST, response);
      await Promise.all([...wanted].map(async (url) => (await cache.match(url)) ?? cache.add(url)));
      for (const { url } of await cache.keys()) {
        const current = wanted.has(url) || url.endsWith(LAST) || new URL(url).searchParams.get("build") === build;
        if (!current) await cache.delete(url);
      }
      event.source?.postMessage("kept");
    })().catch(() => {}),
  );
});
