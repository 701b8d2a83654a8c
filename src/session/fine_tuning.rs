//! Fine-tuning on the visitor's own digits: what the network knows before, the steps, what it knows after.

use std::time::Duration;

use web_time::Instant;

use super::{Session, evaluation::Evaluation};
use crate::{
    checkpoint::TrainerState,
    data::{
        Batch, Labelled,
        handwriting::{Handwriting, mixed},
    },
    parameters::PARAMETERS,
    protocol::{Event, Knowledge, Part, RunState},
    train::{Feed, ReadError, Recipe, Schedule, Trainer, read_metrics},
};

/// Batches of 64: 3,200 views of own digits.
pub const STEPS: u32 = 200;
/// The highest learning rate: an eighth of the defaults'.
const PEAK: f64 = 0.0005;
/// Messages are heard again after so many steps, or so much time.
const AT_ONCE: u32 = 4;
const AT_MOST: Duration = Duration::from_millis(50);

/// A fine-tuning under way.
pub struct FineTuning {
    /// Digits that teach, and digits that were put aside.
    digits: [Labelled; 2],
    phase: Phase,
    /// The network as it was, once it is tested.
    before: Option<Before>,
}

enum Phase {
    Test(Box<Evaluation>),
    Steps(Box<Trainer>),
}

/// What is to be known of a network to go back to it.
pub struct Before {
    state: TrainerState,
    knowledge: Knowledge,
    test: Box<Evaluation>,
}

impl FineTuning {
    /// Begins now.
    pub fn new(digits: &Handwriting) -> Self {
        let digits = [digits.part(false), digits.part(true)];
        FineTuning { digits, phase: Phase::Test(Box::new(Evaluation::new())), before: None }
    }
}

impl Session {
    /// The next unit of the fine-tuning.
    pub(super) async fn advance_fine_tuning(&mut self) -> Result<(), ReadError> {
        let (Some(mut tuning), Some(training)) = (self.fine_tuning.take(), &mut self.training) else { return Ok(()) };
        match tuning.phase {
            Phase::Test(mut test) => {
                let over = training.advance_evaluation(&mut test, &mut self.team, Part::Test).await?;
                if over {
                    test.watch.stop();
                }
                tuning.phase = Phase::Test(test);
                self.report_progress(); // a slow backend is not a silent one
                if over {
                    return self.tested_for_fine_tuning(tuning).await;
                }
            }
            Phase::Steps(mut pupil) => {
                let mut metrics = Vec::new();
                let start = Instant::now();
                for step in pupil.steps_done()..(pupil.steps_done() + AT_ONCE).min(STEPS) {
                    let batch =
                        mixed(&tuning.digits[0], &training.data.train, &training.split.train, self.settings.seed, step);
                    let feed = Feed::upload(batch, pupil.device());
                    metrics.push(pupil.step(feed));
                    if start.elapsed() > AT_MOST {
                        break;
                    }
                }
                read_metrics(metrics).await?; // or a GPU would be given more and more
                let step = pupil.steps_done();
                tuning.phase = Phase::Steps(pupil);
                self.emit(Event::FineTuning { step, steps: STEPS });
                if step == STEPS {
                    return self.take_over(tuning).await;
                }
            }
        }
        self.fine_tuning = Some(tuning);
        Ok(())
    }

    /// The test set is scored: the steps come next, or it is done.
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
            let schedule = Schedule { peak: PEAK, steps: STEPS };
            let recipe = Recipe { schedule, ..training.trainer.recipe() };
            let weights = TrainerState::new(0, &state.first(PARAMETERS));
            if let Some(pupil) = Trainer::restored(recipe, &weights, &self.backend.device) {
                let before = Some(Before { state, knowledge, test });
                self.fine_tuning = Some(FineTuning { phase: Phase::Steps(Box::new(pupil)), before, ..tuning });
            }
            return Ok(());
        };
        self.emit(Event::FineTuned { before: before.knowledge, after: knowledge });
        self.before_tuning = Some(before);
        self.is_another(test).await
    }

    /// The network gets what the pupil has learned.
    async fn take_over(&mut self, tuning: FineTuning) -> Result<(), ReadError> {
        let FineTuning { phase: Phase::Steps(pupil), before: Some(before), digits } = tuning else { return Ok(()) };
        let mut values = pupil.state().await?.first(PARAMETERS);
        values.extend(&before.state.values()[PARAMETERS..]);
        let taught = TrainerState::new(before.state.step, &values);
        if taught.is_finite() {
            self.restore(&taught);
            self.fine_tuning =
                Some(FineTuning { digits, phase: Phase::Test(Box::new(Evaluation::new())), before: Some(before) });
        } else {
            self.emit(Event::TakenBack);
            self.warn("The fine-tuning was given up: the weights stopped being numbers. The network is as it was.");
        }
        Ok(())
    }

    /// Ends the fine-tuning, or undoes the last.
    pub(super) async fn take_back(&mut self) -> Result<(), ReadError> {
        if let Some(tuning) = self.fine_tuning.take() {
            if let Some(before) = tuning.before {
                self.restore(&before.state);
            }
            self.emit(Event::TakenBack);
            return Ok(());
        }
        let Some(before) = self.before_tuning.take() else {
            self.warn("There is no fine-tuning to take back.");
            return Ok(());
        };
        self.restore(&before.state);
        self.emit(Event::TakenBack);
        self.is_another(before.test).await
    }

    /// What is being measured of the network was of another.
    fn restore(&mut self, state: &TrainerState) {
        self.requested_test = None;
        self.robustness.clear();
        let Some(training) = &mut self.training else { return };
        if let Some(trainer) = Trainer::restored(training.trainer.recipe(), state, &self.backend.device) {
            training.trainer = trainer;
        }
    }

    /// The network has other weights now, with this score. A run that was stopped goes on from where it stopped, without what
    /// it was taught after.
    async fn is_another(&mut self, test: Box<Evaluation>) -> Result<(), ReadError> {
        if self.state == RunState::Finished {
            self.checkpoint(None).await?;
        } else if self.before_tuning.is_some() {
            self.warn("A reload would go on without what you taught it: save the weights to keep them.");
        }
        self.tested(*test);
        Ok(())
    }
}
