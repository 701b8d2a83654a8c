// Writes into index.html what the page's program draws first, so that the first paint shows the controls and the network without
// waiting for a program. `make first-paint` runs this; first-paint.test.mjs fails while index.html has something else.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launch, open, serve } from "./lib.mjs";

/** An `intercept` for `serve`: no worker arrives, so the page stays as its program draws it first. */
export const withoutWorkers = (path) => /\/worker_[^/]*$/.test(path);

/** The markup of each element with data-painted, by id. Runs in the page. */
export const painted = () => {
  const markup = (element) => {
    const copy = element.cloneNode(true), fields = copy.querySelectorAll("input, option");
    element.querySelectorAll("input, option").forEach((field, place) => {
      if (field.type === "checkbox") fields[place].toggleAttribute("checked", field.checked);
      else if (field.localName === "input") fields[place].setAttribute("value", field.value);
      else fields[place].toggleAttribute("selected", field.selected && field.index > 0);
    });
    return copy.innerHTML;
  };
  return Object.fromEntries([...document.querySelectorAll("[data-painted]")].map((element) => [element.id, markup(element)]));
};

/** Waits until the program has drawn everything once. */
export const drawn = (page) => page.waitForSelector("body[data-drawn]", { state: "attached" });

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await serve({ intercept: withoutWorkers }), browser = await launch();
  const page = await open(browser, server.url);
  await drawn(page);
  const file = fileURLToPath(new URL("../../index.html", import.meta.url));
  let html = readFileSync(file, "utf8");
  for (const [id, markup] of Object.entries(await page.evaluate(painted))) {
    const line = new RegExp(`^(\\s*<(\\w+)[^>]*\\bid="${id}"[^>]*>).*(</\\2>)$`, "m");
    if (!line.test(html)) throw new Error(`index.html has no line with the whole element ${id}`);
    html = html.replace(line, (_, begin, name, end) => begin + markup + end);
  }
  writeFileSync(file, html);
  await browser.close();
  await server.close();
}
