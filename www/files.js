// Reads and writes files for src/page/files.rs: files that the visitor picks or drops, pictures of canvases, and a whole run as
// one file. That file is gzipped JSON, with byte arrays as {"base64": "..."}.
"use strict";
self.inklingFiles = (() => {
  // More than a run or weights need.
  const MAX_SIZE = 64 << 20;
  // A data set as large as CIFAR-10 in NumPy's format.
  const MAX_DATA = 192 << 20;
  const save = (name, blob) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };
  const base64 = (bytes) => {
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(text);
  };
  const limited = async (stream) => {
    const chunks = [];
    let size = 0;
    for (const reader = stream.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return new Blob(chunks).arrayBuffer().then((buffer) => new Uint8Array(buffer));
      chunks.push(value);
      if ((size += value.length) > MAX_SIZE) throw new Error(`it is larger than ${MAX_SIZE >> 20} MiB`);
    }
  };
  const through = (bytes, transform) => limited(new Blob([bytes]).stream().pipeThrough(transform));
  const pack = async (run) => {
    const text = JSON.stringify(run, (_, value) => (value instanceof Uint8Array ? { base64: base64(value) } : value));
    return through(new TextEncoder().encode(text), new CompressionStream("gzip"));
  };
  const unpack = async (bytes) => {
    const plain = await through(bytes, new DecompressionStream("gzip")).catch((error) => {
      throw new Error(/larger/.test(error.message) ? error.message : "it is not gzipped, or it is cut short");
    });
    return JSON.parse(new TextDecoder().decode(plain), (_, value) =>
      typeof value?.base64 === "string" ? Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0)) : value);
  };
  // A dropped file goes to the input where the visitor would have picked it.
  const drop = (files) => {
    const say = (id, set) => {
      const control = Object.assign(document.getElementById(id), set);
      control.dispatchEvent(new Event("change", { bubbles: true }));
    };
    const [{ name }] = files;
    if (files.length === 1 && name.endsWith(".json.gz")) return say("open-run", { files });
    if (files.length === 1 && !/\.(npz|npy|csv|csv\.gz|zip|png|jpe?g|webp)$/i.test(name)) return say("open-weights", { files });
    say("own-files", { files });
  };
  const dragged = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (on) => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", (event) => dragged(event) && (event.preventDefault(), mark(true)));
  addEventListener("dragleave", (event) => event.relatedTarget === null && mark(false));
  addEventListener("drop", (event) => {
    mark(false);
    if (!dragged(event) || event.target.closest?.("input[type=file]")) return;
    event.preventDefault();
    if (event.dataTransfer.files.length > 0) drop(event.dataTransfer.files);
  });
  return {
    save: (name, bytes) => save(name, new Blob([bytes])),
    savePng: (name, id) => document.getElementById(id).toBlob((blob) => save(name, blob)),
    // Reads the file of an <input> and empties the input, so that the same file can be picked again.
    read: async (id) => {
      const input = document.getElementById(id);
      const [file] = input.files;
      if (!file) return undefined;
      if (file.size > MAX_SIZE) throw new Error(`it is larger than ${MAX_SIZE >> 20} MiB`);
      const bytes = new Uint8Array(await file.arrayBuffer());
      input.value = "";
      return bytes;
    },
    // A file in a folder has its path as its name.
    readAll: async (id) => {
      const input = document.getElementById(id);
      const files = [...input.files];
      input.value = ""; // so that the same files can be picked again
      const size = files.reduce((sum, file) => sum + file.size, 0);
      if (size > MAX_DATA) throw new Error(`the files have more than ${MAX_DATA >> 20} MiB together`);
      const read = async (file) => ({ name: file.webkitRelativePath || file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
      return Promise.all(files.map(read));
    },
    // Offers the file only if it reads back as it was written.
    saveRun: async (name, run) => {
      const file = await pack(run);
      const plain = (value) => JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? base64(v) : v));
      if (plain(await unpack(file)) !== plain(run)) throw new Error("the file does not read back as it was written");
      save(name, new Blob([file]));
    },
    saveRecord: async (name, record) => save(name, new Blob([await pack(record)])),
    openRun: unpack,
    lesson: async (name) => {
      const response = await fetch(`lessons/${name}.json`, { signal: AbortSignal.timeout(20_000) });
      if (!response.ok) throw new Error(`there is no lesson “${name}” here`);
      return response.json();
    },
  };
})();
