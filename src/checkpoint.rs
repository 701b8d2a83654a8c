//! A run as plain data, exact: what a fresh session needs to go on as if nothing had happened. No Burn in it, so that the
//! page can keep one.

use serde::{Deserialize, Serialize};

/// Where a run was, between two steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The epoch, from 1; one more than there are to train once all are validated.
    pub epoch: u32,
    /// Images of this epoch that were trained on.
    pub done: u32,
    /// Sum of their losses, in nats.
    pub loss: f64,
    /// How many of them were predicted right.
    pub hits: f64,
    /// Seconds of this epoch, without pauses.
    pub seconds: f64,
    /// The epoch with the lowest validation loss so far, and that loss.
    #[serde(default)]
    pub best: Option<(u32, f64)>,
    /// The network.
    pub trainer: TrainerState,
}

/// A network in training. What is random depends on seed, step and epoch alone, so this is all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainerState {
    /// Steps done.
    pub step: u32,
    /// The weights in one row and, after the first step, Adam's two moments likewise. As bytes: the page, which only keeps
    /// them, is to copy them and no more.
    #[serde(with = "serde_bytes")]
    values: Vec<u8>,
}

impl TrainerState {
    /// After `step` steps.
    pub fn new(step: u32, values: &[f32]) -> Self {
        TrainerState { step, values: values.iter().flat_map(|value| value.to_le_bytes()).collect() }
    }

    /// Whether all are numbers, and none is infinite.
    pub fn is_finite(&self) -> bool {
        self.floats().all(f32::is_finite)
    }

    /// The first `count` of them: the weights of the first layer lie there.
    pub fn first(&self, count: usize) -> Vec<f32> {
        self.floats().take(count).collect()
    }

    /// The numbers.
    pub fn values(&self) -> Vec<f32> {
        self.floats().collect()
    }

    fn floats(&self) -> impl Iterator<Item = f32> {
        self.values.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes))
    }
}
