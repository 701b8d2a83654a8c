// Made from crates/inkling-core/src/settings/field.rs. After a change there: `UPDATE=1 cargo test -p inkling-core --test typescript`.

/** The settings of a run, by the names that they have in an address. */
export interface Settings {
  /** The images to train on. */
  dataset: "mnist" | "synthetic" | "letters" | "shapes" | "own";
  /** What trains the network: a GPU through WebGPU, the CPU, or a server that runs `inkling serve`. */
  backend: "auto" | "webgpu" | "cpu" | "ndarray" | "remote";
  /** Passes over all training images. It is a whole number from 1 to 100. */
  epochs: number;
  /** Images per training step; after each batch the weights change a little. It is a whole number from 1 to 1024. */
  batch: number;
  /** How gradients change the weights. Plain SGD and its momentum need a learning rate of about 0.05, Adam and RMSprop of about 0.003. */
  optimizer: "adam" | "adamw" | "sgd" | "momentum" | "nesterov" | "rmsprop";
  /** How the learning rate changes during the run, after the warm-up. */
  schedule: "cosine" | "constant" | "step" | "onecycle";
  /** Share of the run in which the learning rate rises to its peak. It is a number from 0 to 0.5. */
  warmup: number;
  /** Keeps weights small: decoupled with AdamW (0.01 is usual), otherwise as a penalty in the gradient (0.0001 is usual). It is a number from 0 to 1. */
  decay: number;
  /** Share of each answer that is spread over all classes, so that the network does not become too sure; 0.1 is usual. It is a number from 0 to 0.5. */
  smoothing: number;
  /** The largest norm of the gradient over all weights; a longer one is shortened. 0 means no limit, 1 is usual. It is a number from 0 to 1000. */
  clip: number;
  /** Also keeps a moving average of the weights (EMA); each step keeps this share of it, and 0.998 is usual. After each epoch both are scored, and at the end the network takes the better ones. 0 means no average. It is a number from 0 to 0.9999. */
  ema: number;
  /** An image of a rare class counts more in the loss, so that all classes count the same together. */
  balance: boolean;
  /** Ends the run when the validation loss has not fallen for this many epochs; 0 means never. It is a whole number from 0 to 100. */
  patience: number;
  /** Fixes everything random: the same seed gives the same run. It is a whole number from 0 to 4294967295. */
  seed: number;
  /** How many training and validation images to use; 0 means all of MNIST, or 6,000 synthetic ones. It is 0 (all) or a whole number from 24 to 60000. */
  images: number;
  /** Workers that share each batch on the CPU; 0 means the number that is fastest here, which is measured first. It is a whole number from 0 to 16. */
  replicas: number;
  /** Its layers from the image to the second-to-last: conv 32, pool, avgpool, globalpool, dense 128, dropout 0.3. After conv may follow 1x1, 5x5 or 7x7, same, stride 2, and after conv and dense a function: leaky, gelu, silu, tanh, sigmoid or none. The last layer is always there: dense, with a unit for each class. */
  net: string;
  /** Which operations compute the network on the CPU. */
  kernels: "fused" | "stock";
  /** How far each step moves the weights, at the peak of the schedule. It is a number from 0.000001 to 1. */
  lr: number;
  /** Moves the images at random, so that the network learns the shapes and not the pixels. */
  augment: boolean;
  /** The largest rotation in degrees, either way. It is a number from 0 to 180. */
  rotation: number;
  /** The largest change of size, as a share of the size. It is a number from 0 to 0.9. */
  zoom: number;
  /** The largest shift to either side, as a share of the width. It is a number from 0 to 0.5. */
  shift_x: number;
  /** The largest shift up or down, as a share of the height. It is a number from 0 to 0.5. */
  shift_y: number;
}

/** What a setting is if you do not give it. */
export const DEFAULTS: Settings = {
  dataset: "mnist",
  backend: "auto",
  epochs: 5,
  batch: 64,
  optimizer: "adam",
  schedule: "cosine",
  warmup: 0.1,
  decay: 0,
  smoothing: 0,
  clip: 0,
  ema: 0,
  balance: false,
  patience: 0,
  seed: 42,
  images: 0,
  replicas: 0,
  net: "conv 32, pool, conv 64, pool, dense 128, dropout 0.3",
  kernels: "fused",
  lr: 0.004,
  augment: true,
  rotation: 10,
  zoom: 0.1,
  shift_x: 0.1,
  shift_y: 0.1,
};
