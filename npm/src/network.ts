/// <reference lib="esnext.disposable" preserve="true" />
import { programs } from "./backend.js";
import { Connection, type Hear, type Message, variant } from "./connection.js";
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

interface Answer {
  id: number;
  answer: { Predict: { probabilities: number[] | null } | null };
}

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
  #last: Promise<unknown> = Promise.resolve();
  #next = 1;

  /** @internal */
  constructor(site: URL, plan: Plan, names: readonly string[], connection: Connection, weights?: Weights) {
    this.#site = site;
    this.#plan = plan;
    this.#connection = connection;
    this.#weights = weights;
    this.layers = plan.layers;
    this.image = { channels: plan.data.channels, side: plan.data.side };
    this.classes = names.length > 0 ? names : Array.from({ length: plan.data.classes }, (_, number) => String(number));
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
    const answer = await this.#inTurn<Answer>((id) => [
      { Ask: { id, question: { Predict: { pixels: Uint8Array.from(pixels), epoch: null } } } },
      (event) => {
        const refused = variant<{ id: number }>(event, "Refused");
        return refused?.id === id ? { id, answer: { Predict: null } } : variant<Answer>(event, "Answer");
      },
    ]);
    const probabilities = answer.answer.Predict?.probabilities;
    if (!probabilities) throw new InklingError("The network can't answer this.");
    const best = probabilities.indexOf(Math.max(...probabilities));
    return { class: best, name: this.classes[best] ?? String(best), probabilities: [...probabilities] };
  }

  /** The weights as a file. */
  async save(format: Format = "safetensors"): Promise<Uint8Array> {
    const name = protocolFormat(format);
    this.#weights ??= await this.#inTurn<Weights>(() => [
      { Export: name },
      (event) => variant<{ weights: Weights }>(event, "Export")?.weights,
    ]);
    return write(this.#site, format, this.#plan, this.#weights);
  }

  /** Ends the worker. What has not been answered is rejected. */
  close(): void {
    this.#connection.close(new InklingError("The network has been closed."));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** One request after the other: a worker answers only the newest question of a kind. */
  #inTurn<T>(request: (id: number) => [Message, Hear<T>]): Promise<T> {
    const turn = this.#last.then(async () => {
      const [command, hear] = request(this.#next++);
      try {
        return await this.#connection.exchange([command], hear);
      } catch (error) {
        throw error instanceof WorkerLost ? new InklingError(`The worker was lost: ${error.message}.`) : error;
      }
    });
    this.#last = turn.catch(() => {});
    return turn;
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
      await connection.exchange([{ Load: { run: 1, net, weights } }], (event) => {
        const refused = variant<string>(event, "Warning");
        if (refused !== undefined) throw new InklingError(refused);
        return variant<string>(event, "State");
      }, signal);
      return new Network(site, net, options.names ?? [], connection, weights);
    } catch (error) {
      if (!(error instanceof WorkerLost)) throw error;
      last = error.message;
    }
  }
  throw new InklingError(`No worker can start: ${last}.`);
}

async function bytes(source: Parameters<typeof load>[0], signal?: AbortSignal): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  try {
    const response = await fetch(source, { signal: signal ?? null });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    signal?.throwIfAborted();
    throw new InklingError(`${source} can't be fetched: ${error instanceof Error ? error.message : error}.`);
  }
}
