/** Where Inkling's files are: its programs, its workers, and the page that the element shows. */

// `inkling/vite` defines it.
declare const __INKLING_SITE__: string | undefined;
// As a variable, because bundlers would take a literal address for a file to bundle.
const here = import.meta.url;

/**
 * The folder with Inkling's files. It ends with a slash.
 *
 * @param site - Where you serve the folder `site` of this package. Without it: where `inkling/vite` put it, or beside this module.
 */
export function siteAddress(site?: string | URL): URL {
  const page = globalThis.document?.baseURI ?? location.href;
  const address = site ?? (typeof __INKLING_SITE__ === "string" ? __INKLING_SITE__ : undefined);
  const folder = address === undefined ? new URL("../site/", here) : new URL(address, page);
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";
  return folder;
}
