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
    /// The network.
    pub trainer: TrainerState,
}

/// A network in training. What is random depends on seed, step and epoch alone, so this is all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainerState {
    /// Steps done.
    pub step: u32,
    /// The weights in one row and, after the first step, Adam's two moments likewise.
    #[serde(with = "floats")]
    pub values: Vec<f32>,
}

/// Floats as bytes (little-endian), which travel as one typed array instead of one number after another.
mod floats {
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        serde_bytes::serialize(&bytes, serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        let (floats, _) = bytes.as_chunks();
        Ok(floats.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }
}
