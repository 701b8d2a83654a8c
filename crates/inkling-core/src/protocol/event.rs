//! What a worker tells the page.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Answer, ClassSurvey, EpochRecord, Format, Knowledge, Loaded, Loading, Progress, RobustnessPoint, RunId, StepPoint,
    StepView, TestResult, Twins,
};
use crate::{
    checkpoint::{Checkpoint, TrainerState},
    message,
    metrics::ConfusionMatrix,
    settings::Adjustable,
};

/// A worker's message, with the run it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope<E = Event> {
    /// The run; 0 before the first.
    pub run: RunId,
    /// What happened.
    pub event: E,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The worker's program is being downloaded: sent by its loader.
    Fetching {
        /// Bytes so far, decompressed.
        received: u32,
        /// Whether the download is complete.
        done: bool,
    },
    /// The worker is up; the page may send commands.
    Ready {
        /// The backend it computes with.
        backend: BackendInfo,
        /// Build of the worker; it must equal the page's.
        build: String,
    },
    /// The worker can't use its backend, or can no longer use it. The page continues with another and shows the reason.
    Unavailable {
        /// Why, as a sentence.
        reason: String,
        /// Whether the backend exists but does not work, which the page remembers.
        #[serde(default)]
        faulty: bool,
    },
    /// The worker is about to start another one, or has done so. In between, a browser may let it hang.
    StartingReplica {
        /// Whether it is done.
        done: bool,
    },
    /// The state of the run has changed.
    State(RunState),
    /// The data set is being downloaded.
    Loading(Loading),
    /// The data set is ready.
    Loaded(Loaded),
    /// How far the run is.
    Progress(Progress),
    /// Training steps since the last such event.
    Steps(Vec<StepPoint>),
    /// The answer to [`super::Command::Step`], if that was a training step.
    Followed(StepView),
    /// An epoch is over and validated.
    Epoch {
        /// Its line in the history.
        record: EpochRecord,
        /// Validation images by true and predicted class.
        confusion: ConfusionMatrix,
    },
    /// Where the run can resume if this worker is lost. Sent every few seconds and after each epoch.
    Checkpoint(Box<Checkpoint>),
    /// The test set is scored.
    Test(TestResult),
    /// The weights of [`super::Command::Import`] fit: later events belong to this run.
    Imported {
        /// Number of the new run.
        run: RunId,
    },
    /// The answer to [`super::Command::Adjust`].
    Adjusted {
        /// Steps done before the change.
        step: u32,
        /// The new values.
        to: Adjustable,
    },
    /// The answer to [`super::Command::Export`]: what the file worker is to write.
    Export {
        /// The format.
        format: Format,
        /// The weights.
        weights: TrainerState,
    },
    /// The answer to [`super::Command::Ask`].
    Answer {
        /// Number of the question.
        id: u32,
        /// The answer.
        answer: Answer,
    },
    /// [`super::Command::Ask`] will not be answered; a warning says why.
    Refused {
        /// Number of the question.
        id: u32,
    },
    /// How far [`super::Command::FineTune`] is.
    FineTuning {
        /// Steps done.
        step: u32,
        /// Steps in all.
        steps: u32,
    },
    /// The network is fine-tuned. The next score belongs to it, and so does the next checkpoint if the run had
    /// finished.
    FineTuned {
        /// What it knew before.
        before: Knowledge,
        /// What it knows now.
        after: Knowledge,
    },
    /// The fine-tuning is undone, or was stopped.
    TakenBack,
    /// Another point of the answer to [`super::Command::MeasureRobustness`].
    Robustness {
        /// The point.
        point: RobustnessPoint,
        /// Points still to come.
        left: u32,
    },
    /// The first part of the answer to [`super::Command::Survey`].
    Classes(Vec<ClassSurvey>),
    /// How far [`super::Command::Survey`] is.
    Surveying {
        /// Images looked at.
        done: u32,
        /// Images in all.
        of: u32,
    },
    /// The last part of the answer to [`super::Command::Survey`].
    Surveyed(Twins),
    /// A message for the visitor; the run continues.
    Warning(String),
    /// The run has failed, for this reason.
    Failed(String),
}

/// The state of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// No run.
    #[default]
    Idle,
    /// The data set is being downloaded, checked or drawn.
    Loading,
    /// Training, validating or scoring the test set.
    Training,
    /// Paused between two steps.
    Paused,
    /// All epochs are done and the test set is scored.
    Finished,
    /// Stopped by the visitor.
    Stopped,
    /// Ended by an error.
    Failed,
}

impl RunState {
    /// Whether a run is in progress.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Loading | Self::Training | Self::Paused)
    }

    /// The name on the page.
    pub fn name(self) -> &'static str {
        match self {
            RunState::Idle => message!("idle"),
            RunState::Loading => message!("loading"),
            RunState::Training => message!("training"),
            RunState::Paused => message!("paused"),
            RunState::Finished => message!("finished"),
            RunState::Stopped => message!("stopped"),
            RunState::Failed => message!("failed"),
        }
    }
}

/// A backend that a worker computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendName {
    /// burn-wgpu.
    Webgpu,
    /// burn-flex.
    Cpu,
    /// burn-ndarray.
    Ndarray,
    /// A server's device, through Burn's remote backend.
    Remote,
    /// burn-cuda, which only the command has.
    Cuda,
}

impl BackendName {
    /// Whether it is a GPU or a server: it has its own memory.
    pub fn is_apart(self) -> bool {
        matches!(self, Self::Webgpu | Self::Remote | Self::Cuda)
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Webgpu => "webgpu",
            Self::Cpu => "cpu",
            Self::Ndarray => "ndarray",
            Self::Remote => "remote",
            Self::Cuda => "cuda",
        })
    }
}

/// What a worker computes with, and why this backend was chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackendInfo {
    /// The backend; `None` while unknown.
    pub name: Option<BackendName>,
    /// The GPU adapter, or the CPU engine.
    pub adapter: String,
    /// Why this backend.
    pub reason: String,
    /// How its results compare with the CPU's; `None` for the CPU itself.
    pub check: Option<Check>,
}

/// A self-test that a backend passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The largest difference from burn-flex, relative to the largest value of the tensor.
    pub largest_difference: f64,
    /// The tensor that differs most.
    pub of: String,
    /// The largest difference that passes.
    pub tolerance: f64,
    /// Whether it passed on an earlier visit, with this adapter and this build.
    pub earlier: bool,
}
