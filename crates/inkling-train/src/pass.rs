//! One forward and backward pass: dropout, loss, gradients.

use burn::tensor::{Device, Int, Tensor, TensorData, activation::log_softmax};
use inkling_core::{
    metrics::Parts,
    network::Network,
    random::{Purpose, generator},
    settings::{Kernels, Method, Settings},
};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::{
    feed::Feed,
    model::{Model, Training},
    read::StepMetrics,
    resident,
    schedule::Schedule,
};

/// The part of a run's recipe that a training step needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Seed of the weights and of dropout.
    pub seed: u32,
    /// The network.
    pub net: Network,
    /// The learning-rate schedule.
    pub schedule: Schedule,
    /// How a step changes the weights.
    pub method: Method,
    /// The kernels that compute the network.
    pub kernels: Kernels,
    /// How much an image of each class counts in the loss; empty if all count the same.
    pub class_weights: Vec<f32>,
}

impl Recipe {
    /// The recipe of a network that only answers questions.
    pub fn to_ask(settings: &Settings, net: Network) -> Self {
        let Settings { seed, kernels, lr, .. } = *settings;
        let schedule = Schedule::new(lr, 1);
        Recipe { seed, net, schedule, method: settings.method(), kernels, class_weights: Vec::new() }
    }
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

/// One forward and backward pass. Changes and metrics are shares of the whole batch's means: the shares of all shards
/// add up to the means.
pub struct Pass {
    /// Share of what the step changes, as [`Model::changes`] has it: the gradients, above all.
    pub changes: Vec<Tensor<1>>,
    /// Share of the loss and of the accuracy.
    pub metrics: StepMetrics,
}

impl Pass {
    /// Runs the forward and the backward pass on `feed`.
    pub fn new(model: &Model, feed: Feed, shard: Shard, recipe: &Recipe, parts: &mut Parts) -> Self {
        let start = Instant::now();
        let Feed { images, labels, counted, weights } = feed;
        let [n, ..] = images.dims();
        let packed = resident::POSSIBLE && weights.is_some();
        let dropout = dropout(model.network(), recipe.seed, shard, n, &images.device(), packed);
        let (logits, statistics) = model.forward_training(images, Training { dropout, counted });
        let losses = smoothed(logits.clone(), labels.clone(), recipe.method.smoothing, recipe.kernels); // [N]
        let losses = match &recipe.class_weights[..] {
            [] => losses,
            weights => losses * Tensor::from_floats(weights, &labels.device()).select(0, labels.clone()),
        };
        let hits = logits.inner().argmax(1).squeeze_dim::<1>(1).equal(labels.inner()).float(); // [N]
        let share = counted as f64 / shard.of as f64;
        let loss = mean(losses, weights.clone()) * share;
        let accuracy = mean(hits, weights.map(Tensor::inner)) * share;
        let forward = Instant::now();
        let changes = model.changes(loss.backward(), statistics, share);
        parts.forward += (forward - start).as_secs_f64();
        parts.backward += forward.elapsed().as_secs_f64();
        Pass { changes, metrics: StepMetrics(Tensor::cat(vec![loss.inner(), accuracy], 0)) }
    }
}

/// Mean of `values` `[N]`, weighted if there are `weights` `[N]`.
fn mean(values: Tensor<1>, weights: Option<Tensor<1>>) -> Tensor<1> {
    match weights {
        None => values.mean(),
        Some(weights) => (values * weights).sum(),
    }
}

/// For each dropout layer, factors for its units, `[N, units]`: 0 for a dropped unit; for the others, the factor that
/// preserves the mean (Srivastava et al. 2014). They depend only on the seed, the step and the position in the batch, so
/// shards drop the same units as the whole batch would.
///
/// If `packed`, the masks are sent to the device as bits: 1 KB for 64 images and 128 units instead of 32 KB.
pub(crate) fn dropout(
    net: &Network,
    seed: u32,
    shard: Shard,
    images: usize,
    device: &Device,
    packed: bool,
) -> Vec<Tensor<2>> {
    let generators = shard.first..shard.first + images;
    let generator = |image| generator(seed, Purpose::Dropout, u64::from(shard.step), image as u64);
    let mut generators: Vec<_> = generators.map(generator).collect();
    let mask = |(units, share): (usize, f64)| {
        let limit = (share * f64::from(u32::MAX)) as u32;
        let factor = 1.0 / (1.0 - share) as f32;
        let mut keeps = Vec::with_capacity(images * units);
        for rng in &mut generators {
            keeps.extend((0..units).map(|_| rng.random::<u32>() >= limit));
        }
        if packed {
            return unpacked(&keeps, [images, units], device) * factor;
        }
        let values: Vec<f32> = keeps.into_iter().map(|keep| if keep { factor } else { 0.0 }).collect();
        Tensor::from_data(TensorData::new(values, [images, units]), device)
    };
    net.dropouts().map(mask).collect()
}

/// Sends `bits` to the device, 32 to a word, and makes a tensor of zeros and ones of them there.
fn unpacked(bits: &[bool], shape: [usize; 2], device: &Device) -> Tensor<2> {
    const WORD: usize = u32::BITS as usize;
    let word = |bits: &[bool]| bits.iter().rev().fold(0u32, |word, &bit| word << 1 | u32::from(bit)) as i32;
    let words: Vec<i32> = bits.chunks(WORD).map(word).collect();
    let count = words.len();
    let words = Tensor::<1, Int>::from_data(TensorData::new(words, [count]), device);
    let places = TensorData::new((0..WORD as i32).collect(), [1, WORD]);
    let places = Tensor::<2, Int>::from_data(places, device).expand([count, WORD]);
    let bits_of = words.unsqueeze_dim::<2>(1).expand([count, WORD]).bitwise_right_shift(places).bitwise_and_scalar(1);
    let values: Tensor<1> = bits_of.float().flatten(0, 1);
    if values.dims()[0] == bits.len() { values } else { values.slice(0..bits.len()) }.reshape(shape)
}

/// Mean cross-entropy of `logits` `[N, classes]` against `labels` `[N]`, in nats.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    cross_entropies(logits, labels, Kernels::Fused).mean()
}

/// The logarithm of softmax.
fn logarithms(logits: Tensor<2>, kernels: Kernels) -> Tensor<2> {
    match kernels {
        Kernels::Fused => inkling_kernels::log_softmax(logits),
        Kernels::Stock => log_softmax(logits, 1),
    }
}

fn cross_entropies(logits: Tensor<2>, labels: Tensor<1, Int>, kernels: Kernels) -> Tensor<1> {
    logarithms(logits, kernels).gather(1, labels.unsqueeze_dim(1)).squeeze_dim::<1>(1).neg()
}

/// Cross-entropies of `logits` against labels of which this share is spread over all classes: what training minimises.
fn smoothed(logits: Tensor<2>, labels: Tensor<1, Int>, share: f64, kernels: Kernels) -> Tensor<1> {
    if share == 0.0 {
        return cross_entropies(logits, labels, kernels);
    }
    let logarithms = logarithms(logits, kernels);
    let others = logarithms.clone().mean_dim(1).squeeze_dim::<1>(1);
    let right = logarithms.gather(1, labels.unsqueeze_dim(1)).squeeze_dim::<1>(1);
    (right * (1.0 - share) + others * share).neg()
}

/// Mean cross-entropy in nats, without dropout, of the images that count; the images `[N, C, H, W]`; their logits
/// `[N, classes]`.
pub fn loss(model: &Model, feed: Feed) -> (Tensor<1>, Tensor<4>, Tensor<2>) {
    let logits = model.forward(feed.images.clone());
    let losses = cross_entropies(logits.clone(), feed.labels, Kernels::Fused);
    (mean(losses, feed.weights), feed.images, logits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkling_core::{
        data::{Batch, synthetic},
        network::{DataShape, Layers},
        parameters::random_weights,
    };

    #[test]
    fn an_image_counts_as_much_as_its_class() {
        let device = Device::flex().autodiff();
        let net = "dense 16".parse::<Layers>().unwrap().fit(DataShape::DIGITS).unwrap();
        let weights = random_weights(net.parameters(), 1);
        let model = Model::new(&net, weights, Kernels::Fused, &device);
        let digits = synthetic::digits(120, 1).train;
        let recipe = |class_weights| Recipe {
            seed: 1,
            net: net.clone(),
            schedule: Schedule::new(0.01, 1),
            method: Method { smoothing: 0.1, ..Method::default() },
            kernels: Kernels::Fused,
            class_weights,
        };
        let of = |class: u8, count: usize| {
            digits.labels.iter().enumerate().filter(move |(_, label)| **label == class).map(|(at, _)| at).take(count)
        };
        let pass = |images: Vec<usize>, class_weights| {
            let shard = Shard { step: 0, first: 0, of: images.len() };
            let feed = Feed::upload(Batch::plain(&digits, images), &device);
            let pass = Pass::new(&model, feed, shard, &recipe(class_weights), &mut Parts::default());
            Tensor::cat(pass.changes, 0).into_data().try_into_vec::<f32>().unwrap()
        };
        // Two of four images have class 3 and count three times; the others count nothing. So the mean over all four is one and a half
        // times the mean over the two.
        let mut class_weights = vec![0.0; 10];
        class_weights[3] = 3.0;
        let weighted = pass(of(3, 2).chain(of(5, 2)).collect(), class_weights);
        let alone = pass(of(3, 2).collect(), vec![]);
        assert!(alone.iter().any(|change| change.abs() > 1e-3));
        assert!(weighted.iter().zip(&alone).all(|(a, b)| (a - 1.5 * b).abs() < 1e-6));
    }

    #[test]
    fn packed_dropout_equals_unpacked_dropout() {
        let net: Network = "conv 3, dropout 0.3, pool, dense 37, dropout 0.5".parse().unwrap();
        let shard = Shard { step: 2, first: 5, of: 30 };
        let values = |packed| {
            let masks = dropout(&net, 3, shard, 9, &Device::flex(), packed);
            masks.into_iter().map(|mask| mask.into_data().try_into_vec::<f32>().unwrap()).collect::<Vec<_>>()
        };
        let plain = values(false);
        assert_eq!(values(true), plain);
        let dropped = |mask: &[f32]| mask.iter().filter(|value| **value == 0.0).count() as f64 / mask.len() as f64;
        assert!((dropped(&plain[0]) - 0.3).abs() < 0.02, "{}", dropped(&plain[0]));
        assert!((dropped(&plain[1]) - 0.5).abs() < 0.1, "{}", dropped(&plain[1]));
        assert_eq!((plain[0].len(), plain[1].len()), (9 * 3 * 26 * 26, 9 * 37));
    }
}
