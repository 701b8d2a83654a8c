//! Data-parallel training: the leading worker splits a batch over replicas and adds up their gradients.
//!
//! The leading worker owns weights, optimizer and data. For each step it sends every replica the weights and a shard of
//! the batch, computes one shard itself, adds up the gradients in the order of the replicas, and updates. Replicas keep
//! no state, so losing one costs only the time for its shard: the leader computes the shard, and the result is
//! bit-identical. The split depends only on the number of replicas, so the seed and that number reproduce a run.

mod team;
#[cfg(not(target_arch = "wasm32"))]
mod threads;

use std::{future::Future, ops::Range, pin::Pin, sync::Arc};

use burn::tensor::Device;
use inkling_core::{
    augment::Augmentation,
    data::{Batch, Labelled, Picked},
    metrics::Parts,
};
use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::{
    evaluated::Evaluated,
    feed::{Feed, assemble, upload},
    model::Model,
    pass::{Pass, Recipe, Shard},
    read::{ReadError, read_flat},
};
pub use team::Team;
#[cfg(not(target_arch = "wasm32"))]
pub use threads::Threads;

/// Work for a replica, as plain data that can be sent to a thread or a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What to do with the images.
    pub work: Work,
    /// The recipe of the run.
    pub recipe: Recipe,
    /// Pixels of the images, `[N, C, H, W]`.
    #[serde(with = "serde_bytes")]
    pub pixels: Vec<u8>,
    /// Labels of the images, `[N]`.
    #[serde(with = "serde_bytes")]
    pub labels: Vec<u8>,
    /// Current weights, one after another in the order of
    /// [`Network::parameters`](inkling_core::network::Network::parameters). They are sent separately because of their size.
    #[serde(skip)]
    pub weights: Arc<Vec<f32>>,
}

/// The two kinds of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Work {
    /// A shard of a training step.
    Train {
        /// The shard.
        shard: Shard,
        /// Augmentation ranges and the current epoch; `None` if the images are not augmented.
        augmentation: Option<(Augmentation, u32)>,
        /// Positions of the images in the training set.
        numbers: Vec<u32>,
    },
    /// Loss and predictions.
    Evaluate,
}

/// A replica's reply to a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The result.
    pub outcome: Outcome,
    /// Seconds of work.
    pub seconds: f64,
}

/// The result of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Shares of the [changes](Model::changes), in the order of the weights, followed by the shares of the loss and of the accuracy.
    Trained(Vec<f32>),
    /// Loss and predictions of the evaluated images.
    Evaluated(Evaluated),
}

/// A pending reply; its error is the reason why the replica was lost.
pub type PendingReply<'a> = Pin<Box<dyn Future<Output = Result<Reply, String>> + 'a>>;

/// The replicas of a leading worker.
pub trait Replicas {
    /// Number of workers, the leader included, that this machine can use.
    fn max_workers(&self) -> usize;
    /// Sets the number of replicas. New ones may become ready later.
    fn resize(&mut self, replicas: usize);
    /// Number of replicas, including those that are not ready yet.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Sends `replica` a task. Returns false if the replica is lost or not ready yet.
    fn send(&mut self, replica: usize, task: Task) -> bool;
    /// Receives the reply to the last task. The leader's own share took `own` seconds, which serves to choose a
    /// timeout, and the leader has waited for other replicas for `waited` seconds since. After an error the replica is
    /// lost, and a new one may take its place.
    fn receive(&mut self, replica: usize, own: f64, waited: f64) -> PendingReply<'_>;
    /// Removes the replicas that were lost for good. Returns their number.
    fn remove_lost(&mut self) -> usize {
        0
    }
}

/// No replicas, for a backend that trains alone.
pub struct NoReplicas;

impl Replicas for NoReplicas {
    fn max_workers(&self) -> usize {
        1
    }
    fn resize(&mut self, _: usize) {}
    fn len(&self) -> usize {
        0
    }
    fn send(&mut self, _: usize, _: Task) -> bool {
        false
    }
    fn receive(&mut self, _: usize, _: f64, _: f64) -> PendingReply<'_> {
        Box::pin(std::future::ready(Err("there are no replicas".into())))
    }
}

impl Task {
    /// Performs the task with `model`; ignores the task's own weights.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn perform(self, model: &Model, device: &Device, parts: &mut Parts) -> Result<Outcome, ReadError> {
        let images = Labelled { shape: self.recipe.net.data().image(), pixels: self.pixels, labels: self.labels };
        match self.work {
            Work::Train { shard, augmentation, numbers } => {
                let seed = self.recipe.seed;
                let batch = assemble(Picked { images, numbers }, augmentation, seed, parts);
                let pass = Pass::new(model, Feed::upload(batch, device), shard, &self.recipe, parts);
                let start = Instant::now();
                let shares = read_flat("gradients", vec![pass.changes, pass.metrics.0]).await?;
                parts.messages += start.elapsed().as_secs_f64();
                Ok(Outcome::Trained(shares))
            }
            Work::Evaluate => {
                let batch = Batch::plain(&images, 0..images.len());
                let (labels, device) = (batch.labels.clone(), device.clone().inner());
                let (images, _) = upload(batch, &device);
                Evaluated::new(model, images, labels).await.map(Outcome::Evaluated)
            }
        }
    }
}

/// Performs a task in a replica.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn perform(mut task: Task, device: &Device) -> Result<Reply, ReadError> {
    let start = Instant::now();
    let device = device.clone().autodiff();
    let weights = Arc::unwrap_or_clone(std::mem::take(&mut task.weights));
    let model = Model::new(&task.recipe.net, weights, task.recipe.kernels, &device);
    let outcome = task.perform(&model, &device, &mut Parts::default()).await?;
    Ok(Reply { outcome, seconds: start.elapsed().as_secs_f64() })
}

/// Splits `len` images over `workers` as evenly as possible. Returns fewer parts if there are fewer images than
/// workers.
pub fn shards(len: usize, workers: usize) -> Vec<Range<usize>> {
    let workers = workers.clamp(1, len.max(1));
    (0..workers).map(|worker| worker * len / workers..(worker + 1) * len / workers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_even_complete_and_never_empty() {
        let ends = |batch, parts| shards(batch, parts).iter().map(|shard| (shard.start, shard.end)).collect::<Vec<_>>();
        assert_eq!(ends(64, 3), [(0, 21), (21, 42), (42, 64)]);
        assert_eq!(ends(2, 8), [(0, 1), (1, 2)]);
        assert_eq!(ends(0, 2), [(0, 0)]);
        assert_eq!(ends(5, 1), [(0, 5)]);
    }
}
