//! What the page knows of a run, folded from its events. The page draws it, and shows it as JSON in `#run-summary`.

mod curves;
mod saved;

use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::Checkpoint,
    healing::{Incident, Remedy},
    image::DataShape,
    metrics::ConfusionMatrix,
    network::{Filters, Network},
    protocol::{
        BackendInfo, BackendName, Envelope, EpochRecord, Event, Knowledge, Loaded, Loading, Part, Progress,
        RobustnessPoint, RunId, RunState, Score, Survey, TestResult,
    },
    say,
    settings::{Adjustable, Settings},
};
pub use curves::Curves;
pub use saved::SavedRun;
pub(crate) use saved::{OLDEST_VERSION, SAVED_VERSION};

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
    /// What it is trained on, as far as that is known before the data is there.
    #[serde(skip)]
    pub data: DataShape,
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
    /// What its data set looks like, as far as that was asked.
    #[serde(skip)]
    pub survey: Survey,
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
    /// Steps of the whole run; 0 before that is known.
    #[serde(skip)]
    pub steps: u32,
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
    /// Weights of the first convolution, `[out, in, side, side]`; empty if none were handed out with that epoch.
    #[serde(with = "crate::packed::singles")]
    pub filters: Vec<f32>,
}

/// A longer reason for the loss of a worker is cut off.
const LONGEST_REASON: usize = 1_000;

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
    /// No run yet, with the settings of the page; `own` is the shape of the visitor's own data set, if there is one.
    pub fn new(run: RunId, settings: Settings, backend: BackendInfo, own: Option<DataShape>) -> Self {
        RunSummary {
            data: settings.dataset.shape(own),
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
            survey: Survey::default(),
            test: None,
            fine_tuned: None,
            can_take_back: false,
            fine_tuning: None,
            imported: false,
            snapshots: Vec::new(),
            checkpoint: None,
            steps: 0,
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
            Event::State(RunState::Idle) => {
                *self = Self::new(self.run, self.settings.clone(), self.backend.clone(), Some(self.data));
            }
            Event::State(state) => self.state = *state,
            Event::Loading(loading) => self.loading = Some(loading.clone()),
            Event::Loaded(loaded) => {
                self.loading = None;
                self.timings.data_seconds = loaded.seconds;
                self.data = loaded.shape;
                self.dataset = Some(DatasetSummary { name: self.settings.dataset.key(), loaded: loaded.clone() });
            }
            Event::Progress(progress) => {
                self.workers = progress.workers;
                self.steps = progress.steps;
                self.progress = Some(*progress);
            }
            // Without the number of steps, a point has no place on the curve.
            Event::Steps(points) if self.steps > 0 => {
                let per_epoch = self.steps_per_epoch();
                for point in points {
                    self.curves.push(f64::from(point.step) / per_epoch, point);
                }
            }
            Event::Epoch { record, confusion } => {
                self.timings.epochs_seconds += record.seconds;
                self.history.push(*record);
                self.snapshots.push(Snapshot {
                    epoch: record.epoch,
                    confusion: confusion.clone(),
                    filters: Vec::new(),
                });
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
            Event::Classes(classes) => self.survey.classes = classes.clone(),
            Event::Surveying { done, of } => self.survey.looking = Some((*done, *of)),
            Event::Surveyed(twins) => (self.survey.looking, self.survey.twins) = (None, Some(twins.clone())),
            Event::FineTuning { step, steps } => self.fine_tuning = Some((*step, *steps)),
            Event::FineTuned { before, after } => {
                (self.fine_tuning, self.can_take_back) = (None, true);
                self.fine_tuned = Some([*before, *after]);
                self.robustness.clear();
                (self.robustness_left, self.testing) = (0, false);
                self.survey.looking = None;
            }
            Event::TakenBack => {
                // A fine-tuning that was in progress has left the network unchanged.
                if self.fine_tuning.take().is_none() {
                    (self.fine_tuned, self.can_take_back) = (None, false);
                    self.robustness.clear();
                }
                (self.robustness_left, self.testing) = (0, false);
                self.survey.looking = None;
            }
            Event::Warning(message) => {
                self.testing = false; // the warning may refuse the test or the measurement
                if self.robustness.is_empty() {
                    self.robustness_left = 0;
                }
                if self.survey.classes.is_empty() {
                    self.survey.looking = None;
                }
                self.warnings.push(message.clone());
            }
            Event::Failed(reason) => {
                (self.fine_tuning, self.survey.looking) = (None, None);
                self.state = RunState::Failed;
                self.error = Some(reason.clone());
            }
            Event::Checkpoint(checkpoint) => {
                self.checkpoint = Some(checkpoint.clone());
                self.curves.mark();
                let kept_filters = self.network().map_or(0, |net| net.kept_filters());
                // A checkpoint at an epoch's end has that epoch's weights; in a later one, they may be fine-tuned.
                let ended = |snapshot: &&mut Snapshot| checkpoint.done == 0 && snapshot.filters.is_empty();
                if let Some(snapshot) = self.snapshots.last_mut().filter(ended) {
                    snapshot.filters = checkpoint.trainer.first(kept_filters);
                }
            }
            Event::Steps(_)
            | Event::Followed(_)
            | Event::Fetching { .. }
            | Event::StartingReplica { .. }
            | Event::Imported { .. }
            | Event::Export { .. }
            | Event::Answer { .. }
            | Event::Refused { .. }
            | Event::Ready { .. }
            | Event::Unavailable { .. } => {}
        }
        true
    }

    /// Steps per epoch; 1 before that is known.
    pub fn steps_per_epoch(&self) -> f64 {
        (f64::from(self.steps) / f64::from(self.settings.epochs)).max(1.0)
    }

    /// The worker was lost, for `reason`: forgets what came after the last checkpoint, and returns the remedy.
    pub fn roll_back(&mut self, backend: BackendName, reason: &str) -> Remedy {
        let remedy = Remedy::after(&self.incidents, backend);
        let from = self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.trainer.step);
        let step = self.progress.map_or(0, |progress| progress.step);
        let reason = reason.chars().take(LONGEST_REASON).collect();
        self.incidents.push(Incident { backend, reason, step, from, remedy });
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
        self.survey.looking = None;
        if self.fine_tuning.take().is_some() {
            let words = say!("The worker was lost while it learned your digits. The network is as it was before.");
            self.warnings.push(words.into());
        }
    }

    /// Robustness is about to be measured.
    pub fn begin_robustness(&mut self) {
        self.robustness.clear();
        // The first point says how many are left.
        self.robustness_left = 1;
    }

    /// The data set is about to be described.
    pub fn begin_survey(&mut self) {
        self.survey = Survey { looking: Some((0, 0)), ..Survey::default() };
    }

    /// The network after `epoch`, if the page was told of that epoch's end.
    pub fn snapshot(&self, epoch: u32) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.epoch == epoch)
    }

    /// The history as CSV (RFC 4180), one line per epoch. The scores of averaged weights are empty if the run has none.
    pub fn history_csv(&self) -> String {
        let mut csv = String::from(
            "epoch,step,train_loss,train_accuracy,validation_loss,validation_accuracy,images_per_second,seconds,\
             averaged_validation_loss,averaged_validation_accuracy\r\n",
        );
        for record in &self.history {
            let EpochRecord { epoch, step, train_loss, train_accuracy, validation_loss, validation_accuracy, .. } =
                record;
            let EpochRecord { images_per_second, seconds, averaged, .. } = record;
            let averaged = averaged.map_or(",".into(), |Score { loss, accuracy }| format!("{loss},{accuracy}"));
            csv += &format!(
                "{epoch},{step},{train_loss},{train_accuracy},{validation_loss},{validation_accuracy},{images_per_second},{seconds},{averaged}\r\n"
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

    /// Its network, if that fits its data.
    pub fn network(&self) -> Option<Network> {
        self.settings.network(self.data).ok()
    }

    /// The filters of the layer at `place`, and their weights at the last checkpoint, tile by tile: see [`Network::filters`].
    pub fn filters(&self, place: usize) -> Option<(Filters, Vec<f32>)> {
        let filters = self.network()?.filters(place)?;
        let checkpoint = self.checkpoint.as_ref()?;
        Some((filters, filters.pick(&checkpoint.trainer.first(filters.end()))))
    }

    fn show(&mut self, confusion: &ConfusionMatrix, of: Part) {
        self.confusion_matrix = Some(confusion.clone());
        self.confusion_matrix_of = Some(of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_events_are_dropped_and_a_reset_forgets_all_but_the_settings() {
        let settings = Settings { epochs: 3, ..Settings::default() };
        let mut summary = RunSummary::new(2, settings.clone(), BackendInfo::default(), None);
        assert!(!summary.apply(&Envelope { run: 1, event: Event::State(RunState::Training) }));
        assert_eq!(summary.state, RunState::Idle);
        assert!(summary.apply(&Envelope { run: 2, event: Event::Failed("no".into()) }));
        assert_eq!((summary.state, summary.error.as_deref()), (RunState::Failed, Some("no")));
        summary.apply(&Envelope { run: 2, event: Event::State(RunState::Idle) });
        assert_eq!((summary.state, summary.error, summary.settings), (RunState::Idle, None, settings));
    }

    #[test]
    fn the_json_has_the_fields_that_are_promised() {
        let json = serde_json::to_value(RunSummary::new(0, Settings::default(), BackendInfo::default(), None)).unwrap();
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
