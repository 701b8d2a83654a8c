// The first paint needs index.html, the style sheet and a few small scripts: it shows what the page's program draws first.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { drawn, painted, withoutWorkers } from "./first-paint.mjs";
import { SITE, launch, open, serve } from "./lib.mjs";

const isProgram = (path) => path.endsWith(".wasm");

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test("index.html shows what the program draws first (if not: `make first-paint`), and nothing moves when it does", async () => {
  const program = await serve({ intercept: withoutWorkers });
  const paint = await serve({ intercept: isProgram });
  for (const viewport of [{ width: 1440, height: 900 }, { width: 1280, height: 720 }, { width: 390, height: 844 }]) {
    const [first, later] = await Promise.all([paint, program].map(({ url }) => open(browser, url, { viewport })));
    await drawn(later);
    assert.deepEqual(await first.evaluate(painted), await later.evaluate(painted));
    const places = (page) => page.evaluate(() => Object.fromEntries(["input", "network", "out", "timeline", "blocks", "train", "fold"].map((id) => {
      const { left, top, width } = document.getElementById(id).getBoundingClientRect();
      return [id, [left, top, width].map(Math.round)];
    })));
    assert.deepEqual(await places(first), await places(later), `${viewport.width} pixels wide`);
    await Promise.all([first, later].map((page) => page.context().close()));
  }
  await Promise.all([program.close(), paint.close()]);
});

test("a visitor downloads at most 40 KB before the first paint", async (t) => {
  const html = readFileSync(join(SITE, "index.html"), "utf8");
  const blocking = [...html.matchAll(/<link rel="stylesheet" href="\.\/([^"]+)"|<script src="\.\/([^"]+)"(?! defer)/g)].map(([, css, script]) => css ?? script);
  assert.ok(blocking.length >= 4, `${blocking}`);
  const bytes = ["index.html", ...blocking].map((name) => gzipSync(readFileSync(join(SITE, name))).length).reduce((sum, size) => sum + size);
  t.diagnostic(`${(bytes / 1000).toFixed(1)} KB gzipped`);
  assert.ok(bytes <= 40_000);
});

test("the controls wait for the program, and then work", async () => {
  const held = [];
  const server = await serve({ intercept: (path, response) => withoutWorkers(path) || (/\.wasm$/.test(path) && held.length === 0 && held.push(response) > 0) });
  const page = await open(browser, server.url);
  await page.locator("#dataset").waitFor();
  assert.ok(await page.evaluate(() => document.getElementById("dataset").matches("[inert] *")));
  const name = readFileSync(join(SITE, "index.html"), "utf8").match(/page-[^'"]*_bg\.wasm/)[0];
  held[0].writeHead(200, { "content-type": "application/wasm" }).end(readFileSync(join(SITE, name)));
  await drawn(page);
  await page.locator("#dataset").selectOption("letters");
  await page.waitForFunction(() => location.search.includes("dataset=letters"));
  assert.deepEqual(page.problems, []);
  await server.close();
});
