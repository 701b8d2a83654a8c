//! The leading worker and its replicas.

use std::{mem, sync::Arc};

use burn::tensor::{Tensor, TensorData};
use inkling_core::{
    augment::Augmentation,
    data::{Labelled, Picked},
};
use web_time::Instant;

use super::{Outcome, Replicas, Task, Work, shards};
use crate::{
    evaluated::Evaluated,
    model::Model,
    pass::{Recipe, Shard},
    read::{ReadError, StepMetrics, read_flat},
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
        let tasks = shards(of, self.workers()).into_iter().map(|range| {
            let work = Work::Train {
                shard: Shard { step: trainer.steps_done(), first: range.start, of },
                augmentation,
                numbers: picked.numbers[range.clone()].to_vec(),
            };
            Task::new(work, trainer.recipe(), &picked.images, range)
        });
        let tasks = tasks.collect();
        let mut sum = Vec::new();
        let model = trainer.model().clone();
        for outcome in self.perform(trainer, &model, tasks).await? {
            if let Outcome::Trained(shares) = outcome {
                add(&mut sum, shares);
            }
        }
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
        let parts = shards(images.len(), self.workers()).into_iter();
        let tasks = parts.map(|range| Task::new(Work::Evaluate, trainer.recipe(), images, range)).collect();
        let outcomes = self.perform(trainer, model, tasks).await?;
        let evaluated = |outcome| if let Outcome::Evaluated(evaluated) = outcome { Some(evaluated) } else { None };
        Ok(outcomes.into_iter().filter_map(evaluated).collect())
    }

    /// Performs all tasks with `model`, the first here and each other one by its replica. Outcomes come in the order of the tasks.
    async fn perform(
        &mut self,
        trainer: &mut Trainer,
        model: &Model,
        tasks: Vec<Task>,
    ) -> Result<Vec<Outcome>, ReadError> {
        let start = Instant::now();
        let mut weights = Arc::default();
        if tasks.len() > 1 {
            weights = Arc::new(read_flat("weights", vec![model.weights()]).await?);
        }
        let mut sent = Vec::new();
        for (replica, task) in tasks.iter().skip(1).enumerate() {
            sent.push(self.replicas.send(replica, Task { weights: weights.clone(), ..task.clone() }));
        }
        trainer.parts.messages += start.elapsed().as_secs_f64();
        let (mut outcomes, mut worked, mut own, mut waited) = (Vec::new(), 0.0, 0.0, 0.0);
        let workers = tasks.len();
        for (worker, task) in tasks.into_iter().enumerate() {
            if worker > 0 && sent[worker - 1] {
                let asked = Instant::now();
                let reply = self.replicas.receive(worker - 1, own, waited).await;
                let seconds = asked.elapsed().as_secs_f64();
                waited += seconds;
                trainer.parts.waiting += seconds;
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
            let device = trainer.device().clone();
            outcomes.push(task.perform(model, &device, &mut trainer.parts).await?);
            own = begun.elapsed().as_secs_f64();
            worked += own;
        }
        trainer.parts.idle += (start.elapsed().as_secs_f64() * workers as f64 - worked).max(0.0);
        Ok(outcomes)
    }
}

impl Task {
    /// `work` on the images in `range`. The weights are added when the task is sent.
    fn new(work: Work, recipe: &Recipe, images: &Labelled, range: std::ops::Range<usize>) -> Self {
        let len = images.shape.values();
        Task {
            work,
            recipe: recipe.clone(),
            pixels: images.pixels[range.start * len..range.end * len].to_vec(),
            labels: images.labels[range].to_vec(),
            weights: Arc::default(),
        }
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
