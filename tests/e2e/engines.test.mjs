// The page's main tests in the other two engines: Firefox's and WebKit's.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, after, before } from "node:test";
import { ENGINES, within } from "./engines.mjs";
import { AFTER_A_CHECKPOINT, sabotage, serve } from "./lib.mjs";

const RUN = "?dataset=synthetic&backend=cpu&images=600&batch=48&epochs=2&seed=3&replicas=2";
const data = process.env.MNIST_DIR;
const folder = mkdtempSync(join(tmpdir(), "inkling-engines-"));

/** In the page: what a visitor sees. */
const look = () => ({
  ...JSON.parse(document.getElementById("run-summary")?.textContent ?? "{}"),
  ready: /CPU: burn-flex/.test(document.getElementById("backend-badge")?.textContent),
  offer: document.getElementById("offer")?.hidden === false ? document.getElementById("offer-text").textContent : "",
  offline: document.body?.dataset.offline === "ready",
  sketch: document.getElementById("sketch-note")?.textContent,
  saved: self.saved ?? [],
});
/** Firefox now and then lets a worker hang while it starts another one (`MAX_STARTING` in src/page/supervisor.rs). */
const hung = ({ reason }) => /starting another worker/.test(reason);
const press = (id) => document.getElementById(id).click();

for (const [name, launch, skip] of ENGINES) {
  describe(name, { skip }, () => {
    let engine;
    before(async () => (engine = await launch()));
    after(async () => engine?.close());

    const until = async (what, test, seconds = 90) => {
      let seen;
      for (const end = Date.now() + 1000 * seconds; Date.now() < end; ) {
        seen = await within(30, "a look", engine.evaluate(look)).catch(() => undefined); // during a navigation there is no page
        if (seen && test(seen)) return seen;
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      throw new Error(`no ${what} within ${seconds} s: ${JSON.stringify(seen)?.slice(0, 800)}`);
    };
    /**
     * Opens a page until it shows something. Once in some hundred times, WebKitGTK answers none of a page's requests, neither for its
     * worker nor for its storage; then a visitor loads it again, and so does this.
     */
    const opened = async (url, what, test) => {
      await engine.goto(url);
      const seen = await until(what, test, 45).catch((error) => console.error(`${name} is asked once more: ${error.message}`));
      return seen ?? (await engine.goto(url), until(what, test));
    };
    const finished = (seconds) => until("finished run", (seen) => seen.state === "finished", seconds);

    test("trains on synthetic digits, reads a sketch, and offers the run after a reload", async () => {
      const server = await serve();
      await engine.goto(`${server.url}${RUN}`);
      await until("worker", (seen) => seen.ready);
      await engine.evaluate(press, "train");
      const done = await finished();
      assert.ok(done.test_accuracy > 0.5 && done.history.length === 2 && done.workers === 2, JSON.stringify(done).slice(0, 300));
      const [x, y, side] = await engine.evaluate(() => {
        document.getElementById("pad").scrollIntoView();
        const { x, y, width } = document.getElementById("pad").getBoundingClientRect();
        return [x, y, width];
      });
      await engine.draw([[0.25, 0.22], [0.75, 0.2], [0.45, 0.82]].map(([right, down]) => [x + right * side, y + down * side]));
      await until("answer", (seen) => /looks like/.test(seen.sketch));
      await new Promise((resolve) => setTimeout(resolve, 500));
      await opened(`${server.url}?backend=cpu`, "offer", (seen) => /finished run of 2 epochs/.test(seen.offer));
      await engine.evaluate(press, "resume-run");
      const again = await finished();
      assert.deepEqual(again.history, done.history);
      assert.equal(again.test_accuracy, done.test_accuracy);
      await server.close();
    });

    test("an unfinished run resumes after a reload, and ends as it would have", async () => {
      const server = await serve();
      const long = RUN.replace("epochs=2", "epochs=6");
      await engine.goto(`${server.url}${long}&autostart=1`);
      const whole = await finished();
      await engine.goto(`${server.url}${long}&autostart=1`);
      await until("third epoch", (seen) => seen.state === "training" && seen.history.length >= 2);
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { offer } = await opened(`${server.url}?backend=cpu`, "offer", (seen) => seen.offer !== "");
      await engine.evaluate(press, "resume-run");
      const done = await finished();
      const curve = (run) => run.history.map((epoch) => [epoch.train_loss, epoch.validation_loss]);
      assert.deepEqual(curve(done), curve(whole), offer);
      await server.close();
    });

    test("a lost worker is replaced, and the run ends as it would have", async () => {
      const server = await serve({ intercept: sabotage([AFTER_A_CHECKPOINT("throw new Error('killed by the test')")]) });
      // A fast machine ends two epochs before the worker is killed.
      await engine.goto(`${server.url}${RUN.replace("epochs=2", "epochs=40")}&autostart=1`);
      const done = await finished();
      const reasons = done.incidents.filter((incident) => !hung(incident)).map(({ reason }) => reason);
      assert.equal(reasons.length, 1, JSON.stringify(done.incidents));
      assert.match(reasons[0], /killed by the test/);
      await server.close();
    });

    test("weights and runs are saved and opened", async () => {
      const server = await serve();
      const openFiles = async () => {
        await engine.evaluate(press, "files-summary");
        const waits = () => Boolean(document.getElementById("save-run").closest("[inert]"));
        while (await engine.evaluate(waits)) await new Promise((resolve) => setTimeout(resolve, 100));
      };
      await engine.goto(`${server.url}${RUN}&autostart=1`);
      const done = await finished();
      const saved = () => {
        // What the page hands to the browser as a file.
        self.saved = [];
        self.files = {};
        const create = URL.createObjectURL;
        URL.createObjectURL = (blob) => (blob.arrayBuffer().then((buffer) => {
          let text = "";
          for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
          self.files[self.saved.length] = btoa(text);
          self.saved.push(blob.size);
        }), create.call(URL, blob));
        HTMLAnchorElement.prototype.click = () => {};
      };
      await engine.evaluate(saved);
      await openFiles();
      await engine.evaluate(press, "save-safetensors");
      await until("weights", (seen) => seen.saved.length === 1);
      await engine.evaluate(press, "save-run");
      await until("run", (seen) => seen.saved.length === 2);
      const [weights, run] = [join(folder, `${name}.safetensors`), join(folder, `${name}.json.gz`)];
      writeFileSync(weights, Buffer.from(await engine.evaluate(() => self.files[0]), "base64"));
      writeFileSync(run, Buffer.from(await engine.evaluate(() => self.files[1]), "base64"));
      await engine.goto(`${server.url}?backend=cpu`);
      await until("worker", (seen) => seen.ready);
      await openFiles();
      await engine.upload("#open-run", run);
      const opened = await finished();
      assert.deepEqual([opened.history, opened.test_accuracy], [done.history, done.test_accuracy]);
      await engine.upload("#open-weights", weights);
      await until("imported weights", (seen) => seen.state === "paused");
      await server.close();
    });

    test("works offline after the first visit", async () => {
      const server = await serve();
      await engine.goto(`${server.url}?backend=cpu`);
      await until("kept site", (seen) => seen.ready && seen.offline);
      await server.close();
      await engine.goto(`${server.url}${RUN}&autostart=1`);
      assert.equal((await finished()).history.length, 2);
    });

    test("trains on MNIST", { skip: data ? false : "SKIPPED: MNIST_DIR is not set" }, async () => {
      const server = await serve({ data });
      await engine.goto(`${server.url}?dataset=mnist&backend=cpu&images=6000&epochs=1&seed=3&autostart=1`);
      const done = await finished(240);
      assert.ok(done.test_accuracy > 0.9, `${done.test_accuracy}`);
      // The second worker finds what the first one kept.
      assert.match(done.dataset.source, done.incidents.some(hung) ? /^MNIST, from the browser's cache/ : /^MNIST, from 127\.0\.0\.1/);
      await server.close();
    });
  });
}
after(() => rmSync(folder, { recursive: true }));
