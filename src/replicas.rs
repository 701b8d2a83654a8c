//! Data-parallel training: a batch is split over replicas, and their gradients are added up.
//!
//! The worker that leads owns weights, optimiser and data. For each step it sends every replica the weights and a shard of
//! the batch, computes a shard itself, adds up the gradients in the replicas' order, and updates. Replicas keep nothing, so
//! one that is lost costs its shard's time and nothing else: the leader computes the shard, and the result is the same to
//! the bit. The split depends on the number of replicas alone, so seed and number reproduce a run.

use std::{future::Future, ops::Range, pin::Pin, sync::Arc};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::{
    augment::Augmentation,
    data::{Batch, IMAGE, Labelled, Picked},
    kernels::Kernels,
    metrics::Parts,
    model::{Cnn, split},
    parameters::PARAMETERS,
    resident::{self, Resident},
    train::{Evaluated, Feed, Pass, ReadError, Recipe, Shard, StepMetrics, Trainer, filled, read_flat, upload},
};

/// What a replica is to do. Plain data, to be sent anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What to do with the images.
    pub work: Work,
    /// Pixels of the images, `[N, 28, 28]`.
    #[serde(with = "serde_bytes")]
    pub pixels: Vec<u8>,
    /// Labels of the images, `[N]`.
    #[serde(with = "serde_bytes")]
    pub labels: Vec<u8>,
    /// Weights of this moment, in one row. They travel apart from the rest: there are [`PARAMETERS`] of them.
    #[serde(skip)]
    pub weights: Arc<Vec<f32>>,
}

/// The two kinds of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Work {
    /// A shard of a training step.
    Train {
        /// Which.
        shard: Shard,
        /// By what recipe.
        recipe: Recipe,
        /// How the images are augmented, and in which epoch.
        augmentation: Option<(Augmentation, u32)>,
        /// The images' numbers in the training set.
        numbers: Vec<u32>,
    },
    /// Loss and predictions.
    Evaluate,
}

/// What a replica found.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// What it found.
    pub outcome: Outcome,
    /// Seconds that it worked.
    pub seconds: f64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Shares of the gradients in one row, then of the loss and of the accuracy: [`PARAMETERS`] + 2 numbers.
    Trained(Vec<f32>),
    /// Of evaluated images.
    Evaluated(Evaluated),
}

/// A reply that is still to come, or the reason why it never will.
pub type PendingReply<'a> = Pin<Box<dyn Future<Output = Result<Reply, String>> + 'a>>;

/// The replicas beside the leading one.
pub trait Crew {
    /// How many workers, the leading one included, this machine has use for.
    fn most_useful(&self) -> usize;
    /// Brings their number to `replicas`. They may come later.
    fn muster(&mut self, replicas: usize);
    /// How many there are to be.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Hands `replica` a task; false if it is not there (yet).
    fn send(&mut self, replica: usize, task: Task) -> bool;
    /// The reply to the last task; the leader's own share took `own` seconds, so it should not take much longer. After an
    /// error the replica is gone, and another is on its way.
    fn receive(&mut self, replica: usize, own: f64) -> PendingReply<'_>;
}

/// For a backend that trains alone.
pub struct NoCrew;

impl Crew for NoCrew {
    fn most_useful(&self) -> usize {
        1
    }
    fn muster(&mut self, _: usize) {}
    fn len(&self) -> usize {
        0
    }
    fn send(&mut self, _: usize, _: Task) -> bool {
        false
    }
    fn receive(&mut self, _: usize, _: f64) -> PendingReply<'_> {
        Box::pin(std::future::ready(Err("there are no replicas".into())))
    }
}

impl Task {
    /// Does it, with `model` in place of the weights.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn perform(self, model: &Cnn, device: &Device, parts: &mut Parts) -> Result<Outcome, ReadError> {
        let images = Labelled { pixels: self.pixels, labels: self.labels };
        match self.work {
            Work::Train { shard, recipe, augmentation, numbers } => {
                let batch = batch(Picked { images, numbers }, augmentation, recipe.seed, parts);
                let pass = Pass::new(model, Feed::upload(batch, device), shard, recipe, parts);
                let start = Instant::now();
                let mut shares = model.gradients(&pass.gradients);
                shares.push(pass.metrics.0);
                let shares = read_flat("gradients", shares).await?;
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

/// Does what a leader asks.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn perform(mut task: Task, device: &Device) -> Result<Reply, ReadError> {
    let start = Instant::now();
    let device = device.clone().autodiff();
    let kernels = if let Work::Train { recipe, .. } = &task.work { recipe.kernels } else { Kernels::default() };
    let weights = Arc::unwrap_or_clone(std::mem::take(&mut task.weights));
    let model = Cnn::from_flat(weights, kernels, &device);
    let outcome = task.perform(&model, &device, &mut Parts::default()).await?;
    Ok(Reply { outcome, seconds: start.elapsed().as_secs_f64() })
}

/// The images as a step trains on them.
fn batch(picked: Picked, augmentation: Option<(Augmentation, u32)>, seed: u32, parts: &mut Parts) -> Batch {
    let start = Instant::now();
    let batch = match augmentation {
        Some((ranges, epoch)) => Batch::augmented(&picked, &ranges, seed, epoch),
        None => Batch::plain(&picked.images, 0..picked.images.len()),
    };
    parts.augment += start.elapsed().as_secs_f64();
    batch
}

/// `len` images over `workers`, as evenly as can be; fewer parts than workers if there are too few images.
pub fn shards(len: usize, workers: usize) -> Vec<Range<usize>> {
    let workers = workers.clamp(1, len.max(1));
    (0..workers).map(|worker| worker * len / workers..(worker + 1) * len / workers).collect()
}

/// A set of images where the session has it and, if it computes on a GPU, there as well.
#[derive(Clone, Copy)]
pub struct Images<'a> {
    /// In memory.
    pub host: &'a Labelled,
    /// On the device.
    pub resident: Option<&'a Resident>,
}

/// A leader with its crew.
pub struct Team {
    crew: Box<dyn Crew>,
    /// Why replicas were lost, until somebody asks.
    losses: Vec<String>,
}

impl Team {
    /// Led from here.
    pub fn new(crew: impl Crew + 'static) -> Self {
        Team { crew: Box::new(crew), losses: Vec::new() }
    }

    /// Brings the number of workers, the leading one included, to `workers`; 0 means as many as are useful here.
    pub fn muster(&mut self, workers: usize) {
        let workers = if workers == 0 { self.crew.most_useful() } else { workers };
        self.crew.muster(workers - 1);
    }

    /// Workers, the leading one included.
    pub fn workers(&self) -> usize {
        self.crew.len() + 1
    }

    /// What happened to replicas since it was last asked.
    pub fn losses(&mut self) -> Vec<String> {
        std::mem::take(&mut self.losses)
    }

    /// One training step on the images with these `numbers`; `size` is the number of images of a full batch.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn step(
        &mut self,
        trainer: &mut Trainer,
        images: Images<'_>,
        numbers: &[u32],
        augmentation: Option<(Augmentation, u32)>,
        size: usize,
    ) -> Result<StepMetrics, ReadError> {
        let start = Instant::now();
        let recipe = trainer.recipe();
        let metrics = if let Some(set) = images.resident.filter(|_| resident::POSSIBLE) {
            let maps = augmentation.map(|(ranges, epoch)| ranges.maps(numbers, recipe.seed, epoch));
            let feed = Feed::resident(set, numbers, maps, size, trainer.device());
            trainer.parts.augment += start.elapsed().as_secs_f64();
            trainer.step(feed)
        } else if self.crew.is_empty() {
            let batch = batch(images.host.pick(numbers), augmentation, recipe.seed, &mut trainer.parts);
            let feed = Feed::upload(batch, trainer.device());
            trainer.step(feed)
        } else {
            let picked = images.host.pick(numbers);
            trainer.parts.augment += start.elapsed().as_secs_f64();
            let of = picked.images.len();
            let tasks = shards(of, self.workers()).into_iter().map(|range| Task {
                work: Work::Train {
                    shard: Shard { step: trainer.steps_done(), first: range.start, of },
                    recipe,
                    augmentation,
                    numbers: picked.numbers[range.clone()].to_vec(),
                },
                pixels: picked.images.pixels[range.start * IMAGE..range.end * IMAGE].to_vec(),
                labels: picked.images.labels[range].to_vec(),
                weights: Arc::default(),
            });
            let mut sum = Vec::new();
            for outcome in self.perform(trainer, tasks.collect()).await? {
                if let Outcome::Trained(shares) = outcome {
                    add(&mut sum, shares);
                }
            }
            let packed = Instant::now();
            let (loss, accuracy) = (sum[PARAMETERS], sum[PARAMETERS + 1]);
            sum.truncate(PARAMETERS);
            let gradients = split(&sum, &trainer.device().clone().inner());
            trainer.parts.messages += packed.elapsed().as_secs_f64();
            trainer.update(gradients);
            StepMetrics::known(loss, accuracy, trainer.device())
        };
        trainer.parts.steps += start.elapsed().as_secs_f64();
        Ok(metrics)
    }

    /// Loss and predictions of the images with these `numbers`, in their order, part by part; `size` is the number of images
    /// of a full batch.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn evaluate(
        &mut self,
        trainer: &mut Trainer,
        images: Images<'_>,
        numbers: &[u32],
        size: usize,
    ) -> Result<Vec<Evaluated>, ReadError> {
        let Images { host, resident } = images;
        let images = host.pick(numbers).images;
        let resident = resident.filter(|_| resident::POSSIBLE);
        if let Some((there, _)) = resident.map(|set| set.batch(&filled(numbers.to_vec(), size), None)) {
            return Ok(vec![Evaluated::new(trainer.model(), there, images.labels).await?]);
        }
        let tasks = shards(images.len(), self.workers()).into_iter().map(|range| Task {
            work: Work::Evaluate,
            pixels: images.pixels[range.start * IMAGE..range.end * IMAGE].to_vec(),
            labels: images.labels[range].to_vec(),
            weights: Arc::default(),
        });
        let outcomes = self.perform(trainer, tasks.collect()).await?;
        let evaluated = |outcome| if let Outcome::Evaluated(evaluated) = outcome { Some(evaluated) } else { None };
        Ok(outcomes.into_iter().filter_map(evaluated).collect())
    }

    /// Does all tasks, the first here and each other by its replica, and tells what was found in their order.
    async fn perform(&mut self, trainer: &mut Trainer, tasks: Vec<Task>) -> Result<Vec<Outcome>, ReadError> {
        let start = Instant::now();
        let mut weights = Arc::default();
        if tasks.len() > 1 {
            weights = Arc::new(read_flat("weights", trainer.model().parameters()).await?);
        }
        let mut sent = Vec::new();
        for (replica, task) in tasks.iter().skip(1).enumerate() {
            sent.push(self.crew.send(replica, Task { weights: weights.clone(), ..task.clone() }));
        }
        trainer.parts.messages += start.elapsed().as_secs_f64();
        let (mut outcomes, mut worked, mut own) = (Vec::new(), 0.0, 0.0);
        let workers = tasks.len();
        for (worker, task) in tasks.into_iter().enumerate() {
            if worker > 0 && sent[worker - 1] {
                let asked = Instant::now();
                let reply = self.crew.receive(worker - 1, own).await;
                trainer.parts.waiting += asked.elapsed().as_secs_f64();
                match reply {
                    Ok(reply) => {
                        worked += reply.seconds;
                        outcomes.push(reply.outcome);
                        continue;
                    }
                    Err(reason) => self.losses.push(reason),
                }
            }
            let begun = Instant::now();
            let (model, device, parts) = trainer.split();
            outcomes.push(task.perform(model, device, parts).await?);
            own = begun.elapsed().as_secs_f64();
            worked += own;
        }
        trainer.parts.idle += (start.elapsed().as_secs_f64() * workers as f64 - worked).max(0.0);
        Ok(outcomes)
    }
}

/// `sum += more`; an empty sum becomes `more`.
fn add(sum: &mut Vec<f32>, more: Vec<f32>) {
    if sum.is_empty() {
        *sum = more;
    } else {
        sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use threads::Threads;

#[cfg(not(target_arch = "wasm32"))]
mod threads {
    use std::{
        sync::mpsc::{Receiver, Sender, channel},
        thread,
    };

    use burn::tensor::Device;

    use super::{Crew, PendingReply, Reply, Task, perform};

    struct Member {
        tasks: Sender<Task>,
        replies: Receiver<Result<Reply, String>>,
    }

    /// Replicas as threads of this process, for tests and native runs.
    pub struct Threads {
        device: Device,
        members: Vec<Member>,
    }

    impl Threads {
        /// None yet; they will compute on `device`.
        pub fn new(device: Device) -> Self {
            Threads { device, members: Vec::new() }
        }
    }

    impl Crew for Threads {
        fn most_useful(&self) -> usize {
            thread::available_parallelism().map_or(1, |count| count.get())
        }

        fn muster(&mut self, replicas: usize) {
            self.members.truncate(replicas);
            while self.members.len() < replicas {
                let (tasks, received) = channel::<Task>();
                let (finished, replies) = channel();
                let device = self.device.clone();
                thread::spawn(move || {
                    // Ends when the crew drops its end of either channel.
                    for task in received {
                        let reply = pollster::block_on(perform(task, &device)).map_err(|error| error.to_string());
                        if finished.send(reply).is_err() {
                            break;
                        }
                    }
                });
                self.members.push(Member { tasks, replies });
            }
        }

        fn len(&self) -> usize {
            self.members.len()
        }

        fn send(&mut self, replica: usize, task: Task) -> bool {
            self.members.get(replica).is_some_and(|member| member.tasks.send(task).is_ok())
        }

        fn receive(&mut self, replica: usize, _: f64) -> PendingReply<'_> {
            let reply = match self.members.get(replica) {
                Some(member) => member.replies.recv().unwrap_or_else(|_| Err("its thread ended".into())),
                None => Err("there is no such replica".into()),
            };
            Box::pin(std::future::ready(reply))
        }
    }
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
