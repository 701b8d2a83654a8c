// Runs before everything else: shows a failure as a sentence until the page's program does, and decides which addresses may
// become scripts.
"use strict";
// These handlers capture, because a script that fails to load fires its error event on its own element only.
addEventListener("error", (event) => inklingFailed(event.message), true);
addEventListener("unhandledrejection", (event) => inklingFailed(event.reason));
// A network that does not answer raises no error. If the page starts after all, it takes this back.
setTimeout(() => inklingFailed("its program has not arrived for half a minute"), 30_000);
function inklingFailed(reason) {
  if (document.body && "started" in document.body.dataset) return;
  const error = document.getElementById("error");
  if (!error) return;
  error.textContent = `The page could not start (${reason?.message ?? reason ?? "a script did not load"}). Reload it, or use a browser with WebAssembly: Chrome, Edge, Firefox or Safari, from 2023 or later.`;
  error.hidden = false;
}

// The page starts two scripts by address: its workers' loader and its service worker (Trusted Types; the site's policy requires
// them, see scripts/seal).
self.trustedTypes?.createPolicy("default", {
  createScriptURL: (address) => {
    const { origin, pathname } = new URL(address, location);
    const known = ["worker-loader.js", "sw.js"].some((name) => pathname === new URL(name, location).pathname);
    return origin === location.origin && known ? address : null;
  },
});
