//! A run as the browser keeps it, to resume it later.

use serde::{Deserialize, Serialize};

use super::{Curves, RunSummary, Snapshot};
use crate::{
    checkpoint::Checkpoint,
    healing::Incident,
    image::DataShape,
    protocol::{BackendInfo, EpochRecord, Knowledge, Part, RobustnessPoint, RunId, RunState, TestResult},
    say,
    settings::{Adjustable, Settings},
};

/// A run as the browser keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedRun {
    /// Version of the format.
    pub(crate) version: u32,
    /// Its settings.
    pub settings: Settings,
    /// What it is trained on: digits, in a record of an earlier version.
    #[serde(default)]
    pub data: DataShape,
    pub(crate) history: Vec<EpochRecord>,
    pub(crate) curves: Curves,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) adjustments: Vec<(u32, Adjustable)>,
    pub(crate) robustness: Vec<RobustnessPoint>,
    pub(crate) snapshots: Vec<Snapshot>,
    /// The score on the test set, once nothing is left to train.
    pub(crate) test: Option<TestResult>,
    #[serde(default)]
    pub(crate) fine_tuned: Option<[Knowledge; 2]>,
    /// Steps of the whole run.
    pub(crate) steps: u32,
    /// Where it resumes.
    pub checkpoint: Box<Checkpoint>,
}

/// Version of the format of [`SavedRun`] that this build writes.
pub(crate) const SAVED_VERSION: u32 = 3;
/// The oldest version that it reads. Version 2 has lists of numbers where version 3 has bytes, a point for each step, and
/// no fingerprint of the data set.
pub(crate) const OLDEST_VERSION: u32 = 2;

impl SavedRun {
    /// What its file is called, if nobody chooses another name.
    pub const FILE_NAME: &str = "inkling-run.json.gz";

    /// Whether nothing is left to train.
    pub fn is_finished(&self) -> bool {
        self.checkpoint.epoch > self.settings.epochs
    }

    /// One record per epoch.
    pub fn history(&self) -> &[EpochRecord] {
        &self.history
    }

    /// Accuracy on the test set, once nothing is left to train.
    pub fn test_accuracy(&self) -> Option<f64> {
        self.test.as_ref().map(|test| test.accuracy)
    }

    /// What it is, as a sentence for the page.
    pub fn sentence(&self) -> String {
        let (step, steps, epochs) = (self.checkpoint.trainer.step, self.steps, self.settings.epochs);
        if self.is_finished() {
            let epochs = self.history.last().map_or(0, |record| record.epoch);
            return match epochs {
                1 => say!("This browser has kept a finished run of one epoch.").into(),
                _ => say!("This browser has kept a finished run of {} epochs.", epochs),
            };
        }
        let epoch = self.checkpoint.epoch;
        say!("This browser has kept an unfinished run: epoch {} of {}, step {} of {}.", epoch, epochs, step, steps)
    }
}

impl RunSummary {
    /// The run to keep, once there is a checkpoint.
    pub fn saved(&self) -> Option<SavedRun> {
        let checkpoint = self.checkpoint.clone()?;
        let mut curves = self.curves.clone();
        curves.cut();
        // A run that continues has a different network from the one that was scored.
        let over = checkpoint.epoch > self.settings.epochs;
        Some(SavedRun {
            version: SAVED_VERSION,
            settings: self.settings.clone(),
            data: self.data,
            history: self.history.iter().filter(|record| record.epoch < checkpoint.epoch).copied().collect(),
            curves,
            incidents: self.incidents.clone(),
            adjustments: self.adjustments.clone(),
            robustness: self.robustness.clone(),
            snapshots: self.snapshots.iter().filter(|shot| shot.epoch < checkpoint.epoch).cloned().collect(),
            test: self.test.clone().filter(|_| over),
            fine_tuned: self.fine_tuned.filter(|_| over),
            steps: self.steps.max(checkpoint.trainer.step), // it may have missed how many there are
            checkpoint,
        })
    }

    /// The run that was kept, about to resume.
    pub fn restored(run: RunId, saved: SavedRun, backend: BackendInfo) -> Self {
        let SavedRun {
            settings,
            data,
            history,
            curves,
            incidents,
            adjustments,
            robustness,
            snapshots,
            test,
            fine_tuned,
            steps,
            ..
        } = saved;
        let mut summary = RunSummary::new(run, settings, backend, Some(data));
        (summary.state, summary.steps) = (RunState::Loading, steps);
        summary.timings.epochs_seconds = history.iter().map(|record| record.seconds).sum();
        if let Some(snapshot) = snapshots.last() {
            summary.show(&snapshot.confusion, Part::Validation);
        }
        if let Some(test) = test {
            summary.scored(test);
        }
        let mut curves = curves;
        curves.thin(); // those of an earlier version have a point for each step
        let checkpoint = Some(saved.checkpoint);
        RunSummary { history, curves, incidents, adjustments, robustness, snapshots, fine_tuned, checkpoint, ..summary }
    }
}
