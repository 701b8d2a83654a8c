// Starts the worker that its own address names, at the build that it names: a fresh page never meets a stale worker.
"use strict";
const query = new URLSearchParams(self.location.search);
const name = query.get("worker");
const build = query.get("build");

// The session's own words for "this backend can't be used" (see src/protocol.rs).
const unavailable = (reason) => self.postMessage({ run: 0, event: { Unavailable: { reason } } });

// The smallest module with a SIMD instruction: () -> v128 { i32.const 0; i8x16.splat }.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
]);

if (typeof WebAssembly !== "object" || !WebAssembly.validate(SIMD)) {
  unavailable("this browser has no WebAssembly with SIMD; a browser of 2023 or later has it");
} else {
  try {
    importScripts(`${name}.js?build=${build}`);
    wasm_bindgen({ module_or_path: `${name}_bg.wasm?build=${build}` }).catch((error) =>
      unavailable(`its program could not be loaded: ${error.message ?? error}`),
    );
  } catch (error) {
    unavailable(`its program could not be loaded: ${error.message ?? error}`);
  }
}
