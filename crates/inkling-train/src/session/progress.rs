//! The units of a run: steps, the end of an epoch, tests and checkpoints.

use std::time::Duration;

use inkling_core::{
    checkpoint::Checkpoint,
    metrics::{Stopwatch, Throughput},
    protocol::{EpochRecord, Event, Part, RunState, StepPoint},
};
use web_time::Instant;

use super::{
    Session,
    evaluation::Evaluation,
    training::{Phase, Training},
};
use crate::read::ReadError;

/// Losses are read together after this long, so what the page shows is at most this old.
const READ_AFTER: Duration = Duration::from_millis(100);

impl Session {
    /// The next unit of the run. `read_now` reads its losses at once.
    pub(super) async fn advance(&mut self, read_now: bool) -> Result<(), ReadError> {
        match self.training.as_ref().map(|training| &training.phase) {
            Some(Phase::Train) => self.advance_training(read_now).await,
            Some(Phase::Validate(_)) => self.advance_validation().await,
            Some(Phase::Test(_)) => self.advance_final_test().await,
            None => Ok(()),
        }
    }

    /// One unit of a paused run.
    pub(super) async fn advance_once(&mut self) -> Result<(), ReadError> {
        self.watches(Stopwatch::start);
        let result = self.advance_followed().await;
        self.watches(Stopwatch::stop);
        result
    }

    async fn advance_training(&mut self, read_now: bool) -> Result<(), ReadError> {
        let Some(training) = &mut self.training else { return Ok(()) };
        #[cfg(feature = "devices")]
        match &self.devices {
            Some(devices) => training.steps_on(devices, &self.settings)?,
            None => training.step(&self.settings, &mut self.team).await?,
        }
        #[cfg(not(feature = "devices"))]
        training.step(&self.settings, &mut self.team).await?;
        let epoch_over = training.done == training.order.len();
        let waited = training.unread.len() >= training.pace.steps || training.last_read.elapsed() >= READ_AFTER;
        if !(read_now || epoch_over || waited) {
            return Ok(());
        }
        let points = training.read().await?;
        if epoch_over {
            let seconds = training.watch.seconds();
            training.throughput = Throughput { images: training.done as u64, seconds };
            training.phase = Phase::Validate(Evaluation::new(training.data.shape.classes()));
        }
        let late = training.last_checkpoint.elapsed() >= self.checkpoint_after;
        let due = !epoch_over && (late || training.checkpoint_due);
        if self.report_steps(points) && due {
            self.checkpoint(None).await?;
        }
        Ok(())
    }

    async fn advance_validation(&mut self) -> Result<(), ReadError> {
        let Some(training) = &mut self.training else { return Ok(()) };
        if let Some(evaluation) = training.evaluate(&mut self.team, Part::Validation).await? {
            match (training.validated.take(), training.trainer.averaged()) {
                (None, Some(average)) => {
                    training.validated = Some(evaluation);
                    training.phase = Phase::Validate(Evaluation::of(average));
                }
                (None, None) => self.end_epoch(evaluation, None).await?,
                (Some(validated), _) => self.end_epoch(validated, Some(evaluation)).await?,
            }
        }
        self.report_progress();
        Ok(())
    }

    /// Ends an epoch with the score of the weights, and with that of their average, if there is one.
    async fn end_epoch(&mut self, evaluation: Evaluation, averaged: Option<Evaluation>) -> Result<(), ReadError> {
        let Some(training) = &mut self.training else { return Ok(()) };
        let record: EpochRecord = training.end_epoch(&evaluation, averaged.as_ref());
        let losses = [Some(record.validation_loss), record.averaged.map(|averaged| averaged.loss)];
        if !losses.into_iter().flatten().all(f64::is_finite) {
            self.diverged("the validation loss", record.step);
            return Ok(());
        }
        let early = training.stops_early(&record, &self.settings);
        training.predictions.validation = Some(evaluation.predictions);
        match early {
            None => training.next_epoch(&self.settings),
            Some(_) => training.begin_epoch(self.settings.epochs + 1, &self.settings),
        }
        let over = training.epoch > self.settings.epochs;
        let better = record.averaged.filter(|averaged| over && averaged.loss < record.validation_loss);
        if let (Some(_), Some(averaged)) = (better, averaged) {
            training.trainer.take_average();
            training.predictions.validation = Some(averaged.predictions);
        }
        self.emit(Event::Epoch { record, confusion: evaluation.confusion });
        if let Some(best) = early {
            let epoch = record.epoch;
            self.warn(&format!("Stopped early after epoch {epoch}: the validation loss was lowest in epoch {best}."));
        }
        if let Some(averaged) = better {
            let (before, after) = (record.validation_loss, averaged.loss);
            self.warn(&format!(
                "The network has the average of its weights now: its validation loss is {after:.4}, that of the last weights {before:.4}."
            ));
        }
        self.checkpoint(Some(record.epoch)).await
    }

    async fn advance_final_test(&mut self) -> Result<(), ReadError> {
        let Some(training) = &mut self.training else { return Ok(()) };
        match training.evaluate(&mut self.team, Part::Test).await? {
            Some(evaluation) => {
                if self.tested(evaluation) {
                    self.set_state(RunState::Finished);
                }
            }
            None => self.report_progress(),
        }
        Ok(())
    }

    pub(super) async fn read_losses(&mut self) -> Result<(), ReadError> {
        let Some(training) = &mut self.training else { return Ok(()) };
        let points = training.read().await?;
        self.report_steps(points);
        Ok(())
    }

    /// Reports a test; false if its loss is not a number, which ends the run.
    pub(super) fn tested(&mut self, evaluation: Evaluation) -> bool {
        let result = evaluation.result();
        if !result.loss.is_finite() {
            let step = self.training.as_ref().map_or(0, |training| training.trainer.steps_done());
            self.diverged("the test loss", step);
            return false;
        }
        if let Some(training) = &mut self.training {
            training.predictions.test = Some(evaluation.predictions);
        }
        self.emit(Event::Test(result));
        true
    }

    /// The next batch of the test that the visitor asked for. The run's own clocks stop during it.
    pub(super) async fn advance_requested_test(&mut self) -> Result<(), ReadError> {
        self.watches(Stopwatch::stop);
        let result = self.requested_test_batch().await;
        if self.state == RunState::Training {
            self.watches(Stopwatch::start);
        }
        result
    }

    async fn requested_test_batch(&mut self) -> Result<(), ReadError> {
        let (Some(test), Some(training)) = (&mut self.side_work.test, &mut self.training) else { return Ok(()) };
        let over = training.advance_evaluation(test, &mut self.team, Part::Test).await?;
        if let Some(test) = self.side_work.test.take_if(|_| over) {
            self.tested(test);
        }
        self.report_progress(); // tells the page that a slow backend is alive
        Ok(())
    }

    /// Reports losses; false if one is not a number, which ends the run.
    pub(super) fn report_steps(&mut self, points: Vec<StepPoint>) -> bool {
        if let Some(bad) = points.iter().find(|point| !point.loss.is_finite()) {
            self.diverged("the loss", bad.step);
            return false;
        }
        self.emit(Event::Steps(points));
        self.report_progress();
        true
    }

    /// A number has become NaN or infinite.
    fn diverged(&mut self, what: &str, step: u32) {
        self.training = None; // such a network has no answers
        let reason = format!("{what} stopped being a number at step {step}");
        if self.backend.is_apart() {
            self.emit(Event::Unavailable { reason: reason.clone(), faulty: true });
        }
        self.fail(&format!("Training diverged: {reason}. Choose a smaller learning rate and start again."));
    }

    /// Hands out where the run can resume, and keeps the weights for the time machine if an epoch has `ended`.
    pub(super) async fn checkpoint(&mut self, ended: Option<u32>) -> Result<(), ReadError> {
        let Some(training) = &mut self.training else { return Ok(()) };
        let trainer = training.trainer.state().await?;
        training.last_checkpoint = Instant::now();
        if !trainer.is_finite() {
            // The loss would show it only with the next step.
            self.diverged("a weight", trainer.step);
            return Ok(());
        }
        training.checkpoint_due = false;
        if let Some(epoch) = ended {
            training.keep(epoch, trainer.first(training.trainer.recipe().net.count()));
        }
        let checkpoint = Checkpoint {
            best: training.best,
            epoch: training.epoch,
            done: training.done as u32,
            loss: training.loss,
            hits: training.hits,
            seconds: training.watch.seconds(),
            data: Some(training.fingerprint),
            rounding: self.backend.rounding(),
            workers: self.workers(),
            trainer,
        };
        self.emit(Event::Checkpoint(Box::new(checkpoint)));
        Ok(())
    }

    /// How many workers share a batch, once that is known. A run on several devices has none.
    fn workers(&self) -> Option<u32> {
        #[cfg(feature = "devices")]
        if self.devices.is_some() {
            return None;
        }
        self.team.settled().map(|workers| workers as u32)
    }

    /// How many workers or devices share a batch.
    fn at_a_time(&self) -> usize {
        #[cfg(feature = "devices")]
        if let Some(devices) = &self.devices {
            return devices.count();
        }
        self.team.workers()
    }

    pub(super) fn report_progress(&mut self) {
        if let Some(training) = &self.training {
            let progress = training.progress(&self.settings, self.at_a_time());
            self.emit(Event::Progress(progress));
        }
    }

    /// Changes the clocks of the run and of the evaluation that is part of it.
    pub(super) fn watches(&mut self, change: impl Fn(&mut Stopwatch)) {
        let Some(Training { watch, phase, .. }) = &mut self.training else { return };
        change(watch);
        if let Phase::Validate(evaluation) | Phase::Test(evaluation) = phase {
            change(&mut evaluation.watch);
        }
    }
}
