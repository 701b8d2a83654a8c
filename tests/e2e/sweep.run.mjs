// The fault sweep: each call to the outside fails once, and hangs once, in a run with a reload in it. The run finishes, or a sentence
// says what is wrong; after the reload, the kept run is offered, unless the page has said that it would be lost.
//
// EVERY=8 injects one fault in eight. `make sweep` runs it: it takes longer than the limit of the other tests. FAULTS=page:hang:7,files:fail:2 injects these only, and says
// what came of them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./lib.mjs";
import { MODES, REALMS, laboratory } from "./sweep.mjs";

/** One in this many faults is injected. */
const EVERY = Number(process.env.EVERY ?? 1);
/** More at once would make each other's deadlines meaningless. */
const AT_ONCE = 3;
let browser, lab;
before(async () => {
  browser = await launch();
  lab = await laboratory(browser);
});
after(async () => (await browser.close(), await lab.server.close()));

test("whatever call fails or hangs, nobody is left without a word, and nothing is lost without one", async (t) => {
  const faults = [];
  if (process.env.FAULTS) {
    for (const [realm, mode, n] of process.env.FAULTS.split(",").map((fault) => fault.split(":"))) faults.push({ realm, mode, n: Number(n) });
  } else {
    const quiet = await lab.tab();
    for (const realm of REALMS) {
      const { calls } = await lab.run(quiet, { realm, mode: "fail", n: 0 });
      const count = calls.filter((call) => call.realm === realm).length;
      for (const mode of MODES) for (let n = 1; n <= count; n++) if (n % EVERY === 0) faults.push({ realm, mode, n });
    }
  }
  const suspects = [];
  const failures = [];
  const became = {}; // what became of each kind of call
  let injected = 0;
  const work = async () => {
    let tab = await lab.tab();
    for (let fault; (fault = faults.shift()); ) {
      try {
        const result = await lab.run(tab, fault);
        if (process.env.FAULTS) t.diagnostic(JSON.stringify({ ...fault, ...result, calls: undefined }));
        if (!result.injected) continue; // a call that can't hang, or that this run did not make
        injected++;
        const kind = `${fault.realm}: ${result.injected.name} ${fault.mode === "fail" ? "fails" : "hangs"}`;
        (became[kind] ??= { times: 0, outcomes: new Set() }).times++;
        became[kind].outcomes.add(result.outcome);
      } catch (error) {
        suspects.push({ fault, first: error.message });
        tab = await lab.tab(); // whatever hangs in this one stays there
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  // Where calls hang, deadlines pass forty times as fast, and a busy machine may miss one. Alone, a fault has the machine to itself.
  // It is a failure if it fails twice more.
  for (const { fault, first } of suspects) {
    t.diagnostic(`again, alone: ${first}`);
    const alone = async () => lab.run(await lab.tab(), fault);
    const result = await alone().catch(alone).catch((error) => void failures.push(error.message));
    if (result?.injected) injected++;
  }
  for (const [kind, { times, outcomes }] of Object.entries(became).sort()) t.diagnostic(`${times} x ${kind}: ${[...outcomes].join(", ")}`);
  t.diagnostic(`${injected} faults injected, ${failures.length} failures`);
  assert.deepEqual(failures, []);
  assert.ok(process.env.FAULTS || injected >= 500 / EVERY, `only ${injected} faults were injected`);
});
