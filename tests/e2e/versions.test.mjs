// The service worker: versions are kept whole, wrong answers are not kept, and nothing stands between a visitor and the page.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CPU_PROGRAM, NO_RELEASE, PREFIX, ROOT, SITE, launch, open, serve, until } from "./lib.mjs";

let browser;
const folders = [];
before(async () => (browser = await launch()));
after(async () => (await browser.close(), folders.forEach((folder) => rmSync(folder, { recursive: true }))));

const RUN = "?dataset=synthetic&backend=cpu&images=300&epochs=1&replicas=2&autostart=1";

/** Another version of the site: its style sheet says `mark`, and with it change the page, its digests and the list of files. */
function version(mark) {
  const folder = mkdtempSync(join(tmpdir(), "inkling-version-"));
  folders.push(folder);
  cpSync(SITE, folder, { recursive: true });
  const style = readdirSync(folder).find((name) => /^style-.*\.css$/.test(name));
  const renamed = `style-${mark.repeat(16).slice(0, 16)}.css`;
  writeFileSync(join(folder, renamed), `${readFileSync(join(folder, style), "utf8")}\nbody { --version: ${mark}; }`);
  rmSync(join(folder, style));
  const index = readFileSync(join(folder, "index.html"), "utf8");
  writeFileSync(join(folder, "index.html"), index.replace(new RegExp(`href="./${style}" integrity="[^"]*"`), `href="./${renamed}"`));
  execFileSync(join(ROOT, "scripts/seal"), [folder]);
  return folder;
}

/** A packed program of the site, without the packing. */
const unpacked = (file) => execFileSync("zstd", ["-dcq", file], { maxBuffer: 1e9 });
const repacked = (bytes) => execFileSync("zstd", ["-cq"], { input: bytes, maxBuffer: 1e9 });

const which = (page) => page.evaluate(() => getComputedStyle(document.body).getPropertyValue("--version").trim());
const ready = (page) => page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
const kept = (page) => page.locator("body[data-offline=ready]").waitFor();
const caches = (page) => page.evaluate(async () => {
  const found = {};
  for (const name of await self.caches.keys()) found[name] = (await (await self.caches.open(name)).keys()).map(({ url }) => url.split("/").pop());
  return found;
});

/** Whether this version answers: its style sheet is kept, and no other version is being installed. */
const controls = async (page, mark) => {
  const complete = await page.evaluate(async () => {
    const { installing, waiting } = await navigator.serviceWorker.getRegistration();
    return !installing && !waiting;
  });
  return complete && Object.values(await caches(page)).some((names) => names.some((name) => name.startsWith(`style-${mark.repeat(9)}`)) && names.includes(""));
};

/** Opens `site` in a browser that has never seen it, until everything is kept; returns the page and the server. */
async function visit(options = {}) {
  const server = await serve(options);
  const page = await open(browser, `${server.url}?backend=cpu`, { serviceWorkers: "allow" });
  await ready(page);
  await kept(page);
  return { server, page };
}

/** Looks for the version `mark`, which then takes over, and trains without a network. */
async function takesOver(mark, page, server) {
  await page.evaluate(() => navigator.serviceWorker.getRegistration().then((registration) => registration.update()));
  for (let second = 0; !(await controls(page, mark)); second++) {
    assert.ok(second < 20, "the new version does not take over");
    await page.waitForTimeout(1000);
  }
  await server.close();
  await page.goto(server.url + RUN);
  await until(page, "run without a network", (s) => s.state === "finished");
  assert.equal(await which(page), mark);
}

test("with storage full, the page loads, trains and is reached again", async () => {
  const server = await serve();
  const page = await open(browser, "about:blank", { serviceWorkers: "allow" });
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Storage.overrideQuotaForOrigin", { origin: new URL(server.url).origin, quotaSize: 1000 });
  // Chromium counts with a delay, so the first visits may still find some room.
  const said = new Set();
  for (let visit = 1; visit <= 3 || (said.size === 0 && visit <= 15); visit++) {
    await page.goto(server.url + RUN);
    const { warnings } = await until(page, `finished run in visit ${visit}`, (s) => s.state === "finished");
    await page.waitForTimeout(500);
    warnings.forEach((words) => said.add(words));
  }
  assert.deepEqual([...said], ["A reload would lose this run: the browser has no room left for it."]);
  await page.context().close();
  await server.close();
});

test("a cache that stops answering does not keep the page from the network", async () => {
  const silent = `
    const timer = self.setTimeout.bind(self);
    self.setTimeout = (then, milliseconds) => timer(then, milliseconds / 10);
    self.addEventListener("message", () => timer(() => (Cache.prototype.match = CacheStorage.prototype.match = () => new Promise(() => {})), 1000));`;
  const intercept = (path, response) => {
    if (!path.endsWith("/sw.js")) return false;
    response.writeHead(200, { "content-type": "text/javascript" }).end(`${silent}\n${readFileSync(join(SITE, "sw.js"), "utf8")}`);
    return true;
  };
  const { server, page } = await visit({ intercept });
  await page.waitForTimeout(1200);
  await page.goto(server.url + RUN);
  assert.equal((await until(page, "finished run", (s) => s.state === "finished")).history.length, 1);
  await page.context().close();
  await server.close();
});

test("a version is replaced as a whole, and one that is broken leaves the one before working offline", async () => {
  const [first, second] = [version("a"), version("b")];
  const options = { site: first };
  const { server, page } = await visit(options);
  assert.equal(await which(page), "a");
  // The second version lacks a file: a deployment that is not finished.
  const style = readdirSync(second).find((name) => name.startsWith("style-"));
  renameSync(join(second, style), join(second, "away"));
  options.site = second;
  await page.evaluate(() => navigator.serviceWorker.getRegistration().then((registration) => registration.update()).catch(() => {}));
  await page.waitForTimeout(1500);
  await page.context().setOffline(true);
  await page.reload();
  await ready(page);
  assert.equal(await which(page), "a", "the version before is complete");
  // The deployment is finished: now the second version takes over, with the programs that the first had kept.
  await page.context().setOffline(false);
  renameSync(join(second, "away"), join(second, style));
  await page.reload();
  await ready(page);
  await takesOver("b", page, server);
  const names = Object.keys(await caches(page)).filter((name) => name.startsWith("inkling /"));
  assert.ok(names.length <= 2 && names.every((name) => name.startsWith(`inkling ${PREFIX} `)), `${names}`);
  await page.context().close();
});

test("a version that names its programs otherwise keeps those of the workers in use", async () => {
  const options = { site: version("a") };
  const { server, page } = await visit(options);
  // As versions had them that packed no programs.
  await page.evaluate(async () => {
    for (const name of await self.caches.keys()) {
      const cache = await self.caches.open(name);
      for (const request of await cache.keys()) {
        if (!request.url.includes(".wasm.zst")) continue;
        await cache.put(request.url.replace(".wasm.zst", ".wasm"), await cache.match(request));
        await cache.delete(request);
      }
    }
  });
  options.site = version("b");
  await takesOver("b", page, server);
  await page.context().close();
});

test("a wrong answer for a worker's file is fetched once more and never kept", async () => {
  let wrong = 1;
  const intercept = (path, response) =>
    path.endsWith(`${CPU_PROGRAM}_bg.wasm.zst`) && wrong-- > 0 &&
    (response.writeHead(200, { "content-type": "text/html", "cache-control": "max-age=1000" }).end("<html>Please log in</html>"), true);
  const server = await serve({ intercept });
  const page = await open(browser, `${server.url}?backend=cpu`, { serviceWorkers: "allow" });
  await ready(page);
  await kept(page);
  // A portal in front of everything: the kept version is shown, and works.
  wrong = 0;
  await server.close();
  await page.reload();
  await ready(page);
  await page.context().close();
});

test("a program with one byte changed is not run, and the page says so", async () => {
  const intercept = (path, response) => {
    if (!path.endsWith(`${CPU_PROGRAM}_bg.wasm.zst`)) return false;
    // The name of a data segment: it compiles as well as before.
    const bytes = unpacked(join(SITE, `${CPU_PROGRAM}_bg.wasm.zst`));
    bytes[bytes.lastIndexOf(Buffer.from("checkpoint"))] ^= 1;
    response.writeHead(200).end(repacked(bytes));
    return true;
  };
  const server = await serve({ intercept });
  const page = await open(browser, `${server.url}?backend=cpu`);
  await page.getByRole("alert").filter({ hasText: "is not the file that this site was built with" }).waitFor();
  await page.context().close();
  await server.close();
});

for (const [name, answer] of [
  ["a server that is down", (response) => response.writeHead(503).end("down")],
  ["a portal", (response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>Please log in</html>")],
  ["a network that does not answer", () => {}],
]) {
  test(`${name} does not beat the kept version`, async () => {
    let faulty = false;
    const options = { intercept: (path, response) => faulty && (answer(response), true) };
    const { server, page } = await visit(options);
    faulty = true;
    await page.reload({ timeout: 20_000 });
    await ready(page);
    await page.context().close();
    await server.close();
  });
}

test("the progress of a download is visible through the service worker", async () => {
  let slow = false;
  const intercept = (path, response) => {
    if (!slow || !path.endsWith(`${CPU_PROGRAM}_bg.wasm.zst`)) return false;
    const bytes = readFileSync(join(SITE, `${CPU_PROGRAM}_bg.wasm.zst`));
    response.writeHead(200, { "content-type": "application/wasm", "content-length": bytes.length });
    response.write(bytes.subarray(0, bytes.length / 2));
    setTimeout(() => response.end(bytes.subarray(bytes.length / 2)), 2500);
    return true;
  };
  const { server, page } = await visit({ intercept });
  await page.evaluate(async (program) => {
    for (const name of await self.caches.keys()) {
      const cache = await self.caches.open(name);
      for (const request of await cache.keys()) if (request.url.includes(program)) await cache.delete(request);
    }
  }, CPU_PROGRAM);
  slow = true;
  await page.reload();
  await page.locator("#backend-badge").getByText(/Fetching the CPU worker: 0\.[1-9]/).waitFor();
  await ready(page);
  await page.context().close();
  await server.close();
});

test("two sites on one origin do not touch each other's caches, and a site below /data/ works offline too", async () => {
  const { server, page } = await visit({ alias: "/data/cached/" });
  const other = await page.context().newPage();
  await other.goto(`${new URL(server.url).origin}/data/cached/?backend=cpu`);
  await ready(other);
  await kept(other);
  const names = Object.keys(await caches(page));
  assert.ok(names.some((name) => name.startsWith(`inkling ${PREFIX} `)) && names.some((name) => name.startsWith("inkling /data/cached/ ")), `${names}`);
  const databases = await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
  assert.deepEqual(databases.sort(), ["inkling /data/cached/", `inkling ${PREFIX}`]);
  await server.close();
  for (const tab of [page, other]) {
    await tab.reload();
    await ready(tab);
  }
  await page.context().close();
});

test("a page and a worker of different builds recover by themselves: the page is loaded again, once", async () => {
  let loads = 0;
  let stale = true;
  const intercept = (path, response, query, request) => {
    // Only visits: the page also fetches itself past the browser's cache before it loads again.
    if (path === PREFIX && request.headers["sec-fetch-mode"] === "navigate") loads++;
    // The server has another build's worker: its message says so.
    if (!path.endsWith("worker-loader.js") || !stale) return false;
    const script = `const say = self.postMessage.bind(self);
      self.postMessage = (message, ...more) => (message?.event?.Ready && (message.event.Ready.build = "another"), say(message, ...more));`;
    response.writeHead(200, { "content-type": "text/javascript" }).end(`${script}\n${readFileSync(join(SITE, "worker-loader.js"))}`);
    return true;
  };
  const server = await serve({ intercept });
  const page = await open(browser, `${server.url}?backend=cpu`);
  for (const end = Date.now() + 20_000; loads < 2 && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(loads, 2, "it was loaded once more");
  await page.getByRole("alert").filter({ hasText: "Inkling was updated after this page was opened" }).waitFor();
  await page.waitForTimeout(1500); // longer than the page took to load itself again
  assert.equal(loads, 2, "and not for ever");
  stale = false;
  await page.reload();
  await ready(page);
  await page.context().close();
  await server.close();
});

// `build.rs` gives a build another name when its loader changes (tests/build_id.rs). Here is what a browser makes of that.
// Only the release site has the name in one piece in its programs, where the test can replace it.
test("a returning visitor gets the loader of a new build, not the one that the browser kept", { skip: NO_RELEASE }, async () => {
  const NEXT = "ffffffffffffffff";
  const folder = mkdtempSync(join(tmpdir(), "inkling-version-"));
  folders.push(folder);
  cpSync(SITE, folder, { recursive: true });
  const build = readFileSync(join(folder, "sw.js"), "utf8").match(/"build":"[^"]*-([0-9a-f]{16})"/)[1];
  const program = readdirSync(folder).find((name) => /^page-.*_bg\.wasm$/.test(name));
  const decoder = new TextDecoder("latin1");
  const renamedBuild = (bytes) => Buffer.from(decoder.decode(bytes).replaceAll(build, NEXT), "latin1");
  writeFileSync(join(folder, program), renamedBuild(readFileSync(join(folder, program))));
  const worker = join(folder, `${CPU_PROGRAM}_bg.wasm.zst`);
  writeFileSync(worker, repacked(renamedBuild(unpacked(worker))));
  // Another content has another name.
  const [page, renamed] = [program.replace("_bg.wasm", ""), "page-0123456789abcdef"];
  renameSync(join(folder, program), join(folder, `${renamed}_bg.wasm`));
  renameSync(join(folder, `${page}.js`), join(folder, `${renamed}.js`));
  const digest = createHash("sha384").update(readFileSync(join(folder, `${renamed}_bg.wasm`))).digest("base64");
  const index = readFileSync(join(folder, "index.html"), "utf8").replaceAll(page, renamed);
  writeFileSync(join(folder, "index.html"), index.replace(new RegExp(`(href="./${renamed}_bg.wasm"[^>]* integrity=")[^"]*`), `$1sha384-${digest}`));
  writeFileSync(join(folder, "worker-loader.js"), `self.newLoader = true;\n${readFileSync(join(folder, "worker-loader.js"))}`);
  execFileSync(join(ROOT, "scripts/seal"), [folder]);

  const options = {};
  const { server, page: tab } = await visit(options);
  options.site = folder;
  await tab.reload();
  await ready(tab);
  const workers = await Promise.all(tab.workers().map((worker) => worker.evaluate(() => [self.newLoader, location.search])));
  assert.ok(workers.some(([fresh, query]) => fresh && query.includes(NEXT)), JSON.stringify(workers));
  await tab.context().close();
  await server.close();
});
