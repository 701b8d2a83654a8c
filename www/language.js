// Another language than English, if the address asks for one: `?language=de` takes the table www/messages/de.json. The texts of
// index.html are translated here, those of the page's program in the program (crates/inkling-core/src/language.rs).
"use strict";
{
  const ATTRIBUTES = ["title", "aria-label", "placeholder"];
  const tidy = (text) => text.replace(/\s+/g, " ").trim();
  /** Elements that may stand inside a sentence. In a table, `{0}…{/0}` stands for the first of them, and `{0}` for a line break. */
  const isInline = (node) => node.nodeType !== Node.ELEMENT_NODE || (/^(B|CODE|EM|I|SMALL|BR)$/.test(node.tagName) && !node.id && node.childElementCount === 0);

  /** Each text of the page as [English, write]: `write` puts another text in its place. What the program draws is left out. */
  const texts = function* (root) {
    const inSentence = new Set();
    for (const element of [root, ...root.querySelectorAll("*")]) {
      if (element.parentElement.closest("[data-painted], noscript") || element.matches("script, pre")) continue;
      for (const name of ATTRIBUTES) if (element.hasAttribute(name)) yield [tidy(element.getAttribute(name)), (text) => element.setAttribute(name, text)];
      if (inSentence.has(element) || element.hasAttribute("data-painted")) continue;
      const nodes = [...element.childNodes].filter((node) => node.nodeType !== Node.COMMENT_NODE);
      if (!nodes.some((node) => node.nodeType === Node.TEXT_NODE && tidy(node.data))) continue;
      if (nodes.every(isInline)) {
        const inner = nodes.filter((node) => node.nodeType === Node.ELEMENT_NODE);
        inner.forEach((element) => inSentence.add(element));
        const part = (node) => {
          const place = inner.indexOf(node);
          return place < 0 ? node.data : node.tagName === "BR" ? `{${place}}` : `{${place}}${node.textContent}{/${place}}`;
        };
        yield [tidy(nodes.map(part).join("")), (text) => element.replaceChildren(...rebuilt(text, inner))];
      } else {
        for (const node of nodes) {
          if (node.nodeType !== Node.TEXT_NODE || !tidy(node.data)) continue;
          const [, before, after] = node.data.match(/^(\s*)[^]*?(\s*)$/);
          yield [tidy(node.data), (text) => (node.data = before + text + after)];
        }
      }
    }
  };

  /** A translated sentence, with copies of the elements that its numbers stand for. */
  const rebuilt = (text, inner) =>
    [...text.matchAll(/\{(\d+)\}(?:([^{]*)\{\/\1\})?|[^{]+|\{/g)].map(([whole, place, words]) => {
      const element = inner[place]?.cloneNode();
      if (!element) return whole;
      if (words !== undefined) element.textContent = words;
      return element;
    });

  const load = async (name) => {
    try {
      const response = await fetch(`messages/${name}.json`, { signal: AbortSignal.timeout(20_000) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const table = await response.json();
      for (const [english, write] of [...texts(document.body)]) if (typeof table[english] === "string") write(table[english]);
      document.documentElement.lang = name;
      for (const link of document.querySelectorAll('a[href^="?"]')) link.search += `&language=${name}`;
      return table;
    } catch (error) {
      console.warn(`Inkling does not speak ${name}: ${error.message}`);
      return {};
    }
  };

  const name = new URLSearchParams(location.search).get("language");
  /** Every text in English; for the table of messages. */
  self.inklingTexts = () => [...texts(document.body)].map(([english]) => english);
  /** A promise of the table, or undefined: then the page speaks English. */
  self.inklingTable = name && name !== "en" && /^[A-Za-z-]{2,12}$/.test(name) ? load(name) : undefined;
}
