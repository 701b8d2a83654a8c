//! The state machine of a run: commands in, events out. It knows no browser.
//!
//! Whoever drives a session hands it each [`Command`] as it comes, fetches MNIST when [`Session::wants_mnist`] asks for it, and
//! calls [`Session::work`] until there is nothing to do. A unit of work is one training step, one evaluated batch or one
//! answer, so a command takes effect within a step.

mod evaluation;
mod fine_tuning;
mod look;
mod training;

use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

use web_time::Instant;

use crate::{
    checkpoint::{Checkpoint, TrainerState},
    data::{
        Dataset, IMAGE, SharedDataset, Split,
        own::{self, NamedFile},
        source::DatasetName,
        synthetic,
    },
    device::Backend,
    metrics::{Stopwatch, Throughput},
    parameters::PARAMETERS,
    protocol::{Command, Envelope, Event, Loaded, Motion, Part, RunId, RunState, StepPoint},
    replicas::{Crew, Team},
    settings::{Adjustable, Settings},
    train::{ReadError, Recipe, Schedule, Trainer},
};
use evaluation::Evaluation;
use fine_tuning::{Before, FineTuning};
use training::{Pace, Phase, Training};

/// Share of the hidden units that training drops at each step.
const DROPOUT: f64 = 0.3;
/// Losses are read together, after this long: so old is what the page shows at most.
const READ_AFTER: Duration = Duration::from_millis(100);
/// The most work that a lost worker costs, unless it is set otherwise.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(3);

/// A session on one backend: at most one run at a time, and the data set of the last.
pub struct Session {
    backend: Backend,
    team: Team,
    emit: Box<dyn FnMut(Envelope)>,
    run: RunId,
    state: RunState,
    settings: Settings,
    mnist_wanted: bool,
    mnist_coming: bool,
    loading_since: Instant,
    mnist: Option<(SharedDataset, String)>,
    /// The visitor's own.
    own: Option<SharedDataset>,
    /// Where the run that is loading goes on.
    from: Option<Box<Checkpoint>>,
    checkpoint_after: Duration,
    training: Option<Training>,
    /// The run is to rest before it goes on: its weights came from a file.
    rest_first: bool,
    /// While it rests: one unit of work is to be done.
    step_asked: bool,
    /// A test that the visitor asked for; training waits for it.
    requested_test: Option<Evaluation>,
    /// What the visitor's own digits are teaching.
    fine_tuning: Option<FineTuning>,
    /// The network before it was fine-tuned.
    before_tuning: Option<Before>,
    /// What is to be measured of the network's robustness; training takes turns with it.
    robustness: VecDeque<(Motion, f64)>,
    /// The turn is the training's.
    trains_next: bool,
    /// Commands that are answered by an event.
    questions: VecDeque<Command>,
}

impl Session {
    /// A session on `backend` with the replicas of `crew`, that says what happens through `emit`.
    pub fn new(backend: Backend, crew: impl Crew + 'static, emit: impl FnMut(Envelope) + 'static) -> Self {
        Session {
            backend,
            team: Team::new(crew),
            emit: Box::new(emit),
            run: 0,
            state: RunState::Idle,
            settings: Settings::default(),
            mnist_wanted: false,
            mnist_coming: false,
            loading_since: Instant::now(),
            mnist: None,
            own: None,
            from: None,
            checkpoint_after: CHECKPOINT_AFTER,
            training: None,
            rest_first: false,
            step_asked: false,
            requested_test: None,
            fine_tuning: None,
            before_tuning: None,
            robustness: VecDeque::new(),
            trains_next: false,
            questions: VecDeque::new(),
        }
    }

    /// Hands out a [`Checkpoint`] during an epoch after this time, with the next losses that are read.
    pub fn checkpoint_after(&mut self, time: Duration) {
        self.checkpoint_after = time;
    }

    /// State of the run.
    pub fn state(&self) -> RunState {
        self.state
    }

    /// Takes a command. What can't be done now is answered with a warning and changes nothing.
    pub fn command(&mut self, command: Command) {
        match command {
            Command::Start { .. } if self.state.is_active() => {
                self.warn("A run is under way. Stop it before starting another.")
            }
            Command::Start { run, settings, from } => self.start(run, settings, from),
            Command::Import { .. } if self.state.is_active() => {
                self.warn("A run is under way. Stop it before opening weights.")
            }
            Command::Import { run, next, settings, weights } => {
                self.run = run;
                self.import(next, settings, weights);
            }
            Command::UseData { .. } if self.state.is_active() => {
                self.warn("A run is under way. Stop it before choosing other data.")
            }
            Command::UseData { run, files } => {
                self.run = run;
                self.use_data(&files);
            }
            Command::Step if self.state == RunState::Paused => self.step_asked = true,
            Command::Adjust(to) if self.training.is_some() && self.state.is_active() => self.adjust(to),
            Command::Pause if self.state == RunState::Training => {
                self.set_state(RunState::Paused);
                self.watches(Stopwatch::stop);
            }
            Command::Resume if self.state == RunState::Paused => {
                self.watches(Stopwatch::start);
                self.set_state(RunState::Training);
            }
            Command::Stop if self.state.is_active() => {
                if let Some(training) = &mut self.training {
                    training.unread.clear();
                }
                self.set_state(RunState::Stopped);
            }
            Command::Reset => {
                self.forget();
                self.set_state(RunState::Idle);
            }
            Command::Test if self.training.is_none() => self.warn("There is no network to test yet. Train one first."),
            Command::Test => {
                self.requested_test.get_or_insert_with(Evaluation::new);
            }
            Command::Save(_) | Command::Browse(_) | Command::Robustness | Command::FineTune(_)
                if self.training.is_none() =>
            {
                self.warn("There is no network yet. Train one first.")
            }
            Command::FineTune(_) if self.state.is_active() => {
                self.warn("A run is under way. Stop it before teaching the network your digits.")
            }
            Command::FineTune(ref digits) | Command::Read { ref digits, .. }
                if digits.is_empty() || !digits.is_valid() =>
            {
                self.warn("These are no digits: draw some first.")
            }
            // One at a time, or what was before the first could not be taken back.
            Command::FineTune(_) if self.fine_tuning.is_some() => {}
            Command::FineTune(digits) => {
                self.fine_tuning = Some(FineTuning::new(&digits));
                self.emit(Event::FineTuning { step: 0, steps: fine_tuning::STEPS });
            }
            Command::Robustness => self.robustness = crate::robustness::points().into(),
            Command::Save(_) | Command::TakeBack => self.questions.push_back(command),
            Command::Predict { ref pixels, .. } | Command::Explain { ref pixels, .. } if pixels.len() != IMAGE => {
                self.warn("A sketch must have 28x28 pixels.")
            }
            Command::Diagnose { ref pixels, .. } if pixels.is_empty() || !pixels.len().is_multiple_of(IMAGE) => {
                self.warn("A sketch must have 28x28 pixels.")
            }
            Command::Predict { .. }
            | Command::Read { .. }
            | Command::Explain { .. }
            | Command::Diagnose { .. }
            | Command::Browse(_) => {
                // Only the newest question of its kind matters; older ones would make the answer late.
                let kind = mem::discriminant(&command);
                self.questions.retain(|question| mem::discriminant(question) != kind);
                self.questions.push_back(command);
            }
            // What is so already, or has ended meanwhile: the page may ask twice before it has heard.
            Command::Pause | Command::Resume | Command::Stop | Command::Step | Command::Adjust(_) => {}
        }
    }

    /// Whether the driver is to fetch MNIST now. It says so once; the driver answers with [`Session::provide`].
    pub fn wants_mnist(&mut self) -> bool {
        mem::take(&mut self.mnist_wanted)
    }

    /// MNIST is on its way already: [`Session::wants_mnist`] is not to ask for it.
    pub fn expect_mnist(&mut self) {
        self.mnist_coming = true;
    }

    /// Takes MNIST, with words on where it came from, or the reason why it could not be had. The run that waits for it
    /// begins or fails; if none waits any more, the data is kept for the next.
    pub fn provide(&mut self, data: Result<(Dataset, String), String>) {
        self.mnist_coming = false;
        let wanted = self.state == RunState::Loading && self.settings.dataset == DatasetName::Mnist;
        match data {
            Ok((dataset, source)) => {
                self.mnist = Some((Arc::new(dataset), source));
                if wanted {
                    self.begin();
                }
            }
            Err(reason) if wanted => self.fail(&reason),
            Err(_) => {}
        }
    }

    /// Does one unit of work; false if there is nothing to do until the next command.
    pub async fn work(&mut self) -> bool {
        let result = if let Some(question) = self.questions.pop_front() {
            self.answer(question).await
        } else if self.requested_test.is_some() && self.training.is_some() {
            self.advance_requested_test().await
        } else if self.fine_tuning.is_some() {
            self.advance_fine_tuning().await
        } else if self.state == RunState::Loading && self.settings.dataset != DatasetName::Mnist {
            self.begin();
            Ok(())
        } else if !self.robustness.is_empty() && !mem::take(&mut self.trains_next) {
            self.trains_next = self.state == RunState::Training;
            self.measure_robustness().await
        } else if self.state == RunState::Training {
            self.advance(false).await
        } else if self.state == RunState::Paused && self.training.as_ref().is_some_and(|t| !t.unread.is_empty()) {
            // What was done before the pause is to be seen in it.
            self.read_losses().await
        } else if self.state == RunState::Paused && mem::take(&mut self.step_asked) {
            self.watches(Stopwatch::start);
            let result = self.advance(true).await;
            self.watches(Stopwatch::stop);
            result
        } else {
            return false;
        };
        for loss in self.team.losses() {
            self.warn(&format!(
                "A replica was lost ({loss}). Its share was computed again, and another takes its place."
            ));
        }
        if let Err(error) = result {
            // What can't be read once can't be read again: a lost device stays lost until there is a fresh worker.
            self.emit(Event::Unavailable { reason: error.to_string(), faulty: true });
            self.fail(&format!("{error}. Press Train to start again, or choose another backend."));
        }
        true
    }

    fn start(&mut self, run: RunId, settings: Settings, from: Option<Box<Checkpoint>>) {
        self.run = run;
        self.from = from;
        self.forget();
        self.settings = settings;
        if let Err(error) = self.settings.validate() {
            return self.fail(&error.to_string());
        }
        self.loading_since = Instant::now();
        self.set_state(RunState::Loading);
        if self.settings.dataset == DatasetName::Own && self.own.is_none() {
            return self
                .fail("Choose the files of your data set first: images and labels in IDX form, as MNIST's are.");
        }
        if self.settings.dataset == DatasetName::Mnist {
            match self.mnist {
                Some(_) => self.begin(),
                // A download that an earlier run began serves this one as well.
                None if self.mnist_coming => {}
                None => (self.mnist_wanted, self.mnist_coming) = (true, true),
            }
        }
    }

    fn forget(&mut self) {
        self.training = None;
        self.requested_test = None;
        (self.fine_tuning, self.before_tuning) = (None, None);
        self.robustness.clear();
        (self.rest_first, self.step_asked) = (false, false);
    }

    /// Files that are no data set change nothing.
    fn use_data(&mut self, files: &[NamedFile]) {
        match own::assemble(files) {
            Ok(data) => {
                let (train, test) = (data.train.len() as u32, data.test.len() as u32);
                self.own = Some(Arc::new(data));
                self.emit(Event::DataTaken { train, test });
            }
            Err(error) => self.warn(&format!("The data set was not taken: {error}.")),
        }
    }

    /// What is no network's weights changes nothing.
    fn import(&mut self, run: RunId, settings: Settings, trainer: TrainerState) {
        if trainer.step != 0 || trainer.values().len() != PARAMETERS {
            return self.warn("These are not this network's weights.");
        }
        let beginning = Checkpoint { epoch: 1, done: 0, loss: 0.0, hits: 0.0, seconds: 0.0, best: None, trainer };
        self.emit(Event::Imported { run });
        self.start(run, settings, Some(Box::new(beginning)));
        self.rest_first = true;
        self.rest_if_imported();
    }

    fn rest_if_imported(&mut self) {
        if self.state == RunState::Training && mem::take(&mut self.rest_first) {
            self.watches(Stopwatch::stop);
            self.set_state(RunState::Paused);
        }
    }

    fn adjust(&mut self, to: Adjustable) {
        let settings = self.settings.adjusted(to);
        if let Err(error) = settings.validate() {
            return self.warn(&error.to_string());
        }
        self.settings = settings;
        let Some(training) = &mut self.training else { return };
        training.trainer.set_peak(to.lr);
        // The run that goes on after a loss is to know of it.
        training.checkpoint_due = true;
        let step = training.trainer.steps_done();
        self.emit(Event::Adjusted { step, to });
    }

    /// The data is there, or is drawn now: splits it and starts training.
    fn begin(&mut self) {
        let Settings { images, seed, batch, epochs, lr, replicas, kernels, .. } = self.settings;
        self.team.muster(replicas as usize);
        let (data, source) = match (&self.mnist, &self.own, self.settings.dataset) {
            (Some((data, source)), _, DatasetName::Mnist) => (data.clone(), source.clone()),
            (_, Some(data), DatasetName::Own) => (data.clone(), "your own files".to_string()),
            _ => {
                let len = if images == 0 { synthetic::DEFAULT_LEN } else { images as usize };
                (
                    Arc::new(synthetic::generate(len, seed)),
                    "synthetic digits, drawn in this tab (not MNIST)".to_string(),
                )
            }
        };
        let limit = (images > 0).then_some(images as usize);
        let split = Split::stratified(&data.train.labels, limit, seed);
        let loaded = Loaded {
            source,
            train: split.train.len() as u32,
            validation: split.validation.len() as u32,
            test: data.test.len() as u32,
            seconds: self.loading_since.elapsed().as_secs_f64(),
        };
        let steps_an_epoch = split.train.len().div_ceil(batch as usize) as u32;
        let schedule = Schedule { peak: lr, steps: steps_an_epoch * epochs };
        let recipe = Recipe { seed, dropout: DROPOUT, schedule, kernels };
        let from = self.from.take();
        let imported = from.as_ref().is_some_and(|from| from.trainer.step == 0);
        let trainer = match &from {
            Some(from) if from.epoch <= epochs && from.done as usize >= split.train.len() => None,
            Some(from) => Trainer::restored(recipe, &from.trainer, &self.backend.device),
            None => Some(Trainer::new(recipe, &self.backend.device)),
        };
        let Some(trainer) = trainer else {
            return self.fail("The checkpoint is not one of this run. Press Train to start again.");
        };
        self.training = Some(Training {
            phase: Phase::Train,
            epoch: 1,
            order: split.order(seed, 1),
            done: 0,
            loss: 0.0,
            hits: 0.0,
            watch: Stopwatch::started(),
            trainer,
            resident: [&data.train, &data.test].map(|images| self.backend.resident(images)),
            data,
            split,
            steps_an_epoch,
            unread: Vec::new(),
            pace: Pace { steps: 8 },
            last_read: Instant::now(),
            last_checkpoint: Instant::now(),
            checkpoint_due: false,
            throughput: Throughput::default(),
            evaluation_speed: None,
            best: None,
            answers: [None, None],
            past: VecDeque::new(),
            imported,
        });
        if let (Some(from), Some(training)) = (&from, &mut self.training) {
            training.go_on_from(from, &self.settings);
        }
        self.emit(Event::Loaded(loaded));
        if let Some(from) = from.filter(|_| imported) {
            // Until the first steps are done the file's weights are all there is to lose.
            self.emit(Event::Checkpoint(from));
        }
        self.set_state(RunState::Training);
        self.report_progress();
        self.rest_if_imported();
    }

    /// The next unit of the run; its losses are read at once if they are wanted `now`.
    async fn advance(&mut self, now: bool) -> Result<(), ReadError> {
        let Some(training) = &mut self.training else { return Ok(()) };
        match &mut training.phase {
            Phase::Train => {
                training.step(&self.settings, &mut self.team).await?;
                let epoch_over = training.done == training.order.len();
                if now
                    || epoch_over
                    || training.unread.len() >= training.pace.steps
                    || training.last_read.elapsed() >= READ_AFTER
                {
                    let points = training.read().await?;
                    if epoch_over {
                        let seconds = training.watch.seconds();
                        training.throughput = Throughput { images: training.done as u64, seconds };
                        training.phase = Phase::Validate(Evaluation::new());
                    }
                    let late = training.last_checkpoint.elapsed() >= self.checkpoint_after;
                    let due = !epoch_over && (late || training.checkpoint_due);
                    if self.report_steps(points) && due {
                        self.checkpoint(None).await?;
                    }
                }
            }
            Phase::Validate(_) => {
                if let Some(evaluation) = training.evaluate(&mut self.team, Part::Validation).await? {
                    let record = training.end_epoch(&evaluation);
                    let early = training.is_over_early(&record, &self.settings);
                    training.answers[0] = Some(evaluation.answers);
                    match early {
                        None => training.next_epoch(&self.settings),
                        Some(_) => training.begin_epoch(self.settings.epochs + 1, &self.settings),
                    }
                    self.emit(Event::Epoch { record, confusion: evaluation.confusion });
                    if let Some(best) = early {
                        let epoch = record.epoch;
                        self.warn(&format!(
                            "Stopped early after epoch {epoch}: the validation loss was lowest in epoch {best}."
                        ));
                    }
                    self.checkpoint(Some(record.epoch)).await?;
                }
                self.report_progress();
            }
            Phase::Test(_) => {
                if let Some(evaluation) = training.evaluate(&mut self.team, Part::Test).await? {
                    self.tested(evaluation);
                    self.set_state(RunState::Finished);
                } else {
                    self.report_progress();
                }
            }
        }
        Ok(())
    }

    async fn read_losses(&mut self) -> Result<(), ReadError> {
        let Some(training) = &mut self.training else { return Ok(()) };
        let points = training.read().await?;
        self.report_steps(points);
        Ok(())
    }

    fn tested(&mut self, evaluation: Evaluation) {
        let result = evaluation.result();
        if let Some(training) = &mut self.training {
            training.answers[1] = Some(evaluation.answers);
        }
        self.emit(Event::Test(result));
    }

    /// The next batch of the test that the visitor asked for; the run's own clock rests meanwhile.
    async fn advance_requested_test(&mut self) -> Result<(), ReadError> {
        self.watches(Stopwatch::stop);
        let result = self.requested_test_batch().await;
        if self.state == RunState::Training {
            self.watches(Stopwatch::start);
        }
        result
    }

    async fn requested_test_batch(&mut self) -> Result<(), ReadError> {
        let (Some(evaluation), Some(training)) = (&mut self.requested_test, &mut self.training) else { return Ok(()) };
        let over = training.advance_evaluation(evaluation, &mut self.team, Part::Test).await?;
        if let Some(evaluation) = self.requested_test.take_if(|_| over) {
            self.tested(evaluation);
        }
        self.report_progress(); // a slow backend is not a silent one
        Ok(())
    }

    /// False if the losses are no numbers, which ends the run here.
    fn report_steps(&mut self, points: Vec<StepPoint>) -> bool {
        if let Some(bad) = points.iter().find(|point| !point.loss.is_finite()) {
            self.diverged("loss", bad.step);
            return false;
        }
        self.emit(Event::Steps(points));
        self.report_progress();
        true
    }

    /// What should be a number is none any more.
    fn diverged(&mut self, what: &str, step: u32) {
        self.training = None; // a network without numbers answers nothing
        let reason = format!("{what} stopped being a number at step {step}");
        if self.backend.is_gpu() {
            self.emit(Event::Unavailable { reason: format!("the {reason}"), faulty: true });
        }
        self.fail(&format!("The {reason}. Choose a smaller learning rate and start again."));
    }

    /// Hands out where the run can go on from, and keeps the weights if an epoch has ended.
    async fn checkpoint(&mut self, ended: Option<u32>) -> Result<(), ReadError> {
        let Some(training) = &mut self.training else { return Ok(()) };
        let trainer = training.trainer.state().await?;
        training.last_checkpoint = Instant::now();
        if !trainer.is_finite() {
            // The loss that shows it would come with the next step.
            self.diverged("network", trainer.step);
            return Ok(());
        }
        training.checkpoint_due = false;
        if let Some(epoch) = ended {
            training.keep(epoch, trainer.first(PARAMETERS));
        }
        let checkpoint = Checkpoint {
            best: training.best,
            epoch: training.epoch,
            done: training.done as u32,
            loss: training.loss,
            hits: training.hits,
            seconds: training.watch.seconds(),
            trainer,
        };
        self.emit(Event::Checkpoint(Box::new(checkpoint)));
        Ok(())
    }

    fn report_progress(&mut self) {
        if let Some(training) = &self.training {
            let progress = training.progress(&self.settings, self.team.workers());
            self.emit(Event::Progress(progress));
        }
    }

    fn watches(&mut self, change: impl Fn(&mut Stopwatch)) {
        if let Some(training) = &mut self.training {
            change(&mut training.watch);
            match &mut training.phase {
                Phase::Validate(evaluation) | Phase::Test(evaluation) => change(&mut evaluation.watch),
                Phase::Train => {}
            }
        }
    }

    fn set_state(&mut self, state: RunState) {
        self.state = state;
        self.emit(Event::State(state));
    }

    fn warn(&mut self, message: &str) {
        self.emit(Event::Warning(message.into()));
    }

    fn fail(&mut self, reason: &str) {
        self.requested_test = None;
        self.fine_tuning = None;
        self.robustness.clear();
        self.emit(Event::Failed(reason.into()));
        self.set_state(RunState::Failed);
    }

    fn emit(&mut self, event: Event) {
        (self.emit)(Envelope { run: self.run, event });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device::BackendKind, replicas::NoCrew};
    use std::{cell::RefCell, rc::Rc};

    #[test]
    fn a_loss_that_is_no_number_ends_the_run_in_words_and_forgets_the_network() {
        let log: Rc<RefCell<Vec<Event>>> = Rc::default();
        let sink = log.clone();
        let backend = pollster::block_on(Backend::open(BackendKind::Cpu)).unwrap();
        let mut session = Session::new(backend, NoCrew, move |envelope| sink.borrow_mut().push(envelope.event));
        let settings = Settings { dataset: DatasetName::Synthetic, images: 24, ..Settings::default() };
        session.command(Command::start(1, settings));
        pollster::block_on(session.work());
        session.report_steps(vec![StepPoint { step: 5, loss: f64::NAN, accuracy: 0.1 }]);
        assert_eq!(session.state(), RunState::Failed);
        assert!(
            matches!(&log.borrow()[..], [.., Event::Failed(words), Event::State(RunState::Failed)] if words.contains("step 5"))
        );
        session.command(Command::Predict { id: 1, pixels: vec![0; IMAGE], epoch: None });
        pollster::block_on(session.work());
        assert!(matches!(log.borrow().last(), Some(Event::Prediction { probabilities: None, .. })));
    }
}
