/** Defines `<inkling-trainer>`: parts of Inkling's page inside another page. */

import { DEFAULTS, type Settings } from "./settings.js";
import { siteAddress } from "./site.js";

/** A part of the trainer that the attribute `controls` may name. */
export type Part = "train" | "settings" | "sketch" | "network" | "curves" | "matrix";

/** The run as the trainer shows it: the JSON of its "Save and open" section. */
export interface Summary {
  state: "idle" | "loading" | "training" | "paused" | "finished" | "stopped" | "failed";
  history: { epoch: number; train_loss: number; train_accuracy: number; validation_loss: number; validation_accuracy: number }[];
  test_accuracy: number | null;
  [more: string]: unknown;
}

type Press = "train" | "stop" | "reset";

interface Told {
  /** The trainer takes presses from now on. */
  ready?: true;
  height?: number;
  summary?: Summary;
}

const SETTINGS = Object.keys(DEFAULTS) as (keyof Settings)[];

/**
 * Attributes: `controls` (the parts to show, separated by spaces; `train sketch curves` without it), `site` (where Inkling's files are), and every
 * setting by the name that it has in an address: `net`, `dataset`, `epochs`, `augment`, … A change of an attribute restarts the trainer.
 *
 * Fires `change` whenever the run changes, and `finish` once it is finished; {@link InklingTrainer.summary} has the numbers.
 */
export class InklingTrainer extends HTMLElement {
  static readonly observedAttributes = ["controls", "site", "label", ...SETTINGS];

  readonly #frame = document.createElement("iframe");
  readonly #listen = (event: MessageEvent<{ inkling?: Told } | null>) => this.#hear(event);
  #summary: Summary | undefined;
  #queued = false;
  #ready = false;
  /** What was pressed before the trainer was ready. */
  readonly #waiting: Press[] = [];

  constructor() {
    super();
    // A page's policy may refuse a style element.
    const style = new CSSStyleSheet();
    style.replaceSync(":host { display: block; } iframe { display: block; width: 100%; height: 24rem; border: 0; color-scheme: inherit; }");
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [style];
    root.append(this.#frame);
  }

  /** The run; undefined until the trainer has started. */
  get summary(): Summary | undefined {
    return this.#summary;
  }

  /** Presses Train: starts the run, pauses it, or resumes it. */
  train(): void {
    this.#press("train");
  }

  /** Ends a run that is paused. */
  stop(): void {
    this.#press("stop");
  }

  /** Ends the run and forgets it. */
  reset(): void {
    this.#press("reset");
  }

  connectedCallback(): void {
    addEventListener("message", this.#listen);
    this.#open();
  }

  disconnectedCallback(): void {
    removeEventListener("message", this.#listen);
    this.#frame.removeAttribute("src"); // its workers end
    this.#summary = undefined;
    this.#ready = false;
    this.#waiting.length = 0;
  }

  attributeChangedCallback(): void {
    this.#open();
  }

  /** Once for all attributes that change together. */
  #open(): void {
    if (this.#queued) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      if (!this.isConnected) return;
      const query = new URLSearchParams({ embed: (this.getAttribute("controls") ?? "").trim().replace(/\s+/g, ",") });
      for (const name of SETTINGS) {
        const value = this.getAttribute(name);
        // As HTML writes what is either on or off.
        const on = typeof DEFAULTS[name] === "boolean" && (value === "" || value === name);
        if (value !== null) query.set(name, on ? "1" : value);
      }
      const address = new URL(`index.html?${query}`, siteAddress(this.getAttribute("site") ?? undefined)).href;
      this.#frame.title = this.getAttribute("label") ?? "Inkling: train a neural network";
      if (this.#frame.src !== address) {
        this.#summary = undefined;
        this.#ready = false;
        this.#frame.src = address;
      }
      this.#flush();
    });
  }

  #press(press: Press): void {
    this.#waiting.push(press);
    this.#flush();
  }

  #flush(): void {
    if (!this.#ready || this.#queued) return;
    for (const press of this.#waiting.splice(0)) this.#frame.contentWindow?.postMessage({ inkling: { press } }, "*");
  }

  #hear({ source, data }: MessageEvent<{ inkling?: Told } | null>): void {
    if (source !== this.#frame.contentWindow || !data?.inkling) return;
    const { ready, height, summary } = data.inkling;
    if (ready) {
      this.#ready = true;
      this.#flush();
    }
    if (height !== undefined) this.#frame.style.height = `${height}px`;
    if (!summary) return;
    const finished = summary.state === "finished" && this.#summary?.state !== "finished";
    this.#summary = summary;
    this.dispatchEvent(new Event("change"));
    if (finished) this.dispatchEvent(new Event("finish"));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "inkling-trainer": InklingTrainer;
  }
}

if (!customElements.get("inkling-trainer")) customElements.define("inkling-trainer", InklingTrainer);
