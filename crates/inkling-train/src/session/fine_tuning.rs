//! Fine-tuning on the visitor's handwriting: tests the network, trains it, and tests it again.

use std::time::Duration;

use web_time::Instant;

use super::{Session, evaluation::Evaluation};
use crate::{
    feed::Feed,
    pass::Recipe,
    read::{ReadError, read_metrics},
    schedule::Schedule,
    trainer::Trainer,
};
use inkling_core::{
    checkpoint::TrainerState,
    data::{
        Batch, DataShape, Labelled,
        handwriting::{Handwriting, mixed},
    },
    protocol::{Event, Knowledge, Part, RunState},
    settings::Method,
};

/// Steps of a fine-tuning. Batches of 64 with 16 handwritten digits each: 3,200 views of handwriting.
pub const STEPS: u32 = 200;
/// Peak learning rate: an eighth of the default.
const PEAK: f64 = 0.0005;
/// The session handles messages again after this many steps,
const AT_ONCE: u32 = 4;
/// or after this long, whichever comes first.
const AT_MOST: Duration = Duration::from_millis(50);

/// A fine-tuning in progress.
pub struct FineTuning {
    /// Digits to train on, and digits that are set aside.
    digits: [Labelled; 2],
    phase: Phase,
    /// The network before fine-tuning, once it has been tested.
    before: Option<Before>,
}

enum Phase {
    Test(Box<Evaluation>),
    Steps(Box<Trainer>),
}

/// The test before or after the steps. Only digits are taught.
fn test() -> Phase {
    Phase::Test(Box::new(Evaluation::new(DataShape::DIGITS.classes())))
}

/// What it takes to restore a network.
pub struct Before {
    state: TrainerState,
    knowledge: Knowledge,
    test: Box<Evaluation>,
}

impl FineTuning {
    /// Starts with the test before the steps.
    pub fn new(digits: &Handwriting) -> Self {
        let digits = [digits.part(false), digits.part(true)];
        FineTuning { digits, phase: test(), before: None }
    }
}

impl Session {
    /// Starts a fine-tuning unless one is in progress: a second one would lose the state before the first.
    pub(super) fn fine_tune(&mut self, digits: &Handwriting) {
        if self.side_work.fine_tuning.is_none() {
            self.side_work.fine_tuning = Some(FineTuning::new(digits));
            self.emit(Event::FineTuning { step: 0, steps: STEPS });
        }
    }

    /// Does the next unit of work of the fine-tuning.
    pub(super) async fn advance_fine_tuning(&mut self) -> Result<(), ReadError> {
        let (Some(mut tuning), Some(training)) = (self.side_work.fine_tuning.take(), &mut self.training) else {
            return Ok(());
        };
        match tuning.phase {
            Phase::Test(mut test) => {
                let over = training.advance_evaluation(&mut test, &mut self.team, Part::Test).await?;
                if over {
                    test.watch.stop();
                }
                tuning.phase = Phase::Test(test);
                self.report_progress(); // tells the page that a slow backend is alive
                if over {
                    return self.tested_for_fine_tuning(tuning).await;
                }
            }
            Phase::Steps(mut student) => {
                let mut metrics = Vec::new();
                let start = Instant::now();
                for step in student.steps_done()..(student.steps_done() + AT_ONCE).min(STEPS) {
                    let batch =
                        mixed(&tuning.digits[0], &training.data.train, &training.split.train, self.settings.seed, step);
                    let feed = Feed::upload(batch, student.device());
                    metrics.push(student.step(feed));
                    if start.elapsed() > AT_MOST {
                        break;
                    }
                }
                read_metrics(metrics).await?; // otherwise steps would pile up on a GPU
                let step = student.steps_done();
                tuning.phase = Phase::Steps(student);
                self.emit(Event::FineTuning { step, steps: STEPS });
                if step == STEPS {
                    return self.take_over(tuning).await;
                }
            }
        }
        self.side_work.fine_tuning = Some(tuning);
        Ok(())
    }

    /// Continues after a test: starts the steps after the first test, and ends the fine-tuning after the second.
    async fn tested_for_fine_tuning(&mut self, tuning: FineTuning) -> Result<(), ReadError> {
        let (Phase::Test(test), Some(training)) = (tuning.phase, &self.training) else { return Ok(()) };
        let mut known = [(0, 0); 2];
        for (digits, known) in tuning.digits.iter().zip(&mut known) {
            if !digits.is_empty() {
                let evaluated = training.trainer.evaluate(Batch::plain(digits, 0..digits.len())).await?;
                *known = (evaluated.right(), digits.len() as u32);
            }
        }
        let [own, aside] = known;
        let knowledge = Knowledge { own, aside, test: (test.confusion.correct(), test.confusion.total()) };
        let Some(before) = tuning.before else {
            let state = training.trainer.state().await?;
            let schedule = Schedule::new(PEAK, STEPS);
            let recipe = Recipe {
                schedule,
                method: Method::default(),
                class_weights: Vec::new(),
                ..(**training.trainer.recipe()).clone()
            };
            let weights = TrainerState::new(0, &state.first(recipe.net.count()));
            if let Some(student) = Trainer::restored(recipe, &weights, &self.backend.device) {
                let before = Some(Before { state, knowledge, test });
                self.side_work.fine_tuning =
                    Some(FineTuning { phase: Phase::Steps(Box::new(student)), before, ..tuning });
            }
            return Ok(());
        };
        self.emit(Event::FineTuned { before: before.knowledge, after: knowledge });
        self.side_work.before_tuning = Some(before);
        self.is_another(test).await
    }

    /// Gives the network the student's weights and starts the second test.
    async fn take_over(&mut self, tuning: FineTuning) -> Result<(), ReadError> {
        let FineTuning { phase: Phase::Steps(student), before: Some(before), digits } = tuning else { return Ok(()) };
        let count = student.recipe().net.count();
        let mut values = student.state().await?.first(count);
        values.extend(before.state.values().iter().skip(count));
        let taught = TrainerState::new(before.state.step, &values);
        if taught.is_finite() {
            self.restore(&taught);
            self.side_work.fine_tuning = Some(FineTuning { digits, phase: test(), before: Some(before) });
        } else {
            self.emit(Event::TakenBack);
            self.warn("Fine-tuning was stopped: the weights were no longer valid numbers. The network is unchanged.");
        }
        Ok(())
    }

    /// Cancels the fine-tuning in progress, or undoes the last one.
    pub(super) async fn take_back(&mut self) -> Result<(), ReadError> {
        if let Some(tuning) = self.side_work.fine_tuning.take() {
            if let Some(before) = tuning.before {
                self.restore(&before.state);
            }
            self.emit(Event::TakenBack);
            return Ok(());
        }
        let Some(before) = self.side_work.before_tuning.take() else {
            self.warn("There is no teaching to undo.");
            return Ok(());
        };
        self.restore(&before.state);
        self.emit(Event::TakenBack);
        self.is_another(before.test).await
    }

    /// Restores the network to `state` and cancels measurements of the network that it replaces.
    fn restore(&mut self, state: &TrainerState) {
        (self.side_work.test, self.side_work.survey) = (None, None);
        self.side_work.robustness.clear();
        let Some(training) = &mut self.training else { return };
        if let Some(trainer) = Trainer::restored((**training.trainer.recipe()).clone(), state, &self.backend.device) {
            training.trainer = trainer;
        }
    }

    /// Reports the test of the network's new weights. A finished run gets a new checkpoint; a stopped run keeps its old
    /// one, so it resumes without the fine-tuning.
    async fn is_another(&mut self, test: Box<Evaluation>) -> Result<(), ReadError> {
        if self.state == RunState::Finished {
            self.checkpoint(None).await?;
        } else if self.side_work.before_tuning.is_some() {
            self.warn("After a reload, the run resumes without what you taught it. Save the weights to keep them.");
        }
        self.tested(*test);
        Ok(())
    }
}
