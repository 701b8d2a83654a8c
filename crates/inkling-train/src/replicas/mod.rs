//! Data-parallel training: the leading worker splits a batch over replicas and adds up their gradients.
//!
//! The leading worker owns weights, optimizer and data. For each step it gives every replica the weights and a shard of
//! the batch, computes one shard itself, adds up the gradients in the order of the replicas, and updates. Replicas keep
//! nothing but the recipe, so losing one costs only the time for its shard: the leader computes the shard, and the result is
//! bit-identical. The split depends only on the batch, the network and the number of workers, so the seed and that number reproduce
//! a run.

mod team;
#[cfg(not(target_arch = "wasm32"))]
mod threads;

use std::{future::Future, ops::Range, pin::Pin, sync::Arc};

use burn::tensor::Device;
use inkling_core::{
    augment::Augmentation,
    data::{Batch, Labelled, Picked},
    metrics::Parts,
    network::Network,
};
use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::{
    evaluated::Evaluated,
    feed::{Feed, assemble, upload},
    model::Model,
    pass::{Pass, Recipe, Shard},
    read::{ReadError, read},
};
pub use team::Team;
#[cfg(not(target_arch = "wasm32"))]
pub use threads::Threads;

/// What the tasks of all replicas need.
#[derive(Clone)]
pub struct Common {
    /// The recipe of the run.
    pub recipe: Arc<Recipe>,
    /// Current weights, one after another in the order of
    /// [`Network::parameters`](inkling_core::network::Network::parameters).
    pub weights: Arc<Vec<f32>>,
}

/// Work for a worker, as plain data that can be sent to a thread or a web worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What to do with the images.
    pub work: Work,
    /// Pixels of the images, `[N, C, H, W]`.
    #[serde(with = "serde_bytes")]
    pub pixels: Vec<u8>,
    /// Labels of the images, `[N]`.
    #[serde(with = "serde_bytes")]
    pub labels: Vec<u8>,
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
    /// The evaluation; `None` after a training task.
    pub evaluated: Option<Evaluated>,
    /// Seconds of work.
    pub seconds: f64,
    /// Seconds that the leader took to add the shares.
    pub adding: f64,
}

/// The result of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The result of a training task.
    Trained(Shares),
    /// Loss and predictions of the evaluated images.
    Evaluated(Evaluated),
}

/// What a worker contributes to a step: its shares of the [changes](Model::changes) of each parameter, then of the loss and the accuracy.
/// They stay in pieces until they are added up: they are large, and each copy of them counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shares(pub Vec<Vec<f32>>);

impl Shares {
    /// All values, one after another.
    pub fn flat(self) -> Vec<f32> {
        self.0.concat()
    }

    /// Calls `take` with the place of each piece's first value among all values, and the piece.
    pub fn for_each(&self, mut take: impl FnMut(usize, &[f32])) {
        let mut from = 0;
        for piece in &self.0 {
            take(from, piece);
            from += piece.len();
        }
    }

    /// Adds all values to `sum`.
    pub fn add_to(&self, sum: &mut [f32]) {
        self.for_each(|from, piece| sum[from..].iter_mut().zip(piece).for_each(|(sum, more)| *sum += more));
    }
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
    /// Waits until all replicas are ready, but not for long: one may be lost. Returns whether they are.
    fn ready(&mut self) -> Pin<Box<dyn Future<Output = bool> + '_>> {
        Box::pin(std::future::ready(true))
    }
    /// Gives all replicas what the tasks that follow need: those of one step or of one evaluation.
    fn publish(&mut self, common: Common);
    /// Sends `replica` a task. Returns false if the replica is lost or not ready yet.
    fn send(&mut self, replica: usize, task: Task) -> bool;
    /// Receives the reply to the last task. After a training task, adds the replica's shares to `sum`. The leader's own share
    /// took `own` seconds, which serves to choose a timeout, and the leader has waited for other replicas for `waited` seconds
    /// since. An error leaves `sum` as it was; the replica is then lost, and a new one may take its place.
    fn receive<'a>(&'a mut self, replica: usize, own: f64, waited: f64, sum: &'a mut [f32]) -> PendingReply<'a>;
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
    fn publish(&mut self, _: Common) {}
    fn send(&mut self, _: usize, _: Task) -> bool {
        false
    }
    fn receive<'a>(&'a mut self, _: usize, _: f64, _: f64, _: &'a mut [f32]) -> PendingReply<'a> {
        Box::pin(std::future::ready(Err("there are no replicas".into())))
    }
}

impl Task {
    /// `work` on the images in `range`.
    fn new(work: Work, images: &Labelled, range: Range<usize>) -> Self {
        let len = images.shape.values();
        let pixels = images.pixels[range.start * len..range.end * len].to_vec();
        Task { work, pixels, labels: images.labels[range].to_vec() }
    }

    /// Performs the task with `model`.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn perform(
        self,
        model: &Model,
        recipe: &Recipe,
        device: &Device,
        parts: &mut Parts,
    ) -> Result<Outcome, ReadError> {
        let images = Labelled { shape: recipe.net.data().image(), pixels: self.pixels, labels: self.labels };
        match self.work {
            Work::Train { shard, augmentation, numbers } => {
                let batch = assemble(Picked { images, numbers }, augmentation, recipe.seed, parts);
                let pass = Pass::new(model, Feed::upload(batch, device), shard, recipe, parts);
                let start = Instant::now();
                let mut shares = Vec::new();
                for tensor in pass.changes.into_iter().chain([pass.metrics.0]) {
                    shares.push(read("gradients", tensor).await?);
                }
                parts.messages += start.elapsed().as_secs_f64();
                Ok(Outcome::Trained(Shares(shares)))
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

/// Performs a task in a replica. Returns the result and the seconds of work.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn perform(task: Task, common: Common, device: &Device) -> Result<(Outcome, f64), ReadError> {
    let start = Instant::now();
    let (device, recipe) = (device.clone().autodiff(), common.recipe);
    let model = Model::new(&recipe.net, Arc::unwrap_or_clone(common.weights), recipe.kernels, &device);
    let outcome = task.perform(&model, &recipe, &device, &mut Parts::default()).await?;
    Ok((outcome, start.elapsed().as_secs_f64()))
}

/// What a replica costs the leader for each weight (sending weights, adding gradients), in multiply-adds of an image's forward pass; a whole
/// step takes as long for an image as it has of those (two shared cores of an AMD EPYC, Chromium, 2026-11-28).
const LEADER_COST_PER_WEIGHT: f64 = 14.0;
/// A replica's own overhead (receiving and packing weights, sending gradients), as a multiple of what it costs the leader.
const REPLICA_OVERHEAD: f64 = 4.0;

/// Splits `len` images over `workers` so that all finish at about the same time. Returns fewer parts if there are fewer images than workers.
///
/// A replica's overhead runs in parallel with the leader; the leader's work for each replica does not. So a leader with few replicas
/// takes more images than an even share, and one with many takes fewer; never more than twice an even share.
pub fn shards(len: usize, workers: usize, net: &Network) -> Vec<Range<usize>> {
    let workers = workers.clamp(1, len.max(1));
    let replicas = workers - 1;
    // In images: own + replicas * cost = each + REPLICA_OVERHEAD * cost, and own + replicas * each = len.
    let cost = net.count() as f64 * LEADER_COST_PER_WEIGHT / net.multiply_adds() as f64;
    let more = (REPLICA_OVERHEAD - replicas as f64) * cost * replicas as f64 / workers as f64;
    let own = (len as f64 / workers as f64 + more).round().max(1.0) as usize;
    let own = if replicas == 0 { len } else { own.min(2 * len / workers).min(len - replicas) };
    let ends = (0..=replicas).map(|replica| own + replica * (len - own) / replicas.max(1));
    let ends: Vec<usize> = std::iter::once(0).chain(ends).collect();
    ends.windows(2).map(|ends| ends[0]..ends[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_complete_and_none_is_empty_or_more_than_twice_an_even_share() {
        for net in ["conv 32, pool, conv 64, pool, dense 128", "dense 512", "conv 8"] {
            let net: Network = net.parse().unwrap();
            for (len, workers) in (0..70).flat_map(|len| (1..12).map(move |workers| (len, workers))) {
                let found = shards(len, workers, &net);
                assert_eq!(found.len(), workers.min(len.max(1)));
                assert!(found[0].start == 0 && found[found.len() - 1].end == len);
                assert!(found.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert!(len == 0 || found.iter().all(|shard| !shard.is_empty()), "{len} {workers} {found:?}");
                assert!(
                    found.iter().all(|shard| shard.len() <= 2 * len.div_ceil(workers)),
                    "{len} {workers} {found:?}"
                );
            }
        }
    }

    #[test]
    fn the_leader_of_one_replica_takes_more_images_and_the_leader_of_many_fewer() {
        let net: Network = "conv 32, pool, conv 64, pool, dense 128".parse().unwrap();
        assert_eq!([1, 2, 5, 8].map(|workers| shards(64, workers, &net)[0].len()), [64, 34, 13, 5]);
    }
}
