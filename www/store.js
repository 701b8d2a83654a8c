// The last run, in IndexedDB: one record, replaced as a whole or not at all. The page's program calls this (src/web/store.rs).
"use strict";
self.inklingStore = (() => {
  const open = () =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open("inkling", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("runs");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const transact = async (mode, action) => {
    const database = await open();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction("runs", mode);
        const request = action(transaction.objectStore("runs"));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = () => reject(transaction.error);
      });
    } finally {
      database.close();
    }
  };
  // The tab that has the lock keeps its run; it goes with the tab, and the next one in the queue has it.
  let mine = !navigator.locks;
  const asked = new Promise((resolve) => {
    const have = (lock) => {
      mine = Boolean(lock);
      resolve();
      return mine ? new Promise(() => {}) : navigator.locks.request("inkling-run", have);
    };
    mine ? resolve() : navigator.locks.request("inkling-run", { ifAvailable: true }, have).catch(resolve);
  });
  const inMine = async (mode, action) => {
    await asked;
    if (!mine) throw new Error("another tab keeps its run");
    return transact(mode, action);
  };
  return {
    load: () => inMine("readonly", (runs) => runs.get("last")),
    save: (run) => inMine("readwrite", (runs) => runs.put(run, "last")),
    forget: () => inMine("readwrite", (runs) => runs.delete("last")),
  };
})();
