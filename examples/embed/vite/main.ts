import { type Labelled, load, train } from "inkling";

const SIDE = 16;
const NAMES = ["horizontal", "vertical"];
const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const say = (text: string) => (element("state").textContent = text);
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** Stripes of random width, place and strength: class 0 is horizontal, class 1 vertical. */
function stripes(count: number): Labelled {
  const pixels = new Uint8Array(count * SIDE * SIDE);
  const labels = Array.from({ length: count }, (_, image) => image % 2);
  labels.forEach((label, image) => {
    const [period, shift, ink] = [3 + Math.random() * 4, Math.random() * 6, 60 + Math.random() * 190];
    for (let at = 0; at < SIDE * SIDE; at++) {
      const along = label === 0 ? Math.floor(at / SIDE) : at % SIDE;
      const noise = Math.random() * 60;
      pixels[image * SIDE * SIDE + at] = Math.min(255, noise + ((along + shift) % period < period / 2 ? ink : 0));
    }
  });
  return { pixels, labels };
}

async function run(signal: AbortSignal): Promise<void> {
  const dataset = { channels: 1 as const, side: SIDE, names: NAMES, train: stripes(600), test: stripes(200) };
  const run = train({ dataset, net: "conv 6, pool, dense 16", epochs: 3, batch: 20, augment: false, backend: "cpu", signal });
  for await (const event of run) {
    if (event.type === "loaded") say(`${event.train} images to train on`);
    if (event.type === "test") say(`${percent(event.accuracy)} of the test images are right.`);
    if (event.type !== "epoch") continue;
    const row = element<HTMLTableSectionElement>("epochs").insertRow();
    for (const cell of [String(event.epoch), percent(event.trainAccuracy), percent(event.validationAccuracy)]) row.insertCell().textContent = cell;
  }

  // A file takes the network elsewhere, and back.
  using trained = await run.network;
  using opened = await load(await trained.save("safetensors"), { signal });
  const { pixels } = stripes(2);
  const answer = await opened.predict(pixels.subarray(SIDE * SIDE));
  element("answer").textContent = `Opened from its file, the network takes vertical stripes for ${NAMES[answer.class]} (${percent(answer.probabilities[answer.class] ?? 0)}).`;
}

const [start, cancel] = [element<HTMLButtonElement>("train"), element<HTMLButtonElement>("cancel")];
start.addEventListener("click", async () => {
  const control = new AbortController();
  cancel.onclick = () => control.abort();
  [start.disabled, cancel.disabled] = [true, false];
  element("epochs").replaceChildren();
  await run(control.signal).catch((error: Error) => say(error.name === "AbortError" ? "Cancelled." : error.message));
  [start.disabled, cancel.disabled] = [false, true];
});
