// The workers that follow in the background while the page is already served (scripts/workers), with a cargo that builds nothing.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./lib.mjs";

const PAGE = (reload) => `<meta name="inkling-workers" content="cpu" data-building="" />${reload}`;
const SERVED = PAGE("const address = '{{__TRUNK_ADDRESS__}}';");

/** A site that Trunk has built, and programs that stand for cargo and wasm-bindgen. `build` is what cargo does to build a worker. */
async function site(t, page, build) {
  const folder = await mkdtemp(join(tmpdir(), "inkling-workers-"));
  const [bin, target, staging, dist] = ["bin", "target", "staging", "dist"].map((name) => join(folder, name));
  for (const one of [bin, target, staging, dist]) await mkdir(one);
  const program = async (name, text) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  };
  await program("cargo", `case $1 in metadata) echo '{"target_directory":"${target}"}' ;; tree) echo a ;; build) ${build} ;; esac`);
  await program("wasm-bindgen", `for word; do case $word in --out-dir=*) dir=\${word#*=} ;; --out-name=*) name=\${word#*=} ;; esac; done; echo code >"$dir/$name.js"; echo code >"$dir/\${name}_bg.wasm"`);
  await writeFile(join(staging, "index.html"), page);
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, TRUNK_STAGING_DIR: staging, TRUNK_DIST_DIR: dist };
  delete env.INKLING_WORKERS;
  delete env.TRUNK_PROFILE;
  const run = (action) => {
    const { status, stderr } = spawnSync(join(ROOT, "scripts/workers"), [action], { env, stdio: ["ignore", "ignore", "ignore"] });
    assert.equal(status, 0, String(stderr));
  };
  t.after(async () => (run("stop"), await rm(folder, { recursive: true, force: true, maxRetries: 20 })));
  return {
    run, folder,
    /** Trunk moves a site only after the script has ended. */
    move: async () => {
      await writeFile(join(dist, "index.html"), await readFile(join(staging, "index.html")));
      await rm(staging, { recursive: true });
    },
    staged: () => readFile(join(staging, "index.html"), "utf8"),
    served: () => readFile(join(dist, "index.html"), "utf8"),
    files: async () => (await readdir(dist)).filter((name) => name.startsWith("worker")).sort(),
  };
}

const programs = (...workers) => workers.flatMap((worker) => [`worker_${worker}.js`, `worker_${worker}_bg.wasm`]);

async function waitFor(what, test) {
  for (let tries = 0; tries < 200; tries++) {
    if (await test()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`${what} did not happen within 20 s`);
}

test("a served page lists the workers that are being built, and takes each when it is ready", async (t) => {
  const { run, move, staged, served, files, folder } = await site(t, SERVED, `while [ ! -e "$(dirname "$0")/../$9" ]; do sleep 0.1; done`);
  run("add");
  assert.match(await staged(), /content="cpu" data-building="files relaxed webgpu ndarray"/);
  await move();
  // The stand-in for cargo waits until a file with the name of the worker exists.
  await writeFile(join(folder, "worker_files"), "");
  await waitFor("the file worker", async () => /content="cpu files" data-building="relaxed webgpu ndarray"/.test(await served()));
  await writeFile(join(folder, "worker_cpu"), ""); // built once more, with relaxed SIMD
  await waitFor("the worker with relaxed SIMD", async () => /content="cpu files relaxed" data-building="webgpu ndarray"/.test(await served()));
  await writeFile(join(folder, "worker_webgpu"), "");
  await waitFor("the WebGPU worker", async () => /content="cpu files relaxed webgpu" data-building="ndarray"/.test(await served()));
  assert.deepEqual(await files(), programs("files", "relaxed", "webgpu"));
});

test("a worker that does not build is left out, and the others follow", async (t) => {
  const { run, move, served, files } = await site(t, SERVED, `[ "$9" != worker_webgpu ]`);
  run("add");
  await move();
  await waitFor("the last worker", async () => /content="cpu files relaxed ndarray" data-building=""/.test(await served()));
  assert.deepEqual(await files(), programs("files", "ndarray", "relaxed"));
});

test("the next change stops the build in the background", async (t) => {
  const { run, move, served, folder } = await site(t, SERVED, `echo $$ >"$(dirname "$0")/../process"; sleep 60`);
  run("add");
  await move();
  let building;
  await waitFor("a build", async () => (building = Number(await readFile(join(folder, "process"), "utf8").catch(() => 0))) > 0);
  run("stop");
  await waitFor("the end of the build", () => {
    try {
      return !process.kill(building, 0);
    } catch {
      return true;
    }
  });
  assert.match(await served(), /content="cpu" data-building="files relaxed webgpu ndarray"/);
});

test("a site that is not served is complete at once", async (t) => {
  // What Trunk has put there, as far as scripts/seal needs it.
  const page = `<meta charset="utf-8" />
${PAGE("")}
<script type="module">
const wasm = await init({ module_or_path: './page-1_bg.wasm' });
</script>
<link rel="modulepreload" href="./page-1.js" integrity="sha384-a">
<link rel="modulepreload" href="./split-1.js" integrity="sha384-c">
<link rel="preload" href="./page-1_bg.wasm" integrity="sha384-b">`;
  const { run, staged, folder } = await site(t, page, "true");
  const files = {
    "fzstd.js": "", "page-1.js": "", "split-1.js": "", "page-1_bg.wasm": "build=0.1.0-0123456789abcdef",
    "worker-loader.js": "const DIGESTS = {};", "sw.js": "const VERSION = null;",
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, "staging", name), `${text}\n`);
  run("add");
  assert.match(await staged(), /content="cpu files relaxed webgpu ndarray" data-building=""/);
  assert.match(await staged(), /Content-Security-Policy/);
  const read = (name) => readFile(join(folder, "staging", name), "utf8");
  assert.match(await read("worker-loader.js"), /"worker_webgpu\.js":"sha256-[^"]{44}"/);
  assert.match(await read("worker-loader.js"), /"worker_webgpu_bg\.wasm\.zst":"sha256-[^"]{44}"/, "programs are packed");
  assert.match(await read("sw.js"), /"build":"0\.1\.0-0123456789abcdef"/);
});
