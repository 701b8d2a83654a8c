//! An evaluation on the validation or the test set.

use crate::{
    metrics::{ConfusionMatrix, Stopwatch, wilson_interval},
    protocol::TestResult,
    replicas::{Images, Team},
    train::{ReadError, Trainer},
};

/// Images that a worker evaluates before messages are heard again.
const BATCH: usize = 250;

/// An evaluation under way, batch by batch.
pub struct Evaluation {
    /// Images so far.
    pub done: usize,
    /// Their counts.
    pub confusion: ConfusionMatrix,
    /// The time that it takes.
    pub watch: Stopwatch,
    loss: f64,
}

impl Evaluation {
    /// Begins now.
    pub fn new() -> Self {
        Evaluation { done: 0, confusion: ConfusionMatrix::default(), watch: Stopwatch::started(), loss: 0.0 }
    }

    /// Evaluates the next images of `indices` into `images` (of all if there are none); true when all are done.
    pub async fn advance(
        &mut self,
        team: &mut Team,
        trainer: &mut Trainer,
        images: Images<'_>,
        indices: Option<&[u32]>,
    ) -> Result<bool, ReadError> {
        let total = indices.map_or(images.host.len(), <[u32]>::len);
        let size = (BATCH * team.workers()).min(total);
        let next = self.done..(self.done + size).min(total);
        self.done = next.end;
        let numbers: Vec<u32> = next.map(|i| indices.map_or(i as u32, |indices| indices[i])).collect();
        for evaluated in team.evaluate(trainer, images, &numbers, size).await? {
            self.loss += evaluated.loss;
            for (&label, &predicted) in evaluated.labels.iter().zip(&evaluated.predictions) {
                self.confusion.add(label, predicted);
            }
        }
        Ok(self.done == total)
    }

    /// Mean loss so far.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.done.max(1) as f64
    }

    /// What the test set's score is.
    pub fn result(&self) -> TestResult {
        TestResult {
            accuracy: self.confusion.accuracy(),
            interval: wilson_interval(self.confusion.correct(), self.confusion.total()),
            loss: self.mean_loss(),
            confusion: self.confusion,
            seconds: self.watch.seconds(),
        }
    }
}
