//! The leading worker and its replicas.

use std::{iter, mem, ops::Range, sync::Arc};

use burn::tensor::{Tensor, TensorData};
use inkling_core::{
    augment::Augmentation,
    data::{Labelled, Picked},
    network::Network,
    settings::{Kernels, MAX_REPLICAS},
};
use web_time::Instant;

use super::{Common, Outcome, Replicas, Task, Work, shards};
use crate::{
    evaluated::Evaluated,
    model::Model,
    pass::Shard,
    read::{ReadError, StepMetrics, read},
    trainer::Trainer,
};

/// With fewer workers, a step may take this many times as long as with the best number: the rest of the machine has more room.
const WORTH: f64 = 1.05;
/// A number of workers whose step takes this many times as long as the best is not measured again.
const HOPELESS: f64 = 1.5;
/// A step is measured at least this often with each number of workers: at first, a browser has not optimized the code.
const LEAST_ROUNDS: usize = 3;
/// Measuring takes at least this many seconds.
const LEAST_SECONDS: f64 = 0.5;
/// Measuring ends after this many seconds, however often a step was measured by then.
const MOST_SECONDS: f64 = 2.0;

/// The leading worker and its replicas.
pub struct Team {
    replicas: Box<dyn Replicas>,
    size: Size,
    /// The last number of workers that was found by measuring, and for what.
    measured: Option<(Job, usize)>,
    /// Why replicas were lost, until [`Team::losses`] asks.
    losses: Vec<String>,
    /// Whether the visitor knows that a replica was lost in this run.
    told: bool,
}

/// Whether the number of workers is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Settled,
    /// [`Team::settle`] has still to find it.
    Open,
}

/// What a number of workers was measured for: the network, its kernels, and the images of a batch.
type Job = (Network, Kernels, usize);

impl Team {
    /// A team that is led from here.
    pub fn new(replicas: impl Replicas + 'static) -> Self {
        let replicas = Box::new(replicas);
        Team { replicas, size: Size::Settled, measured: None, losses: Vec::new(), told: false }
    }

    /// Sets the number of workers, the leader included. 0 means the best one: [`Team::settle`] finds it.
    pub fn resize(&mut self, workers: usize) {
        self.told = false;
        self.size = if workers == 0 && self.most() > 2 { Size::Open } else { Size::Settled };
        if self.is_settled() {
            let workers = if workers == 0 { self.most() } else { workers };
            self.replicas.resize(workers - 1);
        }
    }

    /// The largest number of workers that this machine can use, and a checkpoint can name.
    pub fn most(&self) -> usize {
        self.replicas.max_workers().min(MAX_REPLICAS as usize)
    }

    /// The number of workers that share a batch, once it is known; `None` where a batch can't be shared.
    pub fn settled(&self) -> Option<usize> {
        (self.is_settled() && self.most() > 1).then(|| self.workers())
    }

    /// Whether the number of workers is known.
    pub fn is_settled(&self) -> bool {
        self.size == Size::Settled
    }

    /// Finds the number of workers, the leader included, by measuring a step on `picked` with several. The browser's own number
    /// is only a hint: some cores may be slow, or used by others. The network stays as it is.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn settle(
        &mut self,
        trainer: &mut Trainer,
        picked: &Picked,
        augmentation: Option<(Augmentation, u32)>,
    ) -> Result<(), ReadError> {
        let job = (trainer.model().network().clone(), trainer.recipe().kernels, picked.images.len());
        let known = self.measured.as_ref().filter(|(measured, _)| *measured == job).map(|(_, workers)| *workers);
        let workers = match known {
            Some(workers) => workers,
            None => {
                let parts = trainer.parts;
                let found = self.fastest(trainer, picked, augmentation).await?;
                trainer.parts = parts;
                self.measured = found.map(|workers| (job, workers));
                found.unwrap_or(self.most())
            }
        };
        self.replicas.resize(workers - 1);
        self.size = Size::Settled;
        Ok(())
    }

    /// The smallest number of workers with which a step is about as fast as it can be; `None` if that can't be measured: a replica is
    /// late or lost, or the clock is too coarse.
    async fn fastest(
        &mut self,
        trainer: &mut Trainer,
        picked: &Picked,
        augmentation: Option<(Augmentation, u32)>,
    ) -> Result<Option<usize>, ReadError> {
        self.replicas.resize(self.most() - 1);
        if !self.replicas.ready().await {
            return Ok(None);
        }
        let (model, lost) = (trainer.model().clone(), self.losses.len());
        // 8, 6, 4, 3, 2, 1, each with the seconds of its steps.
        let fewer = |workers: &usize| Some(workers - workers.div_ceil(4)).filter(|fewer| *fewer > 0);
        let numbers = iter::successors(Some(self.most().min(picked.images.len())), fewer);
        let mut found: Vec<(usize, Vec<f64>)> = numbers.map(|workers| (workers, Vec::new())).collect();
        let begun = Instant::now();
        let passed = || begun.elapsed().as_secs_f64();
        let mut rounds = 0;
        while passed() < MOST_SECONDS && (rounds < LEAST_ROUNDS || passed() < LEAST_SECONDS) {
            // In turn, so that a slow moment of the machine affects all alike.
            for (workers, times) in found.iter_mut().take_while(|_| passed() < MOST_SECONDS) {
                let tasks = tasks(trainer, picked, augmentation, *workers);
                let step = Instant::now();
                self.perform(trainer, &model, tasks).await?;
                times.push(step.elapsed().as_secs_f64());
            }
            rounds += 1;
            // In the first round, whoever comes first is slow.
            if rounds > 1 {
                let best = best(&found);
                found.retain(|(_, times)| typical(times) <= best * HOPELESS);
            }
        }
        let best = best(&found);
        if self.losses.len() > lost || best <= 0.0 {
            return Ok(None);
        }
        Ok(found.into_iter().rfind(|(_, times)| typical(times) <= best * WORTH).map(|(workers, _)| workers))
    }

    /// Number of workers, the leader included.
    pub fn workers(&self) -> usize {
        self.replicas.len() + 1
    }

    /// What happened to replicas since the last call, as a sentence. The first loss is told, and each change of their
    /// number; what is mended in between is not.
    pub fn losses(&mut self) -> Option<String> {
        let reason = mem::take(&mut self.losses).pop()?;
        let removed = self.replicas.remove_lost();
        let first = !mem::replace(&mut self.told, true);
        if removed > 0 {
            let left = match self.workers() {
                1 => "one worker".into(),
                workers => format!("{workers} workers"),
            };
            return Some(format!("A replica was lost again ({reason}). The run goes on with {left}."));
        }
        let words = "The leading worker computed its share, and another replica takes its place.";
        first.then(|| format!("A replica was lost ({reason}). {words}"))
    }

    /// One training step with the batch split over all workers.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn step(
        &mut self,
        trainer: &mut Trainer,
        picked: &Picked,
        augmentation: Option<(Augmentation, u32)>,
    ) -> Result<StepMetrics, ReadError> {
        let tasks = tasks(trainer, picked, augmentation, self.workers());
        let model = trainer.model().clone();
        let mut sum = self.perform(trainer, &model, tasks).await?.sum;
        let unpacking = Instant::now();
        let count = trainer.model().network().count();
        let (loss, accuracy) = (sum[count], sum[count + 1]);
        sum.truncate(count);
        let changes = Tensor::from_data(TensorData::new(sum, [count]), &trainer.device().clone().inner());
        trainer.parts.messages += unpacking.elapsed().as_secs_f64();
        trainer.update(changes);
        Ok(StepMetrics::known(loss, accuracy, trainer.device()))
    }

    /// Loss and predictions of `model` for `images`, split over all workers, part by part in their order.
    ///
    /// # Errors
    /// [`ReadError`] if the device is lost or out of memory.
    pub async fn evaluate(
        &mut self,
        trainer: &mut Trainer,
        model: &Model,
        images: &Labelled,
    ) -> Result<Vec<Evaluated>, ReadError> {
        let parts = shards(images.len(), self.workers(), model.network()).into_iter();
        let tasks = parts.map(|range| Task::new(Work::Evaluate, images, range)).collect();
        Ok(self.perform(trainer, model, tasks).await?.evaluated)
    }

    /// Performs all tasks with `model`, the first here and each other one by its replica.
    async fn perform(&mut self, trainer: &mut Trainer, model: &Model, tasks: Vec<Task>) -> Result<Results, ReadError> {
        let start = Instant::now();
        if tasks.len() > 1 {
            let weights = Arc::new(read("weights", model.weights()).await?);
            self.replicas.publish(Common { recipe: trainer.recipe().clone(), weights });
        }
        let mut sent = Vec::new();
        for (replica, task) in tasks.iter().skip(1).enumerate() {
            sent.push(self.replicas.send(replica, task.clone()));
        }
        trainer.parts.messages += start.elapsed().as_secs_f64();
        let (mut results, mut worked, mut own, mut waited) = (Results::default(), 0.0, 0.0, 0.0);
        let workers = tasks.len();
        for (worker, task) in tasks.into_iter().enumerate() {
            if worker > 0 && sent[worker - 1] {
                let asked = Instant::now();
                // While it adds, the next replica may still compute.
                let reply = self.replicas.receive(worker - 1, own, waited, &mut results.sum).await;
                let adding = reply.as_ref().map_or(0.0, |reply| reply.adding);
                let seconds = asked.elapsed().as_secs_f64() - adding;
                waited += seconds;
                trainer.parts.waiting += seconds;
                trainer.parts.messages += adding;
                match reply {
                    Ok(reply) => {
                        worked += reply.seconds;
                        results.evaluated.extend(reply.evaluated);
                        continue;
                    }
                    Err(reason) => self.losses.push(reason),
                }
            }
            let begun = Instant::now();
            let (device, recipe) = (trainer.device().clone(), trainer.recipe().clone());
            match task.perform(model, &recipe, &device, &mut trainer.parts).await? {
                Outcome::Evaluated(evaluated) => results.evaluated.push(evaluated),
                Outcome::Trained(shares) if worker == 0 => results.sum = shares.flat(),
                Outcome::Trained(shares) => shares.add_to(&mut results.sum),
            }
            own = begun.elapsed().as_secs_f64();
            worked += own;
        }
        trainer.parts.idle += (start.elapsed().as_secs_f64() * workers as f64 - worked).max(0.0);
        Ok(results)
    }
}

/// The mean of the faster half of `times`, so that slow first steps and other work of the machine do not count. Infinite if there are
/// no times.
fn typical(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.truncate(times.len().div_ceil(2));
    if times.is_empty() { f64::INFINITY } else { times.iter().sum::<f64>() / times.len() as f64 }
}

/// The seconds of a step with the best number of workers.
fn best(found: &[(usize, Vec<f64>)]) -> f64 {
    found.iter().map(|(_, times)| typical(times)).fold(f64::INFINITY, f64::min)
}

/// The next step on `picked`, split over `workers`.
fn tasks(trainer: &Trainer, picked: &Picked, augmentation: Option<(Augmentation, u32)>, workers: usize) -> Vec<Task> {
    let of = picked.images.len();
    let parts = shards(of, workers, trainer.model().network()).into_iter();
    let task = |range: Range<usize>| {
        let work = Work::Train {
            shard: Shard { step: trainer.steps_done(), first: range.start, of },
            augmentation,
            numbers: picked.numbers[range.clone()].to_vec(),
        };
        Task::new(work, &picked.images, range)
    };
    parts.map(task).collect()
}

/// What the workers found, in their order.
#[derive(Default)]
struct Results {
    /// The sum of the shares of a step.
    sum: Vec<f32>,
    /// The parts of an evaluation.
    evaluated: Vec<Evaluated>,
}
