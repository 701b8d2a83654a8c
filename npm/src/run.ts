import { type Backend, programs } from "./backend.js";
import { Connection, type Message, variant } from "./connection.js";
import { InklingError, WorkerLost } from "./errors.js";
import { type TrainingEvent, type LoadedEvent, toEvent } from "./events.js";
import { Network } from "./network.js";
import { DEFAULTS, type Settings } from "./settings.js";
import { siteAddress } from "./site.js";

/** Images with their labels. */
export interface Labelled {
  /** Pixels of all images, `[N, channels, side, side]`, 0 (paper, or dark) to 255 (ink, or bright). */
  pixels: Uint8Array;
  /** The class of each image, from 0. */
  labels: ArrayLike<number>;
}

/** Your own images. */
export interface OwnData {
  /** 1: gray, 3: colour. */
  channels: 1 | 3;
  /** Rows and columns, 8 to 64. */
  side: number;
  /** Names of the classes, 2 to 100. */
  names: string[];
  /** To train on; a part is held out for validation. */
  train: Labelled;
  /** To score the network at the end. */
  test: Labelled;
}

export interface TrainOptions extends Partial<Omit<Settings, "dataset" | "backend">> {
  /** What it learns: a data set by name, or your own images. The default is MNIST. */
  dataset?: "mnist" | "synthetic" | "letters" | "shapes" | OwnData;
  /** What trains. The default is `auto`: the GPU if there is a fast one, otherwise the CPU. */
  backend?: Backend;
  /** Ends the run at once, without a network. */
  signal?: AbortSignal;
  /** Where Inkling's files are (see the README). */
  site?: string | URL;
}

/** A run. Each iterator gets all events from the first; it ends with the run, and throws what ended it early. */
export interface Run extends AsyncIterable<TrainingEvent> {
  /** The trained network, once all epochs are done and the test set is scored, or once the run is stopped. */
  readonly network: Promise<Network>;
  /** Pauses before the next step. */
  pause(): void;
  resume(): void;
  /** Ends the run. The network keeps what it has learned; before the first step, there is none. */
  stop(): void;
}

/**
 * Trains a network in a worker of this page.
 *
 * @throws InklingError for an unknown setting, and for images and labels that do not fit together. A value that breaks its rule rejects {@link Run.network} with a sentence that has the rule.
 */
export function train(options: TrainOptions = {}): Run {
  return new Training(options);
}

/** Settings as the query of an address, which is what a worker reads. */
function toQuery(options: TrainOptions): string {
  const { signal: _, site: __, dataset, ...settings } = options;
  const unknown = Object.keys(settings).filter((key) => !Object.hasOwn(DEFAULTS, key));
  if (unknown.length > 0) throw new InklingError(`There is no setting ${unknown.join(", ")}. The settings are ${Object.keys(DEFAULTS).join(", ")}.`);
  const named = { ...settings, dataset: typeof dataset === "object" ? "own" : dataset };
  const given = Object.entries(named).filter(([, value]) => value !== undefined).map(([key, value]) => [key, String(value)]);
  return new URLSearchParams(given).toString();
}

/**
 * Your own images as the protocol has them.
 *
 * @throws InklingError if pixels, labels and names do not fit together.
 */
function toDataset({ channels, side, names, train, test }: OwnData): Message {
  if (names.some((name) => typeof name !== "string")) throw new InklingError("`dataset.names` must be texts.");
  const shape = { channels, side };
  for (const [part, { pixels, labels }] of Object.entries({ train, test })) {
    const expected = labels.length * channels * side * side;
    if (pixels.length !== expected) {
      throw new InklingError(`\`dataset.${part}\` has ${labels.length} labels, so it needs ${expected} values in \`pixels\`; it has ${pixels.length}.`);
    }
    const wrong = Array.from(labels).find((label) => !(label in names));
    if (wrong !== undefined) throw new InklingError(`\`dataset.${part}\` has the label ${wrong}, but \`dataset.names\` has ${names.length} classes, from 0.`);
  }
  const labelled = ({ pixels, labels }: Labelled) => ({ shape, pixels, labels: Uint8Array.from(labels) });
  return { UseData: { shape: { ...shape, classes: names.length }, names, train: labelled(train), test: labelled(test) } };
}

class Training implements Run {
  readonly network: Promise<Network>;
  readonly #query: string;
  readonly #own: Message | undefined;
  readonly #options: TrainOptions;
  readonly #site: URL;
  readonly #log: TrainingEvent[] = [];
  #ended: { error?: unknown } | undefined;
  #wake: () => void = () => {};
  #changed: Promise<void> = Promise.resolve();
  /** The worker, while it has its data and takes commands. */
  #connection: Connection | undefined;
  /** What every worker of this run must be told as soon as it trains. */
  #told: "Pause" | "Stop" | undefined;
  /** Whether a step is done. Before that, there is nothing to keep. */
  #began = false;
  readonly #abort = new AbortController();
  /** The last checkpoint. */
  #from: unknown = null;

  constructor(options: TrainOptions) {
    this.#options = options;
    this.#query = toQuery(options);
    this.#own = typeof options.dataset === "object" ? toDataset(options.dataset) : undefined;
    this.#site = siteAddress(options.site);
    this.#renew();
    const { signal } = options;
    const abort = () => this.#abort.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    this.network = this.#go()
      .then(
        (network) => (this.#end({}), network),
        (error: unknown) => {
          this.#end({ error });
          throw error;
        },
      )
      .finally(() => signal?.removeEventListener("abort", abort));
    this.network.catch(() => {}); // an iterator throws it as well
  }

  pause(): void {
    this.#tell("Pause");
  }

  resume(): void {
    if (this.#told !== "Pause") return;
    this.#told = undefined;
    this.#send("Resume");
  }

  stop(): void {
    if (this.#began) this.#tell("Stop");
    else this.#abort.abort(new InklingError("The run was stopped before its first step."));
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TrainingEvent> {
    for (let next = 0; ; ) {
      const changed = this.#changed;
      while (next < this.#log.length) yield this.#log[next++]!;
      if (this.#ended && next === this.#log.length) break;
      await (this.#ended ? undefined : changed);
    }
    if ("error" in this.#ended) throw this.#ended.error;
  }

  #tell(command: "Pause" | "Stop"): void {
    if (this.#told === "Stop" || this.#told === command) return;
    this.#told = command;
    this.#send(command);
  }

  #send(command: "Pause" | "Resume" | "Stop"): void {
    this.#connection?.owes(true);
    this.#connection?.send(command);
  }

  #renew(): void {
    this.#changed = new Promise((resolve) => (this.#wake = resolve));
  }

  #emit(event: TrainingEvent): void {
    this.#log.push(event);
    const wake = this.#wake;
    this.#renew();
    wake();
  }

  #end(how: { error?: unknown }): void {
    this.#ended = how;
    this.#wake();
  }

  /** Tries one program after the other. A worker that is lost after a checkpoint is replaced by one of its kind. */
  async #go(): Promise<Network> {
    const candidates = await programs(this.#options.backend ?? "auto", this.#abort.signal);
    let reason = "";
    for (let run = 1; candidates.length > 0; run++) {
      const before = this.#from;
      try {
        return await this.#attempt(candidates[0]!, run);
      } catch (error) {
        if (!(error instanceof WorkerLost)) throw error;
        reason = error.message;
        if (this.#from === before) candidates.shift();
        if (candidates.length > 0) this.#emit({ type: "moved", reason });
      }
    }
    throw new InklingError(`No worker can train: ${reason}.`);
  }

  async #attempt(program: string, run: number): Promise<Network> {
    const { connection, ready } = await Connection.open(this.#site, program, this.#abort.signal);
    const { backend } = ready as unknown as { backend: { name: "webgpu" | "cpu"; adapter: string } };
    this.#emit({ type: "backend", name: backend.name, adapter: backend.adapter });
    const loaded = await this.#trained(connection, run).finally(() => (this.#connection = undefined));
    const { channels, side, classes, names } = loaded;
    const plan = { layers: this.#options.net ?? DEFAULTS.net, data: { channels, side, classes } };
    return new Network(this.#site, plan, names, connection);
  }

  /** Trains on a worker that is ready, until the run is over. */
  #trained(connection: Connection, run: number): Promise<LoadedEvent> {
    const start = { Train: { run, query: this.#query, from: this.#from } };
    let loaded: LoadedEvent | undefined;
    return connection.exchange(this.#own ? [this.#own, start] : [start], (message, of) => {
      // Only what comes before the run can be of another one: that its data set or its settings were not understood.
      const refused = of === run ? undefined : variant<string>(message, "Warning");
      if (refused !== undefined) throw new InklingError(refused);
      this.#from = variant(message, "Checkpoint") ?? this.#from;
      const event = toEvent(message);
      if (!event) return undefined;
      this.#emit(event);
      if (event.type === "loaded") loaded = event;
      if (event.type === "steps") this.#began = true;
      if (event.type !== "state") return undefined;
      connection.owes(event.state !== "paused");
      if (event.state === "training" && !this.#connection) {
        this.#connection = connection;
        if (this.#told) this.#send(this.#told);
      }
      return event.state === "finished" || event.state === "stopped" ? loaded : undefined;
    }, this.#abort.signal);
  }
}
