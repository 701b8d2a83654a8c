// Keeps three records in IndexedDB: the last run, the run history, and the visitor's own digits. Each is replaced as a whole or
// not at all. The page's program calls this (src/page/store.rs).
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
  // Only the tab that holds the lock keeps its run. When that tab closes, the lock passes to the next tab in the queue.
  let mine = !navigator.locks;
  const owned = new Promise((resolve) => {
    const have = () => {
      mine = true;
      resolve();
      return new Promise(() => {});
    };
    // A browser that refuses the lock would refuse storage as well; `save` then reports it.
    mine ? resolve() : navigator.locks.request("inkling-run", have).catch(() => {});
  });
  const inMine = async (action) => {
    if (!mine) throw new Error("another tab is already keeping a run");
    return transact("readwrite", action);
  };
  return {
    // Waits for the lock, then returns the run that the previous tab left behind.
    load: async () => (await owned, transact("readonly", (runs) => runs.get("last"))),
    save: (run) => inMine((runs) => runs.put(run, "last")),
    // The other records: "shelf" is the run history, "digits" the visitor's own digits.
    loadRecord: (name) => transact("readonly", (runs) => runs.get(name)),
    saveRecord: (name, value) => inMine((runs) => runs.put(value, name)),
    forget: () => inMine((runs) => runs.delete("last")),
  };
})();
