//! One forward and backward pass: dropout, loss, gradients.

use burn::tensor::{Device, Gradients, Int, Tensor, TensorData, activation::log_softmax};
use inkling_core::{
    metrics::Parts,
    random::{Purpose, generator},
    settings::Kernels,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::{
    feed::Feed,
    model::{Cnn, HIDDEN},
    read::StepMetrics,
    resident,
    schedule::Schedule,
};

/// The part of a run's recipe that a training step needs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Seed of the weights and of dropout.
    pub seed: u32,
    /// Fraction of the hidden units that each step drops.
    pub dropout: f64,
    /// The learning-rate schedule.
    pub schedule: Schedule,
    /// The kernels that compute the network.
    pub kernels: Kernels,
}

/// The part of a step's batch that a pass works on: a replica computes only a shard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// Number of the step, counted from 0.
    pub step: u32,
    /// Position of the shard's first image in the batch.
    pub first: usize,
    /// Number of images in the whole batch.
    pub of: usize,
}

/// One forward and backward pass. Gradients and metrics are shares of the whole batch's means: the shares of all shards
/// add up to the means.
pub struct Pass {
    /// Share of the gradients.
    pub gradients: Gradients,
    /// Share of the loss and of the accuracy.
    pub metrics: StepMetrics,
}

impl Pass {
    /// Runs the forward and the backward pass on `feed`.
    pub fn new(model: &Cnn, feed: Feed, shard: Shard, recipe: Recipe, parts: &mut Parts) -> Self {
        let start = Instant::now();
        let Feed { images, labels, counted, weights } = feed;
        let [n, ..] = images.dims();
        let packed = resident::POSSIBLE && weights.is_some();
        let dropout = dropout(recipe, shard, n, &images.device(), packed);
        let logits = model.forward_dropping(images, dropout);
        let losses = cross_entropies(logits.clone(), labels.clone()); // [N]
        let hits = logits.inner().argmax(1).squeeze_dim::<1>(1).equal(labels.inner()).float(); // [N]
        let share = counted as f64 / shard.of as f64;
        let loss = mean(losses, weights.clone()) * share;
        let accuracy = mean(hits, weights.map(Tensor::inner)) * share;
        let forward = Instant::now();
        let gradients = loss.backward();
        parts.forward += (forward - start).as_secs_f64();
        parts.backward += forward.elapsed().as_secs_f64();
        Pass { gradients, metrics: StepMetrics(Tensor::cat(vec![loss.inner(), accuracy], 0)) }
    }
}

/// Mean of `values` `[N]`, weighted if there are `weights` `[N]`.
fn mean(values: Tensor<1>, weights: Option<Tensor<1>>) -> Tensor<1> {
    match weights {
        None => values.mean(),
        Some(weights) => (values * weights).sum(),
    }
}

/// Factors for the hidden units, `[N, 128]`: 0 for a dropped unit; for the others, the factor that preserves the mean
/// (Srivastava et al. 2014). They depend only on the seed, the step and the position in the batch, so shards drop the
/// same units as the whole batch would.
///
/// If `packed`, the mask is sent to the device as bits: 1 KB for 64 images instead of 32 KB.
fn dropout(recipe: Recipe, shard: Shard, images: usize, device: &Device, packed: bool) -> Tensor<2> {
    const WORD: usize = u32::BITS as usize;
    let limit = (recipe.dropout * f64::from(u32::MAX)) as u32;
    let factor = 1.0 / (1.0 - recipe.dropout) as f32;
    let mut keeps = Vec::with_capacity(images * HIDDEN);
    for image in shard.first..shard.first + images {
        let mut rng = generator(recipe.seed, Purpose::Dropout, u64::from(shard.step), image as u64);
        keeps.extend((0..HIDDEN).map(|_| rng.random::<u32>() >= limit));
    }
    if !packed {
        let values: Vec<f32> = keeps.into_iter().map(|keep| if keep { factor } else { 0.0 }).collect();
        return Tensor::from_data(TensorData::new(values, [images, HIDDEN]), device);
    }
    let word = |keeps: &[bool]| keeps.iter().rev().fold(0u32, |word, &keep| word << 1 | u32::from(keep)) as i32;
    let words: Vec<i32> = keeps.chunks(WORD).map(word).collect();
    let shape = [images, HIDDEN / WORD, WORD];
    let words = Tensor::<2, Int>::from_data(TensorData::new(words, [images, HIDDEN / WORD]), device);
    let places = Tensor::<1, Int>::arange(0..WORD as i64, device).reshape([1, 1, WORD]).expand(shape);
    let bits = words.unsqueeze_dim::<3>(2).expand(shape).bitwise_right_shift(places).bitwise_and_scalar(1);
    (bits.float() * factor).reshape([images, HIDDEN])
}

/// Mean cross-entropy of `logits` `[N, 10]` against `labels` `[N]`, in nats.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    cross_entropies(logits, labels).mean()
}

fn cross_entropies(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)).squeeze_dim::<1>(1).neg()
}

/// Mean cross-entropy in nats, without dropout, of the images that count; the images `[N, 1, 28, 28]`; their logits
/// `[N, 10]`.
pub fn loss(model: &Cnn, feed: Feed) -> (Tensor<1>, Tensor<4>, Tensor<2>) {
    let logits = model.forward(feed.images.clone());
    let losses = cross_entropies(logits.clone(), feed.labels);
    (mean(losses, feed.weights), feed.images, logits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_dropout_equals_unpacked_dropout() {
        let schedule = Schedule { peak: 0.002, steps: 10 };
        let recipe = Recipe { seed: 3, dropout: 0.3, schedule, kernels: Kernels::Fused };
        let shard = Shard { step: 2, first: 5, of: 30 };
        let values =
            |packed| dropout(recipe, shard, 9, &Device::flex(), packed).into_data().try_into_vec::<f32>().unwrap();
        let plain = values(false);
        assert_eq!(values(true), plain);
        let dropped = plain.iter().filter(|value| **value == 0.0).count() as f64 / plain.len() as f64;
        assert!((dropped - 0.3).abs() < 0.05, "{dropped}");
    }
}
