// After the first visit Inkling works without a network. A new version is announced, and never mixed with the old one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SITE, launch, open, serve, unfold, until } from "./lib.mjs";

let browser;
before(async () => (browser = await launch()));
after(async () => browser.close());

const RUN = "?dataset=synthetic&backend=cpu&images=300&epochs=1&replicas=2&autostart=1";

test("the second visit needs no network: it trains with replicas and writes files", async () => {
  const server = await serve();
  const page = await open(browser, server.url + RUN, { serviceWorkers: "allow" });
  await until(page, "finished run", (s) => s.state === "finished");
  await page.locator("body[data-offline=ready]").waitFor();
  await server.close(); // the server is gone, not just unreachable
  await page.reload();
  const done = await until(page, "run without a network", (s) => s.state === "finished");
  assert.equal(done.history.length, 1);
  assert.equal(done.workers, 2);
  await unfold(page, "files");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "ONNX" }).click()]);
  assert.equal(download.suggestedFilename(), "inkling-step-5.onnx");
  await page.context().close();
});

test("a page that has been open for a long time announces a new version", async () => {
  let changed = false;
  const intercept = (path, response) => {
    if (!changed || !path.endsWith("/")) return false;
    const page = readFileSync(join(SITE, "index.html"), "utf8");
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page.replaceAll(/page-[0-9a-f]+/g, "page-0123456789abcdef"));
    return true;
  };
  const server = await serve({ intercept });
  const page = await open(browser, `${server.url}?backend=cpu`, { serviceWorkers: "allow" });
  await page.locator("#backend-badge").getByText("CPU: burn-flex").waitFor();
  const look = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await look();
  await page.waitForTimeout(500);
  assert.ok(await page.locator("#new-version").isHidden());
  changed = true;
  await look();
  await page.getByText("There is a new version of Inkling.").waitFor();
  await page.context().close();
  await server.close();
});
