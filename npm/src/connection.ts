/** A worker and its messages: Inkling's own protocol (crates/inkling-core/src/protocol), whose enums arrive as `{ Variant: content }`. */

import { BUILD } from "./build.js";
import { InklingError, WorkerLost } from "./errors.js";

/** An enum of the protocol: a variant without content is a string. */
export type Message = string | Record<string, unknown>;

interface Envelope {
  run: number;
  event: Message;
}

/** A worker that owes an answer and says nothing for this long is lost. Compiling shaders on a slow machine takes most of a minute. */
const PATIENCE_MS = 120_000;

/** The variant of `message` with this name, or undefined. */
export function variant<T>(message: Message, name: string): T | undefined {
  return typeof message === "object" && name in message ? (message[name] as T) : undefined;
}

/** Looks at a message, and at the number of the run that it belongs to. Returns what the exchange was for, or undefined to go on. Throws to end the connection. */
export type Hear<T> = (event: Message, run: number) => T | undefined;

const ignore = () => {};

/** One exchange at a time. Whatever goes wrong closes the connection, and rejects the exchange. */
export class Connection {
  readonly #worker: Worker;
  #hear: (event: Message, run: number) => void = ignore;
  #fail: (reason: unknown) => void = ignore;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #owes = false;
  #closed: { reason: unknown } | undefined;

  private constructor(worker: Worker, address: URL) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Envelope>) => {
      this.#remind();
      const gone = variant<{ reason: string }>(data.event, "Unavailable");
      if (gone) return this.close(new WorkerLost(gone.reason));
      try {
        this.#hear(data.event, data.run);
      } catch (error) {
        this.close(error);
      }
    };
    // An error without a message is that of a script that can't be fetched.
    worker.onerror = ({ message }) =>
      this.close(new WorkerLost(message || `${address.href} can't be loaded; does this page serve Inkling's files there? See "Inkling's files" in the package's README`));
  }

  /**
   * Starts `program` and waits until it is ready. Closes it if `signal` aborts in the meantime.
   *
   * @throws WorkerLost if it can't work, with the reason.
   */
  static async open(site: URL, program: string, signal?: AbortSignal): Promise<{ connection: Connection; ready: Message }> {
    signal?.throwIfAborted();
    const address = new URL(`worker-loader.js?worker=${program}&build=${BUILD}`, site);
    let worker: Worker;
    try {
      worker = new Worker(address, { name: program });
    } catch (error) {
      // A worker's script must be of the page's own origin.
      throw new WorkerLost(`${address.href} can't be started: ${error instanceof Error ? error.message : error}`);
    }
    const connection = new Connection(worker, address);
    const ready = await connection.exchange([], (event) => variant<Message>(event, "Ready"), signal);
    const { build } = ready as unknown as { build: string };
    if (build !== BUILD) {
      connection.close();
      throw new WorkerLost(`${address.href} is of build ${build}, and this package of ${BUILD}: copy the package's folder \`site\` there again`);
    }
    return { connection, ready };
  }

  /**
   * Sends commands, and waits until `hear` returns something. Closes the connection if `signal` aborts.
   *
   * @throws InklingError if the worker says why it failed.
   */
  exchange<T>(commands: readonly Message[], hear: Hear<T>, signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed.reason);
      const abort = () => this.close(signal?.reason);
      const over = (settle: () => void) => {
        signal?.removeEventListener("abort", abort);
        this.#hear = this.#fail = ignore;
        this.owes(false);
        settle();
      };
      this.#hear = (event, run) => {
        const failed = variant<string>(event, "Failed");
        if (failed !== undefined) throw new InklingError(failed);
        const found = hear(event, run);
        if (found !== undefined) over(() => resolve(found));
      };
      this.#fail = (reason) => over(() => reject(reason));
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort, { once: true });
      this.owes(true);
      try {
        for (const command of commands) this.send(command);
      } catch (error) {
        this.close(error); // what can't be copied into a worker
      }
    });
  }

  send(command: Message): void {
    this.#worker.postMessage(command);
  }

  /** Says whether the worker has something to do, and is lost if it says nothing. */
  owes(something: boolean): void {
    this.#owes = something;
    this.#remind();
  }

  /** Ends the worker. `reason` rejects this exchange and later ones. */
  close(reason: unknown = new WorkerLost("it has been closed")): void {
    if (this.#closed) return;
    this.#closed = { reason };
    this.#worker.terminate();
    this.#fail(reason);
    clearTimeout(this.#watch);
  }

  #remind(): void {
    clearTimeout(this.#watch);
    if (!this.#owes || this.#closed) return;
    this.#watch = setTimeout(() => this.close(new WorkerLost(`it has not answered for ${PATIENCE_MS / 1000} seconds`)), PATIENCE_MS);
  }
}
