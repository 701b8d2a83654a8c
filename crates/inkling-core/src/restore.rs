//! The checks for everything that comes back from outside: what the browser kept, a run file, the history of runs, the
//! visitor's digits, a checkpoint.
//!
//! Invariant: a restored value has the sizes, ranges and finite numbers that a run could have produced. Code that uses
//! it need not check again.

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::{
    checkpoint::Checkpoint,
    data::{CLASSES, Dataset, IMAGE, KeptData, handwriting::Handwriting},
    history::{MAX_NAME, MAX_RUNS, PastRun, RunHistory},
    image::{CLASS_COUNTS, MIN_IMAGES},
    metrics::{ConfusionMatrix, Parts},
    network::Network,
    protocol::{EpochRecord, Knowledge, RobustnessPoint, TestResult},
    settings::{MAX_REPLICAS, Settings},
    summary::{Curves, OLDEST_VERSION, SAVED_VERSION, SavedRun},
};

/// The most images that a set may have: more than a file of 64 MiB holds.
const MAX_IMAGES: u32 = 1 << 20;
/// The most entries of a list that grows with what happens during a run.
const MAX_LIST: usize = 10_000;
/// The longest text in bytes, such as the reason why a worker was lost.
const MAX_TEXT: usize = 10_000;
/// Losses are computed in single precision.
const LOSS: RangeInclusive<f64> = 0.0..=f32::MAX as f64;
/// A duration in seconds, up to thirty years.
const SECONDS: RangeInclusive<f64> = 0.0..=1e9;
const SHARE: RangeInclusive<f64> = 0.0..=1.0;

/// Why a record can't be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Damage {
    /// Another version of Inkling wrote it.
    #[error(
        "another version of Inkling wrote it (format {found}; this version reads {OLDEST_VERSION} to {SAVED_VERSION})"
    )]
    Version {
        /// The format's version.
        found: u32,
    },
    /// A setting breaks its rule.
    #[error("{0}")]
    Setting(String),
    /// A number is not finite or out of range.
    #[error("{what} is {found}, which no run can reach")]
    Number {
        /// What the number is.
        what: &'static str,
        /// The number.
        found: f64,
    },
    /// A list or a text has an impossible length.
    #[error("{what} has {found} entries, which does not fit")]
    Length {
        /// What the list is.
        what: &'static str,
        /// Its length.
        found: usize,
    },
    /// Two parts do not belong together.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// A record that is checked before it is used.
pub trait Restore {
    /// Checks the version that a record names, before it is read: one of another version may have any shape.
    ///
    /// # Errors
    /// [`Damage::Version`].
    fn check_version(_version: u32) -> Result<(), Damage> {
        Ok(())
    }

    /// Checks the record.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    fn check(&self) -> Result<(), Damage>;
}

fn number(what: &'static str, found: f64, range: &RangeInclusive<f64>) -> Result<(), Damage> {
    if range.contains(&found) { Ok(()) } else { Err(Damage::Number { what, found }) }
}

fn length(what: &'static str, found: usize, fits: bool) -> Result<(), Damage> {
    if fits { Ok(()) } else { Err(Damage::Length { what, found }) }
}

fn agree(agrees: bool, otherwise: &'static str) -> Result<(), Damage> {
    if agrees { Ok(()) } else { Err(Damage::Contradiction(otherwise)) }
}

impl Restore for Settings {
    fn check(&self) -> Result<(), Damage> {
        self.validate().map_err(|error| Damage::Setting(error.to_string()))
    }
}

impl Restore for ConfusionMatrix {
    fn check(&self) -> Result<(), Damage> {
        let classes = self.classes();
        let square = *CLASS_COUNTS.end() >= classes && self.counts.iter().all(|row| row.len() == classes);
        length("a matrix", classes, square)?;
        let total: u64 = self.counts.iter().flatten().map(|&count| u64::from(count)).sum();
        number("the number of images in a matrix", total as f64, &(0.0..=f64::from(MAX_IMAGES)))
    }
}

impl Restore for Parts {
    fn check(&self) -> Result<(), Damage> {
        let Parts { augment, forward, backward, update, messages, waiting, steps, idle } = *self;
        let parts = [augment, forward, backward, update, messages, waiting, steps, idle];
        parts.into_iter().try_for_each(|seconds| number("the time of a part", seconds, &SECONDS))
    }
}

impl Restore for EpochRecord {
    fn check(&self) -> Result<(), Damage> {
        number("a training loss", self.train_loss, &LOSS)?;
        number("a training accuracy", self.train_accuracy, &SHARE)?;
        number("a validation loss", self.validation_loss, &LOSS)?;
        number("a validation accuracy", self.validation_accuracy, &SHARE)?;
        if let Some(averaged) = self.averaged {
            number("the loss of averaged weights", averaged.loss, &LOSS)?;
            number("the accuracy of averaged weights", averaged.accuracy, &SHARE)?;
        }
        number("a speed", self.images_per_second, &(0.0..=1e9))?;
        number("the time of an epoch", self.seconds, &SECONDS)?;
        self.parts.check()
    }
}

/// Epochs in their order, from 1 up to `last`. One may be missing: a page can miss a message of its worker.
fn check_history(history: &[EpochRecord], last: u32) -> Result<(), Damage> {
    let rising = history.windows(2).all(|pair| pair[0].epoch < pair[1].epoch && pair[0].step <= pair[1].step);
    agree(rising && history.iter().all(|record| record.epoch >= 1), "its epochs are not in order")?;
    agree(history.iter().all(|record| record.epoch <= last), "its history has more epochs than the run")?;
    history.iter().try_for_each(Restore::check)
}

impl Restore for TestResult {
    fn check(&self) -> Result<(), Damage> {
        number("the test accuracy", self.accuracy, &SHARE)?;
        number("the test interval", self.interval[0], &SHARE)?;
        number("the test interval", self.interval[1], &SHARE)?;
        number("the test loss", self.loss, &LOSS)?;
        number("the time of the test", self.seconds, &SECONDS)?;
        self.confusion.check()?;
        length("the list of test images", self.right.len(), self.right.len() <= MAX_IMAGES as usize)?;
        agree(self.right.iter().all(|&right| right <= 1), "its test images are neither right nor wrong")?;
        for bin in &self.calibration.bins {
            agree(
                bin.right <= bin.images && bin.images <= MAX_IMAGES,
                "its calibration counts more images than there are",
            )?;
            number("a confidence", bin.confidence, &(0.0..=f64::from(MAX_IMAGES)))?;
        }
        Ok(())
    }
}

fn check_robustness(points: &[RobustnessPoint]) -> Result<(), Damage> {
    length("the robustness", points.len(), points.len() <= MAX_LIST)?;
    points.iter().try_for_each(|point| {
        number("a motion", point.amount, &(-360.0..=360.0))?;
        number("an accuracy", point.accuracy, &SHARE)
    })
}

impl Restore for Knowledge {
    fn check(&self) -> Result<(), Damage> {
        let fits = |(right, images): (u32, u32)| right <= images && images <= MAX_IMAGES;
        agree([self.own, self.aside, self.test].into_iter().all(fits), "it knows more images than there are")
    }
}

impl Restore for Curves {
    fn check(&self) -> Result<(), Damage> {
        length("the curve of the accuracy", self.accuracy.len(), self.accuracy.len() == self.loss.len())?;
        let epochs = 0.0..=f64::from(u32::MAX);
        self.loss.iter().chain(&self.accuracy).try_for_each(|&(at, value)| {
            number("a place on a curve", at, &epochs)?;
            number("a value on a curve", value, &LOSS)
        })?;
        agree(self.is_sound(), "its curves and its checkpoint do not belong together")
    }
}

impl Checkpoint {
    /// Checks the checkpoint against the run that it belongs to.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, settings: &Settings, net: &Network) -> Result<(), Damage> {
        let (over, trainer) = (self.epoch == settings.epochs + 1, &self.trainer);
        agree(
            (1..=settings.epochs + 1).contains(&self.epoch),
            "its checkpoint is in an epoch that the run does not have",
        )?;
        agree(!over || self.done == 0, "its checkpoint is in the middle of an epoch after the last one")?;
        let images = self.done.max(1);
        agree(self.done <= MAX_IMAGES, "its checkpoint has more images than a data set")?;
        number("the loss of a checkpoint", self.loss, &(0.0..=f64::from(images) * f64::from(f32::MAX)))?;
        number("the number of right images of a checkpoint", self.hits, &(0.0..=f64::from(images) * 1.001))?;
        number("the time of a checkpoint", self.seconds, &SECONDS)?;
        let possible = self.workers.is_none_or(|workers| (1..=MAX_REPLICAS).contains(&workers));
        agree(possible, "its checkpoint has a number of workers that no run has")?;
        if let Some((epoch, loss)) = self.best {
            agree((1..self.epoch).contains(&epoch), "its best epoch is not one of its epochs")?;
            number("the loss of the best epoch", loss, &LOSS)?;
        }
        let count = net.count();
        let expected = if trainer.step == 0 { count } else { (1 + settings.method().kept()) * count };
        length("the weights", trainer.len(), trainer.len() == expected)?;
        agree(trainer.is_finite(), "its weights are not all numbers")?;
        let before = u64::from(self.epoch - 1) + u64::from(self.done > 0);
        agree(trainer.step > 0 || before == 0, "its checkpoint has no steps behind it")?;
        // An epoch has at least one step; a run that was stopped early has fewer epochs behind it.
        let possible = over || u64::from(trainer.step) >= before;
        agree(possible, "its checkpoint has fewer steps than epochs")
    }
}

impl Restore for SavedRun {
    fn check_version(found: u32) -> Result<(), Damage> {
        if (OLDEST_VERSION..=SAVED_VERSION).contains(&found) { Ok(()) } else { Err(Damage::Version { found }) }
    }

    fn check(&self) -> Result<(), Damage> {
        Self::check_version(self.version)?;
        self.settings.check()?;
        let expected = self.settings.dataset.shape(Some(self.data));
        agree(expected == self.data, "its images are not those of its data set")?;
        let net = self.settings.network(self.data).map_err(|error| Damage::Setting(error.to_string()))?;
        self.checkpoint.check(&self.settings, &net)?;
        let classes = self.data.classes();
        check_history(&self.history, self.checkpoint.epoch - 1)?;
        agree(self.checkpoint.trainer.step <= self.steps, "its checkpoint is beyond its last step")?;
        self.curves.check()?;
        let within = |&(at, _): &(f64, f64)| at <= f64::from(self.settings.epochs) + 0.001;
        agree(self.curves.loss.iter().chain(&self.curves.accuracy).all(within), "its curves are longer than the run")?;
        length("the list of lost workers", self.incidents.len(), self.incidents.len() <= MAX_LIST)?;
        for incident in &self.incidents {
            length("a reason", incident.reason.len(), incident.reason.len() <= MAX_TEXT)?;
            agree(incident.from.max(incident.step) <= self.steps, "a worker was lost after the last step")?;
        }
        length("the list of changes", self.adjustments.len(), self.adjustments.len() <= MAX_LIST)?;
        for (step, to) in &self.adjustments {
            agree(*step <= self.steps, "a setting was changed after the last step")?;
            self.settings.adjusted(*to).check()?;
        }
        check_robustness(&self.robustness)?;
        let rising = self.snapshots.windows(2).all(|pair| pair[0].epoch < pair[1].epoch);
        let known = |epoch| self.history.iter().any(|record| record.epoch == epoch);
        agree(
            rising && self.snapshots.iter().all(|snapshot| known(snapshot.epoch)),
            "its list of epochs is not in order",
        )?;
        for snapshot in &self.snapshots {
            snapshot.confusion.check()?;
            length("a matrix", snapshot.confusion.classes(), snapshot.confusion.classes() == classes)?;
            let filters = &snapshot.filters;
            length("the filters", filters.len(), filters.is_empty() || filters.len() == net.kept_filters())?;
            agree(filters.iter().all(|weight| weight.is_finite()), "its filters are not all numbers")?;
        }
        self.test.iter().try_for_each(|test| {
            length("a matrix", test.confusion.classes(), test.confusion.classes() == classes)?;
            test.check()
        })?;
        self.fine_tuned.iter().flatten().try_for_each(Restore::check)
    }
}

impl Restore for PastRun {
    fn check(&self) -> Result<(), Damage> {
        length("the name of a run", self.name.len(), self.name.chars().count() <= MAX_NAME)?;
        agree(self.colour < MAX_RUNS, "a run has a colour that does not exist")?;
        self.settings.check()?;
        length("the history", self.history.len(), !self.history.is_empty())?;
        check_history(&self.history, self.settings.epochs)?;
        self.test.iter().try_for_each(Restore::check)?;
        check_robustness(&self.robustness)
    }
}

impl Restore for RunHistory {
    fn check(&self) -> Result<(), Damage> {
        length("the history of runs", self.runs.len(), self.runs.len() <= MAX_RUNS)?;
        // A history of an earlier version has no numbers; `numbered` gives it some.
        let numbered = self.runs.windows(2).all(|pair| pair[0].number < pair[1].number)
            || self.runs.iter().all(|run| run.number == 0);
        agree(numbered && self.runs.iter().all(|run| run.number <= self.count()), "the runs are not in order")?;
        agree(self.count() < u32::MAX, "the runs have been counted to the end")?;
        self.runs.iter().try_for_each(Restore::check)
    }
}

impl Restore for KeptData {
    fn check(&self) -> Result<(), Damage> {
        let Dataset { train, test, names, .. } = &*self.data;
        for set in [train, test] {
            length("the list of images", set.len(), set.len() <= MAX_IMAGES as usize)?;
        }
        length("the list of images to train with", train.len(), train.len() >= MIN_IMAGES)?;
        length("the note on the images", self.note.len(), self.note.len() <= MAX_TEXT)?;
        let longest = names.iter().map(String::len).max().unwrap_or(0);
        length("the name of a class", longest, longest <= MAX_TEXT)?;
        agree(self.data.is_sound(), "the images, their shape and their classes do not fit together")
    }
}

impl Restore for Handwriting {
    fn check(&self) -> Result<(), Damage> {
        let digits = self.len();
        length("the list of digits", digits, digits <= Self::MAX_DIGITS)?;
        length("the pixels of the digits", self.pixels.len(), self.pixels.len() == digits * IMAGE)?;
        length("the list of digits that are set aside", self.aside.len(), self.aside.len() == digits)?;
        agree(self.labels.iter().all(|&label| usize::from(label) < CLASSES), "a digit is none of 0 to 9")?;
        agree(self.aside.iter().all(|&aside| aside <= 1), "a digit is neither set aside nor taught")?;
        agree(self.drawn as usize >= digits, "there are more digits than were ever drawn")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkpoint::TrainerState,
        healing::{Incident, Remedy},
        image::DataShape,
        protocol::{BackendInfo, BackendName, Envelope, Event, Motion, Progress, StepPoint},
        settings::OptimizerName,
        summary::RunSummary,
    };

    /// Parameters of the default network.
    const PARAMETERS: usize = 225_034;

    /// A change that makes a value impossible, and its name.
    type Change<T> = (&'static str, fn(&mut T));

    fn assert_refused<T: Restore + Clone, const N: usize>(good: &T, changes: [Change<T>; N]) {
        for (what, change) in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(bad.check().is_err(), "{what} was accepted");
        }
    }

    fn epoch(epoch: u32) -> EpochRecord {
        EpochRecord {
            epoch,
            step: 9 * epoch,
            train_loss: 1.0,
            train_accuracy: 0.5,
            validation_loss: 1.0,
            validation_accuracy: 0.5,
            averaged: None,
            images_per_second: 100.0,
            seconds: 1.0,
            parts: Parts::default(),
        }
    }

    fn score() -> TestResult {
        TestResult {
            accuracy: 0.5,
            interval: [0.1, 0.9],
            loss: 1.0,
            confusion: ConfusionMatrix::new(10),
            calibration: Default::default(),
            right: vec![0, 1],
            seconds: 1.0,
        }
    }

    /// A run of three epochs of nine steps, kept in the second.
    fn run() -> SavedRun {
        let settings = Settings { epochs: 3, ..Settings::default() };
        let mut run = RunSummary::new(1, settings, BackendInfo::default(), None);
        let mut say = |event| assert!(run.apply(&Envelope { run: 1, event }));
        say(Event::Progress(Progress { steps: 27, epochs: 3, ..Progress::default() }));
        say(Event::Steps((1..=9).map(|step| StepPoint { step, loss: 2.0, accuracy: 0.3 }).collect()));
        say(Event::Epoch { record: epoch(1), confusion: ConfusionMatrix::new(10) });
        let trainer = TrainerState::new(11, &vec![0.5; 3 * PARAMETERS]);
        let at = |epoch, done, trainer| {
            let best = Some((1, 1.0));
            Box::new(Checkpoint {
                epoch,
                done,
                loss: 1.0,
                hits: 1.0,
                seconds: 1.0,
                best,
                data: Some(5),
                rounding: None,
                workers: None,
                trainer,
            })
        };
        say(Event::Checkpoint(at(2, 2, trainer)));
        run.incidents.push(Incident {
            backend: BackendName::Cpu,
            reason: "it went".into(),
            step: 10,
            from: 9,
            remedy: Remedy::Again,
        });
        run.adjustments.push((4, Settings::default().adjustable()));
        run.robustness.push(RobustnessPoint { motion: Motion::Zoom, amount: 0.1, accuracy: 0.5 });
        run.test = Some(score());
        run.saved().unwrap_or_else(|| panic!("there is a checkpoint"))
    }

    #[test]
    fn a_run_with_any_impossible_value_is_refused() {
        let good = run();
        assert_eq!(good.check(), Ok(()));
        let changes: [Change<SavedRun>; 42] = [
            ("version", |run| run.version = 1),
            ("later version", |run| run.version = SAVED_VERSION + 1),
            ("settings", |run| run.settings.batch = 0),
            ("another network", |run| run.settings.net = "conv 32, pool".parse().unwrap()),
            ("weights of another optimizer", |run| run.settings.optimizer = OptimizerName::Sgd),
            ("no epochs", |run| run.settings.epochs = 0),
            ("loss that hangs a chart", |run| run.history[0].validation_loss = 1.7e308),
            ("negative loss", |run| run.history[0].train_loss = -1.0),
            ("accuracy", |run| run.history[0].validation_accuracy = 1.5),
            ("not a number", |run| run.history[0].train_loss = f64::NAN),
            ("parts", |run| run.history[0].parts.waiting = f64::INFINITY),
            ("epoch that has not ended", |run| run.history[0].epoch = 2),
            ("order of epochs", |run| run.history = vec![epoch(1), epoch(1)]),
            ("epoch before the first", |run| run.history[0].epoch = 0),
            ("more epochs than the run has", |run| run.history = (1..=4).map(epoch).collect()),
            ("curve", |run| run.curves.loss[3].1 = f64::NAN),
            ("place on a curve", |run| run.curves.accuracy[3].0 = 1e300),
            ("curves of two lengths", |run| run.curves.accuracy.truncate(2)),
            ("curve cut below its mark", |run| {
                run.curves.accuracy.truncate(2);
                run.curves.loss.truncate(2);
            }),
            ("epoch 0", |run| run.checkpoint.epoch = 0),
            ("epoch after the end", |run| run.checkpoint.epoch = 5),
            ("largest epoch", |run| run.checkpoint.epoch = u32::MAX),
            ("images of the checkpoint", |run| run.checkpoint.done = u32::MAX),
            ("loss of the checkpoint", |run| run.checkpoint.loss = f64::NEG_INFINITY),
            ("hits", |run| run.checkpoint.hits = 9.0),
            ("time", |run| run.checkpoint.seconds = -1.0),
            ("no workers", |run| run.checkpoint.workers = Some(0)),
            ("too many workers", |run| run.checkpoint.workers = Some(1000)),
            ("best epoch", |run| run.checkpoint.best = Some((2, 1.0))),
            ("step after the end", |run| run.checkpoint.trainer.step = 28),
            ("step 0 with an optimizer", |run| run.checkpoint.trainer.step = 0),
            ("four bytes of weights", |run| run.checkpoint.trainer = TrainerState::new(11, &[0.5])),
            ("weights", |run| run.checkpoint.trainer = TrainerState::new(11, &vec![f32::NAN; 3 * PARAMETERS])),
            ("lost worker", |run| run.incidents[0].from = u32::MAX),
            ("changed setting", |run| run.adjustments[0].1.lr = 9.0),
            ("robustness", |run| run.robustness[0].accuracy = f64::INFINITY),
            ("matrix of other classes", |run| run.snapshots[0].confusion = ConfusionMatrix::new(11)),
            ("matrix with a short row", |run| run.snapshots[0].confusion.counts[3].truncate(4)),
            ("images of another data set", |run| run.data = DataShape::LETTERS),
            ("matrix", |run| run.snapshots[0].confusion.counts = vec![vec![u32::MAX; 10]; 10]),
            ("filters", |run| run.snapshots[0].filters = vec![0.5; 3]),
            ("epoch of a matrix", |run| run.snapshots[0].epoch = 2),
        ];
        assert_refused(&good, changes);
    }

    #[test]
    fn a_run_that_missed_any_of_its_messages_can_be_read_again() {
        let settings = Settings { epochs: 3, ..Settings::default() };
        let mut messages = vec![Event::Progress(Progress { steps: 27, epochs: 3, ..Progress::default() })];
        for done in 1..=3 {
            let steps = 9 * (done - 1) + 1..=9 * done;
            messages.push(Event::Steps(steps.map(|step| StepPoint { step, loss: 2.0, accuracy: 0.3 }).collect()));
            messages.push(Event::Epoch { record: epoch(done), confusion: ConfusionMatrix::new(10) });
            let trainer = TrainerState::new(9 * done, &vec![0.5; 3 * PARAMETERS]);
            let (epoch, best) = (done + 1, Some((1, 1.0)));
            let at = Checkpoint {
                epoch,
                done: 0,
                loss: 0.0,
                hits: 0.0,
                seconds: 0.0,
                best,
                data: Some(5),
                rounding: None,
                workers: None,
                trainer,
            };
            messages.push(Event::Checkpoint(Box::new(at)));
        }
        messages.push(Event::Test(score()));
        for missed in 0..messages.len() {
            let mut run = RunSummary::new(1, settings.clone(), BackendInfo::default(), None);
            let mut past = RunHistory::default();
            for (at, event) in messages.iter().enumerate().filter(|(at, _)| *at != missed) {
                run.apply(&Envelope { run: 1, event: event.clone() });
                if let Some(saved) = run.saved() {
                    assert_eq!(saved.check(), Ok(()), "after message {at}, without message {missed}");
                }
            }
            past.add(&run);
            assert_eq!(past.check(), Ok(()), "without message {missed}");
        }
    }

    #[test]
    fn a_history_with_an_impossible_run_is_refused() {
        let mut history = RunHistory::default();
        for seed in 0..3 {
            let settings = Settings { seed, epochs: 3, ..Settings::default() };
            let mut run = RunSummary::new(1, settings, BackendInfo::default(), None);
            run.history.push(EpochRecord { seconds: f64::from(seed), ..epoch(1) });
            run.test = Some(score());
            history.add(&run);
        }
        assert_eq!(history.check(), Ok(()));
        let changes: [Change<RunHistory>; 7] = [
            ("colour", |history| history.runs[0].colour = 99),
            ("name", |history| history.runs[0].name = "x".repeat(99)),
            ("number", |history| history.runs[2].number = 1),
            ("number that was never given", |history| history.runs[2].number = 9),
            ("run without an epoch", |history| history.runs[0].history.clear()),
            ("test", |history| {
                history.runs.iter_mut().for_each(|run| run.test = Some(TestResult { right: vec![2], ..score() }))
            }),
            ("loss", |history| history.runs[0].history[0].validation_loss = f64::MAX),
        ];
        assert_refused(&history, changes);
    }

    #[test]
    fn kept_images_that_do_not_fit_together_are_refused() {
        let data = crate::data::synthetic::digits(240, 1);
        let kept = |change: fn(&mut Dataset)| {
            let mut data = data.clone();
            change(&mut data);
            KeptData { data: data.into(), note: "240 images".into() }.check()
        };
        assert_eq!(kept(|_| {}), Ok(()));
        let bad: [fn(&mut Dataset); 6] = [
            |data| data.train.pixels.truncate(9),
            |data| data.train.labels.truncate(9),
            |data| data.test.labels[3] = 10,
            |data| data.names = vec!["one".into()],
            |data| data.test.shape.side = 27,
            |data| (data.train.pixels, data.train.labels) = (vec![], vec![]),
        ];
        assert!(bad.into_iter().all(|change| kept(change).is_err()));
        let long = KeptData { data: data.clone().into(), note: "x".repeat(MAX_TEXT + 1) };
        assert!(long.check().is_err());
    }

    #[test]
    fn two_tabs_histories_become_one_without_losing_a_run() {
        let with = |seeds: &[u32]| {
            let mut history = RunHistory::default();
            for &seed in seeds {
                let mut run =
                    RunSummary::new(1, Settings { seed, ..Settings::default() }, BackendInfo::default(), None);
                run.history.push(EpochRecord { seconds: f64::from(seed), ..epoch(1) });
                history.add(&run);
            }
            history
        };
        let none = RunHistory::default();
        let merged = with(&[1, 2]).merged(&with(&[2, 3]), &none);
        assert_eq!(merged.runs.iter().map(|run| run.settings.seed).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(merged.check(), Ok(()));
        assert_eq!(merged.clone().merged(&merged, &none), merged);
        // What this tab only read does not come back when the other has removed it, or has had to make room.
        let stored = with(&[4, 5, 6]);
        let read = with(&[1, 2]);
        assert_eq!(stored.clone().merged(&read, &read), stored);
        // What this tab has removed or renamed since it read stays so.
        let mut here = read.clone();
        here.remove(1);
        here.rename(2, "slow");
        let merged = read.clone().merged(&here, &read);
        assert_eq!(merged.runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(), ["slow"]);
        let mut unnumbered = with(&[1, 2]);
        unnumbered.runs.iter_mut().for_each(|run| run.number = 0);
        assert_eq!(unnumbered.check(), Ok(()), "a history of an earlier version is accepted");
    }

    #[test]
    fn two_tabs_digits_become_one_list_and_stay_on_their_side() {
        let with = |shades: &[u8]| {
            let mut digits = Handwriting::default();
            shades.iter().for_each(|&shade| assert!(digits.add(&[shade; IMAGE], 3)));
            digits
        };
        let (first, second) = (with(&[1, 2, 3]), with(&[3, 4, 5]));
        let none = Handwriting::default();
        let merged = first.clone().merged(&second, &none);
        assert_eq!((merged.len(), &merged.aside[..]), (5, &[0, 0, 1, 0, 1][..]));
        assert_eq!(merged.check(), Ok(()));
        assert_eq!(merged.clone().merged(&second, &none), merged);
        assert_eq!(none.clone().merged(&first, &first), none, "removed digits do not come back");
        let mut here = first.clone();
        here.remove(1);
        assert_eq!(first.clone().merged(&here, &first), here, "what this tab has removed stays away");
    }

    #[test]
    fn a_long_run_has_as_many_points_as_a_short_one_and_the_same_curve_after_a_resume() {
        let steps = |run: &mut RunSummary, from: u32, to: u32| {
            let points = (from..to).map(|step| StepPoint { step, loss: f64::from(step % 7), accuracy: 0.5 });
            run.apply(&Envelope { run: 1, event: Event::Steps(points.collect()) });
        };
        let checkpoint = |step| {
            let trainer = TrainerState::new(step, &[]);
            let (loss, hits, seconds) = (0.0, 0.0, 0.0);
            Event::Checkpoint(Box::new(Checkpoint {
                epoch: 1,
                done: 1,
                loss,
                hits,
                seconds,
                best: None,
                data: None,
                rounding: None,
                workers: None,
                trainer,
            }))
        };
        let mut run = RunSummary::new(1, Settings::default(), BackendInfo::default(), None);
        run.steps = 100_000;
        let mut whole = run.clone();
        steps(&mut whole, 1, 100_000);
        assert!((2048..4096).contains(&whole.curves.loss.len()), "{}", whole.curves.loss.len());
        // It is cut back across the place where it was thinned.
        for (kept, lost) in [(4_000, 4_500), (8_191, 8_192), (30_000, 70_000)] {
            let mut resumed = run.clone();
            steps(&mut resumed, 1, kept);
            resumed.apply(&Envelope { run: 1, event: checkpoint(kept) });
            steps(&mut resumed, kept, lost);
            resumed.back_to_checkpoint();
            steps(&mut resumed, kept, 100_000);
            assert_eq!(resumed.curves.loss, whole.curves.loss);
        }
    }
}
