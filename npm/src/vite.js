// A plugin for Vite: serves Inkling's files while you develop, and puts them into the build.
//   plugins: [inkling()]
import { createReadStream, readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join, normalize, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const SITE = fileURLToPath(new URL("../site/", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json", ".svg": "image/svg+xml" };

/** A base as Vite takes it: with a slash at its end, and `./` for an empty one. */
const slashed = (base) => (base === "" ? "./" : base.endsWith("/") ? base : `${base}/`);

/** All files below a folder. */
const files = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)]));

/**
 * @param {{ folder?: string }} [options] - `folder`: where the files go, below the site's base; `inkling` without it.
 * @returns {any} The plugin. Not typed as Vite's, so that this package does not depend on Vite.
 */
export default function inkling({ folder = "inkling" } = {}) {
  let base = "/";
  return {
    name: "inkling",
    config: (config) => ({
      define: { __INKLING_SITE__: JSON.stringify(`${slashed(config.base ?? "/")}${folder}/`) },
      optimizeDeps: { exclude: ["inkling"] },
    }),
    configResolved: (config) => void (base = config.base),
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const start = `${base}${folder}/`;
        let file = "";
        try {
          const path = decodeURIComponent(new URL(request.url ?? "/", "http://x").pathname);
          if (path.startsWith(start)) file = normalize(join(SITE, path.slice(start.length) || "index.html"));
          if (!file.startsWith(SITE) || !statSync(file, { throwIfNoEntry: false })?.isFile()) return next();
        } catch {
          return next(); // Vite answers an address that can't be read
        }
        response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
        createReadStream(file).on("error", next).pipe(response);
      });
    },
    generateBundle() {
      for (const file of files(SITE)) {
        this.emitFile({ type: "asset", fileName: `${folder}/${relative(SITE, file).split(sep).join("/")}`, source: readFileSync(file) });
      }
    },
  };
}
