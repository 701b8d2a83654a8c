//! Loss and predictions of a batch.

use burn::{
    module::Module,
    tensor::{Tensor, activation::log_softmax},
};
use serde::{Deserialize, Serialize};

use crate::{
    model::Model,
    read::{ReadError, read},
};

/// Loss and predictions of an evaluated batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Sum of the images' cross-entropies, in nats.
    pub loss: f64,
    /// Most probable class of each image.
    #[serde(with = "serde_bytes")]
    pub predictions: Vec<u8>,
    /// The probability of that class.
    pub confidences: Vec<f32>,
    /// True class of each image.
    #[serde(with = "serde_bytes")]
    pub labels: Vec<u8>,
}

impl Evaluated {
    /// Number of correct predictions.
    pub fn right(&self) -> u32 {
        self.predictions.iter().zip(&self.labels).map(|(a, b)| u32::from(a == b)).sum()
    }

    /// Loss and predictions of `model`, without dropout, for the first `labels.len()` of `images` `[N, C, H, W]`.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn new(model: &Model, images: Tensor<4>, labels: Vec<u8>) -> Result<Self, ReadError> {
        let log_probabilities = log_probabilities(model, images).await?;
        let rows = log_probabilities.chunks_exact(model.network().data().classes()).take(labels.len());
        let loss = rows.clone().zip(&labels).map(|(row, &label)| -f64::from(row[usize::from(label)])).sum();
        let confidences = rows.clone().map(|row| row[usize::from(argmax(row))].exp()).collect();
        Ok(Evaluated { loss, predictions: rows.map(argmax).collect(), confidences, labels })
    }
}

/// Log-probabilities `[N, classes]` of `images` `[N, C, H, W]`, row by row, without dropout.
pub(crate) async fn log_probabilities(model: &Model, images: Tensor<4>) -> Result<Vec<f32>, ReadError> {
    read("logits", log_softmax(model.valid().forward(images), 1)).await
}

/// Index of the largest value; the first one on a tie.
fn argmax(row: &[f32]) -> u8 {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = index;
        }
    }
    best as u8
}
