/** Trains neural networks on small images, in the page. */
export type { Backend } from "./backend.js";
export { InklingError } from "./errors.js";
export type * from "./events.js";
export type { Format } from "./files.js";
export { load, type LoadOptions, Network, type Prediction } from "./network.js";
export { type Labelled, type OwnData, type Run, train, type TrainOptions } from "./run.js";
export { DEFAULTS, type Settings } from "./settings.js";
