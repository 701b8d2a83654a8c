//! An evaluation on the validation or the test set.

use crate::{
    calibration::Calibration,
    metrics::{ConfusionMatrix, Stopwatch, wilson_interval},
    protocol::TestResult,
    replicas::{Images, Team},
    train::{ReadError, Trainer},
};

/// Images that a worker evaluates before messages are heard again.
pub const BATCH: usize = 250;

/// What the network said of images, in the order in which they were evaluated.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Numbers of the images in their file.
    pub numbers: Vec<u32>,
    /// Their classes.
    pub labels: Vec<u8>,
    /// What they were taken for.
    pub predictions: Vec<u8>,
    /// With which probability.
    pub confidences: Vec<f32>,
}

/// An evaluation under way, batch by batch.
pub struct Evaluation {
    /// Images so far.
    pub done: usize,
    /// Their counts.
    pub confusion: ConfusionMatrix,
    /// The time that it takes.
    pub watch: Stopwatch,
    /// What was said of them.
    pub answers: Answers,
    loss: f64,
}

impl Evaluation {
    /// Begins now.
    pub fn new() -> Self {
        let (confusion, answers) = (ConfusionMatrix::default(), Answers::default());
        Evaluation { done: 0, confusion, watch: Stopwatch::started(), answers, loss: 0.0 }
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
            self.answers.labels.extend(evaluated.labels);
            self.answers.predictions.extend(evaluated.predictions);
            self.answers.confidences.extend(evaluated.confidences);
        }
        self.answers.numbers.extend(numbers);
        Ok(self.done == total)
    }

    /// Mean loss so far.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.done.max(1) as f64
    }

    /// What the test set's score is.
    pub fn result(&self) -> TestResult {
        let Answers { labels, predictions, confidences, .. } = &self.answers;
        let right: Vec<u8> = labels.iter().zip(predictions).map(|(label, answer)| u8::from(label == answer)).collect();
        let mut calibration = Calibration::default();
        right.iter().zip(confidences).for_each(|(&right, &confidence)| calibration.add(confidence, right == 1));
        TestResult {
            accuracy: self.confusion.accuracy(),
            interval: wilson_interval(self.confusion.correct(), self.confusion.total()),
            loss: self.mean_loss(),
            confusion: self.confusion,
            calibration,
            right,
            seconds: self.watch.seconds(),
        }
    }
}
