// The program that draws the sections is fetched when the first one opens. Without it, the page goes on and says what is missing.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SITE, launch, open, serve, summary, unfold, until } from "./lib.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const RUN = "?dataset=synthetic&backend=cpu&images=300&batch=30&epochs=2&seed=3&replicas=1&autostart=1";
const isInspectors = (path) => /\/inspectors-[0-9a-f]+\.wasm$/.test(path);
const finished = (page) => until(page, "finished run", (s) => s.state === "finished");

/** A visit whose inspectors are answered as `answer` says: with false, as always. */
async function visit(t, answer) {
  const server = await serve({ intercept: (path, response) => isInspectors(path) && answer(response) });
  t.after(() => server.close());
  const page = await open(browser, `${server.url}${RUN}`);
  return { page, fetched: () => server.requests.filter(isInspectors).length };
}

test("the inspectors are fetched when the first section opens, and only then", async (t) => {
  const { page, fetched } = await visit(t, () => false);
  await finished(page);
  assert.equal(fetched(), 0);
  await unfold(page, "runs");
  await page.locator("#run-rows tr").waitFor();
  await unfold(page, "edit");
  await page.locator("#layers .layer").first().waitFor();
  assert.equal(fetched(), 1);
  await page.locator("#layers select").first().selectOption({ index: 1 });
  await page.waitForFunction(() => location.search.includes("net="));
  assert.deepEqual(page.problems, []);
});

test("a section whose program can't be fetched says so, and the next one tries again", async (t) => {
  let gone = true;
  const { page, fetched } = await visit(t, (response) => gone && (response.writeHead(404).end(), true));
  const done = await finished(page);
  await unfold(page, "runs");
  await page.getByText(/^This part of the page could not be loaded\. Check the connection/).waitFor();
  gone = false;
  await unfold(page, "scores");
  await page.locator("#scores-sheet td").first().waitFor();
  assert.equal(fetched(), 2);
  assert.deepEqual((await summary(page)).history, done.history);
});

test("a section whose program is late says so, and shows what it should when it comes", async (t) => {
  const held = [];
  const { page } = await visit(t, (response) => held.push(response) > 0);
  await finished(page);
  await unfold(page, "runs");
  await page.getByText(/^This part of the page has not arrived yet\./).waitFor();
  assert.equal(held.length, 1);
  const inert = () => page.locator("#runs-sheet > [inert]").count();
  assert.ok((await inert()) > 0, "a click now would be lost");
  assert.equal(await page.locator("#fold-sheet > [inert]").count(), 0, "the settings work");
  const name = readdirSync(SITE).find((name) => isInspectors(`/${name}`));
  held[0].writeHead(200, { "content-type": "application/wasm" }).end(readFileSync(join(SITE, name)));
  await page.locator("#run-rows tr").waitFor();
  assert.equal(await inert(), 0);
  assert.deepEqual(page.problems, []);
});
