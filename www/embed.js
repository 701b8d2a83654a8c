// Runs before the first paint. As part of another page (npm/README.md), the address names the parts to show: `embed=train,sketch`.
// Tells the page around it how tall it is and how the run goes, and takes its commands.
"use strict";
{
  const PARTS = ["train", "settings", "sketch", "network", "curves", "matrix"];
  const wanted = new URLSearchParams(location.search).get("embed");
  if (wanted !== null) {
    const parts = wanted.split(/[\s,]+/).filter((part) => PARTS.includes(part));
    self.inklingEmbed = parts.length > 0 ? parts : ["train", "sketch", "curves"];
    document.documentElement.dataset.embed = self.inklingEmbed.join(" ");
    // The page around this one may be on any origin. It learns what a visitor sees, and nothing else.
    const tell = (what) => self.parent !== self && self.parent.postMessage({ inkling: what }, "*");
    const BUTTONS = ["train", "stop", "reset"];
    addEventListener("message", ({ source, data }) => {
      if (source === self.parent && BUTTONS.includes(data?.inkling?.press)) document.getElementById(data.inkling.press).click();
    });
    addEventListener("DOMContentLoaded", () => {
      new ResizeObserver(() => tell({ height: Math.ceil(document.body.getBoundingClientRect().height) })).observe(document.body);
      // Before it is enabled for the first time, pressing it does nothing.
      const train = document.getElementById("train");
      const check = () => {
        if (train.disabled) return;
        started.disconnect();
        tell({ ready: true });
      };
      const started = new MutationObserver(check);
      started.observe(train, { attributeFilter: ["disabled"] });
      check();
      const summary = document.getElementById("run-summary");
      new MutationObserver(() => tell({ summary: JSON.parse(summary.textContent) })).observe(summary, { childList: true, characterData: true, subtree: true });
    });
  }
}
