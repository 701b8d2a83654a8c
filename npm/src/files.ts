/** The file worker: writes weights as files, and reads them. */

import { Connection, type Message, variant } from "./connection.js";
import { InklingError, WorkerLost } from "./errors.js";

/** A network as the protocol has it. */
export interface Plan {
  layers: string;
  data: { channels: number; side: number; classes: number };
}

/** Weights as the protocol has them: the step, and the values as little-endian `f32`. */
export interface Weights {
  step: number;
  values: Uint8Array;
}

/** A file for weights: PyTorch and Python read safetensors, most runtimes ONNX, and Burn its own burnpack. */
export type Format = "safetensors" | "onnx" | "burnpack";

const FORMATS: Record<Format, string> = { safetensors: "Safetensors", onnx: "Onnx", burnpack: "Burnpack" };

/** The format's name in the protocol. */
export function protocolFormat(format: Format): string {
  if (!Object.hasOwn(FORMATS, format)) throw new InklingError(`"${format}" is no format; use ${Object.keys(FORMATS).join(", ")}.`);
  return FORMATS[format];
}

/** Starts a file worker for one task, and returns the content of its answer `name`. */
async function perform<T>(site: URL, task: Message, name: string, signal?: AbortSignal): Promise<T> {
  try {
    const { connection } = await Connection.open(site, "worker_files", signal);
    const answer = await connection.exchange([task], (event) => variant<T>(event, name), signal);
    connection.close();
    return answer;
  } catch (error) {
    throw error instanceof WorkerLost ? new InklingError(`The file can't be read or written: ${error.message}.`) : error;
  }
}

/** Writes weights as a file. */
export async function write(site: URL, format: Format, net: Plan, weights: Weights): Promise<Uint8Array> {
  const saved = await perform<{ bytes: Uint8Array }>(site, { Write: { format: protocolFormat(format), net, weights } }, "Saved");
  return saved.bytes;
}

/** Reads the weights in a file, and the network that they are of. */
export const read = (site: URL, file: Uint8Array, signal?: AbortSignal) =>
  perform<{ net: Plan; weights: Weights }>(site, { Read: { net: null, file } }, "Opened", signal);
