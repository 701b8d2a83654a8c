//! One step, one evaluation, one prediction; optimiser and schedule.

use std::f64::consts::PI;

use burn::{
    module::Module,
    tensor::{Device, Gradients, Int, Tensor, TensorData, activation::log_softmax},
};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use web_time::Instant;

use crate::{
    augment::AffineMap,
    checkpoint::TrainerState,
    data::{Batch, CLASSES, IMAGE, SIDE},
    kernels::Kernels,
    metrics::Parts,
    model::{Cnn, HIDDEN},
    optimizer::NetworkAdam,
    parameters::{PARAMETERS, Weights},
    random::{Purpose, generator},
    resident::{self, Resident},
};

/// Why a result could not be read from the device.
#[derive(Clone, Debug, Error)]
#[error("the {0} could not be read from the device: {1}")]
pub struct ReadError(&'static str, String);

impl ReadError {
    /// What a device says is a chain of causes and a backtrace: the last cause is the one that tells something.
    fn new(what: &'static str, error: impl ToString) -> Self {
        let words = error.to_string();
        let causes = words.split("\nBacktrace").next().unwrap_or_default().split("Caused by:");
        ReadError(what, causes.last().unwrap_or_default().trim().to_string())
    }
}

/// What of its recipe a step needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Seed of the weights and of dropout.
    pub seed: u32,
    /// Share of the hidden units that training drops at each step.
    pub dropout: f64,
    /// The learning rate's course.
    pub schedule: Schedule,
    /// What computes the network.
    pub kernels: Kernels,
}

/// The network in training.
pub struct Trainer {
    model: Cnn,
    optimizer: NetworkAdam,
    recipe: Recipe,
    device: Device,
    step: u32,
    /// Seconds spent so far.
    pub parts: Parts,
}

impl Trainer {
    /// A fresh network.
    pub fn new(recipe: Recipe, device: &Device) -> Self {
        let optimizer = NetworkAdam::new(recipe.kernels, device);
        let device = device.clone().autodiff();
        let model = Cnn::new(Weights::random(recipe.seed), recipe.kernels, &device);
        Trainer { model, optimizer, recipe, device, step: 0, parts: Parts::default() }
    }

    /// The network as it was, to be trained on; `None` if `state` is not of this network.
    pub fn restored(recipe: Recipe, state: &TrainerState, device: &Device) -> Option<Self> {
        let values = state.values();
        let (weights, moments) = values.split_at_checked(PARAMETERS)?;
        let mut trainer = Trainer::new(recipe, device);
        trainer.step = state.step;
        trainer.model = Cnn::from_flat(weights.to_vec(), recipe.kernels, &trainer.device);
        match (state.step, moments.len()) {
            (0, 0) => {}
            (1.., len) if len == 2 * PARAMETERS => trainer.optimizer.restore(state.step, moments, device),
            _ => return None,
        }
        Some(trainer)
    }

    /// All that training depends on, in one read.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn state(&self) -> Result<TrainerState, ReadError> {
        let mut tensors = self.model.parameters();
        tensors.extend(self.optimizer.moments());
        Ok(TrainerState::new(self.step, &read_flat("weights", tensors).await?))
    }

    /// Trains on one batch. The metrics stay on the device until [`read_metrics`].
    pub fn step(&mut self, feed: Feed) -> StepMetrics {
        let shard = Shard { step: self.step, first: 0, of: feed.counted };
        let pass = Pass::new(&self.model, feed, shard, self.recipe, &mut self.parts);
        self.update(self.model.gradients(&pass.gradients));
        pass.metrics
    }

    /// Goes on with another peak of the learning rate's course.
    pub fn set_peak(&mut self, peak: f64) {
        self.recipe.schedule.peak = peak;
    }

    /// Moves the weights against the gradients of a whole step, one a parameter.
    pub fn update(&mut self, gradients: Vec<Tensor<1>>) {
        let start = Instant::now();
        let rate = self.recipe.schedule.rate(self.step);
        self.model = self.optimizer.step(rate, self.model.clone(), gradients);
        self.step += 1;
        self.parts.update += start.elapsed().as_secs_f64();
    }

    /// Probability of each digit for images `[N, 28, 28]`, 0 to 255: `[N, 10]`. With `weights` in place of its own, if there
    /// are any.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn predict(&self, pixels: &[u8], weights: Option<&[f32]>) -> Result<Vec<f32>, ReadError> {
        let labels = vec![0; pixels.len() / IMAGE];
        let pixels = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
        let (images, _) = upload(Batch { pixels, labels }, &self.device.clone().inner());
        let other = weights.map(|weights| Cnn::from_flat(weights.to_vec(), self.recipe.kernels, &self.device));
        let log_probabilities = log_probabilities(other.as_ref().unwrap_or(&self.model), images).await?;
        Ok(log_probabilities.into_iter().map(f32::exp).collect())
    }

    /// Loss and predictions of a batch.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn evaluate(&self, batch: Batch) -> Result<Evaluated, ReadError> {
        let labels = batch.labels.clone();
        let (images, _) = upload(batch, &self.device.clone().inner());
        Evaluated::new(&self.model, images, labels).await
    }

    /// Steps done.
    pub fn steps_done(&self) -> u32 {
        self.step
    }

    /// The network as it is.
    pub fn model(&self) -> &Cnn {
        &self.model
    }

    /// The network, where it is trained, and the clocks, for a pass that is done elsewhere.
    pub fn split(&mut self) -> (&Cnn, &Device, &mut Parts) {
        (&self.model, &self.device, &mut self.parts)
    }

    /// Where it is trained, with autodiff.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What it is trained by.
    pub fn recipe(&self) -> Recipe {
        self.recipe
    }
}

/// Which part of a step's batch a pass works on: a replica has only some of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// Number of the step, from 0.
    pub step: u32,
    /// Place of the shard's first image in the batch.
    pub first: usize,
    /// Images of the whole batch.
    pub of: usize,
}

/// One forward and backward pass. Gradients and metrics are shares of the whole batch's means: over its shards they add up.
pub struct Pass {
    /// Share of the gradients.
    pub gradients: Gradients,
    /// Share of loss and accuracy.
    pub metrics: StepMetrics,
}

impl Pass {
    /// Forward and backward for `feed`.
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

/// The images of a pass, on the device with autodiff.
pub struct Feed {
    /// `[N, 1, 28, 28]`
    images: Tensor<4>,
    /// `[N]`
    labels: Tensor<1, Int>,
    /// How many of them, the first, count.
    counted: usize,
    /// `[N]`: one over `counted`, 0 where an image does not count; none if all do.
    weights: Option<Tensor<1>>,
}

impl Feed {
    /// All of `batch`.
    pub fn upload(batch: Batch, device: &Device) -> Self {
        let counted = batch.len();
        let (images, labels) = upload(batch, device);
        Feed { images, labels, counted, weights: None }
    }

    /// Mean cross-entropy of the images that count, in nats, without dropout; the images; their logits.
    pub fn loss(self, model: &Cnn) -> (Tensor<1>, Tensor<4>, Tensor<2>) {
        let logits = model.forward(self.images.clone());
        let losses = cross_entropies(logits.clone(), self.labels);
        (mean(losses, self.weights), self.images, logits)
    }

    /// Images that lie on the device. Fewer than `size` are filled up to it, with ones that do not count: a GPU needs
    /// kernels for each shape, and an epoch's last batch would be the one that needs its own.
    pub fn resident(
        set: &Resident,
        numbers: &[u32],
        maps: Option<Vec<AffineMap>>,
        size: usize,
        device: &Device,
    ) -> Self {
        let counted = numbers.len();
        let weight = |place| if place < counted { 1.0 / counted as f32 } else { 0.0 };
        let weights: Vec<f32> = (0..size.max(counted)).map(weight).collect();
        let weights = Tensor::from_data(TensorData::new(weights, [size.max(counted)]), device);
        let maps = maps.map(|maps| filled(maps, size));
        let (images, labels) = set.batch(&filled(numbers.to_vec(), size), maps.as_deref());
        Feed { images: Tensor::from_inner(images), labels: Tensor::from_inner(labels), counted, weights: Some(weights) }
    }
}

/// Mean of `values` `[N]`, by these weights if there are any.
fn mean(values: Tensor<1>, weights: Option<Tensor<1>>) -> Tensor<1> {
    match weights {
        None => values.mean(),
        Some(weights) => (values * weights).sum(),
    }
}

/// `values` and, up to `size`, the last of them again.
pub fn filled<T: Clone>(mut values: Vec<T>, size: usize) -> Vec<T> {
    if let Some(last) = values.last().cloned() {
        values.resize(values.len().max(size), last);
    }
    values
}

/// What the hidden units are multiplied by, `[N, 128]`: 0 where one is dropped, else what keeps their mean (Srivastava et
/// al. 2014). It depends on seed, step and place in the batch alone, so that shards drop what the whole batch would.
///
/// `packed`, it goes to the device as bits: 1 KB for 64 images instead of 32.
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

async fn log_probabilities(model: &Cnn, images: Tensor<4>) -> Result<Vec<f32>, ReadError> {
    read("logits", log_softmax(model.valid().forward(images), 1)).await
}

/// Mean cross-entropy of `logits` `[N, 10]` against `labels` `[N]`, in nats.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    cross_entropies(logits, labels).mean()
}

fn cross_entropies(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)).squeeze_dim::<1>(1).neg()
}

/// The batch as tensors: images `[N, 1, 28, 28]`, labels `[N]`.
pub fn upload(batch: Batch, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let n = batch.len();
    debug_assert_eq!(batch.pixels.len(), n * IMAGE);
    let labels: Vec<i32> = batch.labels.iter().map(|&label| i32::from(label)).collect();
    (
        Tensor::from_data(TensorData::new(batch.pixels, [n, 1, SIDE, SIDE]), device),
        Tensor::from_data(TensorData::new(labels, [n]), device),
    )
}

/// Mean loss and accuracy of one training batch, still on the device.
pub struct StepMetrics(pub(crate) Tensor<1>);

impl StepMetrics {
    /// Of numbers that are known.
    pub fn known(loss: f32, accuracy: f32, device: &Device) -> Self {
        StepMetrics(Tensor::from_floats([loss, accuracy], &device.clone().inner()))
    }
}

/// Loss and accuracy of several steps, in one read.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn read_metrics(steps: Vec<StepMetrics>) -> Result<Vec<[f64; 2]>, ReadError> {
    let values = read("loss", Tensor::cat(steps.into_iter().map(|step| step.0).collect(), 0)).await?;
    Ok(values.chunks_exact(2).map(|pair| [f64::from(pair[0]), f64::from(pair[1])]).collect())
}

/// What an evaluated batch gave.
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
    /// How many were predicted right.
    pub fn right(&self) -> u32 {
        self.predictions.iter().zip(&self.labels).map(|(a, b)| u32::from(a == b)).sum()
    }

    /// Loss and predictions of `model` for the first of `images` `[N, 1, 28, 28]`, as many as there are `labels`, without
    /// dropout.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn new(model: &Cnn, images: Tensor<4>, labels: Vec<u8>) -> Result<Self, ReadError> {
        let log_probabilities = log_probabilities(model, images).await?;
        let rows = log_probabilities.chunks_exact(CLASSES).take(labels.len());
        let loss = rows.clone().zip(&labels).map(|(row, &label)| -f64::from(row[usize::from(label)])).sum();
        let confidences = rows.clone().map(|row| row[usize::from(argmax(row))].exp()).collect();
        Ok(Evaluated { loss, predictions: rows.map(argmax).collect(), confidences, labels })
    }
}

/// All values of `tensors`, one after another, in one read.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn read_flat(what: &'static str, tensors: Vec<Tensor<1>>) -> Result<Vec<f32>, ReadError> {
    read(what, Tensor::cat(tensors, 0)).await
}

async fn read<const D: usize>(what: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>, ReadError> {
    let data = tensor.into_data_async().await.map_err(|error| ReadError::new(what, error))?;
    data.try_into_vec().map_err(|error| ReadError::new(what, format!("{error:?}")))
}

/// Index of the largest value; the first of equals.
fn argmax(row: &[f32]) -> u8 {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = index;
        }
    }
    best as u8
}

/// Learning rate over a run: linear warm-up to the peak in the first tenth, then half a cosine down to nearly zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The highest learning rate.
    pub peak: f64,
    /// Steps of the whole run.
    pub steps: u32,
}

impl Schedule {
    /// The rate of `step`, from 0.
    pub fn rate(&self, step: u32) -> f64 {
        let warm_up = (f64::from(self.steps) / 10.0).max(1.0);
        let done = f64::from(step) + 0.5;
        if done < warm_up {
            return self.peak * (0.1 + 0.9 * done / warm_up);
        }
        let share = ((done - warm_up) / (f64::from(self.steps) - warm_up).max(1.0)).min(1.0);
        self.peak * (0.01 + 0.99 * 0.5 * (1.0 + (PI * share).cos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropout_as_bits_is_the_same_dropout() {
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

    #[test]
    fn the_schedule_rises_to_the_peak_and_falls_to_nearly_nothing() {
        let schedule = Schedule { peak: 0.002, steps: 1000 };
        let rates: Vec<f64> = (0..1000).map(|step| schedule.rate(step)).collect();
        assert!(rates[..100].is_sorted() && rates[100..].is_sorted_by(|a, b| a >= b));
        assert!((rates.iter().copied().fold(0.0, f64::max) / 0.002 - 1.0).abs() < 0.01);
        assert!(rates[999] < 0.00003 && rates[0] < 0.0003 && rates.iter().all(|&rate| rate > 0.0));
        assert!(Schedule { peak: 1.0, steps: 1 }.rate(0) > 0.0);
    }
}
