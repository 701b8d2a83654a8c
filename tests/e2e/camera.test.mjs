// Collecting images with the camera, training on them, and the network's live answers. Chromium's fake camera shows a test picture.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, serve, unfold, until } from "./lib.mjs";

let server, browser;
before(async () => ([server, browser] = [await serve(), await launch({ camera: true })]));
after(async () => (await browser.close(), await server.close()));

const RUN = "?backend=cpu&net=conv+4,pool,dense+8&batch=16&epochs=2&seed=3&replicas=1";
const shown = (page, text) => page.locator("#camera").getByText(text).waitFor();
const counts = (page) => page.locator("#camera-classes li span").allTextContents().then((texts) => texts.map((text) => parseInt(text)));
/** Waits until at least `count` pictures are collected. */
const collected = (page, count) =>
  page.waitForFunction((count) => [...document.querySelectorAll("#camera-classes li span")].reduce((sum, { textContent }) => sum + parseInt(textContent), 0) >= count, count);

test("two classes are collected, by mouse and by keyboard, trained, and told apart live", async () => {
  const page = await open(browser, server.url + RUN);
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  await unfold(page, "camera");
  await page.locator("#camera-switch").click();
  await page.getByRole("button", { name: "Turn the camera off" }).waitFor();
  const take = page.getByRole("button", { name: /Hold to collect|Collecting/ });
  await take.click();
  await shown(page, "Give the class a name first.");

  await page.locator("#camera-class").fill("Test");
  await take.click();
  await shown(page, "Names such as “train” and “test” are reserved. Choose another name for the class.");

  await page.locator("#camera-class").fill(" left/hand ");
  await take.hover();
  await page.mouse.down();
  await collected(page, 80);
  await page.mouse.up();
  await page.locator("#camera-class").fill("cup <b>");
  await take.focus();
  await page.keyboard.down("Space");
  await collected(page, 160);
  await page.keyboard.up("Space");
  await page.getByRole("button", { name: "Hold to collect" }).waitFor();
  await page.waitForTimeout(300); // a picture may be on its way
  assert.deepEqual(await page.locator("#camera-classes b").allTextContents(), ["left hand", "cup <b>"]);
  const before = await counts(page);
  await page.waitForTimeout(300);
  assert.deepEqual(await counts(page), before, "nothing is collected after the button is released");

  await page.getByRole("button", { name: "Remove the pictures of cup <b>" }).click();
  await shown(page, "At least two classes are needed.");
  assert.ok(await page.locator("#camera-use").isDisabled());
  await page.getByRole("button", { name: "Undo: bring it back" }).click();
  await collected(page, 160);
  assert.deepEqual(await counts(page), before);

  await page.locator("#camera-use").click();
  await page.waitForFunction(() => new URLSearchParams(location.search).get("dataset") === "own");
  await page.locator("#train").click();
  const done = await until(page, "finished run", (s) => s.state === "finished" || s.state === "failed");
  assert.equal(done.state, "finished", done.error);
  assert.equal(done.dataset.train + done.dataset.validation + done.dataset.test, before[0] + before[1], JSON.stringify(done.dataset));
  await page.locator("#camera-answer").getByText(/It sees a (cup <b>|left hand) \(\d+%\)\./).waitFor();

  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.getElementById("camera-view").srcObject === null);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a camera that is turned off while the browser asks, or taken away, is off; what it collected stays", async () => {
  const page = await open(browser, server.url + RUN, {
    init: () => {
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wanted) => {
        await new Promise((resolve) => setTimeout(resolve, 500));
        return (self.stream = await ask(wanted));
      };
    },
  });
  await unfold(page, "camera");
  const press = () => page.locator("#camera-switch").click();
  await press();
  await shown(page, "Waiting for the camera…");
  await press();
  await shown(page, "Turn the camera on");
  await page.waitForFunction(() => self.stream?.getTracks().every((track) => track.readyState === "ended"));

  await press();
  await shown(page, "Turn the camera off");
  await page.locator("#camera-class").fill("cup");
  await page.locator("#camera-take").hover();
  await page.mouse.down();
  await collected(page, 3);
  await page.evaluate(() => self.stream.getVideoTracks()[0].onended());
  await shown(page, "The camera can't be used: it was disconnected, or another program is using it.");
  await page.mouse.up();
  assert.ok((await counts(page))[0] >= 3);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("without permission, the page says so and goes on", async () => {
  const other = await launch();
  const page = await open(other, server.url + RUN);
  await unfold(page, "camera");
  await page.locator("#camera-switch").click();
  await shown(page, /The camera can't be used: .+\./);
  await page.getByRole("button", { name: "Turn the camera on" }).waitFor();
  assert.deepEqual(page.problems, []);
  await other.close();
});
