//! What the page and a session say to each other: plain serde types, no web types.

use serde::{Deserialize, Serialize};

use crate::{
    calibration::Calibration,
    checkpoint::{Checkpoint, TrainerState},
    data::{handwriting::Handwriting, own::NamedFile},
    metrics::{ConfusionMatrix, Parts},
    settings::{Adjustable, Settings},
};

/// Number of a run. The page gives each run a new one; an event of another run is stale and is dropped.
pub type RunId = u32;

/// What the page asks of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Begin a run.
    Start {
        /// Its number.
        run: RunId,
        /// What to do.
        settings: Settings,
        /// Where to go on, if not from the beginning: a checkpoint of a run with the same settings.
        from: Option<Box<Checkpoint>>,
    },
    /// Begin a run with the weights of a file and rest before its first step.
    Import {
        /// The run of this moment, which hears whether the file is good.
        run: RunId,
        /// Number of the new run.
        next: RunId,
        /// What to do when it goes on.
        settings: Settings,
        /// The weights, as [`Event::Opened`] has them.
        weights: TrainerState,
    },
    /// Take a data set of the visitor's own; the runs on it come later.
    UseData {
        /// The run of this moment, which hears whether the files are good.
        run: RunId,
        /// Two or four IDX files.
        files: Vec<NamedFile>,
    },
    /// Rest before the next step.
    Pause,
    /// While resting: do one training step, or evaluate one batch, and rest again.
    Step,
    /// Go on with another learning rate or augmentation.
    Adjust(Adjustable),
    /// Go on.
    Resume,
    /// End the run and keep its weights.
    Stop,
    /// End the run and forget it.
    Reset,
    /// Score the test set with the weights of this moment.
    Test,
    /// Hand out the weights of this moment, to be written in this format.
    Save(Format),
    /// Show images of the data set.
    Browse(Query),
    /// Show what happens inside the network for one image.
    Explain {
        /// Number of the question; the answer carries it.
        id: u32,
        /// Pixels `[28, 28]`.
        #[serde(with = "serde_bytes")]
        pixels: Vec<u8>,
    },
    /// Classify several images, and find the training images that are most like the first.
    Diagnose {
        /// Number of the question; the answer carries it.
        id: u32,
        /// Pixels `[N, 28, 28]`, at least one image.
        #[serde(with = "serde_bytes")]
        pixels: Vec<u8>,
    },
    /// Classify the visitor's own digits with the weights of this moment.
    Read {
        /// Number of the question; the answer carries it.
        id: u32,
        /// The digits.
        digits: Handwriting,
    },
    /// Train on the visitor's own digits, with images of the training set among them, once the run is over.
    FineTune(Handwriting),
    /// End [`Command::FineTune`], or undo the last.
    TakeBack,
    /// Measure how the accuracy falls as test images are turned, shifted and zoomed.
    Robustness,
    /// Classify one image with the weights of this moment.
    Predict {
        /// Number of the question; the answer carries it.
        id: u32,
        /// Pixels `[28, 28]`, 0 (paper) to 255 (ink).
        #[serde(with = "serde_bytes")]
        pixels: Vec<u8>,
        /// With the weights after this epoch; none for those of this moment.
        epoch: Option<u32>,
    },
}

/// What the page asks of the worker for files, which knows the formats and nothing of sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Filing {
    /// Write weights as a file: answered by [`Event::File`].
    Write {
        /// In this format.
        format: Format,
        /// The weights.
        weights: TrainerState,
    },
    /// Read the weights in a file, safetensors or burnpack: answered by [`Event::Opened`].
    Read {
        /// The file.
        #[serde(with = "serde_bytes")]
        file: Vec<u8>,
    },
}

/// A file format for weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// With PyTorch's names and shapes.
    Safetensors,
    /// Burn's own, with the names and shapes of [`crate::model`].
    Burnpack,
    /// The network with its weights, for ONNX Runtime and others.
    Onnx,
}

impl Format {
    /// All of them, in the order of a menu.
    pub const ALL: [Self; 3] = [Self::Safetensors, Self::Burnpack, Self::Onnx];

    /// The end of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Burnpack => "bpk",
            Self::Onnx => "onnx",
        }
    }
}

/// A part of the data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What is trained on.
    Train,
    /// What is held out to watch the training.
    #[default]
    Validation,
    /// What scores the network.
    Test,
}

impl Part {
    /// All of them, in the order of a menu.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name in a menu.
    pub fn key(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// Which images are to be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Number of the question; the answer carries it.
    pub id: u32,
    /// Of this part.
    pub part: Part,
    /// Of this class only.
    pub label: Option<u8>,
    /// Only those that the last evaluation took for this class.
    pub predicted: Option<u8>,
    /// Only those that the last evaluation took for another class than theirs.
    pub mistakes: bool,
    /// Leave out so many.
    pub from: u32,
    /// At most so many.
    pub count: u32,
}

/// An image that is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Specimen {
    /// Its number in its file.
    pub number: u32,
    /// Its class.
    pub label: u8,
    /// What the last evaluation of its part took it for, and how sure it was.
    pub answer: Option<(u8, f32)>,
    /// Pixels `[28, 28]`.
    #[serde(with = "serde_bytes")]
    pub pixels: Vec<u8>,
}

/// What happens inside the network for one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Steps that these weights have seen.
    pub steps: u32,
    /// The network's output, `[10]`.
    pub logits: Vec<f32>,
    /// Softmax of the logits, `[10]`.
    pub probabilities: Vec<f32>,
    /// What both convolution blocks give: 32 maps of 13x13, 64 of 5x5.
    pub blocks: [Maps; 2],
    /// How much each pixel moves the logit of the most probable class: the size of the gradient (Simonyan et al. 2013),
    /// `[28, 28]`.
    pub saliency: Maps,
}

/// Maps of numbers from 0 up, as shades.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Maps {
    /// Rows, and columns, of a map.
    pub side: u32,
    /// What 255 stands for: the largest number of all maps.
    pub largest: f32,
    /// The maps one after another, row by row, 0 to 255.
    #[serde(with = "serde_bytes")]
    pub shades: Vec<u8>,
}

/// Accuracy on images that were all moved in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Robust {
    /// How they were moved.
    pub motion: Motion,
    /// By how much: degrees, or a share of the side, or a factor less one.
    pub amount: f64,
    /// Share that was predicted right.
    pub accuracy: f64,
}

/// What a network knows: of so many images, how many it predicts right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knowledge {
    /// Of the visitor's digits that teach it.
    pub own: (u32, u32),
    /// Of those that were put aside.
    pub aside: (u32, u32),
    /// Of the test set.
    pub test: (u32, u32),
}

/// A way to move an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Motion {
    /// Turned, in degrees.
    Rotation,
    /// Moved to the right, as a share of the width.
    Shift,
    /// Enlarged, as a factor less one.
    Zoom,
}

impl Command {
    /// Begin a run at its beginning.
    pub fn start(run: RunId, settings: Settings) -> Self {
        Command::Start { run, settings, from: None }
    }
}

/// What a session tells the page, with the run that it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The run; 0 before the first.
    pub run: RunId,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The worker's program is on its way: its loader's words.
    Fetching {
        /// Bytes so far, unpacked.
        received: u32,
        /// Whether that is all.
        done: bool,
    },
    /// The worker is up; the page may send commands.
    Ready {
        /// What it computes with.
        backend: BackendInfo,
        /// Build of the worker, to be equal to the page's.
        build: String,
    },
    /// The worker can't use its backend, or can't any more; the page goes on with another and shows the reason.
    Unavailable {
        /// Why, as a sentence.
        reason: String,
        /// Whether the backend is there but does not work: a safer configuration of it may.
        #[serde(default)]
        faulty: bool,
    },
    /// The run is in another state.
    State(RunState),
    /// The data set is on its way.
    Loading(Loading),
    /// The data set is there.
    Loaded(Loaded),
    /// Where the run is.
    Progress(Progress),
    /// Training steps since the last such event.
    Steps(Vec<StepPoint>),
    /// An epoch is over and validated.
    Epoch {
        /// Its line in the history.
        record: EpochRecord,
        /// Validation images by true and predicted class.
        confusion: ConfusionMatrix,
    },
    /// Where the run can go on from, if this worker is lost: every few seconds and after each epoch.
    Checkpoint(Box<Checkpoint>),
    /// The test set is scored.
    Test(TestResult),
    /// The weights of [`Command::Import`] are good: what follows is of this run.
    Imported {
        /// Its number.
        run: RunId,
    },
    /// The files of [`Command::UseData`] are good.
    DataTaken {
        /// Images to train and validate with.
        train: u32,
        /// Images to test with.
        test: u32,
    },
    /// The answer to [`Command::Adjust`].
    Adjusted {
        /// Steps that were done before.
        step: u32,
        /// How the run goes on.
        to: Adjustable,
    },
    /// The answer to [`Command::Save`]: what the worker for files is to write.
    Save {
        /// In this format.
        format: Format,
        /// The weights.
        weights: TrainerState,
    },
    /// The answer to [`Filing::Write`].
    File {
        /// Its format.
        format: Format,
        /// Steps that the weights have seen.
        step: u32,
        /// The file.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The answer to [`Filing::Read`].
    Opened {
        /// The weights, for a run's beginning.
        weights: TrainerState,
    },
    /// The answer to [`Command::Browse`].
    Specimens {
        /// Number of the question.
        id: u32,
        /// How many there are in all.
        total: u32,
        /// The first of them, from where it was asked.
        specimens: Vec<Specimen>,
    },
    /// The answer to [`Command::Explain`].
    Explained {
        /// Number of the question.
        id: u32,
        /// What happens.
        explanation: Box<Explanation>,
    },
    /// The answer to [`Command::Diagnose`].
    Diagnosed {
        /// Number of the question.
        id: u32,
        /// Probability of each digit for each image.
        probabilities: Vec<Vec<f32>>,
        /// The training images nearest to the first, by the distance of their pixels.
        nearest: Vec<Specimen>,
    },
    /// The answer to [`Command::Read`].
    Read {
        /// Number of the question.
        id: u32,
        /// What each digit is taken for, and how sure the network is.
        answers: Vec<(u8, f32)>,
    },
    /// How far [`Command::FineTune`] is.
    FineTuning {
        /// Steps that are done.
        step: u32,
        /// Steps in all.
        steps: u32,
    },
    /// The network is fine-tuned. The score that comes next is of it, and so is the checkpoint, if the run is at its end.
    FineTuned {
        /// What it knew before.
        before: Knowledge,
        /// What it knows now.
        after: Knowledge,
    },
    /// The fine-tuning is undone, or ended if it was under way.
    TakenBack,
    /// One more point of the answer to [`Command::Robustness`].
    Robustness {
        /// The point.
        point: Robust,
        /// How many are still to come.
        left: u32,
    },
    /// The answer to [`Command::Predict`].
    Prediction {
        /// Number of the question.
        id: u32,
        /// Probability of each digit, or `None` while there is no network yet.
        probabilities: Option<Vec<f32>>,
        /// Training steps that the network has seen.
        steps: u32,
        /// With the weights after this epoch, if it was asked for.
        epoch: Option<u32>,
    },
    /// Something worth saying that stops nothing.
    Warning(String),
    /// The run can't go on.
    Failed(String),
}

/// The state of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// No run.
    #[default]
    Idle,
    /// The data set is being fetched, checked or drawn.
    Loading,
    /// Training, validating or scoring the test set.
    Training,
    /// Resting between two steps.
    Paused,
    /// All epochs done and the test set scored.
    Finished,
    /// Ended by the visitor.
    Stopped,
    /// Ended by an error.
    Failed,
}

impl RunState {
    /// Whether a run is under way.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Loading | Self::Training | Self::Paused)
    }
}

/// What a worker computes with, and why it and not another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackendInfo {
    /// `webgpu`, `cpu` or `ndarray`; empty while unknown.
    pub name: String,
    /// The GPU adapter, or the CPU engine.
    pub adapter: String,
    /// Why this backend.
    pub reason: String,
    /// How its results compare with the CPU's; none for the CPU itself.
    pub check: Option<Check>,
}

/// A backend's self-test that was passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The largest difference from burn-flex, relative to the largest value of what differs.
    pub largest_difference: f64,
    /// What differs by that much.
    pub of: String,
    /// The largest difference that passes.
    pub tolerance: f64,
    /// Whether it was passed with fused kernels.
    pub fusion: bool,
    /// Whether that was on an earlier visit, with this adapter and this build.
    pub earlier: bool,
}

/// How much of a data set has arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loading {
    /// What is going on, as words for the visitor.
    pub what: String,
    /// Bytes so far, over all files.
    pub received: u64,
    /// Bytes in all.
    pub total: u64,
}

/// What a run trains on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// Where it came from, as words for the visitor.
    pub source: String,
    /// Training images.
    pub train: u32,
    /// Validation images.
    pub validation: u32,
    /// Test images.
    pub test: u32,
    /// Seconds that it took to get and check them.
    pub seconds: f64,
}

/// What a run is doing at this moment.
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

/// Where a run is.
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
    /// Training images a second in this epoch, once known.
    pub images_per_second: Option<f64>,
    /// Estimated seconds to the end of the run, once known.
    pub seconds_left: Option<f64>,
    /// Workers that share each batch.
    pub workers: u32,
    /// Where this epoch's time went so far.
    pub parts: Parts,
}

/// One training step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepPoint {
    /// Number of the step, from 1, over all epochs.
    pub step: u32,
    /// Mean cross-entropy of the batch, in nats.
    pub loss: f64,
    /// Share of the batch that was predicted right.
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
    /// Share of its training images that was predicted right (likewise).
    pub train_accuracy: f64,
    /// Mean loss on the validation set.
    pub validation_loss: f64,
    /// Accuracy on the validation set.
    pub validation_accuracy: f64,
    /// Training images a second, without validation and pauses.
    pub images_per_second: f64,
    /// Seconds of training and validation, without pauses.
    pub seconds: f64,
    /// Where the time of its training steps went.
    pub parts: Parts,
}

/// The score on the test set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// Share of the test set that was predicted right.
    pub accuracy: f64,
    /// Its 95 % Wilson interval.
    pub interval: [f64; 2],
    /// Mean loss on the test set.
    pub loss: f64,
    /// Test images by true and predicted class.
    pub confusion: ConfusionMatrix,
    /// How often the network was as sure as it was right.
    pub calibration: Calibration,
    /// 1 for each test image that was predicted right, else 0: two runs are compared by them.
    #[serde(with = "serde_bytes")]
    pub right: Vec<u8>,
    /// Seconds that scoring took.
    pub seconds: f64,
}
