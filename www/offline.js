// The page's side of the service worker (www/sw.js): tells it which files to keep for offline visits, and announces new versions.
"use strict";
self.inklingOffline = (() => {
  const worker = navigator.serviceWorker;
  const own = [...document.querySelectorAll("script[src], link[href]")]
    .map((element) => element.src || element.href)
    .filter((url) => url.startsWith(location.origin));
  worker?.register("sw.js").catch(() => {}); // without a service worker, the page needs a network on every visit
  worker?.addEventListener("message", () => (document.body.dataset.offline = "ready"));
  // File names contain a hash of the content, so another name means another version.
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
    // Called once the session's worker is ready, with its files, which the page has not loaded itself.
    keep: async (files, build) => {
      const registration = await worker?.ready;
      const loaded = performance.getEntriesByType("resource").map((entry) => entry.name).filter((url) => /page-[0-9a-f]+/.test(url));
      registration?.active?.postMessage({ files: [...new Set([...own, ...loaded, ...files])], build });
    },
  };
})();
