// Runs where the welcome is, before the first paint, so that nothing moves. A browser without storage shows it on every visit.
"use strict";
{
  const key = `inkling ${new URL(".", location).pathname} welcomed`;
  const kept = (action) => { try { return action(); } catch { return null; } };
  const welcome = document.getElementById("welcome");
  welcome.hidden = Boolean(self.inklingEmbed) || kept(() => localStorage.getItem(key)) !== null;
  const done = () => {
    if (welcome.hidden) return;
    kept(() => localStorage.setItem(key, ""));
    welcome.hidden = true;
    dispatchEvent(new Event("resize")); // the charts have room now
  };
  document.getElementById("welcomed").addEventListener("click", () => (done(), document.getElementById("train").focus()));
  addEventListener("submit", done);
}
