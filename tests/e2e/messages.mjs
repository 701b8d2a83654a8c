// The table of messages: every text of the page in English, in www/messages/en.json. `make messages` writes it; language.test.mjs
// fails while it is out of date. A text is in index.html, in `say!` or `message!`, or in one of the core's tables.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT, launch, open, serve } from "./lib.mjs";

export const TABLE = join(ROOT, "www/messages/en.json");
/** Tables that need no mark: every literal is shown, except names in the address (`mnist`) and descriptions of networks. */
const TABLES = ["settings/field.rs", "settings/preset.rs", "network/ready_made.rs"].map((file) => `crates/inkling-core/src/${file}`);

const sources = (folder) =>
  readdirSync(join(ROOT, folder), { recursive: true }).filter((file) => file.endsWith(".rs")).map((file) => join(folder, file));
/** The value of a Rust string literal. */
const value = (literal) => literal.replace(/\\\n\s*/g, "").replace(/\\(["\\])/g, "$1");
const LITERAL = String.raw`"((?:[^"\\]|\\[^])*)"`;

function* rustTexts() {
  for (const file of ["src/page", "crates/inkling-core/src", "crates/inkling-train/src"].flatMap(sources)) {
    const code = readFileSync(join(ROOT, file), "utf8").split("#[cfg(test)]")[0].replace(/^\s*\/\/.*$/gm, "");
    for (const [, literal] of code.matchAll(new RegExp(String.raw`\b(?:say|message)!\(\s*${LITERAL}`, "g"))) yield value(literal);
    if (!TABLES.includes(file)) continue;
    // The rules above the table of settings contain error texts, which are not collected.
    for (const [, literal] of code.slice(Math.max(0, code.indexOf("const DATASETS"))).matchAll(new RegExp(LITERAL, "g"))) {
      if (/^[A-Z]|\p{L} /u.test(literal) && !/^(conv|dense|none|net=)/.test(literal)) yield value(literal);
    }
  }
}

/** Every text of the page in English, sorted. */
export async function collect(browser) {
  const server = await serve({ intercept: (path) => path.endsWith(".wasm") });
  const page = await open(browser, server.url);
  await page.waitForFunction(() => "inklingTexts" in self);
  const html = await page.evaluate(() => inklingTexts());
  await page.context().close();
  await server.close();
  return [...new Set([...html, ...rustTexts()])].filter((text) => /\p{L}/u.test(text)).sort();
}

/** The table's file: each text and itself, which a translator replaces. */
export const file = (texts) => `${JSON.stringify(Object.fromEntries(texts.map((text) => [text, text])), null, 1)}\n`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const browser = await launch();
  writeFileSync(TABLE, file(await collect(browser)));
  await browser.close();
}
