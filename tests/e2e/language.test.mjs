// The page in another language: a pseudo-language, accented and 40 % longer, shows which texts are not in the table of messages, and
// which labels have no room for a longer language.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { TABLE, collect, file } from "./messages.mjs";
import { launch, open, serve, unfold, until } from "./lib.mjs";

const ACCENTED = Object.fromEntries([..."abcdefghijklmnopqrstuvwxyz"].map((letter, at) => [letter, [..."åƀçđéƒĝĥíĵķļɱñöþɋŕšţûṽŵẋýž"][at]]));
for (const [letter, accented] of Object.entries(ACCENTED)) ACCENTED[letter.toUpperCase()] = accented.toUpperCase();
/** `text` with accents on every letter, and longer: places for values and elements stay. */
const pseudo = (text) => {
  const parts = text.split(/(\{\/?\d*\})/);
  const accented = parts.map((part, at) => (at % 2 ? part : part.replace(/[A-Za-z]/g, (letter) => ACCENTED[letter])));
  // German is about this much longer.
  return accented.join("") + "·".repeat(Math.ceil(0.4 * text.replace(/\{\/?\d*\}/g, "").length)).replace(/(·{6})(?=·)/g, "$1 ");
};
/** Names, and the syntax of networks: the same in every language. */
const NAMES = /Run \d+|Inkling|MNIST|WebGPU|WebAssembly|burn-(flex|ndarray)|Burn|Rust|Adam[W]?|SGD|RMSprop|LeNet-5|ONNX|CSV|JSON|PNG|SVG|ZIP|IDX|NPZ|NPY|safetensors|burnpack|Keras|PyTorch|Markdown|EMA|conv|pool|dense|dropout|relu|SIMD|FMA|CPU|images?\/s|min|MB|KB/g;

let browser, server;
before(async () => {
  browser = await launch();
  const table = Object.fromEntries(Object.keys(JSON.parse(readFileSync(TABLE, "utf8"))).map((english) => [english, pseudo(english)]));
  const answer = (response) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(table));
  server = await serve({ intercept: (path, response) => path.endsWith("/messages/pseudo.json") && (answer(response), true) });
});
after(() => Promise.all([browser.close(), server.close()]));

const SECTIONS = ["fold", "edit", "scores", "survey", "look", "inside", "doctor", "trust", "hand", "camera", "epochs-table", "runs", "files"];

/** The visible texts with an English word, and the labels that are cut off or lie outside the window. Runs in the page. */
const look = (names) => {
  const english = new Set(), overflowing = new Set();
  const visible = (element) => element.checkVisibility() && !element.closest(".hidden, [aria-hidden], pre, script");
  for (const element of document.querySelectorAll("body *")) {
    if (!visible(element)) continue;
    const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const texts = own.map((node) => node.data).concat(["title", "aria-label"].map((name) => element.getAttribute(name) ?? ""));
    for (const text of texts) {
      const word = !element.closest("[data-verbatim]") && text.replace(new RegExp(names, "g"), "").match(/[A-Za-z]{3,}/);
      if (word) english.add(text.trim());
    }
    if (!own.length || !element.matches("button, summary, label, h1, h2, h3, dt, legend, th, a, option")) continue;
    const range = document.createRange();
    range.selectNodeContents(element);
    const [text, box] = [range.getBoundingClientRect(), element.getBoundingClientRect()];
    const scrolls = element.closest(".scroll, .sheet");
    const cut = getComputedStyle(element).overflow !== "visible" && element.scrollWidth > element.clientWidth + 1;
    if (text.width && (cut || text.left < box.left - 2 || text.right > box.right + 2 || (!scrolls && text.right > innerWidth + 1))) overflowing.add(`${element.tagName} ${own[0].data.trim()}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) overflowing.add(`the page is ${document.documentElement.scrollWidth} pixels wide`);
  return { english: [...english], overflowing: [...overflowing] };
};

test("the table of messages is up to date (if not: `make messages`)", async () => {
  assert.equal(readFileSync(TABLE, "utf8"), file(await collect(browser)));
});

for (const width of [360, 1440]) {
  test(`every text is in the table, and labels have room for a longer language, at ${width} pixels`, { timeout: 300_000 }, async () => {
    const page = await open(browser, `${server.url}?language=pseudo&dataset=synthetic&images=600&epochs=2&batch=32&backend=cpu&replicas=1`, { viewport: { width, height: 800 } });
    const found = { english: [], overflowing: [] };
    const note = async (state) => {
      const { english, overflowing } = await page.evaluate(look, NAMES.source);
      found.english.push(...english.map((text) => `${state}: ${text}`));
      found.overflowing.push(...overflowing.map((text) => `${state}: ${text}`));
    };
    await page.locator("#train:enabled").waitFor();
    await note("before a run");
    await page.locator("#train").click();
    await until(page, "first epoch", (s) => s.history.length >= 1, 120);
    await note("training");
    await until(page, "finished run", (s) => s.state === "finished", 120);
    await page.waitForTimeout(500);
    await note("finished");
    for (const section of SECTIONS) {
      if (!(await page.locator(`#${section}-summary`).isVisible())) continue;
      await unfold(page, section);
      await page.waitForTimeout(300);
      await note(section);
      await page.keyboard.press("Escape");
    }
    assert.deepEqual(page.problems, []);
    assert.deepEqual(found, { english: [], overflowing: [] });
    await page.context().close();
  });
}

test("a language without a table leaves the page in English", async () => {
  const page = await open(browser, `${server.url}?language=xx`);
  await page.locator("#train:enabled").waitFor();
  assert.equal(await page.locator("#train").textContent(), "Train");
  assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
});
