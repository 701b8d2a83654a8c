// Starts the worker and build that this script's own address names, so that a new page never gets a stale worker.
"use strict";
const query = new URLSearchParams(self.location.search);
const name = query.get("worker");
const build = query.get("build");

// Reports that this backend can't be used, as `Event::Unavailable` (crates/inkling-core/src/protocol/event.rs).
// A replica posts only the reason, as a string, to its leader.
const unavailable = (reason) =>
  self.postMessage(query.get("role") === "replica" ? reason : { run: 0, event: { Unavailable: { reason } } });

// The smallest module with a SIMD instruction: () -> v128 { i32.const 0; i8x16.splat }.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
]);

// While the program downloads, fetches the files that the page lists in `early`, unless they are cached. src/worker/download.rs
// takes the responses from here.
self.inklingEarly = Object.fromEntries(
  (query.get("early") ?? "").split(",").filter(Boolean).map((path) => {
    const url = new URL(path, self.location).href;
    const kept = new URL(`cached/${path.split("/").pop()}`, self.location).href;
    const have = self.caches?.match(kept).catch(() => undefined);
    return [url, Promise.resolve(have).then((have) => (have ? undefined : fetch(url).catch(() => undefined)))];
  }),
);

if (typeof WebAssembly !== "object" || !WebAssembly.validate(SIMD)) {
  unavailable("this browser has no WebAssembly with SIMD; browsers from 2023 or later have it");
} else {
  // Reports the download's progress as `Event::Fetching`; the program compiles while it downloads.
  const download = async (address) => {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${address} returned ${response.status}`);
    let received = 0;
    let told = 0;
    const tell = (done) => {
      told = received;
      self.postMessage({ run: 0, event: { Fetching: { received, done } } });
    };
    const count = new TransformStream({
      transform(chunk, controller) {
        received += chunk.length;
        if (received - told > 500_000) tell(false);
        controller.enqueue(chunk);
      },
      flush: () => tell(true),
    });
    return new Response(response.body.pipeThrough(count), { headers: { "content-type": "application/wasm" } });
  };
  // A replica receives the module that its leader has compiled; any other worker fetches its own.
  const load = (module_or_path) => {
    try {
      importScripts(`${name}.js?build=${build}`);
      wasm_bindgen({ module_or_path }).catch((error) => failed(error));
    } catch (error) {
      failed(error);
    }
  };
  const failed = (error) => unavailable(`its program could not be loaded: ${error.message ?? error}`);
  if (query.get("role") === "replica") {
    self.onmessage = ({ data }) => load(data);
  } else {
    load(download(`${name}_bg.wasm?build=${build}`));
  }
}
