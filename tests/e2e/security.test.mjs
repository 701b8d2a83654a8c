// The page runs and loads nothing but what belongs to it. Every panel works under the site's policy, sent by the page or by the server.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SEVEN, SITE, draw, launch, open, serve, unfold, until } from "./lib.mjs";

let browser;
before(async () => (browser = await launch()));
after(async () => browser.close());

const RUN = "?dataset=synthetic&backend=cpu&images=600&batch=48&epochs=2&seed=3&replicas=2";
const button = (page, name) => page.getByRole("button", { name, exact: true });

/** The headers that `_headers` sets for every file. */
const headers = () => Object.fromEntries(
  readFileSync(join(SITE, "_headers"), "utf8").split("\n").filter((line) => line.startsWith("  ")).map((line) => line.trim().split(/: (.*)/).slice(0, 2)),
);

/** Does everything that a visitor can do on the CPU; returns what the policy stopped. */
async function useEverything(page) {
  await button(page, "Train").click();
  const done = await until(page, "finished run", (s) => s.state === "finished");
  assert.equal(done.workers, 2, "the policy keeps replicas from starting");
  await draw(page, SEVEN);
  await page.locator("#sketch-note").getByText("looks like").waitFor();
  for (const section of ["look", "inside", "doctor", "trust", "hand", "runs", "files", "scores", "edit", "survey", "camera", "epochs-table", "fold"]) {
    await unfold(page, section);
    await page.waitForTimeout(200);
    if (section === "look") await page.locator("#specimens canvas").first().waitFor();
    if (section === "trust") await page.locator("#measure").click();
    if (section === "hand") await page.locator("#name-7").click();
    if (section !== "files") continue;
    for (const name of ["safetensors", "ONNX", "Save the run", "History as CSV", "Loss as PNG", "Matrix as SVG"]) {
      await Promise.all([page.waitForEvent("download"), button(page, name).click()]);
    }
  }
  await page.waitForTimeout(500);
}

const watch = () => {
  self.violations = [];
  addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
};

for (const [name, options] of [["by the page", {}], ["by the server as well, so that it applies to the workers", { headers: headers() }]]) {
  test(`every panel works under the policy that is sent ${name}`, async () => {
    const server = await serve(options);
    const page = await open(browser, server.url + RUN, { init: watch, serviceWorkers: "allow", acceptDownloads: true });
    await useEverything(page);
    assert.deepEqual(await page.evaluate(() => violations), []);
    assert.deepEqual(page.problems, []);
    await page.context().close();
    await server.close();
  });
}

test("the policy stops what does not belong to the page", async () => {
  const server = await serve();
  const page = await open(browser, server.url, { init: watch });
  await page.locator("#backend-badge").getByText(/CPU/).waitFor();
  const attempts = await page.evaluate(async () => {
    const attempt = async (action) => {
      try {
        return (await action()) ?? "done";
      } catch (error) {
        return error.name;
      }
    };
    const element = (tag, set) => () => void document.body.append(Object.assign(document.createElement(tag), set));
    return {
      "text becomes a script": await attempt(element("script", { text: "self.evil = 1" })),
      "text becomes markup": await attempt(() => void (document.body.innerHTML += "<p>")),
      "data leaves": await attempt(() => fetch("https://example.com/")),
      "another worker starts": await attempt(() => void new Worker("other.js")),
      "a worker from a blob starts": await attempt(() => void new Worker(URL.createObjectURL(new Blob(["1"])))),
      "a script from elsewhere is inserted": await attempt(element("script", { src: "https://example.com/x.js" })),
    };
  });
  assert.equal(attempts["text becomes a script"], "TypeError");
  assert.equal(attempts["a script from elsewhere is inserted"], "TypeError");
  assert.equal(attempts["text becomes markup"], "TypeError");
  assert.equal(attempts["data leaves"], "TypeError");
  assert.equal(attempts["another worker starts"], "TypeError");
  assert.equal(attempts["a worker from a blob starts"], "TypeError");
  assert.ok((await page.evaluate(() => violations)).some((words) => words.startsWith("connect-src: https://example.com")));
  await page.context().close();
  await server.close();
});

test("the loader starts no program that the site does not have", async () => {
  const server = await serve();
  const page = await open(browser, server.url);
  await page.locator("#backend-badge").getByText(/CPU/).waitFor();
  const loaded = await page.evaluate(() => Promise.all(["../evil", "//example.com/x", "worker_other", "worker_cpu/../x"].map((name) => new Promise((resolve) => {
    const worker = new Worker(`worker-loader.js?worker=${encodeURIComponent(name)}&build=x`);
    worker.onmessage = ({ data }) => resolve(data.event.Unavailable.reason);
  }))));
  loaded.forEach((reason) => assert.match(reason, /^this site has no worker /));
  assert.ok(!server.requests.some((path) => /evil|other|example/.test(path)), `${server.requests}`);
  await page.context().close();
  await server.close();
});
