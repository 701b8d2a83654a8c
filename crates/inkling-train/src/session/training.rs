//! A run whose data is loaded: its position, its stopwatches, and what it has learned so far.

use std::{collections::VecDeque, mem, time::Duration};

use web_time::Instant;

use super::evaluation::{Evaluation, Predictions};
#[cfg(feature = "devices")]
use crate::devices::Devices;
use crate::{
    batch,
    feed::Images,
    read::{ReadError, StepMetrics, read_metrics},
    replicas::Team,
    resident::ResidentSets,
    trainer::Trainer,
};
use inkling_core::{
    checkpoint::Checkpoint,
    data::{SharedDataset, Split},
    metrics::{Stopwatch, Throughput},
    protocol::{Activity, EpochRecord, Part, Progress, Score, StepPoint},
    settings::Settings,
};

/// Number of most recent epochs whose weights are kept: 29 MB.
const MAX_SNAPSHOTS: usize = 32;

/// A run whose data is loaded.
pub struct Training {
    pub data: SharedDataset,
    /// Fingerprint of the data set.
    pub fingerprint: u32,
    pub resident: ResidentSets,
    pub split: Split,
    pub trainer: Trainer,
    pub phase: Phase,
    pub epoch: u32,
    pub steps_per_epoch: u32,
    /// The training images of this epoch in order, of which the first `done` are done.
    pub order: Vec<u32>,
    pub done: usize,
    pub unread: Vec<(StepMetrics, usize)>,
    pub pace: Pace,
    pub last_read: Instant,
    pub last_checkpoint: Instant,
    /// Whether a checkpoint follows the next losses that are read.
    pub checkpoint_due: bool,
    pub loss: f64,
    pub hits: f64,
    pub watch: Stopwatch,
    pub throughput: Throughput,
    pub evaluation_speed: Option<f64>,
    /// The epoch with the lowest validation loss, and that loss.
    pub best: Option<(u32, f64)>,
    pub predictions: LastPredictions,
    /// The validation of the weights, while that of their average is in progress.
    pub validated: Option<Evaluation>,
    /// Weights after each recent epoch, flat.
    pub past: VecDeque<(u32, Vec<f32>)>,
    /// Whether the weights came from a file: then the network can answer before the first step.
    pub imported: bool,
}

/// Limits the steps that are queued on a GPU before their losses are read: enough to keep it busy, but so few that it
/// never falls far behind. Otherwise the page would drop frames and commands would take effect late.
pub struct Pace {
    /// Maximum number of queued steps.
    pub steps: usize,
}

impl Pace {
    /// Adapts the limit after a read that took `waited`.
    fn adapt(&mut self, waited: Duration) {
        self.steps = match waited.as_millis() {
            0..20 => (self.steps * 2).min(64),
            20..100 => self.steps,
            _ => (self.steps / 2).max(1),
        };
    }
}

/// What a run is doing.
pub enum Phase {
    Train,
    Validate(Evaluation),
    Test(Evaluation),
}

/// The network's predictions when the sets were last evaluated.
#[derive(Default)]
pub struct LastPredictions {
    /// Of the training images, once a survey has scored them.
    pub train: Option<Predictions>,
    pub validation: Option<Predictions>,
    pub test: Option<Predictions>,
}

impl Training {
    /// A run at its beginning, or at the checkpoint `from`.
    pub fn new(
        settings: &Settings,
        (data, fingerprint): (SharedDataset, u32),
        resident: ResidentSets,
        split: Split,
        trainer: Trainer,
        from: Option<&Checkpoint>,
    ) -> Self {
        let now = Instant::now();
        let mut training = Training {
            steps_per_epoch: split.train.len().div_ceil(settings.batch as usize) as u32,
            order: split.order(settings.seed, 1),
            phase: Phase::Train,
            epoch: 1,
            done: 0,
            loss: 0.0,
            hits: 0.0,
            watch: Stopwatch::started(),
            fingerprint,
            data,
            resident,
            split,
            trainer,
            unread: Vec::new(),
            pace: Pace { steps: 8 },
            last_read: now,
            last_checkpoint: now,
            checkpoint_due: false,
            throughput: Throughput::default(),
            evaluation_speed: None,
            best: None,
            predictions: LastPredictions::default(),
            validated: None,
            past: VecDeque::new(),
            imported: from.is_some_and(|from| from.trainer.step == 0),
        };
        if let Some(from) = from {
            training.resume_from(from, settings);
        }
        training
    }

    /// Whether the losses of some steps are still on the device.
    pub fn has_unread_losses(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Whether the network has learned something.
    pub fn knows(&self) -> bool {
        self.imported || self.trainer.steps_done() > 0
    }

    /// Evaluates the next batch of the run's current evaluation. Returns the evaluation when it is complete.
    pub async fn evaluate(&mut self, team: &mut Team, part: Part) -> Result<Option<Evaluation>, ReadError> {
        let (Phase::Validate(mut evaluation) | Phase::Test(mut evaluation)) =
            mem::replace(&mut self.phase, Phase::Train)
        else {
            return Ok(None);
        };
        let over = self.advance_evaluation(&mut evaluation, team, part).await?;
        if over {
            return Ok(Some(evaluation));
        }
        self.phase = if part == Part::Test { Phase::Test(evaluation) } else { Phase::Validate(evaluation) };
        Ok(None)
    }

    /// Evaluates the next batch of `part`. Returns true when `evaluation` is complete.
    pub async fn advance_evaluation(
        &mut self,
        evaluation: &mut Evaluation,
        team: &mut Team,
        part: Part,
    ) -> Result<bool, ReadError> {
        let Training { data, resident, split, trainer, .. } = self;
        let (host, resident, numbers) = match part {
            Part::Train => (&data.train, &resident.train, Some(&split.train[..])),
            Part::Validation => (&data.train, &resident.train, Some(&split.validation[..])),
            Part::Test => (&data.test, &resident.test, None),
        };
        let images = Images { host, resident: resident.as_ref() };
        evaluation.advance(team, trainer, images, numbers).await
    }

    /// Weights after `epoch`, if they are still kept.
    pub fn after(&self, epoch: u32) -> Option<&[f32]> {
        self.past.iter().find(|past| past.0 == epoch).map(|past| &past.1[..])
    }

    /// Keeps the weights after `epoch`, and drops the oldest if there are too many.
    pub fn keep(&mut self, epoch: u32, weights: Vec<f32>) {
        self.past.push_back((epoch, weights));
        if self.past.len() > MAX_SNAPSHOTS {
            self.past.pop_front();
        }
    }

    /// Numbers of the images of the next step, or of the epoch's last one if its steps are done.
    pub fn next_numbers(&self, settings: &Settings) -> &[u32] {
        let (batch, len) = (settings.batch as usize, self.order.len());
        let from = if self.done < len { self.done } else { len.saturating_sub(batch) };
        &self.order[from..(from + batch).min(len)]
    }

    pub async fn step(&mut self, settings: &Settings, team: &mut Team) -> Result<(), ReadError> {
        let end = (self.done + settings.batch as usize).min(self.order.len());
        let augmentation = settings.active_augmentation().map(|ranges| (*ranges, self.epoch));
        let images = Images { host: &self.data.train, resident: self.resident.train.as_ref() };
        let numbers = &self.order[self.done..end];
        if !team.is_settled() {
            self.watch.stop(); // it measures training
            team.settle(&mut self.trainer, &images.host.pick(numbers), augmentation).await?;
            self.watch.start();
        }
        let metrics =
            batch::step(&mut self.trainer, team, images, numbers, augmentation, settings.batch as usize).await?;
        self.unread.push((metrics, end - self.done));
        self.done = end;
        Ok(())
    }

    /// Some steps on several devices.
    #[cfg(feature = "devices")]
    pub fn steps_on(&mut self, devices: &Devices, settings: &Settings) -> Result<(), ReadError> {
        let augmentation = settings.active_augmentation().map(|ranges| (*ranges, self.epoch));
        let (start, numbers) = (Instant::now(), &self.order[self.done..]);
        let steps = devices.train(&mut self.trainer, &self.data, numbers, augmentation, settings.batch as usize)?;
        self.trainer.parts.steps += start.elapsed().as_secs_f64();
        self.done += steps.iter().map(|step| step.1).sum::<usize>();
        self.unread.extend(steps);
        Ok(())
    }

    pub async fn read(&mut self) -> Result<Vec<StepPoint>, ReadError> {
        let (metrics, sizes): (Vec<_>, Vec<_>) = mem::take(&mut self.unread).into_iter().unzip();
        let first = self.trainer.steps_done() - sizes.len() as u32 + 1;
        let asked = Instant::now();
        let values = read_metrics(metrics).await?;
        self.last_read = Instant::now();
        self.pace.adapt(self.last_read - asked);
        let waited = (self.last_read - asked).as_secs_f64();
        self.trainer.parts.waiting += waited;
        self.trainer.parts.steps += waited;
        let mut points = Vec::with_capacity(values.len());
        for (([loss, accuracy], size), step) in values.into_iter().zip(sizes).zip(first..) {
            self.loss += loss * size as f64;
            self.hits += accuracy * size as f64;
            points.push(StepPoint { step, loss, accuracy });
        }
        Ok(points)
    }

    /// The record of the epoch that `evaluation` completes, and that of the average of the weights, if there is one.
    pub fn end_epoch(&mut self, evaluation: &Evaluation, averaged: Option<&Evaluation>) -> EpochRecord {
        self.evaluation_speed =
            Throughput { images: evaluation.done as u64, seconds: evaluation.watch.seconds() }.per_second();
        EpochRecord {
            epoch: self.epoch,
            step: self.trainer.steps_done(),
            train_loss: self.loss / self.done as f64,
            train_accuracy: self.hits / self.done as f64,
            validation_loss: evaluation.mean_loss(),
            validation_accuracy: evaluation.confusion.accuracy(),
            averaged: averaged
                .map(|averaged| Score { loss: averaged.mean_loss(), accuracy: averaged.confusion.accuracy() }),
            images_per_second: self.throughput.per_second().unwrap_or(0.0),
            seconds: self.watch.seconds(),
            parts: mem::take(&mut self.trainer.parts),
        }
    }

    /// If the validation loss has not fallen for `patience` epochs, the epoch in which it was lowest.
    pub fn stops_early(&mut self, record: &EpochRecord, settings: &Settings) -> Option<u32> {
        let best = match self.best {
            Some((epoch, loss)) if loss <= record.validation_loss => epoch,
            _ => {
                self.best = Some((record.epoch, record.validation_loss));
                record.epoch
            }
        };
        let waited = record.epoch - best;
        (settings.patience > 0 && waited >= settings.patience && record.epoch < settings.epochs).then_some(best)
    }

    pub fn next_epoch(&mut self, settings: &Settings) {
        self.begin_epoch(self.epoch + 1, settings);
        self.watch = Stopwatch::started();
        self.last_read = Instant::now();
    }

    /// Begins `epoch`, or the test if that is past the last epoch.
    pub fn begin_epoch(&mut self, epoch: u32, settings: &Settings) {
        self.epoch = epoch;
        self.phase = if epoch > settings.epochs {
            Phase::Test(Evaluation::new(self.data.shape.classes()))
        } else {
            Phase::Train
        };
        self.order = self.split.order(settings.seed, epoch);
        (self.done, self.loss, self.hits) = (0, 0.0, 0.0);
    }

    fn resume_from(&mut self, from: &Checkpoint, settings: &Settings) {
        self.begin_epoch(from.epoch, settings);
        self.best = from.best;
        self.done = from.done as usize;
        (self.loss, self.hits) = (from.loss, from.hits);
        self.watch = Stopwatch::started_at(from.seconds);
    }

    pub fn progress(&self, settings: &Settings, workers: usize) -> Progress {
        let (step, steps) = (self.trainer.steps_done(), self.steps_per_epoch * settings.epochs);
        let training = matches!(self.phase, Phase::Train) && self.epoch <= settings.epochs;
        let images_per_second = if training {
            Throughput { images: self.done as u64, seconds: self.watch.seconds() }.per_second()
        } else {
            self.throughput.per_second()
        };
        // Until measured, an evaluated image is assumed to cost a third of a trained one: forward without backward.
        let seconds_left = images_per_second.map(|speed| {
            let evaluation_speed = self.evaluation_speed.unwrap_or(3.0 * speed);
            let to_train = f64::from(steps - step) * f64::from(settings.batch);
            let scored = 1 + usize::from(settings.ema > 0.0);
            let epochs = (settings.epochs + 1).saturating_sub(self.epoch) as usize;
            let validations = epochs * scored * self.split.validation.len();
            let to_evaluate = match &self.phase {
                Phase::Train => validations + self.data.test.len(),
                Phase::Validate(evaluation) => validations + self.data.test.len() - evaluation.done,
                Phase::Test(evaluation) => self.data.test.len() - evaluation.done,
            };
            to_train / speed + to_evaluate as f64 / evaluation_speed
        });
        Progress {
            activity: match self.phase {
                Phase::Train => Activity::Train,
                Phase::Validate(_) => Activity::Validate,
                Phase::Test(_) => Activity::Test,
            },
            epoch: self.epoch.min(settings.epochs),
            epochs: settings.epochs,
            step,
            steps,
            images_per_second,
            seconds_left,
            workers: workers as u32,
            parts: self.trainer.parts,
        }
    }
}
