// Makes Inkling work offline after the first visit. The address of every file except the page itself contains a content hash or
// the build, so a cached file is never stale. The page comes from the network, or offline from the cache, as last seen; the files
// that it names come from the cache. The worker caches data sets itself (src/worker/download.rs).
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

// Parameters other than `build` do not change which file an address names.
const key = (address) => {
  const url = new URL(address);
  const build = url.searchParams.get("build");
  return url.origin + url.pathname + (build ? `?build=${build}` : "");
};

async function kept(request) {
  const cache = await caches.open(CACHE);
  const have = await cache.match(key(request.url));
  // A worker takes the URL of its response as its own address. A new response has no URL, so the worker keeps the requested one.
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

// Once a page is up, it lists the files that it consists of: cache those, and delete the files of earlier builds.
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
