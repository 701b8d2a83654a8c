//! How far a run is, and what it has measured.

use serde::{Deserialize, Serialize};

use crate::{
    calibration::Calibration,
    image::DataShape,
    metrics::{ConfusionMatrix, Parts},
};

/// How much of a data set has arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loading {
    /// What is happening, for the visitor.
    pub what: String,
    /// Bytes so far, over all files.
    pub received: u64,
    /// Bytes in all.
    pub total: u64,
}

/// The data set of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// Where it came from, for the visitor.
    pub source: String,
    /// What its images look like, and how many classes they have.
    #[serde(flatten)]
    pub shape: DataShape,
    /// Names of the classes; empty if they are the numbers from 0.
    pub names: Vec<String>,
    /// Training images.
    pub train: u32,
    /// Validation images.
    pub validation: u32,
    /// Test images.
    pub test: u32,
    /// Seconds to get and check them.
    pub seconds: f64,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// Training steps.
    #[default]
    Train,
    /// Scoring the validation set.
    Validate,
    /// Scoring the test set.
    Test,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it is doing.
    pub activity: Activity,
    /// Epoch, from 1.
    pub epoch: u32,
    /// Epochs in all.
    pub epochs: u32,
    /// Steps done in all epochs.
    pub step: u32,
    /// Steps of all epochs.
    pub steps: u32,
    /// Training images per second in this epoch, once known.
    pub images_per_second: Option<f64>,
    /// Estimated seconds to the end of the run, once known.
    pub seconds_left: Option<f64>,
    /// Workers that share each batch.
    pub workers: u32,
    /// Where this epoch's time has gone so far.
    pub parts: Parts,
}

/// One training step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepPoint {
    /// Number of the step, from 1, over all epochs.
    pub step: u32,
    /// Mean cross-entropy of the batch, in nats.
    pub loss: f64,
    /// Share of the batch that was predicted correctly.
    pub accuracy: f64,
}

/// One epoch of the history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number, from 1.
    pub epoch: u32,
    /// Steps done by its end.
    pub step: u32,
    /// Mean loss over its training steps (with augmentation and dropout).
    pub train_loss: f64,
    /// Share of its training images that was predicted correctly (with augmentation and dropout).
    pub train_accuracy: f64,
    /// Mean loss on the validation set.
    pub validation_loss: f64,
    /// Accuracy on the validation set.
    pub validation_accuracy: f64,
    /// The same for the average of the weights, if the run keeps one.
    #[serde(default)]
    pub averaged: Option<Score>,
    /// Training images per second, without validation and pauses.
    pub images_per_second: f64,
    /// Seconds of training and validation, without pauses.
    pub seconds: f64,
    /// Where the time of its training steps went.
    pub parts: Parts,
}

/// A score on the validation set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean loss.
    pub loss: f64,
    /// Accuracy.
    pub accuracy: f64,
}

/// The score on the test set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// Share of the test set that was predicted correctly.
    pub accuracy: f64,
    /// Its 95 % Wilson interval.
    pub interval: [f64; 2],
    /// Mean loss on the test set.
    pub loss: f64,
    /// Test images by true and predicted class.
    pub confusion: ConfusionMatrix,
    /// How well its confidence matches its accuracy.
    pub calibration: Calibration,
    /// 1 for each test image that was predicted correctly, otherwise 0; used to compare two runs.
    #[serde(with = "serde_bytes")]
    pub right: Vec<u8>,
    /// Seconds that scoring took.
    pub seconds: f64,
}
