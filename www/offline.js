// The page's side of the service worker (www/sw.js): tells it which programs to keep for offline visits, and announces new versions.
"use strict";
self.inklingOffline = (() => {
  // In another page, this site leaves nothing behind.
  const worker = self.inklingEmbed ? undefined : navigator.serviceWorker;
  worker?.register("sw.js").catch(() => {}); // without a service worker, the page needs a network on every visit
  worker?.addEventListener("message", () => (document.body.dataset.offline = "ready"));
  // File names contain a hash of the content, so another name means another version.
  const version = (text) => text.match(/page-[0-9a-f]+/)?.[0];
  const look = async () => {
    if (document.hidden || !navigator.onLine || self.inklingEmbed) return;
    const response = await fetch(location.pathname, { cache: "no-store" }).catch(() => undefined);
    const there = response?.ok && version(await response.text());
    const here = version(document.documentElement.innerHTML);
    if (there && here && there !== here) document.getElementById("new-version").hidden = false;
  };
  document.addEventListener("visibilitychange", look);
  setInterval(look, 3_600_000);
  return {
    // Called once the session's worker is ready, with the workers that this page uses.
    keep: async (workers, build) => {
      const registration = await worker?.ready;
      registration?.active?.postMessage({ workers, build });
    },
    // Loads the page again because its worker is of another build; at most once for a build, or it would never end.
    renew: (build) => {
      const key = `inkling ${new URL(".", location).pathname} renewed`;
      try {
        if (sessionStorage.getItem(key) === build) return;
        sessionStorage.setItem(key, build);
        fetch(location.pathname, { cache: "reload" }).catch(() => {}).then(() => location.reload());
      } catch {} // without storage the visitor reloads
    },
  };
})();
