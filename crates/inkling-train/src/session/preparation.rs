//! From `Start` to the first step: which data, which images, which weights.

use std::{mem, sync::Arc};

use inkling_core::{
    checkpoint::{Checkpoint, TrainerState},
    data::{Dataset, NamedFile, SharedDataset, Split, synthetic},
    metrics::Stopwatch,
    parameters::PARAMETERS,
    protocol::{Event, Loaded, RunId, RunState},
    settings::{DatasetName, Settings},
};
use inkling_formats::pairs;
use web_time::Instant;

use super::{Session, training::Training};
use crate::{pass::Recipe, schedule::Schedule, trainer::Trainer};

/// Fraction of the hidden units that each step drops.
const DROPOUT: f64 = 0.3;

/// The data sets that the session has been given.
#[derive(Default)]
pub(super) struct Sources {
    mnist: Mnist,
    own: Option<SharedDataset>,
}

/// Where MNIST is.
#[derive(Default)]
enum Mnist {
    /// Nobody has asked for it.
    #[default]
    Absent,
    /// A run needs it; the driver has not been told yet.
    Wanted,
    /// The driver is downloading it.
    Coming,
    /// Here, with a description of its source.
    Here(SharedDataset, String),
}

/// How the run that is loading will start.
pub(super) struct Preparation {
    since: Instant,
    /// Where it resumes.
    from: Option<Box<Checkpoint>>,
    /// Its weights came from a file: it pauses before the first step.
    pause_first: bool,
}

impl Default for Preparation {
    fn default() -> Self {
        Preparation { since: Instant::now(), from: None, pause_first: false }
    }
}

impl Session {
    /// Whether the driver must download MNIST now. Returns true once; the driver replies with [`Session::provide`].
    pub fn wants_mnist(&mut self) -> bool {
        let wanted = matches!(self.sources.mnist, Mnist::Wanted);
        if wanted {
            self.sources.mnist = Mnist::Coming;
        }
        wanted
    }

    /// MNIST is being downloaded already: [`Session::wants_mnist`] need not ask for it.
    pub fn expect_mnist(&mut self) {
        self.sources.mnist = Mnist::Coming;
    }

    /// Takes MNIST with a description of its source, or the reason why it is unavailable. The run that waits for it
    /// starts or fails; if no run is waiting any more, the data is kept for the next one.
    pub fn provide(&mut self, data: Result<(Dataset, String), String>) {
        let waiting = self.state == RunState::Loading && self.settings.dataset == DatasetName::Mnist;
        match data {
            Ok((dataset, source)) => {
                self.sources.mnist = Mnist::Here(Arc::new(dataset), source);
                if waiting {
                    self.prepare();
                }
            }
            Err(reason) => {
                self.sources.mnist = Mnist::Absent;
                if waiting {
                    self.fail(&reason);
                }
            }
        }
    }

    pub(super) fn start(&mut self, run: RunId, settings: Settings, from: Option<Box<Checkpoint>>) {
        self.run = run;
        self.forget();
        self.preparation.from = from;
        self.settings = settings;
        if let Err(error) = self.settings.validate() {
            return self.fail(&error.to_string());
        }
        self.set_state(RunState::Loading);
        match (self.settings.dataset, &self.sources.mnist) {
            (DatasetName::Own, _) if self.sources.own.is_none() => {
                self.fail("Choose the files of your data set first: images and labels as IDX files, like MNIST's.");
            }
            (DatasetName::Mnist, Mnist::Here(..)) => self.prepare(),
            // A download that an earlier run started serves this run as well.
            (DatasetName::Mnist, Mnist::Absent) => self.sources.mnist = Mnist::Wanted,
            _ => {}
        }
    }

    /// Starts a run from imported weights. Weights that do not fit change nothing.
    pub(super) fn import(&mut self, run: RunId, next: RunId, settings: Settings, trainer: TrainerState) {
        self.run = run;
        if trainer.step != 0 || trainer.values().len() != PARAMETERS {
            return self.warn("These are not this network's weights.");
        }
        let beginning = Checkpoint { epoch: 1, done: 0, loss: 0.0, hits: 0.0, seconds: 0.0, best: None, trainer };
        self.emit(Event::Imported { run: next });
        self.start(next, settings, Some(Box::new(beginning)));
        self.preparation.pause_first = true;
        self.pause_if_imported();
    }

    /// Takes the visitor's own data set. Files that are not a data set change nothing.
    pub(super) fn use_data(&mut self, run: RunId, files: &[NamedFile]) {
        self.run = run;
        match pairs::assemble(files) {
            Ok(data) => {
                let (train, test) = (data.train.len() as u32, data.test.len() as u32);
                self.sources.own = Some(Arc::new(data));
                self.emit(Event::DataTaken { train, test });
            }
            Err(error) => self.warn(&format!("The data set was not accepted: {error}.")),
        }
    }

    /// Whether the run is loading and its data needs no download.
    pub(super) fn can_prepare(&self) -> bool {
        self.state == RunState::Loading && self.settings.dataset != DatasetName::Mnist
    }

    /// The data is here: splits it, makes the trainer and starts training.
    pub(super) fn prepare(&mut self) {
        self.team.resize(self.settings.replicas as usize);
        let (data, source) = self.sources.choose(&self.settings);
        let images = self.settings.images as usize;
        let split = Split::stratified(&data.train.labels, (images > 0).then_some(images), self.settings.seed);
        let loaded = Loaded {
            source,
            train: split.train.len() as u32,
            validation: split.validation.len() as u32,
            test: data.test.len() as u32,
            seconds: self.preparation.since.elapsed().as_secs_f64(),
        };
        let from = self.preparation.from.take();
        let Some(trainer) = self.trainer(split.train.len(), from.as_deref()) else {
            return self.fail("The checkpoint does not belong to this run. Press Train to start again.");
        };
        let resident = self.backend.resident(&data);
        self.training = Some(Training::new(&self.settings, data, resident, split, trainer, from.as_deref()));
        self.emit(Event::Loaded(loaded));
        if let Some(from) = from.filter(|from| from.trainer.step == 0) {
            // Until the first steps are done, the weights from the file are all there is to lose.
            self.emit(Event::Checkpoint(from));
        }
        self.set_state(RunState::Training);
        self.report_progress();
        self.pause_if_imported();
    }

    /// The network to train: fresh, or as it was at `from`; `None` if `from` does not fit the run.
    fn trainer(&self, images: usize, from: Option<&Checkpoint>) -> Option<Trainer> {
        let Settings { seed, batch, epochs, lr, kernels, .. } = self.settings;
        let steps = images.div_ceil(batch as usize) as u32 * epochs;
        let recipe = Recipe { seed, dropout: DROPOUT, schedule: Schedule { peak: lr, steps }, kernels };
        match from {
            Some(from) if from.epoch <= epochs && from.done as usize >= images => None,
            Some(from) => Trainer::restored(recipe, &from.trainer, &self.backend.device),
            None => Some(Trainer::new(recipe, &self.backend.device)),
        }
    }

    fn pause_if_imported(&mut self) {
        if self.state == RunState::Training && mem::take(&mut self.preparation.pause_first) {
            self.watches(Stopwatch::stop);
            self.set_state(RunState::Paused);
        }
    }
}

impl Sources {
    /// The data set of a run, with a description of its source. Synthetic digits are drawn here.
    fn choose(&self, settings: &Settings) -> (SharedDataset, String) {
        match (&self.mnist, &self.own, settings.dataset) {
            (Mnist::Here(data, source), _, DatasetName::Mnist) => (data.clone(), source.clone()),
            (_, Some(data), DatasetName::Own) => (data.clone(), "your own files".into()),
            _ => {
                let images = settings.images as usize;
                let len = if images == 0 { synthetic::DEFAULT_LEN } else { images };
                let source = "synthetic digits drawn in this tab, not MNIST".into();
                (Arc::new(synthetic::generate(len, settings.seed)), source)
            }
        }
    }
}
