import { programs } from "./backend.js";
import { Connection, type Message, variant } from "./connection.js";
import { InklingError, WorkerLost } from "./errors.js";
import { type Format, type Plan, protocolFormat, read, type Weights, write } from "./files.js";
import { siteAddress } from "./site.js";

/** What a network sees in an image. */
export interface Prediction {
  /** The most probable class, from 0. */
  class: number;
  /** Its name. */
  name: string;
  /** The probability of each class; they add up to 1. */
  probabilities: number[];
}

type Asked = { resolve: (answer: any) => void; reject: (error: unknown) => void };

// `using` needs it, and not every browser has it; compilers then look for this one.
(Symbol as { dispose?: symbol }).dispose ??= Symbol.for("Symbol.dispose");

/** A trained network. Its worker lives until {@link Network.close}. */
export class Network implements Disposable {
  /** Layers from the image to the second-to-last, as in the setting `net`. */
  readonly layers: string;
  /** Shape of an image: 1 (gray) or 3 (colour) channels of `side` by `side` pixels. */
  readonly image: { readonly channels: number; readonly side: number };
  /** Names of the classes. */
  readonly classes: readonly string[];
  readonly #site: URL;
  readonly #plan: Plan;
  readonly #connection: Connection;
  #weights: Weights | undefined;
  #asked: Asked | undefined;
  #export: Asked | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #next = 1;
  #closed: InklingError | undefined;

  /** @internal */
  constructor(site: URL, plan: Plan, names: readonly string[], connection: Connection, weights?: Weights) {
    this.#site = site;
    this.#plan = plan;
    this.#connection = connection;
    this.#weights = weights;
    this.layers = plan.layers;
    this.image = { channels: plan.data.channels, side: plan.data.side };
    this.classes = names.length > 0 ? names : Array.from({ length: plan.data.classes }, (_, number) => String(number));
    connection.owes(false);
    connection.listen((event) => this.#hear(event), (error) => this.#end(new InklingError(`The worker was lost: ${error.message}.`)));
  }

  /**
   * What the network sees in an image.
   *
   * @param pixels - `[channels, side, side]`, 0 (paper, or dark) to 255 (ink, or bright).
   * @throws InklingError if these are not the pixels of one image.
   */
  async predict(pixels: ArrayLike<number>): Promise<Prediction> {
    const values = this.image.channels * this.image.side ** 2;
    if (pixels.length !== values) throw new InklingError(`An image of this network has ${values} values, not ${pixels.length}.`);
    const bytes = Uint8Array.from(pixels);
    const { probabilities } = await this.#inTurn(() =>
      this.#ask<{ probabilities: number[] | null }>({ Ask: { id: this.#next, question: { Predict: { pixels: bytes, epoch: null } } } }));
    if (!probabilities) throw new InklingError("There is no network.");
    const best = probabilities.indexOf(Math.max(...probabilities));
    return { class: best, name: this.classes[best] ?? String(best), probabilities: [...probabilities] };
  }

  /** The weights as a file. */
  async save(format: Format = "safetensors"): Promise<Uint8Array> {
    const name = protocolFormat(format);
    this.#weights ??= await this.#inTurn(() => new Promise<Weights>((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      this.#export = { resolve, reject };
      this.#connection.owes(true);
      this.#connection.send({ Export: name });
    }));
    return write(this.#site, format, this.#plan, this.#weights);
  }

  /** Ends the worker. What has not been answered is rejected. */
  close(): void {
    this.#connection.close();
    this.#end(new InklingError("The network has been closed."));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** One request after the other: a worker answers only the newest question of a kind. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(action, action);
    this.#last = turn.catch(() => {});
    return turn;
  }

  #ask<T>(command: Message): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      this.#asked = { resolve, reject };
      this.#connection.owes(true);
      this.#connection.send(command);
    });
  }

  #hear(event: Message): void {
    const answer = variant<{ id: number; answer: { Predict: unknown } }>(event, "Answer");
    const refused = variant<{ id: number }>(event, "Refused");
    const exported = variant<{ weights: Weights }>(event, "Export");
    if (exported) this.#export?.resolve(exported.weights);
    else if (refused?.id === this.#next) this.#asked?.reject(new InklingError("The network can't answer this."));
    else if (answer?.id === this.#next) this.#asked?.resolve(answer.answer.Predict);
    else return;
    if (!exported) this.#next++;
    this.#connection.owes(false);
  }

  #end(error: InklingError): void {
    this.#closed ??= error;
    for (const asked of [this.#asked, this.#export]) asked?.reject(error);
  }
}

export interface LoadOptions {
  /** Stops loading. */
  signal?: AbortSignal;
  /** Where Inkling's files are (see the README). */
  site?: string | URL;
  /** Names of the classes, which a file does not have; the numbers from 0 without them. */
  names?: readonly string[];
}

/**
 * Opens a network from a safetensors or burnpack file that Inkling wrote. It answers on the CPU.
 *
 * @param source - The file, or its address.
 * @throws InklingError if the file can't be fetched or read.
 */
export async function load(source: string | URL | Blob | ArrayBuffer | Uint8Array, options: LoadOptions = {}): Promise<Network> {
  const { signal } = options;
  const site = siteAddress(options.site);
  const { net, weights } = await read(site, await bytes(source, signal), signal);
  let last: unknown;
  for (const program of await programs("cpu")) {
    try {
      const { connection } = await Connection.open(site, program, signal);
      await settled(connection, { Load: { run: 1, net, weights } }, signal);
      return new Network(site, net, options.names ?? [], connection, weights);
    } catch (error) {
      if (!(error instanceof WorkerLost)) throw error;
      last = error.message;
    }
  }
  throw new InklingError(`No worker can start: ${last}`);
}

async function bytes(source: Parameters<typeof load>[0], signal?: AbortSignal): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  const response = await fetch(source, { signal: signal ?? null }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new InklingError(`${source} can't be fetched: ${error instanceof Error ? error.message : error}`);
  });
  if (!response.ok) throw new InklingError(`${source} can't be fetched: the server answered ${response.status}.`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Sends a command that ends in a state, and waits for it. */
function settled(connection: Connection, command: Message, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => (connection.close(), reject(signal?.reason));
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort, { once: true });
    const done = (settle: () => void) => (signal?.removeEventListener("abort", abort), settle());
    connection.listen((event) => {
      const [failed, state] = [variant<string>(event, "Failed"), variant<string>(event, "State")];
      if (failed !== undefined) done(() => (connection.close(), reject(new InklingError(failed))));
      else if (state !== undefined) done(resolve);
    }, (error) => done(() => reject(error)));
    connection.owes(true);
    connection.send(command);
  });
}
