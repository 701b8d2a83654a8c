// The archive of the release site runs on any static server, here Python's, without anything else of this repository.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NO_RELEASE, ROOT, launch, open, until } from "./lib.mjs";

const ARCHIVE = join(ROOT, "inkling-site.tar.gz");

test("the archive has the checksum that is published with it, and a page that trains", { skip: NO_RELEASE }, async (t) => {
  const [published] = (await readFile(`${ARCHIVE}.sha256`, "utf8")).split(" ");
  assert.equal(createHash("sha256").update(await readFile(ARCHIVE)).digest("hex"), published);

  const folder = await mkdtemp(join(tmpdir(), "inkling-archive-"));
  t.after(() => rm(folder, { recursive: true }));
  execFileSync("tar", ["-xzf", ARCHIVE, "-C", folder]);
  const server = spawn("python3", ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", join(folder, "inkling-site")]);
  t.after(() => server.kill());
  const port = await new Promise((resolve, reject) => {
    server.stdout.on("data", (text) => resolve(String(text).match(/port (\d+)/)?.[1]));
    server.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  const browser = await launch();
  t.after(() => browser.close());
  const page = await open(browser, `http://127.0.0.1:${port}/?dataset=synthetic&backend=cpu&images=300&epochs=1&autostart=1`);
  const done = await until(page, "finished run", (s) => ["finished", "failed"].includes(s.state));
  assert.equal(done.state, "finished", done.error);
  assert.deepEqual(page.problems, []);
});
