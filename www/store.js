// What is kept, in IndexedDB: a record for the last run, one for the runs side by side and one for the visitor's digits, each
// replaced as a whole or not at all. The page's program calls this (src/web/store.rs).
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
  // One tab at a time keeps its run: the one that has the lock, which goes with the tab; then the next in the queue.
  let mine = !navigator.locks;
  const owned = new Promise((resolve) => {
    const have = () => {
      mine = true;
      resolve();
      return new Promise(() => {});
    };
    // A browser that refuses the lock would refuse to keep anything: then `save` says so.
    mine ? resolve() : navigator.locks.request("inkling-run", have).catch(() => {});
  });
  const inMine = async (action) => {
    if (!mine) throw new Error("another tab keeps its run");
    return transact("readwrite", action);
  };
  return {
    // Waits for its turn: what another tab left behind is offered then.
    load: async () => (await owned, transact("readonly", (runs) => runs.get("last"))),
    save: (run) => inMine((runs) => runs.put(run, "last")),
    // What is kept beside it: "shelf", the runs side by side, and "digits", the visitor's own.
    loadBeside: (name) => transact("readonly", (runs) => runs.get(name)),
    saveBeside: (name, value) => inMine((runs) => runs.put(value, name)),
    forget: () => inMine((runs) => runs.delete("last")),
  };
})();
