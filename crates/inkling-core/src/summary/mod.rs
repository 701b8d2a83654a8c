//! What the page knows of a run, folded from its events. The page draws it, and shows it as JSON in `#run-summary`.

mod curves;
mod saved;

use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::Checkpoint,
    healing::{Incident, Remedy},
    metrics::ConfusionMatrix,
    protocol::{
        BackendInfo, BackendName, Envelope, EpochRecord, Event, Knowledge, Loaded, Loading, Part, Progress,
        RobustnessPoint, RunId, RunState, TestResult,
    },
    settings::{Adjustable, Settings},
};
pub use curves::Curves;
pub use saved::SavedRun;

/// A run as the page knows it.
#[derive(Clone, Debug, Serialize)]
pub struct RunSummary {
    /// Number of the run; events of other runs are stale.
    #[serde(skip)]
    pub run: RunId,
    /// State of the run.
    pub state: RunState,
    /// Why it failed.
    pub error: Option<String>,
    /// The data set, once it is there.
    pub dataset: Option<DatasetSummary>,
    /// What the worker computes with.
    pub backend: BackendInfo,
    /// Settings of the run.
    pub settings: Settings,
    /// Workers that share each batch; 0 before there is a run.
    pub workers: u32,
    /// One record per epoch.
    pub history: Vec<EpochRecord>,
    /// The newest matrix: of the validation set after each epoch, of the test set when that is scored.
    pub confusion_matrix: Option<ConfusionMatrix>,
    /// Which set the matrix is of: `validation` or `test`.
    pub confusion_matrix_of: Option<Part>,
    /// Accuracy on the test set.
    pub test_accuracy: Option<f64>,
    /// Its 95 % Wilson interval.
    pub test_accuracy_interval: Option<[f64; 2]>,
    /// Seconds that the parts of the run took.
    pub timings: Timings,
    /// Warnings of this run.
    pub warnings: Vec<String>,
    /// Workers that were lost during this run, and how it recovered.
    pub incidents: Vec<Incident>,
    /// Settings that were changed during the run, and after how many steps.
    pub adjustments: Vec<(u32, Adjustable)>,
    /// Accuracy on moved images, as far as it has been measured.
    pub robustness: Vec<RobustnessPoint>,
    /// Points of it that are still to come.
    #[serde(skip)]
    pub robustness_left: u32,
    /// The score on the test set.
    #[serde(skip)]
    pub test: Option<TestResult>,
    /// What the network knew before and after it was fine-tuned on the visitor's digits.
    pub fine_tuned: Option<[Knowledge; 2]>,
    /// Whether the fine-tuning can be taken back.
    #[serde(skip)]
    pub can_take_back: bool,
    /// Steps that the fine-tuning in progress has done, and its steps in all.
    #[serde(skip)]
    pub fine_tuning: Option<(u32, u32)>,
    /// Its weights came from a file: there is a network before the first step.
    #[serde(skip)]
    pub imported: bool,
    /// What is kept of each epoch.
    #[serde(skip)]
    pub snapshots: Vec<Snapshot>,
    /// Where the run can resume.
    #[serde(skip)]
    pub checkpoint: Option<Box<Checkpoint>>,
    /// How far the run is.
    #[serde(skip)]
    pub progress: Option<Progress>,
    /// How much of the data has arrived.
    #[serde(skip)]
    pub loading: Option<Loading>,
    /// The visitor has asked for the test set to be scored, and that is not done yet.
    #[serde(skip)]
    pub testing: bool,
    /// The curves of the training steps.
    #[serde(skip)]
    pub curves: Curves,
}

/// An epoch to go back to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Number of the epoch, from 1.
    pub epoch: u32,
    /// Validation images by true and predicted class.
    pub confusion: ConfusionMatrix,
    /// Weights of the first convolution, `[32, 3, 3]`; empty if none were handed out with that epoch.
    pub filters: Vec<f32>,
}

/// Weights of the first convolution: 32 filters of 3x3.
const FILTER_WEIGHTS: usize = 32 * 9;

/// The data set of a run.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetSummary {
    /// Its name in a URL.
    pub name: &'static str,
    /// Where it came from and how it is split.
    #[serde(flatten)]
    pub loaded: Loaded,
}

/// Seconds that the parts of a run took, without pauses.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Timings {
    /// Getting and checking the data.
    pub data_seconds: f64,
    /// All epochs, validation included.
    pub epochs_seconds: f64,
    /// Scoring the test set.
    pub test_seconds: f64,
}

impl RunSummary {
    /// No run yet, with the settings of the page.
    pub fn new(run: RunId, settings: Settings, backend: BackendInfo) -> Self {
        RunSummary {
            run,
            state: RunState::Idle,
            error: None,
            dataset: None,
            backend,
            settings,
            workers: 0,
            history: Vec::new(),
            confusion_matrix: None,
            confusion_matrix_of: None,
            test_accuracy: None,
            test_accuracy_interval: None,
            timings: Timings::default(),
            warnings: Vec::new(),
            incidents: Vec::new(),
            adjustments: Vec::new(),
            robustness: Vec::new(),
            robustness_left: 0,
            test: None,
            fine_tuned: None,
            can_take_back: false,
            fine_tuning: None,
            imported: false,
            snapshots: Vec::new(),
            checkpoint: None,
            progress: None,
            loading: None,
            testing: false,
            curves: Curves::default(),
        }
    }

    /// Applies an event. Returns false if it belongs to another run and was dropped.
    pub fn apply(&mut self, envelope: &Envelope) -> bool {
        if envelope.run != self.run {
            return false;
        }
        match &envelope.event {
            Event::State(RunState::Idle) => *self = Self::new(self.run, self.settings.clone(), self.backend.clone()),
            Event::State(state) => self.state = *state,
            Event::Loading(loading) => self.loading = Some(loading.clone()),
            Event::Loaded(loaded) => {
                self.loading = None;
                self.timings.data_seconds = loaded.seconds;
                self.dataset = Some(DatasetSummary { name: self.settings.dataset.key(), loaded: loaded.clone() });
            }
            Event::Progress(progress) => {
                self.workers = progress.workers;
                self.progress = Some(*progress);
            }
            Event::Steps(points) => {
                let per_epoch = self.steps_per_epoch();
                for point in points {
                    self.curves.push(f64::from(point.step) / per_epoch, point);
                }
            }
            Event::Epoch { record, confusion } => {
                self.timings.epochs_seconds += record.seconds;
                self.history.push(*record);
                self.snapshots.push(Snapshot { epoch: record.epoch, confusion: *confusion, filters: Vec::new() });
                self.show(confusion, Part::Validation);
            }
            Event::Test(result) => {
                self.testing = false;
                self.scored(result.clone());
            }
            Event::Adjusted { step, to } => {
                self.settings = self.settings.adjusted(*to);
                self.adjustments.push((*step, *to));
            }
            Event::Robustness { point, left } => {
                self.robustness.push(*point);
                self.robustness_left = *left;
            }
            Event::FineTuning { step, steps } => self.fine_tuning = Some((*step, *steps)),
            Event::FineTuned { before, after } => {
                (self.fine_tuning, self.can_take_back) = (None, true);
                self.fine_tuned = Some([*before, *after]);
                self.robustness.clear();
                (self.robustness_left, self.testing) = (0, false);
            }
            Event::TakenBack => {
                // A fine-tuning that was in progress has left the network unchanged.
                if self.fine_tuning.take().is_none() {
                    (self.fine_tuned, self.can_take_back) = (None, false);
                    self.robustness.clear();
                }
                (self.robustness_left, self.testing) = (0, false);
            }
            Event::Warning(message) => {
                self.testing = false; // the warning may refuse the test
                self.warnings.push(message.clone());
            }
            Event::Failed(reason) => {
                self.fine_tuning = None;
                self.state = RunState::Failed;
                self.error = Some(reason.clone());
            }
            Event::Checkpoint(checkpoint) => {
                self.checkpoint = Some(checkpoint.clone());
                self.curves.mark();
                // A checkpoint at an epoch's end has that epoch's weights; in a later one, they may be fine-tuned.
                let ended = |snapshot: &&mut Snapshot| checkpoint.done == 0 && snapshot.filters.is_empty();
                if let Some(snapshot) = self.snapshots.last_mut().filter(ended) {
                    snapshot.filters = checkpoint.trainer.first(FILTER_WEIGHTS);
                }
            }
            Event::Fetching { .. }
            | Event::Imported { .. }
            | Event::DataTaken { .. }
            | Event::Export { .. }
            | Event::Answer { .. }
            | Event::Ready { .. }
            | Event::Unavailable { .. } => {}
        }
        true
    }

    /// Steps per epoch; 1 before that is known.
    pub fn steps_per_epoch(&self) -> f64 {
        self.progress.map_or(1.0, |p| f64::from(p.steps) / f64::from(p.epochs.max(1))).max(1.0)
    }

    /// The worker was lost, for `reason`: forgets what came after the last checkpoint, and returns the remedy.
    pub fn roll_back(&mut self, backend: BackendName, reason: &str) -> Remedy {
        let remedy = Remedy::after(&self.incidents, backend);
        let from = self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.trainer.step);
        let step = self.progress.map_or(0, |progress| progress.step);
        self.incidents.push(Incident { backend, reason: reason.into(), step, from, remedy });
        if remedy != Remedy::None {
            self.back_to_checkpoint();
        }
        remedy
    }

    /// Goes back to the last checkpoint, where a fresh worker resumes.
    pub fn back_to_checkpoint(&mut self) {
        let epochs = self.checkpoint.as_ref().map_or(1, |checkpoint| checkpoint.epoch);
        self.curves.cut();
        self.history.retain(|record| record.epoch < epochs);
        self.snapshots.retain(|snapshot| snapshot.epoch < epochs);
        self.timings.epochs_seconds = self.history.iter().map(|record| record.seconds).sum();
        (self.state, self.loading) = (RunState::Loading, None);
        self.forget_asides();
    }

    /// Forgets what a lost worker was doing beside the run.
    pub fn forget_asides(&mut self) {
        (self.testing, self.robustness_left, self.can_take_back) = (false, 0, false);
        if self.fine_tuning.take().is_some() {
            self.warnings
                .push("The worker was lost while it learned your digits. The network is as it was before.".into());
        }
    }

    /// Robustness is about to be measured.
    pub fn begin_robustness(&mut self) {
        self.robustness.clear();
        // The first point says how many are left.
        self.robustness_left = 1;
    }

    /// The history as CSV (RFC 4180), one line per epoch.
    pub fn history_csv(&self) -> String {
        let mut csv = String::from(
            "epoch,step,train_loss,train_accuracy,validation_loss,validation_accuracy,images_per_second,seconds\r\n",
        );
        for record in &self.history {
            let EpochRecord { epoch, step, train_loss, train_accuracy, validation_loss, validation_accuracy, .. } =
                record;
            let EpochRecord { images_per_second, seconds, .. } = record;
            csv += &format!(
                "{epoch},{step},{train_loss},{train_accuracy},{validation_loss},{validation_accuracy},{images_per_second},{seconds}\r\n"
            );
        }
        csv
    }

    fn scored(&mut self, test: TestResult) {
        self.timings.test_seconds = test.seconds;
        self.test_accuracy = Some(test.accuracy);
        self.test_accuracy_interval = Some(test.interval);
        self.show(&test.confusion, Part::Test);
        self.test = Some(test);
    }

    /// Weights of the first convolution at the last checkpoint, `[32, 3, 3]`.
    pub fn filters(&self) -> Option<Vec<f32>> {
        self.checkpoint.as_ref().map(|checkpoint| checkpoint.trainer.first(FILTER_WEIGHTS))
    }

    fn show(&mut self, confusion: &ConfusionMatrix, of: Part) {
        self.confusion_matrix = Some(*confusion);
        self.confusion_matrix_of = Some(of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_events_are_dropped_and_a_reset_forgets_all_but_the_settings() {
        let settings = Settings { epochs: 3, ..Settings::default() };
        let mut summary = RunSummary::new(2, settings.clone(), BackendInfo::default());
        assert!(!summary.apply(&Envelope { run: 1, event: Event::State(RunState::Training) }));
        assert_eq!(summary.state, RunState::Idle);
        assert!(summary.apply(&Envelope { run: 2, event: Event::Failed("no".into()) }));
        assert_eq!((summary.state, summary.error.as_deref()), (RunState::Failed, Some("no")));
        summary.apply(&Envelope { run: 2, event: Event::State(RunState::Idle) });
        assert_eq!((summary.state, summary.error, summary.settings), (RunState::Idle, None, settings));
    }

    #[test]
    fn the_json_has_the_fields_that_are_promised() {
        let json = serde_json::to_value(RunSummary::new(0, Settings::default(), BackendInfo::default())).unwrap();
        for field in [
            "state",
            "error",
            "dataset",
            "backend",
            "settings",
            "history",
            "confusion_matrix",
            "test_accuracy",
            "timings",
        ] {
            assert!(json.get(field).is_some(), "{field} is missing");
        }
        assert_eq!(json["state"], "idle");
    }
}
