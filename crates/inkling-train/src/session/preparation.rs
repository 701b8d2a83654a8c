//! From `Start` to the first step: which data, which images, which weights.

use std::{mem, sync::Arc};

use inkling_core::{
    checkpoint::{Checkpoint, TrainerState},
    data::{Dataset, SharedDataset, Split, synthetic},
    message,
    metrics::Stopwatch,
    network::Network,
    protocol::{Event, Loaded, RunId, RunState},
    restore::Damage,
    settings::{DatasetName, Settings},
};
use web_time::Instant;

use super::{Session, training::Training};
use crate::{pass::Recipe, schedule::Schedule, trainer::Trainer};

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
        // While the data arrives, the network that the run begins with answers; a run that resumes has another.
        let waits = self.settings.dataset == DatasetName::Mnist && !matches!(self.sources.mnist, Mnist::Here(..));
        let begins = waits && self.preparation.from.is_none();
        self.untrained = begins.then(|| self.untrained(&self.settings)).flatten();
        self.set_state(RunState::Loading);
        match (self.settings.dataset, &self.sources.mnist) {
            (DatasetName::Own, _) if self.sources.own.is_none() => {
                self.fail("Choose the files of your data set first.");
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
        let own = self.sources.own.as_ref().map(|data| data.shape);
        let net = match settings.network(settings.dataset.shape(own)) {
            Ok(net) => net,
            Err(error) => return self.warn(&error.to_string()),
        };
        if trainer.step != 0 || trainer.len() != net.count() {
            return self.warn("These are not this network's weights.");
        }
        if !trainer.is_finite() {
            return self.warn("These weights are not all numbers: they come from a training that diverged.");
        }
        let beginning = Checkpoint {
            epoch: 1,
            done: 0,
            loss: 0.0,
            hits: 0.0,
            seconds: 0.0,
            best: None,
            data: None,
            rounding: None,
            workers: None,
            trainer,
        };
        self.emit(Event::Imported { run: next });
        self.start(next, settings, Some(Box::new(beginning)));
        self.preparation.pause_first = true;
        self.pause_if_imported();
    }

    /// Takes the visitor's own data set.
    pub(super) fn use_data(&mut self, data: SharedDataset) {
        self.sources.own = Some(data);
    }

    /// Whether the run is loading and its data needs no download.
    pub(super) fn can_prepare(&self) -> bool {
        self.state == RunState::Loading && self.settings.dataset != DatasetName::Mnist
    }

    /// The data is here: splits it, makes the trainer and starts training.
    pub(super) fn prepare(&mut self) {
        // A run that goes on where it has enough room keeps its number of workers, and with it every bit of its results.
        let before = self.preparation.from.as_ref().and_then(|from| from.workers).unwrap_or_default();
        match self.settings.replicas {
            0 if (1..=self.team.most() as u32).contains(&before) => self.team.resize(before as usize),
            replicas => self.team.resize(replicas as usize),
        }
        let (data, source) = self.sources.choose(&self.settings);
        let images = self.settings.images as usize;
        let split = Split::stratified(&data.train.labels, (images > 0).then_some(images), self.settings.seed);
        let loaded = Loaded {
            source,
            shape: data.shape,
            names: data.names.clone(),
            train: split.train.len() as u32,
            validation: split.validation.len() as u32,
            test: data.test.len() as u32,
            seconds: self.preparation.since.elapsed().as_secs_f64(),
        };
        let from = self.preparation.from.take();
        let fingerprint = data.fingerprint();
        if from.as_ref().and_then(|from| from.data).is_some_and(|of| of != fingerprint) {
            let words = "it was trained on other images; choose the files that it was trained on";
            return self.fail(&format!("The run can't be resumed: {words}. Train starts a new one."));
        }
        let net = match self.settings.network(data.shape) {
            Ok(net) => net,
            Err(error) => return self.fail(&error.to_string()),
        };
        let class_weights = if self.settings.balance { split.class_weights(&data.train.labels) } else { Vec::new() };
        let trainer = match self.trainer(net, split.train.len(), class_weights, from.as_deref()) {
            Ok(trainer) => trainer,
            Err(damage) => return self.fail(&format!("The run can't be resumed: {damage}. Train starts a new one.")),
        };
        self.untrained = None;
        let resident = self.backend.resident(&data);
        self.training =
            Some(Training::new(&self.settings, (data, fingerprint), resident, split, trainer, from.as_deref()));
        self.emit(Event::Loaded(loaded));
        let before = from.as_ref().and_then(|from| from.rounding);
        if before.zip(self.backend.rounding()).is_some_and(|(before, now)| before != now) {
            self.warn(
                "This run was last trained in a browser or on a machine whose arithmetic rounds differently. It goes on, but its numbers will \
                 differ slightly from those of an uninterrupted run.",
            );
        }
        if let Some(from) = from.filter(|from| from.trainer.step == 0) {
            // Until the first steps are done, the weights from the file are all there is to lose.
            self.emit(Event::Checkpoint(from));
        }
        self.set_state(RunState::Training);
        self.report_progress();
        self.pause_if_imported();
    }

    /// The network that a run with these settings begins with, if they make one.
    pub(super) fn untrained(&self, settings: &Settings) -> Option<Trainer> {
        let own = self.sources.own.as_ref().map(|data| data.shape);
        let net = settings.network(settings.dataset.shape(own)).ok()?;
        Some(Trainer::new(Recipe::to_ask(settings, net), &self.backend.device))
    }

    /// Takes a trained network that only answers.
    pub(super) fn load(&mut self, run: RunId, net: Network, weights: &TrainerState) {
        self.run = run;
        let recipe = Recipe::to_ask(&Settings::default(), net);
        match Trainer::restored(recipe, weights, &self.backend.device) {
            Some(network) => {
                self.forget();
                self.untrained = Some(network);
                self.set_state(RunState::Idle);
            }
            None => self.fail("These weights do not fit the network."),
        }
    }

    /// The network to train on this many images: fresh, or as it was at `from`.
    fn trainer(
        &self,
        net: Network,
        images: usize,
        class_weights: Vec<f32>,
        from: Option<&Checkpoint>,
    ) -> Result<Trainer, Damage> {
        let Settings { seed, batch, epochs, lr, kernels, warmup, schedule, .. } = self.settings;
        let per_epoch = images.div_ceil(batch as usize) as u32;
        let steps = per_epoch * epochs;
        if let Some(from) = from {
            from.check(&self.settings, &net)?;
        }
        let schedule = Schedule { peak: lr, steps, warm_up: warmup, shape: schedule };
        let recipe = Recipe { seed, net, schedule, method: self.settings.method(), kernels, class_weights };
        let Some(from) = from else { return Ok(Trainer::new(recipe, &self.backend.device)) };
        let Checkpoint { epoch, done, trainer, .. } = from;
        let place = trainer.step.checked_sub((epoch - 1) * per_epoch);
        let fits = if *epoch > epochs {
            // A run that was stopped early skipped the epochs after its best one.
            trainer.step <= steps && trainer.step.is_multiple_of(per_epoch)
        } else {
            (*done as usize) < images && place == Some(done / batch) && done.is_multiple_of(batch)
        };
        let restored = fits.then(|| Trainer::restored(recipe, trainer, &self.backend.device)).flatten();
        restored.ok_or(Damage::Contradiction("its checkpoint belongs to another run"))
    }

    fn pause_if_imported(&mut self) {
        if self.state == RunState::Training && mem::take(&mut self.preparation.pause_first) {
            self.watches(Stopwatch::stop);
            self.set_state(RunState::Paused);
        }
    }
}

impl Sources {
    /// The data set of a run, with a description of its source. Synthetic ones are drawn here.
    fn choose(&self, settings: &Settings) -> (SharedDataset, String) {
        match (&self.mnist, &self.own, settings.dataset) {
            (Mnist::Here(data, source), _, DatasetName::Mnist) => (data.clone(), source.clone()),
            (_, Some(data), DatasetName::Own) => (data.clone(), message!("your own files").into()),
            (.., name) => {
                let source = match name {
                    DatasetName::Letters => message!("letters drawn by Inkling"),
                    DatasetName::Shapes => message!("coloured shapes drawn by Inkling"),
                    _ => message!("synthetic digits drawn by Inkling, not MNIST"),
                };
                let drawn = synthetic::drawn(settings)
                    .unwrap_or_else(|| synthetic::digits(synthetic::DEFAULT_LEN, settings.seed));
                (Arc::new(drawn), source.into())
            }
        }
    }
}
