/** A worker and its messages: Inkling's own protocol (crates/inkling-core/src/protocol), whose enums arrive as `{ Variant: content }`. */

import { BUILD } from "./build.js";
import { WorkerLost } from "./errors.js";

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

export class Connection {
  readonly #worker: Worker;
  #hear: (event: Message, run: number) => void = () => {};
  #lose: (error: WorkerLost) => void = () => {};
  #watch: ReturnType<typeof setTimeout> | undefined;
  #owes = true;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Envelope>) => {
      this.#remind();
      const gone = variant<{ reason: string }>(data.event, "Unavailable");
      if (gone) this.#lost(gone.reason);
      else this.#hear(data.event, data.run);
    };
    worker.onerror = (event) => this.#lost(event.message || "its script could not be loaded");
    this.#remind();
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
    const connection = new Connection(worker);
    const ready = await new Promise<Message>((resolve, reject) => {
      const abort = () => (connection.close(), reject(signal?.reason));
      signal?.addEventListener("abort", abort, { once: true });
      connection.listen((event) => {
        const ready = variant<Message>(event, "Ready");
        if (ready === undefined) return;
        signal?.removeEventListener("abort", abort);
        resolve(ready);
      }, (error) => {
        signal?.removeEventListener("abort", abort);
        reject(new WorkerLost(`${error.message} (${address.href}). Does this page serve Inkling's files there? See "Inkling's files" in the package's README.`));
      });
    });
    const { build } = ready as unknown as { build: string };
    if (build !== BUILD) {
      connection.close();
      throw new WorkerLost(`${address.href} is of build ${build}, and this package of ${BUILD}: copy the package's folder \`site\` there again`);
    }
    connection.owes(false);
    return { connection, ready };
  }

  /** From now on, `hear` gets the worker's events, and `lose` the reason if it is lost. */
  listen(hear: (event: Message, run: number) => void, lose: (error: WorkerLost) => void): void {
    this.#hear = hear;
    this.#lose = lose;
  }

  send(command: Message): void {
    this.#worker.postMessage(command);
  }

  /** Says whether the worker has something to do, and is lost if it says nothing. */
  owes(something: boolean): void {
    this.#owes = something;
    this.#remind();
  }

  close(): void {
    clearTimeout(this.#watch);
    this.#hear = () => {};
    this.#lose = () => {};
    this.#worker.terminate();
  }

  #remind(): void {
    clearTimeout(this.#watch);
    if (this.#owes) this.#watch = setTimeout(() => this.#lost(`it has not answered for ${PATIENCE_MS / 1000} seconds`), PATIENCE_MS);
  }

  #lost(reason: string): void {
    const lose = this.#lose;
    this.close();
    lose(new WorkerLost(reason));
  }
}
