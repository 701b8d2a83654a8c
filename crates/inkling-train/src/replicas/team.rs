//! The leading worker and its replicas.

use std::{mem, sync::Arc};

use burn::tensor::{Tensor, TensorData};
use inkling_core::{
    augment::Augmentation,
    data::{Labelled, Picked},
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

/// The leading worker and its replicas.
pub struct Team {
    replicas: Box<dyn Replicas>,
    /// Why replicas were lost, until [`Team::losses`] asks.
    losses: Vec<String>,
    /// Whether the visitor knows that a replica was lost in this run.
    told: bool,
}

impl Team {
    /// A team that is led from here.
    pub fn new(replicas: impl Replicas + 'static) -> Self {
        Team { replicas: Box::new(replicas), losses: Vec::new(), told: false }
    }

    /// Sets the number of workers, the leader included; 0 means as many as this machine can use.
    pub fn resize(&mut self, workers: usize) {
        let workers = if workers == 0 { self.replicas.max_workers() } else { workers };
        self.replicas.resize(workers - 1);
        self.told = false;
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
        let of = picked.images.len();
        let tasks = shards(of, self.workers(), trainer.model().network()).into_iter().map(|range| {
            let work = Work::Train {
                shard: Shard { step: trainer.steps_done(), first: range.start, of },
                augmentation,
                numbers: picked.numbers[range.clone()].to_vec(),
            };
            Task::new(work, &picked.images, range)
        });
        let tasks = tasks.collect();
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

/// What the workers found, in their order.
#[derive(Default)]
struct Results {
    /// The sum of the shares of a step.
    sum: Vec<f32>,
    /// The parts of an evaluation.
    evaluated: Vec<Evaluated>,
}
