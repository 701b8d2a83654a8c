// The first lesson, from beginning to end, as a pupil takes it; and lessons that can't be shown.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT, SEVEN, draw, launch, open, serve, summary, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch()]));
after(async () => (await browser.close(), await server.close()));

const lesson = JSON.parse(readFileSync(join(ROOT, "www/lessons/epoch.json"), "utf8"));
const text = (page, id) => page.locator(`#${id}`).textContent();
const next = (page) => page.locator("#lesson-next");

test("a pupil takes the lesson “What is an epoch?” from beginning to end", async () => {
  const page = await open(browser, `${server.url}?backend=cpu&replicas=1&lesson=epoch`);
  await page.getByRole("heading", { name: "What is an epoch?" }).waitFor();
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  const { backend, dataset, batch, epochs } = Object.fromEntries(new URL(page.url()).searchParams);
  assert.deepEqual([backend, dataset, batch, epochs], ["cpu", "synthetic", "55", "6"], "the lesson has its settings, and leaves the visitor's backend");
  const act = {
    sketch: () => draw(page, SEVEN),
    finished: async () => {
      await page.locator("#train").click();
      const done = await until(page, "finished run", (s) => s.state === "finished", 120);
      assert.deepEqual([done.dataset.train, done.dataset.validation, done.history.length], [5500, 500, 6], "what the lesson says is so");
      const gain = done.history.map((epoch, at) => epoch.validation_accuracy - (at ? done.history[at - 1].validation_accuracy : 0.1));
      assert.equal(Math.max(...gain), gain[0], "the right answer to the fourth step is right");
    },
    past: () => page.locator("#machine").fill("1"),
  };
  for (const [at, step] of lesson.steps.entries()) {
    await page.getByText(`Step ${at + 1} of ${lesson.steps.length}`).waitFor();
    assert.equal(await text(page, "lesson-text"), step.text);
    assert.equal(await page.locator('[data-lit="true"]').count(), step.look ? 1 : 0);
    if (step.until) {
      assert.ok(await next(page).isDisabled(), "the pupil has not done it yet");
      assert.equal(await text(page, "lesson-said"), step.wait);
      await act[step.until]();
    }
    if (step.question) {
      const { choices, right, why, wrong } = step.question;
      const choose = (place) => page.locator("#lesson-choices button").nth(place).click();
      assert.deepEqual(await page.locator("#lesson-choices button").allTextContents(), choices);
      await choose((right + 1) % choices.length);
      await page.getByText(`✗ Not quite. ${wrong}`).waitFor();
      assert.ok(await next(page).isDisabled(), "a wrong answer does not lead on");
      await choose(right);
      await page.getByText(`✓ Right. ${why}`).waitFor();
    }
    await page.locator("#lesson-next:enabled").click();
  }
  await page.locator("#lesson").waitFor({ state: "hidden" });
  assert.equal(await page.locator('[data-lit="true"]').count(), 0);
  assert.equal((await summary(page)).state, "finished");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("the lesson goes back a step, can be ended, and fits a phone", async () => {
  const page = await open(browser, `${server.url}?backend=cpu&lesson=epoch`, { viewport: { width: 360, height: 740 } });
  await page.getByText("Step 1 of").waitFor();
  await draw(page, SEVEN);
  await page.locator("#lesson-next:enabled").click();
  await page.getByText("Step 2 of").waitFor();
  await page.locator("#lesson-back").click();
  await page.getByText("Step 1 of").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await page.getByRole("button", { name: "End the lesson" }).click();
  await page.locator("#lesson").waitFor({ state: "hidden" });
  await page.context().close();
});

test("a lesson that is missing or damaged is named, and the page works without it", async (t) => {
  const broken = await serve({ intercept: (path, response) => path.endsWith("lessons/broken.json") && (response.writeHead(200).end('{"title":"T","steps":[]}'), true) });
  t.after(() => broken.close());
  for (const [name, words] of [["none", /The lesson can't be shown: there is no lesson “none” here/], ["broken", /The lesson can't be shown: the list of steps has 0 entries/]]) {
    const page = await open(browser, `${broken.url}?backend=cpu&lesson=${name}`);
    await page.locator("#error").filter({ hasText: words }).waitFor();
    assert.ok(await page.locator("#lesson").isHidden());
    await page.locator("#train:enabled").waitFor();
    await page.context().close();
  }
});
