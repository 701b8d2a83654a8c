// Starts the worker and build that this script's own address names, so that a new page never gets a stale worker. It loads the
// programs of this site and no others, and runs none whose digest is not the one that the site was built with.
"use strict";
// scripts/seal writes the digests of the site's programs here. While Trunk serves a site that still grows, there are none.
const DIGESTS = {};
const PROGRAMS = ["worker_cpu", "worker_relaxed", "worker_files", "worker_ndarray", "worker_remote", "worker_webgpu"];

const query = new URLSearchParams(self.location.search);
const name = query.get("worker");
const build = query.get("build");
const script = `${name}.js?build=${encodeURIComponent(build)}`;
// A complete site has its programs packed with Zstandard, in two thirds of the space that gzip needs. DecompressionStream does not
// unpack it.
const UNPACKER = `fzstd.js?build=${encodeURIComponent(build)}`;
const packed = `${name}_bg.wasm.zst` in DIGESTS;
const file = packed ? `${name}_bg.wasm.zst` : `${name}_bg.wasm`;
const program = `${file}?build=${encodeURIComponent(build)}`;

// Where the site's policy is sent as a header, it applies to this worker as well (Trusted Types).
// Besides its script, it starts replicas with this loader.
self.trustedTypes?.createPolicy("default", {
  createScriptURL: (address) => ([script, UNPACKER].includes(address) || new URL(address, self.location).pathname === self.location.pathname ? address : null),
});

// Reports that this backend can't be used, as `Event::Unavailable` (crates/inkling-core/src/protocol/event.rs).
// A replica posts only the reason, as a string, to its leader.
const unavailable = (reason) =>
  self.postMessage(query.get("role") === "replica" ? reason : { run: 0, event: { Unavailable: { reason } } });
const failed = (error) => unavailable(`its program could not be loaded: ${error?.message ?? error}`);

// The smallest module with a SIMD instruction: () -> v128 { i32.const 0; i8x16.splat }.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
]);

// While the program downloads, fetches the files that the page lists in `early`, unless they are cached. src/worker/download.rs
// takes the responses from here. A cache that does not answer has nothing.
const late = () => new Promise((resolve) => setTimeout(resolve, 5_000));
self.inklingEarly = Object.fromEntries(
  (query.get("early") ?? "").split(",").filter((path) => path.startsWith("data/")).map((path) => {
    const url = new URL(path, self.location).href;
    const kept = new URL(`cached/${path.split("/").pop()}`, self.location).href;
    const have = self.caches?.match(kept).catch(() => undefined);
    return [url, Promise.race([have, late()]).then((have) => (have ? undefined : fetch(url).catch(() => undefined)))];
  }),
);

const digest = async (bytes) =>
  `sha256-${btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))))}`;

/** Unpacks what goes through it, once the unpacker is here. */
function unpacking(loaded) {
  let unpacker;
  return new TransformStream({
    start: async (controller) => {
      await loaded;
      unpacker = new fzstd.Decompress((bytes) => bytes.length > 0 && controller.enqueue(bytes));
    },
    transform: (chunk) => unpacker.push(chunk),
    flush: () => unpacker.push(new Uint8Array(0), true),
  });
}

/** The compiled program. Reports the download's progress as `Event::Fetching`; it compiles while it downloads. */
async function compiled(cache, unpacker) {
  const response = await fetch(program, { cache });
  if (!response.ok) throw new Error(`${program} returned ${response.status}`);
  let [received, told] = [0, 0];
  const tell = (done) => {
    told = received;
    self.postMessage({ run: 0, event: { Fetching: { received, done } } });
  };
  const count = new TransformStream({
    transform(chunk, controller) {
      received += chunk.length;
      if (received - told > 200_000) tell(false);
      controller.enqueue(chunk);
    },
    flush: () => tell(true),
  });
  const [arrives, checked] = response.body.pipeThrough(count).tee();
  const runs = packed ? arrives.pipeThrough(unpacking(unpacker)) : arrives;
  const headers = { "content-type": "application/wasm" };
  const expected = DIGESTS[file];
  const [module, found] = await Promise.all([
    WebAssembly.compileStreaming(new Response(runs, { headers })),
    // Digests need a secure origin. On another one, this script could have been changed on its way just as well.
    new Response(checked).arrayBuffer().then((bytes) => (expected && self.isSecureContext ? digest(bytes) : expected)),
  ]);
  if (found !== expected) throw new Error(`${program} is not the file that this site was built with`);
  return module;
}

/** Decodes a picture for `src/worker/files.rs`: the middle square, `side` by `side` pixels, on white, as RGBA. */
self.inklingDecode = async (bytes, side) => {
  const picture = await createImageBitmap(new Blob([bytes]));
  const square = Math.min(picture.width, picture.height);
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, side, side);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (picture.width - square) / 2, (picture.height - square) / 2, square, square, 0, 0, side, side);
  picture.close();
  return new Uint8Array(context.getImageData(0, 0, side, side).data.buffer);
};

/** Checks a script of this site before it is loaded. The browser then takes it from its cache. */
async function check(address, cache) {
  const integrity = DIGESTS[address.split("?")[0]] ?? "";
  const response = await fetch(address, { cache, integrity });
  if (!response.ok) throw new Error(`${address} returned ${response.status}`);
  await response.arrayBuffer();
}

/** The compiled program, and its script is checked. */
async function load(cache) {
  const unpacker = packed ? check(UNPACKER, cache).then(() => importScripts(UNPACKER)) : undefined;
  const [module] = await Promise.all([compiled(cache, unpacker), check(script, cache), unpacker]);
  return module;
}

async function start() {
  // A file that is wrong or missing may only be so in a cache: it is fetched once more, past all caches.
  const module = await load("default").catch(() => load("reload"));
  importScripts(script);
  await wasm_bindgen({ module_or_path: module });
}

if (!PROGRAMS.includes(name)) {
  unavailable(`this site has no worker ${name}`);
} else if (typeof WebAssembly !== "object" || !WebAssembly.validate(SIMD)) {
  unavailable("this browser has no WebAssembly with SIMD; browsers from 2023 or later have it");
} else if (query.get("role") === "replica") {
  // It receives the module that its leader has compiled and checked.
  self.onmessage = async ({ data }) => {
    try {
      importScripts(script);
      await wasm_bindgen({ module_or_path: data });
    } catch (error) {
      failed(error);
    }
  };
} else {
  start().catch(failed);
}
