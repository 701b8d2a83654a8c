// Reads and writes files for src/page/files.rs: files that the visitor picks or drops, pictures of canvases, and a whole run as
// one file. That file is gzipped JSON, with byte arrays as {"base64": "..."}.
"use strict";
self.inklingFiles = (() => {
  // The largest useful file is MNIST's training images, decompressed.
  const MAX_SIZE = 64 << 20;
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
    if (files.length === 1) return say(files[0].name.endsWith(".json.gz") ? "open-run" : "open-weights", { files });
    // The settings are fixed during a run; the page then refuses the files and says why.
    const free = !document.getElementById("settings").disabled;
    if (free && [2, 4].includes(files.length)) say("dataset", { value: "own" });
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
    readAll: (id) =>
      Promise.all([...document.getElementById(id).files].map(async (file) => {
        if (file.size > MAX_SIZE) throw new Error(`${file.name} is larger than ${MAX_SIZE >> 20} MiB`);
        return { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
      })),
    // Offers the file only if it reads back as it was written.
    saveRun: async (name, run) => {
      const file = await pack(run);
      const plain = (value) => JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? base64(v) : v));
      if (plain(await unpack(file)) !== plain(run)) throw new Error("the file does not read back as it was written");
      save(name, new Blob([file]));
    },
    openRun: unpack,
  };
})();
