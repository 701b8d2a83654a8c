// Firefox (driven over WebDriver BiDi by puppeteer-core) and WebKit (WebKitGTK's driver) behind one small interface:
// `goto`, `evaluate`, `draw`, `upload` and `close`.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.INKLING_NODE, "x.js"));
const onPath = (...names) => process.env.PATH.split(":").flatMap((folder) => names.map((name) => join(folder, name))).find(existsSync);
const FIREFOX = process.env.FIREFOX ?? onPath("firefox-esr", "firefox");
const WEBKIT_DRIVER = onPath("WebKitWebDriver");
const XVFB = onPath("Xvfb");
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Settles as `promise` does, or fails after so many seconds. */
export function within(seconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`${what} took over ${seconds} s`)), 1000 * seconds)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

async function firefox() {
  const puppeteer = require("puppeteer-core");
  const start = async () => {
    // Puppeteer's `setViewport` needs a command that Firefox ESR 140 does not know.
    const size = { defaultViewport: null, args: ["--width=1440", "--height=900"] };
    const browser = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true, ...size });
    try {
      return { browser, page: await within(60, "Firefox's first page", browser.newPage()) };
    } catch (error) {
      throw (browser.process()?.kill("SIGKILL"), error);
    }
  };
  // A Firefox that does not answer would hold up the tests until their time is over.
  const again = (error) => (console.error(`Firefox is started once more: ${error.message}`), start());
  const { browser, page } = await start().catch(again);
  return {
    goto: (url) => page.goto(url, { waitUntil: "domcontentloaded" }),
    evaluate: (action, ...values) => page.evaluate(action, ...values),
    draw: async (points) => {
      const { mouse } = page;
      await mouse.move(...points[0]);
      await mouse.down();
      for (const point of points.slice(1)) await mouse.move(...point, { steps: 6 });
      await mouse.up();
    },
    upload: async (selector, path) => (await page.$(selector)).uploadFile(path),
    close: () => within(30, "closing Firefox", browser.close()).catch(() => browser.process()?.kill("SIGKILL")),
  };
}

async function webkit() {
  const display = `:${100 + (process.pid % 400)}`;
  const screen = process.env.DISPLAY ? undefined : spawn(XVFB, [display, "-screen", "0", "1500x1000x24"], { stdio: "ignore" });
  const port = await freePort();
  const env = { ...process.env, DISPLAY: process.env.DISPLAY ?? display, LIBGL_ALWAYS_SOFTWARE: "1", WEBKIT_DISABLE_COMPOSITING_MODE: "1" };
  const driver = spawn(WEBKIT_DRIVER, [`--port=${port}`], { env, stdio: "ignore" });
  const stop = () => (driver.kill(), screen?.kill());
  const call = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${path}: ${value?.message ?? response.status}`);
    return value;
  };
  let session;
  for (let attempt = 0; !session; attempt++) {
    await wait(300);
    try {
      session = await call("POST", "/session", { capabilities: { alwaysMatch: { browserName: "MiniBrowser", "webkitgtk:browserOptions": { binary: process.env.WEBKIT ?? MINI_BROWSER, args: ["--automation"] } } } });
    } catch (error) {
      if (attempt === 30) throw (stop(), error);
    }
  }
  const at = `/session/${session.sessionId}`;
  await call("POST", `${at}/timeouts`, { script: 60_000, pageLoad: 60_000 });
  await call("POST", `${at}/window/rect`, { width: 1440, height: 950 });
  const KEY = "element-6066-11e4-a52e-4f735466cecf";
  return {
    goto: (url) => call("POST", `${at}/url`, { url }),
    evaluate: (action, ...values) =>
      call("POST", `${at}/execute/async`, {
        script: `const done = arguments[arguments.length - 1]; Promise.resolve((${action}).apply(null, [...arguments].slice(0, -1))).then(done, (error) => done({ error: String(error) }));`,
        args: values,
      }),
    draw: (points) => {
      const move = ([x, y]) => ({ type: "pointerMove", duration: 30, origin: "viewport", x: Math.round(x), y: Math.round(y) });
      const actions = [move(points[0]), { type: "pointerDown", button: 0 }, ...points.slice(1).map(move), { type: "pointerUp", button: 0 }];
      return call("POST", `${at}/actions`, { actions: [{ type: "pointer", id: "mouse", parameters: { pointerType: "mouse" }, actions }] });
    },
    upload: async (selector, path) => {
      const element = await call("POST", `${at}/element`, { using: "css selector", value: selector });
      return call("POST", `${at}/element/${element[KEY]}/value`, { text: path });
    },
    close: async () => (await call("DELETE", at).catch(() => {}), stop()),
  };
}

const MINI_BROWSER = ["4.1", "4.0", "6.0"]
  .flatMap((version) => ["x86_64-linux-gnu", "aarch64-linux-gnu"].map((machine) => `/usr/lib/${machine}/webkit2gtk-${version}/MiniBrowser`))
  .find(existsSync);

// `make test` tests in Chromium only.
const absent = (what, there) => (process.env.INKLING_ALL ? !there && `SKIPPED: ${what} is not installed` : "other engines are left out here; `make test-all` tests them");

/** Each engine: its name, how to launch it, and the reason to skip it, if there is one. */
export const ENGINES = [
  ["Firefox", firefox, absent("Firefox", FIREFOX)],
  ["WebKit", webkit, absent("WebKitGTK's driver", WEBKIT_DRIVER && MINI_BROWSER && (XVFB || process.env.DISPLAY))],
];
