// The page's side of the service worker (www/sw.js): what is kept for a visit without a network, and word of a new version.
"use strict";
self.inklingOffline = (() => {
  const worker = navigator.serviceWorker;
  const own = [...document.querySelectorAll("script[src], link[href]")]
    .map((element) => element.src || element.href)
    .filter((url) => url.startsWith(location.origin));
  worker?.register("sw.js").catch(() => {}); // a page without one only needs a network each time
  worker?.addEventListener("message", () => (document.body.dataset.offline = "ready"));
  // The names of a page's files are made from their content: another name is another version.
  const version = (text) => text.match(/page-[0-9a-f]+/)?.[0];
  const look = async () => {
    if (document.hidden || !navigator.onLine) return;
    const response = await fetch(location.pathname, { cache: "no-store" }).catch(() => undefined);
    const there = response?.ok && version(await response.text());
    const here = version(document.documentElement.innerHTML);
    if (there && here && there !== here) document.getElementById("new-version").hidden = false;
  };
  document.addEventListener("visibilitychange", look);
  setInterval(look, 3_600_000);
  return {
    // Once a worker is ready: its files, which this page has not seen itself.
    keep: async (files, build) => {
      const registration = await worker?.ready;
      const loaded = performance.getEntriesByType("resource").map((entry) => entry.name).filter((url) => /page-[0-9a-f]+/.test(url));
      registration?.active?.postMessage({ files: [...new Set([...own, ...loaded, ...files])], build });
    },
  };
})();
