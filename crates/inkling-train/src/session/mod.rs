//! The state machine of a run: commands in, events out. It does not depend on a browser.
//!
//! A driver hands the session each [`Command`] as it arrives, downloads MNIST when [`Session::wants_mnist`] asks for
//! it, and calls [`Session::work`] until there is nothing to do. A unit of work is one training step, one evaluated
//! batch or one answer, so a command takes effect within a step.
//!
//! | file | what it does |
//! |---|---|
//! | `preparation.rs` | from `Start` to the first step: data, split, trainer |
//! | `progress.rs` | the units of a run: steps, epochs, tests, checkpoints |
//! | `training.rs` | a run's place and clocks |
//! | `answers.rs` | answers to questions |
//! | `following.rs` | a step that the visitor follows |
//! | `fine_tuning.rs`, `evaluation.rs`, `survey.rs` | what their names say |

mod answers;
mod evaluation;
mod fine_tuning;
mod following;
mod preparation;
mod progress;
mod survey;
mod training;

use std::{collections::VecDeque, mem, time::Duration};

use inkling_core::{
    data::{DataShape, handwriting::Handwriting},
    metrics::Stopwatch,
    protocol::{Command, Envelope, Event, Format, Motion, Question, RunId, RunState},
    restore::Restore,
    robustness,
    settings::{Adjustable, Settings},
};
use thiserror::Error;

#[cfg(feature = "devices")]
use crate::devices::Devices;
use crate::{
    device::Backend,
    read::ReadError,
    replicas::{Replicas, Team},
    trainer::Trainer,
};
use evaluation::Evaluation;
use fine_tuning::{Before, FineTuning};
use preparation::{Preparation, Sources};
use survey::Surveying;
use training::Training;

/// Default time between checkpoints: a lost worker costs at most this much work.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(3);

/// A session on one backend: at most one run at a time, and the data sets it has been given.
pub struct Session {
    backend: Backend,
    team: Team,
    #[cfg(feature = "devices")]
    devices: Option<Devices>,
    emit: Box<dyn FnMut(Envelope)>,
    run: RunId,
    state: RunState,
    settings: Settings,
    sources: Sources,
    /// How the run that is loading will start.
    preparation: Preparation,
    checkpoint_after: Duration,
    training: Option<Training>,
    /// The network that answers questions while there is no `training`.
    untrained: Option<Trainer>,
    /// While paused: one unit of work is wanted.
    step_requested: bool,
    side_work: SideWork,
}

/// Work that visitors ask for outside the run.
#[derive(Default)]
struct SideWork {
    /// A requested test; training waits for it.
    test: Option<Evaluation>,
    fine_tuning: Option<FineTuning>,
    /// The network before it was fine-tuned.
    before_tuning: Option<Before>,
    /// Robustness still to measure. Training takes turns with it.
    robustness: VecDeque<(Motion, f64)>,
    /// A survey of the data set. Training takes turns with it.
    survey: Option<Surveying>,
    /// The next turn is the training's.
    trains_next: bool,
    requests: VecDeque<Request>,
}

/// A request that is answered between two steps.
enum Request {
    Question(u32, Question),
    Export(Format),
    TakeBack,
}

/// Why a command can't be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
enum Refusal {
    #[error("A run is in progress. Stop it before {0}.")]
    RunInProgress(&'static str),
    #[error("There is no network to test yet. Train one first.")]
    NothingToTest,
    #[error("There is no network yet. Train one first.")]
    NoNetwork,
    #[error("There are no images yet. Press Train first.")]
    NoImages,
    #[error("There are no digits to teach. Draw some first.")]
    NoDigits,
    #[error("This image does not have the size of the network's.")]
    OtherSize,
    #[error("Your digits are images of 28 by 28 gray pixels in ten classes, and this network sees others.")]
    OtherImages,
    #[error("The data set is damaged. Choose its files again.")]
    DamagedData,
}

impl Session {
    /// A session on `backend` with these replicas. It reports through `emit`.
    pub fn new(backend: Backend, replicas: impl Replicas + 'static, emit: impl FnMut(Envelope) + 'static) -> Self {
        Session {
            backend,
            team: Team::new(replicas),
            #[cfg(feature = "devices")]
            devices: None,
            emit: Box::new(emit),
            run: 0,
            state: RunState::Idle,
            settings: Settings::default(),
            sources: Sources::default(),
            preparation: Preparation::default(),
            checkpoint_after: CHECKPOINT_AFTER,
            training: None,
            untrained: None,
            step_requested: false,
            side_work: SideWork::default(),
        }
    }

    /// From now on, steps are done on these devices, the first of which is the session's own.
    #[cfg(feature = "devices")]
    pub fn use_devices(&mut self, devices: Devices) {
        self.devices = Some(devices);
    }

    /// Sets the time after which an epoch hands out a [`Checkpoint`](inkling_core::checkpoint::Checkpoint), together
    /// with the next losses.
    pub fn checkpoint_after(&mut self, time: Duration) {
        self.checkpoint_after = time;
    }

    /// State of the run.
    pub fn state(&self) -> RunState {
        self.state
    }

    /// Takes a command. One that can't be done now is answered with a warning and changes nothing. One that asks for
    /// the current state is ignored: the page may send a command twice before the first one's event arrives.
    pub fn command(&mut self, command: Command) {
        if let Some(refusal) = self.refuse(&command) {
            self.warn(&refusal.to_string());
            if let Command::Ask { id, .. } = command {
                self.emit(Event::Refused { id });
            }
            return;
        }
        match command {
            Command::Start { run, settings, from } => self.start(run, settings, from),
            Command::Train { run, query, from } => match Settings::from_query(&query) {
                (settings, wrong) if wrong.is_empty() => self.start(run, settings, from),
                (_, wrong) => {
                    self.run = run;
                    let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
                    self.fail(&wrong.join(" "));
                }
            },
            Command::Import { run, next, settings, weights } => self.import(run, next, settings, weights),
            Command::Prepare { run, settings } => {
                if !self.state.is_active() {
                    self.run = run;
                }
                self.untrained = self.untrained(&settings);
            }
            Command::Load { run, net, weights } => self.load(run, net, &weights),
            Command::UseData(data) => self.use_data(data),
            Command::Pause => self.pause(),
            Command::Resume => self.resume(),
            Command::Step => self.step_requested |= self.state == RunState::Paused,
            Command::Adjust(to) => self.adjust(to),
            Command::Stop => self.stop(),
            Command::Reset => {
                self.forget();
                self.set_state(RunState::Idle);
            }
            Command::Test => {
                let classes = self.training.as_ref().map_or(0, |training| training.data.shape.classes());
                self.side_work.test.get_or_insert_with(|| Evaluation::new(classes));
            }
            Command::MeasureRobustness => self.side_work.robustness = robustness::points().into(),
            Command::Survey => self.begin_survey(),
            Command::FineTune(digits) => self.fine_tune(&digits),
            Command::TakeBack => self.side_work.requests.push_back(Request::TakeBack),
            Command::Export(format) => self.side_work.requests.push_back(Request::Export(format)),
            Command::Ask { id, question } => self.side_work.ask(id, question),
        }
    }

    /// Why `command` can't be done now, if it can't.
    fn refuse(&self, command: &Command) -> Option<Refusal> {
        let active = self.state.is_active();
        let no_network = self.training.is_none();
        match command {
            Command::Start { .. } | Command::Train { .. } if active => Some(Refusal::RunInProgress("starting another")),
            Command::Import { .. } | Command::Load { .. } if active => Some(Refusal::RunInProgress("opening weights")),
            Command::Test if no_network => Some(Refusal::NothingToTest),
            Command::Export(_) | Command::MeasureRobustness | Command::FineTune(_) if no_network => {
                Some(Refusal::NoNetwork)
            }
            Command::Survey if no_network => Some(Refusal::NoImages),
            Command::FineTune(_) if active => Some(Refusal::RunInProgress("teaching the network your digits")),
            Command::FineTune(digits) => self.refuse_digits(digits),
            Command::UseData(data) if !data.is_sound() => Some(Refusal::DamagedData),
            Command::Ask { question, .. } => self.refuse_question(question),
            _ => None,
        }
    }

    fn refuse_digits(&self, digits: &Handwriting) -> Option<Refusal> {
        let others = self.training.as_ref().is_some_and(|training| training.data.shape != DataShape::DIGITS);
        if digits.is_empty() || digits.check().is_err() {
            Some(Refusal::NoDigits)
        } else {
            others.then_some(Refusal::OtherImages)
        }
    }

    fn refuse_question(&self, question: &Question) -> Option<Refusal> {
        let Some(network) = self.network() else {
            return matches!(question, Question::Browse(_)).then_some(Refusal::NoNetwork);
        };
        let len = network.model().network().data().image().values();
        match question {
            Question::ReadHandwriting(digits) => self.refuse_digits(digits),
            Question::Predict { pixels, .. } | Question::Explain { pixels } if pixels.len() != len => {
                Some(Refusal::OtherSize)
            }
            Question::Diagnose { pixels } if pixels.is_empty() || !pixels.len().is_multiple_of(len) => {
                Some(Refusal::OtherSize)
            }
            Question::Browse(_) if self.training.is_none() => Some(Refusal::NoNetwork),
            _ => None,
        }
    }

    /// The network that answers questions.
    fn network(&self) -> Option<&Trainer> {
        self.training.as_ref().map(|training| &training.trainer).or(self.untrained.as_ref())
    }

    /// Does one unit of work; false if there is nothing to do until the next command.
    pub async fn work(&mut self) -> bool {
        let result = if let Some(request) = self.side_work.requests.pop_front() {
            self.answer(request).await
        } else if self.side_work.test.is_some() && self.training.is_some() {
            self.advance_requested_test().await
        } else if self.side_work.fine_tuning.is_some() {
            self.advance_fine_tuning().await
        } else if self.can_prepare() {
            self.prepare();
            Ok(())
        } else if self.side_work.has_turn(self.state) {
            if self.side_work.robustness.is_empty() {
                self.advance_survey().await
            } else {
                self.measure_robustness().await
            }
        } else if self.state == RunState::Training {
            self.advance(false).await
        } else if self.state == RunState::Paused && self.training.as_ref().is_some_and(Training::has_unread_losses) {
            // After a pause, the page still shows every step done before it.
            self.read_losses().await
        } else if self.state == RunState::Paused && mem::take(&mut self.step_requested) {
            self.advance_once().await
        } else {
            return false;
        };
        if let Some(loss) = self.team.losses() {
            self.warn(&loss);
        }
        if let Err(error) = result {
            self.device_lost(&error);
        }
        true
    }

    fn pause(&mut self) {
        if self.state == RunState::Training {
            self.set_state(RunState::Paused);
            self.watches(Stopwatch::stop);
        }
    }

    fn resume(&mut self) {
        if self.state == RunState::Paused {
            self.watches(Stopwatch::start);
            self.set_state(RunState::Training);
        }
    }

    fn stop(&mut self) {
        if self.state.is_active() {
            if let Some(training) = &mut self.training {
                training.unread.clear();
            }
            self.set_state(RunState::Stopped);
        }
    }

    fn adjust(&mut self, to: Adjustable) {
        let Some(training) = self.training.as_mut().filter(|_| self.state.is_active()) else { return };
        let settings = self.settings.adjusted(to);
        if let Err(error) = settings.validate() {
            return self.warn(&error.to_string());
        }
        self.settings = settings;
        training.trainer.set_peak(to.lr);
        // A run that resumes elsewhere must have the new settings.
        training.checkpoint_due = true;
        let step = training.trainer.steps_done();
        self.emit(Event::Adjusted { step, to });
    }

    fn forget(&mut self) {
        self.training = None;
        self.step_requested = false;
        self.preparation = Preparation::default();
        self.side_work = SideWork { requests: mem::take(&mut self.side_work.requests), ..SideWork::default() };
    }

    /// A lost device stays lost until there is a new worker.
    fn device_lost(&mut self, error: &ReadError) {
        self.emit(Event::Unavailable { reason: error.to_string(), faulty: true });
        self.fail(&format!("The device stopped responding: {error}. Start again, or choose another backend."));
    }

    fn set_state(&mut self, state: RunState) {
        self.state = state;
        self.emit(Event::State(state));
    }

    fn warn(&mut self, message: &str) {
        self.emit(Event::Warning(message.into()));
    }

    fn fail(&mut self, reason: &str) {
        self.side_work.stop();
        self.emit(Event::Failed(reason.into()));
        self.set_state(RunState::Failed);
    }

    fn emit(&mut self, event: Event) {
        (self.emit)(Envelope { run: self.run, event });
    }
}

impl SideWork {
    /// Queues a question. Only the newest of its kind counts; older ones would delay the answer.
    fn ask(&mut self, id: u32, question: Question) {
        let kind = mem::discriminant(&question);
        self.requests.retain(|request| !matches!(request, Request::Question(_, q) if mem::discriminant(q) == kind));
        self.requests.push_back(Request::Question(id, question));
    }

    /// Whether robustness or a survey has this turn. Training takes every other one.
    fn has_turn(&mut self, state: RunState) -> bool {
        let waits = !self.robustness.is_empty() || self.survey.is_some();
        self.trains_next = waits && !self.trains_next;
        waits && (self.trains_next || state != RunState::Training)
    }

    fn stop(&mut self) {
        (self.test, self.fine_tuning, self.survey) = (None, None, None);
        self.robustness.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device::BackendKind, replicas::NoReplicas};
    use inkling_core::{
        checkpoint::TrainerState,
        data::IMAGE,
        protocol::{Answer, StepPoint},
        settings::DatasetName,
    };
    use std::{cell::RefCell, rc::Rc};

    /// The program's session and what it says.
    fn session() -> (Session, Rc<RefCell<Vec<Event>>>) {
        let log: Rc<RefCell<Vec<Event>>> = Rc::default();
        let sink = log.clone();
        let backend = pollster::block_on(Backend::open(BackendKind::Cpu)).unwrap();
        (Session::new(backend, NoReplicas, move |envelope| sink.borrow_mut().push(envelope.event)), log)
    }

    #[test]
    fn settings_as_text_start_a_run_and_wrong_ones_end_it_with_a_sentence() {
        let (mut session, log) = session();
        session.command(Command::Train {
            run: 1,
            query: "dataset=synthetic&epochs=0&net=conv 8,dense x".into(),
            from: None,
        });
        assert_eq!(session.state(), RunState::Failed);
        let Event::Failed(words) = log.borrow()[0].clone() else { panic!("{log:?}") };
        assert!(words.contains("Epochs must be a whole number from 1 to 100") && words.contains("dense x"), "{words}");
        session.command(Command::Train { run: 2, query: "dataset=synthetic&images=24&net=dense 8".into(), from: None });
        pollster::block_on(session.work());
        assert_eq!((session.state(), session.settings.images), (RunState::Training, 24));
    }

    #[test]
    fn a_trained_network_answers_without_a_data_set_and_weights_that_do_not_fit_are_refused() {
        let (mut session, log) = session();
        let net = Settings::from_query("net=dense 4").0.network(DataShape::DIGITS).unwrap();
        let mut weights = vec![0.0; net.count()];
        *weights.last_mut().unwrap() = 10.0; // the bias of the last class
        session.command(Command::Load { run: 1, net: net.clone(), weights: TrainerState::new(0, &weights) });
        session.command(Command::Ask { id: 1, question: Question::Predict { pixels: vec![0; IMAGE], epoch: None } });
        pollster::block_on(session.work());
        {
            let log = log.borrow();
            let Some(Event::Answer { answer: Answer::Predict { probabilities: Some(classes), .. }, .. }) = log.last()
            else {
                panic!("{log:?}")
            };
            assert!(classes[9] > 0.99);
        }
        session.command(Command::Load { run: 2, net, weights: TrainerState::new(0, &weights[1..]) });
        assert_eq!(session.state(), RunState::Failed);
    }

    #[test]
    fn a_loss_that_is_not_a_number_ends_the_run_with_a_reason_and_drops_the_network() {
        let (mut session, log) = session();
        let settings = Settings { dataset: DatasetName::Synthetic, images: 24, ..Settings::default() };
        session.command(Command::start(1, settings));
        pollster::block_on(session.work());
        session.report_steps(vec![StepPoint { step: 5, loss: f64::NAN, accuracy: 0.1 }]);
        assert_eq!(session.state(), RunState::Failed);
        assert!(
            matches!(&log.borrow()[..], [.., Event::Failed(words), Event::State(RunState::Failed)] if words.contains("step 5"))
        );
        session.command(Command::Ask { id: 1, question: Question::Predict { pixels: vec![0; IMAGE], epoch: None } });
        pollster::block_on(session.work());
        let log = log.borrow();
        let Some(Event::Answer { answer, .. }) = log.last() else { panic!("no answer") };
        assert!(matches!(answer, Answer::Predict { probabilities: None, .. }));
    }
}
