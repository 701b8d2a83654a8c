// Runs where the settings are, before the first paint, so that nothing moves: on small screens the run and the pad come first, so
// the settings start folded.
"use strict";
document.getElementById("fold").open = matchMedia("(min-width: 1120px)").matches;
