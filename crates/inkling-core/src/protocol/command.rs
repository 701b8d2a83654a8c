//! What the page asks of a session.

use serde::{Deserialize, Serialize};

use super::{Format, Question, RunId};
use crate::{
    checkpoint::{Checkpoint, TrainerState},
    data::{SharedDataset, handwriting::Handwriting},
    network::Network,
    settings::{Adjustable, Settings},
};

/// What the page asks of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Start a run.
    Start {
        /// Its number.
        run: RunId,
        /// Its settings.
        settings: Settings,
        /// Where it resumes: a checkpoint of a run with the same settings. `None` starts at the beginning.
        from: Option<Box<Checkpoint>>,
    },
    /// The same, for programs that have the settings as text.
    Train {
        /// Its number.
        run: RunId,
        /// Its settings as in an address ([`Settings::from_query`]). A wrong one ends the run with a sentence.
        query: String,
        /// Where it resumes.
        from: Option<Box<Checkpoint>>,
    },
    /// Start a run with weights from a file, and pause before its first step.
    Import {
        /// The current run, which hears whether the weights fit.
        run: RunId,
        /// Number of the new run.
        next: RunId,
        /// Settings of the new run.
        settings: Settings,
        /// The weights, as [`super::FileEvent::Opened`] has them.
        weights: TrainerState,
    },
    /// Make the network that a run with these settings begins with, to answer questions until there is a run.
    Prepare {
        /// Number of the page's run: later events belong to it.
        run: RunId,
        /// The settings.
        settings: Settings,
    },
    /// Take a trained network, to answer questions until there is a run. Needs no data set.
    Load {
        /// Number of the run that its answers belong to.
        run: RunId,
        /// The network.
        net: Network,
        /// Its weights, as [`super::FileEvent::Opened`] has them.
        weights: TrainerState,
    },
    /// Take the visitor's own data set for later runs.
    UseData(SharedDataset),
    /// Pause before the next step.
    Pause,
    /// While paused: do one training step, or evaluate one batch, and pause again.
    Step,
    /// Continue with another learning rate or augmentation.
    Adjust(Adjustable),
    /// Continue after a pause.
    Resume,
    /// End the run and keep its weights.
    Stop,
    /// End the run and forget it.
    Reset,
    /// Score the test set with the current weights.
    Test,
    /// Hand out the current weights, to be written in this format.
    Export(Format),
    /// Train on the visitor's handwriting, mixed with images of the training set, once the run is over.
    FineTune(Handwriting),
    /// Stop a fine-tuning, or undo the last one.
    TakeBack,
    /// Measure how accuracy falls as test images are rotated, shifted and zoomed.
    MeasureRobustness,
    /// Describe the data set: counts, mean images, images that nearly equal each other, and possible wrong labels.
    Survey,
    /// Answer a question about the network or the images.
    Ask {
        /// Number of the question; the answer carries it.
        id: u32,
        /// The question.
        question: Question,
    },
}

impl Command {
    /// Starts a run from the beginning.
    pub fn start(run: RunId, settings: Settings) -> Self {
        Command::Start { run, settings, from: None }
    }
}
