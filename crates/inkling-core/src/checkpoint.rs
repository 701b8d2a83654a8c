//! The exact state of a run as plain data: a new session resumes from it as if nothing had happened. It does not depend
//! on Burn, so that the page can keep one.

use serde::{Deserialize, Serialize};

/// The state of a run between two steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The current epoch, from 1. Once all epochs are validated, one more than the number of epochs.
    pub epoch: u32,
    /// Number of images trained on in this epoch.
    pub done: u32,
    /// Sum of the losses of these images, in nats.
    pub loss: f64,
    /// How many of these images were predicted correctly.
    pub hits: f64,
    /// Seconds spent in this epoch, without pauses.
    pub seconds: f64,
    /// The epoch with the lowest validation loss so far, and that loss.
    #[serde(default)]
    pub best: Option<(u32, f64)>,
    /// Fingerprint of the data set; `None` in a checkpoint of an earlier version.
    #[serde(default)]
    pub data: Option<u32>,
    /// How the CPU's kernels rounded; `None` on every other backend, and in a checkpoint of an earlier version.
    #[serde(default)]
    pub rounding: Option<Rounding>,
    /// How many workers share a batch; `None` where a batch can't be shared, before the first step, and in a checkpoint of an earlier
    /// version.
    #[serde(default)]
    pub workers: Option<u32>,
    /// The state of the network.
    pub trainer: TrainerState,
}

/// How the CPU's kernels round the sum of a number and a product. A run gives the same numbers again only with the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rounding {
    /// First the product, then the sum.
    Twice,
    /// Only the sum, in one fused instruction.
    Once,
}

/// A network in training. Every random draw depends only on the seed, the step and the epoch, so this is its complete
/// state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainerState {
    /// Number of completed steps.
    pub step: u32,
    /// The weights, concatenated, and after the first step also what the optimizer keeps for each, in the same layout. They are bytes
    /// because the page only keeps them: it copies them without converting them.
    #[serde(with = "serde_bytes")]
    values: Vec<u8>,
}

impl TrainerState {
    /// The state after `step` steps.
    pub fn new(step: u32, values: &[f32]) -> Self {
        TrainerState { step, values: values.iter().flat_map(|value| value.to_le_bytes()).collect() }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.values.len() / size_of::<f32>()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether all values are finite numbers.
    pub fn is_finite(&self) -> bool {
        self.floats().all(f32::is_finite)
    }

    /// The first `count` values, which start with the weights of the first layer.
    pub fn first(&self, count: usize) -> Vec<f32> {
        self.floats().take(count).collect()
    }

    /// All values.
    pub fn values(&self) -> Vec<f32> {
        self.floats().collect()
    }

    fn floats(&self) -> impl Iterator<Item = f32> {
        self.values.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes))
    }
}
