// Runs before the first paint, so that nothing moves: large text, for a projector, if the visitor chose it before.
"use strict";
{
  const key = `inkling ${new URL(".", location).pathname} projector`;
  const kept = (action) => { try { return action(); } catch { return null; } };
  const show = (large) => document.documentElement.toggleAttribute("data-projector", large);
  show(kept(() => localStorage.getItem(key)) !== null);
  addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("projector");
    box.checked = document.documentElement.hasAttribute("data-projector");
    box.addEventListener("change", () => {
      kept(() => (box.checked ? localStorage.setItem(key, "") : localStorage.removeItem(key)));
      show(box.checked);
      dispatchEvent(new Event("resize")); // the canvases have another size now
    });
  });
}
