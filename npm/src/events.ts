/** What a run says while it trains. Accuracies are shares from 0 to 1, losses are mean cross-entropies in nats. */

import { type Message, variant } from "./connection.js";

/** The state of a run. */
export type RunState = "loading" | "training" | "paused" | "finished" | "stopped";

/** The backend that trains. */
export interface BackendEvent {
  type: "backend";
  name: "webgpu" | "cpu";
  /** The GPU, or the engine on the CPU. */
  adapter: string;
}
/** How much of the data set has arrived, in bytes. */
export interface LoadingEvent {
  type: "loading";
  what: string;
  received: number;
  total: number;
}
/** The data set is here. */
export interface LoadedEvent {
  type: "loaded";
  source: string;
  /** 1: gray, 3: colour. */
  channels: number;
  /** Rows and columns of an image. */
  side: number;
  classes: number;
  /** Names of the classes; empty if they are the numbers from 0. */
  names: string[];
  /** Number of images of each part. */
  train: number;
  validation: number;
  test: number;
  /** Seconds to get and check it. */
  seconds: number;
}
export interface StateEvent {
  type: "state";
  state: RunState;
}
/** How far the run is; several times a second. */
export interface ProgressEvent {
  type: "progress";
  activity: "train" | "validate" | "test";
  epoch: number;
  epochs: number;
  step: number;
  steps: number;
  /** `undefined` until it is known. */
  imagesPerSecond?: number;
  secondsLeft?: number;
  /** Workers that share each batch. */
  workers: number;
}
/** The training steps since the last such event. */
export interface StepsEvent {
  type: "steps";
  steps: { step: number; loss: number; accuracy: number }[];
}
/** An epoch is over and validated. */
export interface EpochEvent {
  type: "epoch";
  epoch: number;
  step: number;
  trainLoss: number;
  trainAccuracy: number;
  validationLoss: number;
  validationAccuracy: number;
  /** The same for the average of the weights, with the setting `ema`. */
  averaged?: { loss: number; accuracy: number };
  imagesPerSecond: number;
  seconds: number;
  /** Validation images by true (row) and predicted class (column). */
  confusion: number[][];
}
/** The test set is scored. */
export interface TestEvent {
  type: "test";
  accuracy: number;
  /** 95 % Wilson interval of the accuracy. */
  interval: [number, number];
  loss: number;
  /** Test images by true (row) and predicted class (column). */
  confusion: number[][];
  seconds: number;
}
/** The worker was lost, and another one goes on from the last checkpoint, so some steps come twice. */
export interface MovedEvent {
  type: "moved";
  reason: string;
}
/** A sentence for the user; the run goes on. */
export interface WarningEvent {
  type: "warning";
  message: string;
}

export type TrainingEvent =
  | BackendEvent
  | LoadingEvent
  | LoadedEvent
  | StateEvent
  | ProgressEvent
  | StepsEvent
  | EpochEvent
  | TestEvent
  | MovedEvent
  | WarningEvent;

/** `value` with names as JavaScript has them: `train_loss` becomes `trainLoss`. Arrays of bytes stay as they are, and maps become objects. */
function renamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renamed);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const entries: Iterable<[string, unknown]> = value instanceof Map ? value : Object.entries(value);
  return Object.fromEntries([...entries].map(([name, inner]) => [camel(name), renamed(inner)]));
}

/** What the page draws from an epoch, from progress and from a score, besides what the events here have. */
const FOR_THE_PAGE = ["parts", "calibration", "right"];

/** The worker's message as an event; undefined if it is not for users of this package. */
export function toEvent(message: Message): TrainingEvent | undefined {
  const as = (type: TrainingEvent["type"], content: object) => {
    const event = { type, ...(renamed(content) as object) } as Record<string, unknown>;
    for (const name of FOR_THE_PAGE) delete event[name];
    return event as unknown as TrainingEvent;
  };
  const state = variant<RunState | "idle" | "failed">(message, "State");
  if (state !== undefined) return state === "idle" || state === "failed" ? undefined : { type: "state", state };
  const steps = variant<StepsEvent["steps"]>(message, "Steps");
  if (steps) return { type: "steps", steps };
  const epoch = variant<{ record: object; confusion: number[][] }>(message, "Epoch");
  if (epoch) return as("epoch", { ...epoch.record, confusion: epoch.confusion });
  const warning = variant<string>(message, "Warning");
  if (warning !== undefined) return { type: "warning", message: warning };
  for (const [name, type] of [["Loading", "loading"], ["Loaded", "loaded"], ["Progress", "progress"], ["Test", "test"]] as const) {
    const content = variant<object>(message, name);
    if (content) return as(type, content);
  }
  return undefined;
}
