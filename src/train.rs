//! One step, one evaluation, one prediction; optimiser and schedule.

use std::f64::consts::PI;

use burn::{
    module::Module,
    optim::{AdamConfig, GradientsParams, ModuleOptimizer},
    tensor::{Device, Int, Tensor, TensorData, activation::log_softmax},
};
use thiserror::Error;

use crate::{
    data::{Batch, CLASSES, IMAGE, SIDE},
    model::{Cnn, DROPOUT, Weights},
};

/// Why a result could not be read from the device.
#[derive(Clone, Debug, Error)]
#[error("the {0} could not be read from the device: {1}")]
pub struct ReadError(&'static str, String);

/// The network in training.
pub struct Trainer {
    model: Cnn,
    optimizer: ModuleOptimizer,
    schedule: Schedule,
    device: Device,
    step: u32,
}

impl Trainer {
    /// A fresh network, to be trained for `steps` steps up to the learning rate `peak`.
    pub fn new(seed: u32, peak: f64, steps: u32, device: &Device) -> Self {
        let device = device.clone().autodiff();
        device.seed(u64::from(seed)); // for dropout
        Trainer {
            model: Cnn::new(Weights::random(seed), DROPOUT, &device),
            optimizer: AdamConfig::new().with_epsilon(1e-7).init(),
            schedule: Schedule { peak, steps },
            device,
            step: 0,
        }
    }

    /// Trains on one batch. The metrics stay on the device until [`read_metrics`].
    pub fn step(&mut self, batch: Batch) -> StepMetrics {
        let (images, labels) = upload(batch, &self.device);
        let logits = self.model.forward(images);
        let loss = cross_entropy(logits.clone(), labels.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        let rate = self.schedule.rate(self.step);
        self.model = self.optimizer.step(rate, self.model.clone(), gradients);
        self.step += 1;
        let hits = logits.inner().argmax(1).squeeze_dim::<1>(1).equal(labels.inner());
        StepMetrics(Tensor::cat(vec![loss.inner(), hits.float().mean()], 0))
    }

    /// Loss and predictions for one batch, without dropout.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn evaluate(&self, batch: Batch) -> Result<Evaluated, ReadError> {
        let labels = batch.labels.clone();
        let log_probabilities = self.log_probabilities(batch).await?;
        let rows = log_probabilities.chunks_exact(CLASSES);
        let loss = rows.clone().zip(&labels).map(|(row, &label)| -f64::from(row[usize::from(label)])).sum();
        Ok(Evaluated { loss, predictions: rows.map(argmax).collect(), labels })
    }

    /// Probability of each digit for one image, `[28, 28]`, 0 to 255.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn predict(&self, pixels: &[u8]) -> Result<Vec<f32>, ReadError> {
        let pixels = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
        let log_probabilities = self.log_probabilities(Batch { pixels, labels: vec![0] }).await?;
        Ok(log_probabilities.into_iter().map(f32::exp).collect())
    }

    /// Steps done.
    pub fn steps_done(&self) -> u32 {
        self.step
    }

    async fn log_probabilities(&self, batch: Batch) -> Result<Vec<f32>, ReadError> {
        let (images, _) = upload(batch, &self.device.clone().inner());
        read("logits", log_softmax(self.model.valid().forward(images), 1)).await
    }
}

/// Mean cross-entropy of `logits` `[N, 10]` against `labels` `[N]`, in nats.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)).mean().neg()
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
pub struct StepMetrics(Tensor<1>);

/// Loss and accuracy of several steps, in one read.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn read_metrics(steps: Vec<StepMetrics>) -> Result<Vec<[f64; 2]>, ReadError> {
    let values = read("loss", Tensor::cat(steps.into_iter().map(|step| step.0).collect(), 0)).await?;
    Ok(values.chunks_exact(2).map(|pair| [f64::from(pair[0]), f64::from(pair[1])]).collect())
}

/// What [`Trainer::evaluate`] found.
pub struct Evaluated {
    /// Sum of the images' cross-entropies, in nats.
    pub loss: f64,
    /// Most probable class of each image.
    pub predictions: Vec<u8>,
    /// True class of each image.
    pub labels: Vec<u8>,
}

async fn read<const D: usize>(what: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>, ReadError> {
    let data = tensor.into_data_async().await.map_err(|error| ReadError(what, error.to_string()))?;
    data.try_into_vec().map_err(|error| ReadError(what, format!("{error:?}")))
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
#[derive(Clone, Copy, Debug)]
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
    fn the_schedule_rises_to_the_peak_and_falls_to_nearly_nothing() {
        let schedule = Schedule { peak: 0.002, steps: 1000 };
        let rates: Vec<f64> = (0..1000).map(|step| schedule.rate(step)).collect();
        assert!(rates[..100].is_sorted() && rates[100..].is_sorted_by(|a, b| a >= b));
        assert!((rates.iter().copied().fold(0.0, f64::max) / 0.002 - 1.0).abs() < 0.01);
        assert!(rates[999] < 0.00003 && rates[0] < 0.0003 && rates.iter().all(|&rate| rate > 0.0));
        assert!(Schedule { peak: 1.0, steps: 1 }.rate(0) > 0.0);
    }
}
