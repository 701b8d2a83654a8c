//! The network in training: one step, one prediction, one evaluation, and its state as plain data.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use inkling_core::{checkpoint::TrainerState, data::Batch, metrics::Parts, parameters::random_weights};
use web_time::Instant;

use crate::{
    evaluated::{Evaluated, log_probabilities},
    feed::{Feed, upload},
    model::Model,
    optimizer::NetworkOptimizer,
    pass::{Pass, Recipe, Shard},
    read::{ReadError, StepMetrics, read_flat},
};

/// The network in training.
pub struct Trainer {
    model: Model,
    optimizer: NetworkOptimizer,
    /// The average of the weights after each step, if the recipe wants one; `None` before the first step.
    average: Option<Tensor<1>>,
    recipe: Arc<Recipe>,
    device: Device,
    step: u32,
    following: Following,
    /// Seconds spent in each part so far.
    pub parts: Parts,
}

/// Whether a step's changes are kept for [`Trainer::followed`].
#[derive(Default)]
enum Following {
    /// They are not.
    #[default]
    No,
    /// Those of the next step are.
    Next,
    /// These.
    Done(Box<Tensor<1>>),
}

impl Trainer {
    /// A trainer whose network has random weights, drawn from the recipe's seed.
    pub fn new(recipe: Recipe, device: &Device) -> Self {
        let optimizer = NetworkOptimizer::new(&recipe.net, recipe.method, recipe.kernels, device);
        let device = device.clone().autodiff();
        let model =
            Model::new(&recipe.net, random_weights(recipe.net.parameters(), recipe.seed), recipe.kernels, &device);
        Trainer {
            model,
            optimizer,
            average: None,
            recipe: Arc::new(recipe),
            device,
            step: 0,
            following: Following::No,
            parts: Parts::default(),
        }
    }

    /// A trainer that resumes from `state`; `None` if `state` does not fit this network.
    pub fn restored(recipe: Recipe, state: &TrainerState, device: &Device) -> Option<Self> {
        let values = state.values();
        let count = recipe.net.count();
        let (weights, kept) = values.split_at_checked(count)?;
        let mut trainer = Trainer::new(recipe, device);
        trainer.step = state.step;
        trainer.model = trainer.with(weights.to_vec());
        let tensor = |values: &[f32]| Tensor::from_floats(values, device);
        let mut kept: Vec<Tensor<1>> = kept.chunks(count).map(tensor).collect();
        let wanted = if state.step == 0 { 0 } else { trainer.recipe.method.kept() };
        if values.len() != (1 + wanted) * count {
            return None;
        }
        if trainer.recipe.method.ema > 0.0 {
            trainer.average = kept.pop();
        }
        trainer.optimizer.restore(state.step, kept);
        Some(trainer)
    }

    /// Reads the step, the weights, the optimizer's state and the average, which training depends on, in one transfer.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn state(&self) -> Result<TrainerState, ReadError> {
        let mut tensors = vec![self.model.weights()];
        tensors.extend_from_slice(self.optimizer.state());
        tensors.extend(self.average.clone());
        Ok(TrainerState::new(self.step, &read_flat("weights", tensors).await?))
    }

    /// Trains on one batch. The metrics stay on the device until
    /// [`read_metrics`](crate::read::read_metrics).
    pub fn step(&mut self, feed: Feed) -> StepMetrics {
        let shard = Shard { step: self.step, first: 0, of: feed.counted };
        let pass = Pass::new(&self.model, feed, shard, &self.recipe, &mut self.parts);
        self.update(Tensor::cat(pass.changes, 0));
        pass.metrics
    }

    /// Changes the peak of the learning-rate schedule.
    pub fn set_peak(&mut self, peak: f64) {
        Arc::make_mut(&mut self.recipe).schedule.peak = peak;
    }

    /// Updates the weights with the [changes](Model::changes) of a whole step, one after another, and their average.
    pub fn update(&mut self, changes: Tensor<1>) {
        let start = Instant::now();
        if let Following::Next = self.following {
            self.following = Following::Done(Box::new(changes.clone()));
        }
        let rate = self.recipe.schedule.rate(self.step);
        let weights = self.optimizer.step(rate, self.model.weights(), changes);
        self.average = self.averaged_with(&weights);
        self.model = Model::with_weights(&self.recipe.net, weights, self.recipe.kernels);
        self.step += 1;
        self.parts.update += start.elapsed().as_secs_f64();
    }

    /// Keeps the changes of the next step for [`Trainer::followed`].
    pub fn follow(&mut self) {
        self.following = Following::Next;
    }

    /// The [changes](Model::changes) of the step after [`Trainer::follow`], once it is done.
    pub fn followed(&mut self) -> Option<Tensor<1>> {
        match std::mem::take(&mut self.following) {
            Following::Done(changes) => Some(*changes),
            _ => None,
        }
    }

    /// The average after a step that ends with these `weights`. The first steps move it further: those weights are far from good.
    fn averaged_with(&mut self, weights: &Tensor<1>) -> Option<Tensor<1>> {
        let ema = self.recipe.method.ema;
        if ema == 0.0 {
            return None;
        }
        let step = f64::from(self.step);
        let share = ema.min((1.0 + step) / (10.0 + step));
        Some(match self.average.take() {
            Some(average) => average * share + weights.clone() * (1.0 - share),
            None => weights.clone(),
        })
    }

    /// The network with the average of its weights, if there is one.
    pub fn averaged(&self) -> Option<Model> {
        let average = self.average.clone()?;
        Some(Model::with_weights(&self.recipe.net, average, self.recipe.kernels))
    }

    /// Goes on with the average of the weights, if there is one.
    pub fn take_average(&mut self) {
        if let Some(model) = self.averaged() {
            self.model = model;
        }
    }

    /// Probability of each class, `[N, classes]`, for images `[N, C, H, W]`, 0 to 255. Uses `weights`, if given, instead of
    /// the current ones.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn predict(&self, pixels: &[u8], weights: Option<&[f32]>) -> Result<Vec<f32>, ReadError> {
        let shape = self.recipe.net.data().image();
        let labels = vec![0; pixels.len() / shape.values()];
        let pixels = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
        let (images, _) = upload(Batch { shape, pixels, labels }, &self.device.clone().inner());
        let other = weights.map(|weights| self.with(weights.to_vec()));
        let log_probabilities = log_probabilities(other.as_ref().unwrap_or(&self.model), images).await?;
        Ok(log_probabilities.into_iter().map(f32::exp).collect())
    }

    /// The network with other weights.
    fn with(&self, weights: Vec<f32>) -> Model {
        Model::new(&self.recipe.net, weights, self.recipe.kernels, &self.device)
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

    /// Number of steps done.
    pub fn steps_done(&self) -> u32 {
        self.step
    }

    /// The current network.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The device that the network is on, with autodiff.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The training recipe.
    pub fn recipe(&self) -> &Arc<Recipe> {
        &self.recipe
    }
}
