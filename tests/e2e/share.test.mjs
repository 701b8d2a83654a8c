// A small network in a link: made in one browser, opened in another.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, serve, summary, unfold, until } from "./lib.mjs";

let server, browser, other;
before(async () => ([server, browser, other] = [await serve(), await launch(), await launch()]));
after(async () => (await browser.close(), await other.close(), await server.close()));

const RUN = "?backend=cpu&dataset=synthetic&images=1200&batch=24&epochs=1&seed=3&replicas=1&autostart=1";
const SMALL = `${RUN}&net=conv+8,pool,conv+16,pool,dense+32`;
const finished = (page) => until(page, "finished run", (s) => s.state === "finished", 120);

test("a network goes from one browser to another in a link, with the accuracy that rounding leaves it", async (t) => {
  const page = await open(browser, server.url + SMALL);
  const { test_accuracy } = await finished(page);
  await unfold(page, "files");
  await page.locator("#share").click();
  const words = page.locator("#share-text", { hasText: "In the link" });
  await words.waitFor();
  const [, bits, length, accuracy, before] = (await words.textContent()).match(/rounded to (\d) bits: (\d+) characters.* classifies ([\d.]+) ?% .* before, ([\d.]+) ?%/);
  const link = await page.locator("#share-link").inputValue();
  t.diagnostic(`${length} characters at ${bits} bits; ${accuracy} % of the test images, ${before} % before`);
  assert.ok(link.length === +length && link.length < 60_500);
  assert.equal((100 * test_accuracy).toFixed(1), (+before).toFixed(1));
  await page.context().close();

  const there = await open(other, link);
  await there.getByText(`which classified ${accuracy}`).waitFor();
  await there.locator("#open-linked:enabled").click();
  await until(there, "the network", (s) => s.state === "paused", 60);
  await there.locator("#linked").waitFor({ state: "hidden" });
  await there.getByRole("button", { name: "Evaluate on test set" }).click();
  const scored = await until(there, "a score", (s) => s.test_accuracy !== null, 60);
  assert.equal((100 * scored.test_accuracy).toFixed(2), (+accuracy).toFixed(2));
  assert.deepEqual(there.problems, []);
  await there.context().close();
});

test("a network that is too large and a link that was cut off get a sentence", async () => {
  const page = await open(browser, server.url + RUN);
  await finished(page);
  await unfold(page, "files");
  await page.locator("#share").click();
  await page.getByText(/This network has too many weights for a link/).waitFor();
  assert.ok(await page.locator("#share-link").isHidden());
  await page.context().close();

  const damaged = await open(browser, `${server.url}?net=dense+8&dataset=synthetic#weights=1.8.9000.AAAA`);
  await damaged.locator("#error", { hasText: "The network in this link is damaged" }).waitFor();
  assert.ok(await damaged.locator("#linked").isHidden());
  assert.equal((await summary(damaged)).state, "idle");
  await damaged.context().close();
});
