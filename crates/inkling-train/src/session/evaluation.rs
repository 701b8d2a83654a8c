//! An evaluation on the validation or the test set.

use crate::{batch, feed::Images, model::Model, read::ReadError, replicas::Team, trainer::Trainer};
use inkling_core::{
    calibration::Calibration,
    metrics::{ConfusionMatrix, Stopwatch, wilson_interval},
    protocol::TestResult,
};

/// Number of images that each worker evaluates before the session handles messages again.
pub const BATCH: usize = 250;

/// The network's predictions for a set of images, in the order of evaluation.
#[derive(Clone, Debug, Default)]
pub struct Predictions {
    /// Positions of the images in their file.
    pub numbers: Vec<u32>,
    /// The true classes.
    pub labels: Vec<u8>,
    /// The predicted classes.
    pub classes: Vec<u8>,
    /// The probabilities of the predicted classes.
    pub confidences: Vec<f32>,
}

/// An evaluation in progress, batch by batch.
pub struct Evaluation {
    /// Number of images evaluated so far.
    pub done: usize,
    /// Their confusion matrix.
    pub confusion: ConfusionMatrix,
    /// Measures the evaluation's time.
    pub watch: Stopwatch,
    /// Their predictions.
    pub predictions: Predictions,
    loss: f64,
    /// The network, if it is not the one in training.
    model: Option<Model>,
}

impl Evaluation {
    /// Starts an evaluation of images of this many classes, and its stopwatch.
    pub fn new(classes: usize) -> Self {
        let (confusion, predictions) = (ConfusionMatrix::new(classes), Predictions::default());
        Evaluation { done: 0, confusion, watch: Stopwatch::started(), predictions, loss: 0.0, model: None }
    }

    /// The same for another network than the one in training.
    pub fn of(model: Model) -> Self {
        Evaluation { model: Some(model.clone()), ..Evaluation::new(model.network().data().classes()) }
    }

    /// Evaluates the next batch of `images`, or of those at `indices` if given. Returns true when all are done.
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
        let model = self.model.as_ref().unwrap_or(trainer.model()).clone();
        for evaluated in batch::evaluate(trainer, &model, team, images, &numbers, size).await? {
            self.loss += evaluated.loss;
            for (&label, &predicted) in evaluated.labels.iter().zip(&evaluated.predictions) {
                self.confusion.add(label, predicted);
            }
            self.predictions.labels.extend(evaluated.labels);
            self.predictions.classes.extend(evaluated.predictions);
            self.predictions.confidences.extend(evaluated.confidences);
        }
        self.predictions.numbers.extend(numbers);
        Ok(self.done == total)
    }

    /// Mean loss so far.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.done.max(1) as f64
    }

    /// The evaluation as a test result.
    pub fn result(&self) -> TestResult {
        let Predictions { labels, classes, confidences, .. } = &self.predictions;
        let right: Vec<u8> = labels.iter().zip(classes).map(|(label, class)| u8::from(label == class)).collect();
        let mut calibration = Calibration::default();
        right.iter().zip(confidences).for_each(|(&right, &confidence)| calibration.add(confidence, right == 1));
        TestResult {
            accuracy: self.confusion.accuracy(),
            interval: wilson_interval(self.confusion.correct(), self.confusion.total()),
            loss: self.mean_loss(),
            confusion: self.confusion.clone(),
            calibration,
            right,
            seconds: self.watch.seconds(),
        }
    }
}
