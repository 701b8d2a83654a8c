// Keeps four records in IndexedDB: "last" is the last run, "shelf" the run history, "digits" the visitor's own digits, "images" the
// visitor's own data set. Each is replaced as a whole or not at all. The page's program calls this (src/page/store.rs).
//
// Every call settles: a browser that does not answer is reported like one that refuses.
"use strict";
self.inklingStore = (() => {
  // Part of another page, which may show several: nothing is kept, so none of them offers another one's run.
  if (self.inklingEmbed) {
    const nothing = async () => undefined;
    return { load: nothing, save: nothing, forget: nothing, owned: nothing, begin: () => {}, saveAsFile: nothing };
  }
  // Two sites on one origin have two databases, and two locks.
  const NAME = `inkling ${new URL(".", location).pathname}`;
  // Before, there was one database for all sites of an origin.
  const EARLIER = "inkling";
  const RECORDS = ["last", "shelf", "digits"];
  const PATIENCE = 15_000;

  // Some of the browser's errors have a name only.
  const said = (error) =>
    new Error(error?.name === "QuotaExceededError" ? "the browser has no room left for it" : error?.message || error?.name || "the browser's storage failed");
  const within = (milliseconds, promise) =>
    Promise.race([
      promise,
      new Promise((_, reject) =>
        setTimeout(() => reject(new Error(`the browser's storage has not answered for ${milliseconds / 1000} s`)), milliseconds)),
    ]);
  const open = (name) =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore("runs");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(said(request.error));
      request.onblocked = () => reject(new Error("another tab blocks the browser's storage"));
    });
  const transact = async (name, mode, action) => {
    const database = await open(name);
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction("runs", mode);
        const request = action(transaction.objectStore("runs"));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = () => reject(said(transaction.error ?? request.error));
        database.onclose = () => reject(new Error("the browser closed its storage"));
      });
    } finally {
      database.close();
    }
  };
  const read = (name, record) => transact(name, "readonly", (runs) => runs.get(record));
  const write = (name, record, value) => transact(name, "readwrite", (runs) => runs.put(value, record));

  // Opening a database would create it. Firefox before 126 has no list of them.
  const exists = async (name) => {
    if (indexedDB.databases) return (await indexedDB.databases()).some((database) => database.name === name);
    return new Promise((resolve) => {
      const request = indexedDB.open(name);
      request.onupgradeneeded = () => request.transaction.abort();
      request.onsuccess = () => (request.result.close(), resolve(true));
      request.onerror = () => resolve(false);
    });
  };
  // Copies, once, what a version before this one kept.
  const adopt = async () => {
    if (await read(NAME, "adopted")) return;
    if (await exists(EARLIER)) {
      for (const record of RECORDS) {
        const [earlier, now] = [await read(EARLIER, record), await read(NAME, record)];
        if (earlier !== undefined && now === undefined) await write(NAME, record, earlier);
      }
    }
    await write(NAME, "adopted", true);
  };
  let adopted;
  const load = async (record) => {
    adopted ??= adopt().catch(() => {}); // what can't be copied stays where it is
    await adopted;
    return read(NAME, record);
  };

  // Only one tab writes. When it closes, the next tab in the queue takes its place.
  let mine = false;
  // It writes only once it has read what there is.
  let begin;
  const begun = new Promise((resolve) => (begin = resolve));
  let stillMine = () => true;
  let notMine = "another tab is already keeping a run";
  const owned = new Promise((resolve) => {
    const have = () => {
      mine = true;
      resolve();
      return new Promise(() => {});
    };
    if (!navigator.locks) return lease(have);
    // A request waits as long as another tab holds the lock. If none does, the browser's locks do not answer.
    const watch = setTimeout(async () => {
      if (mine) return;
      const locks = await within(PATIENCE, navigator.locks.query()).catch(() => undefined);
      if (!mine && !locks?.held.some(({ name }) => name === NAME)) lease(have);
    }, PATIENCE);
    navigator.locks.request(NAME, have).catch((error) => {
      clearTimeout(watch);
      notMine = `the browser does not let a tab keep anything for itself (${error.message})`;
    });
  });

  // Without Web Locks (an insecure origin, or a browser in which they do not answer), tabs pass on a note in localStorage that expires unless it is renewed.
  function lease(have) {
    const [key, self_, RENEW, EXPIRES] = [`${NAME} tab`, `${Date.now()}-${Math.random()}`, 2_000, 8_000];
    const holder = () => {
      const [who, when] = (localStorage.getItem(key) ?? " 0").split(" ");
      return Date.now() - Number(when) < EXPIRES ? who : "";
    };
    const take = () => localStorage.setItem(key, `${self_} ${Date.now()}`);
    const attempt = () => {
      try {
        if (mine && holder() && holder() !== self_) {
          // It slept, and another tab took over. It would have to read everything again before it writes.
          [mine, notMine] = [false, "another tab took over while this one slept; reload it to keep what it does"];
          clearInterval(renewal);
        } else if (mine) take();
        else if (!holder()) {
          take();
          // Two tabs may have taken it at once: the later note stands.
          setTimeout(() => holder() === self_ && have(), RENEW / 4);
        }
      } catch {} // without localStorage, no tab keeps anything
    };
    const renewal = setInterval(attempt, RENEW);
    attempt();
    stillMine = () => (attempt(), mine && holder() === self_);
    addEventListener("pagehide", () => mine && localStorage.removeItem(key));
  }

  let asked = false;
  const ifMine = (action) => {
    if (!mine || !stillMine()) return Promise.reject(new Error(notMine));
    // The browser may delete what it keeps when it runs out of room, unless it agrees to keep it.
    if (!asked) navigator.storage?.persist?.().catch(() => {});
    asked = true;
    return within(PATIENCE, begun.then(action));
  };
  return {
    load: (record) => within(PATIENCE, load(record)),
    save: (record, value) => ifMine(() => write(NAME, record, value)),
    forget: (record) => ifMine(() => transact(NAME, "readwrite", (runs) => runs.delete(record))),
    /** Resolves once this tab is the one that may write. It does so after `begin`. */
    owned: () => owned,
    begin: () => begin(),
    /** Lets the visitor save a record as it is, as a file. */
    saveAsFile: async (record) => self.inklingFiles.saveRecord(`inkling-${record}.json.gz`, await within(PATIENCE, load(record))),
  };
})();
