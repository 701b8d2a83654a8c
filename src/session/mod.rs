//! The state machine of a run: commands in, events out. It knows no browser.
//!
//! Whoever drives a session hands it each [`Command`] as it comes, fetches MNIST when [`Session::wants_mnist`] asks for it, and
//! calls [`Session::work`] until there is nothing to do. A unit of work is one training step, one evaluated batch or one
//! answer, so a command takes effect within a step.

mod evaluation;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use web_time::Instant;

use crate::{
    checkpoint::Checkpoint,
    data::{Dataset, SharedDataset, Split, source::DatasetName, synthetic},
    device::Backend,
    export::to_safetensors,
    metrics::{Stopwatch, Throughput},
    protocol::{Activity, Command, Envelope, EpochRecord, Event, Loaded, Progress, RunId, RunState, StepPoint},
    replicas::{Crew, Images, Team},
    resident::Resident,
    settings::Settings,
    train::{ReadError, Recipe, Schedule, StepMetrics, Trainer, read_flat, read_metrics},
};
use evaluation::Evaluation;

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
    /// Where the run that is loading goes on.
    from: Option<Box<Checkpoint>>,
    checkpoint_after: Duration,
    training: Option<Training>,
    /// A test that the visitor asked for; training waits for it.
    requested_test: Option<Evaluation>,
    /// The visitor asked for the weights.
    save_requested: bool,
    questions: VecDeque<(u32, Vec<u8>)>,
}

/// A run from the moment that its data is there.
struct Training {
    data: SharedDataset,
    /// The training and the test file on a GPU, if the backend is one and they fit.
    resident: [Option<Resident>; 2],
    split: Split,
    trainer: Trainer,
    phase: Phase,
    epoch: u32,
    steps_an_epoch: u32,
    /// Training images of this epoch in their order, and how many are done.
    order: Vec<u32>,
    done: usize,
    unread: Vec<(StepMetrics, usize)>,
    pace: Pace,
    last_read: Instant,
    last_checkpoint: Instant,
    loss: f64,
    hits: f64,
    watch: Stopwatch,
    throughput: Throughput,
    evaluation_speed: Option<f64>,
}

/// How many steps a GPU may be given before their losses are awaited: enough to keep it busy, and so few that it is never
/// long behind, or the page would lose its frames and a command its effect.
struct Pace {
    steps: usize,
}

impl Pace {
    /// After a read that took `waited`.
    fn adapt(&mut self, waited: Duration) {
        self.steps = match waited.as_millis() {
            0..20 => (self.steps * 2).min(64),
            20..100 => self.steps,
            _ => (self.steps / 2).max(1),
        };
    }
}

enum Phase {
    Train,
    Validate(Evaluation),
    Test(Evaluation),
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
            from: None,
            checkpoint_after: CHECKPOINT_AFTER,
            training: None,
            requested_test: None,
            save_requested: false,
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
                self.training = None;
                self.requested_test = None;
                self.set_state(RunState::Idle);
            }
            Command::Test if self.training.is_none() => self.warn("There is no network to test yet. Train one first."),
            Command::Test => {
                self.requested_test.get_or_insert_with(Evaluation::new);
            }
            Command::SaveWeights if self.training.is_none() => {
                self.warn("There are no weights to save yet. Train a network first.")
            }
            Command::SaveWeights => self.save_requested = true,
            Command::Predict { id, pixels } if pixels.len() == crate::data::IMAGE => {
                // Only the newest sketch matters; older ones would make the answer late.
                self.questions.clear();
                self.questions.push_back((id, pixels));
            }
            Command::Predict { .. } => self.warn("A sketch must have 28x28 pixels."),
            // What is so already, or has ended meanwhile: the page may ask twice before it has heard.
            Command::Pause | Command::Resume | Command::Stop => {}
        }
    }

    /// Whether the driver is to fetch MNIST now. It says so once; the driver answers with [`Session::provide`].
    pub fn wants_mnist(&mut self) -> bool {
        std::mem::take(&mut self.mnist_wanted)
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
        let result = if let Some((id, pixels)) = self.questions.pop_front() {
            self.answer(id, &pixels).await
        } else if std::mem::take(&mut self.save_requested) {
            self.save_weights().await
        } else if self.requested_test.is_some() && self.training.is_some() {
            self.advance_requested_test().await
        } else if self.state == RunState::Loading && self.settings.dataset == DatasetName::Synthetic {
            self.begin();
            Ok(())
        } else if self.state == RunState::Training {
            self.advance().await
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
        self.training = None;
        self.requested_test = None;
        self.settings = settings;
        if let Err(error) = self.settings.validate() {
            return self.fail(&error.to_string());
        }
        self.loading_since = Instant::now();
        self.set_state(RunState::Loading);
        if self.settings.dataset == DatasetName::Mnist {
            match self.mnist {
                Some(_) => self.begin(),
                // A download that an earlier run began serves this one as well.
                None if self.mnist_coming => {}
                None => (self.mnist_wanted, self.mnist_coming) = (true, true),
            }
        }
    }

    /// The data is there, or is drawn now: splits it and starts training.
    fn begin(&mut self) {
        let Settings { images, seed, batch, epochs, lr, replicas, kernels, .. } = self.settings;
        self.team.muster(replicas as usize);
        let (data, source) = match (&self.mnist, self.settings.dataset) {
            (Some((data, source)), DatasetName::Mnist) => (data.clone(), source.clone()),
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
            throughput: Throughput::default(),
            evaluation_speed: None,
        });
        if let (Some(from), Some(training)) = (from, &mut self.training) {
            training.go_on_from(&from, &self.settings);
        }
        self.emit(Event::Loaded(loaded));
        self.set_state(RunState::Training);
        self.report_progress();
    }

    async fn advance(&mut self) -> Result<(), ReadError> {
        let Some(training) = &mut self.training else { return Ok(()) };
        match &mut training.phase {
            Phase::Train => {
                training.step(&self.settings, &mut self.team).await?;
                let epoch_over = training.done == training.order.len();
                if epoch_over
                    || training.unread.len() >= training.pace.steps
                    || training.last_read.elapsed() >= READ_AFTER
                {
                    let points = training.read().await?;
                    if epoch_over {
                        let seconds = training.watch.seconds();
                        training.throughput = Throughput { images: training.done as u64, seconds };
                        training.phase = Phase::Validate(Evaluation::new());
                    }
                    let due = !epoch_over && training.last_checkpoint.elapsed() >= self.checkpoint_after;
                    if self.report_steps(points) && due {
                        self.checkpoint().await?;
                    }
                }
            }
            Phase::Validate(evaluation) => {
                let images = Images { host: &training.data.train, resident: training.resident[0].as_ref() };
                let indices = Some(&training.split.validation[..]);
                if evaluation.advance(&mut self.team, &mut training.trainer, images, indices).await? {
                    let evaluation = std::mem::replace(evaluation, Evaluation::new());
                    let record = training.end_epoch(&evaluation);
                    training.next_epoch(&self.settings);
                    self.emit(Event::Epoch { record, confusion: evaluation.confusion });
                    self.checkpoint().await?;
                }
                self.report_progress();
            }
            Phase::Test(evaluation) => {
                let images = Images { host: &training.data.test, resident: training.resident[1].as_ref() };
                if evaluation.advance(&mut self.team, &mut training.trainer, images, None).await? {
                    let result = evaluation.result();
                    self.emit(Event::Test(result));
                    self.set_state(RunState::Finished);
                } else {
                    self.report_progress();
                }
            }
        }
        Ok(())
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
        let images = Images { host: &training.data.test, resident: training.resident[1].as_ref() };
        if evaluation.advance(&mut self.team, &mut training.trainer, images, None).await? {
            let result = evaluation.result();
            self.requested_test = None;
            self.emit(Event::Test(result));
        }
        self.report_progress(); // a slow backend is not a silent one
        Ok(())
    }

    async fn save_weights(&mut self) -> Result<(), ReadError> {
        let Some(training) = &self.training else { return Ok(()) };
        let weights = read_flat("weights", training.trainer.model().parameters()).await?;
        match to_safetensors(&weights) {
            Ok(file) => self.emit(Event::Weights(file)),
            Err(error) => self.warn(&format!("The weights could not be saved: {error}.")),
        }
        Ok(())
    }

    async fn answer(&mut self, id: u32, pixels: &[u8]) -> Result<(), ReadError> {
        let (probabilities, steps) = match &self.training {
            Some(training) if training.trainer.steps_done() > 0 => {
                (Some(training.trainer.predict(pixels).await?), training.trainer.steps_done())
            }
            _ => (None, 0),
        };
        self.emit(Event::Prediction { id, probabilities, steps });
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

    /// Hands out where the run can go on from.
    async fn checkpoint(&mut self) -> Result<(), ReadError> {
        let Some(training) = &mut self.training else { return Ok(()) };
        let trainer = training.trainer.state().await?;
        training.last_checkpoint = Instant::now();
        if !trainer.is_finite() {
            // The loss that shows it would come with the next step.
            self.diverged("network", trainer.step);
            return Ok(());
        }
        let checkpoint = Checkpoint {
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
        self.emit(Event::Failed(reason.into()));
        self.set_state(RunState::Failed);
    }

    fn emit(&mut self, event: Event) {
        (self.emit)(Envelope { run: self.run, event });
    }
}

impl Training {
    async fn step(&mut self, settings: &Settings, team: &mut Team) -> Result<(), ReadError> {
        let end = (self.done + settings.batch as usize).min(self.order.len());
        let augmentation = settings.active_augmentation().map(|ranges| (*ranges, self.epoch));
        let images = Images { host: &self.data.train, resident: self.resident[0].as_ref() };
        let numbers = &self.order[self.done..end];
        let metrics = team.step(&mut self.trainer, images, numbers, augmentation, settings.batch as usize).await?;
        self.unread.push((metrics, end - self.done));
        self.done = end;
        Ok(())
    }

    async fn read(&mut self) -> Result<Vec<StepPoint>, ReadError> {
        let (metrics, sizes): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unread).into_iter().unzip();
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

    /// The line in the history of the epoch whose validation is done.
    fn end_epoch(&mut self, evaluation: &Evaluation) -> EpochRecord {
        self.evaluation_speed =
            Throughput { images: evaluation.done as u64, seconds: evaluation.watch.seconds() }.per_second();
        EpochRecord {
            epoch: self.epoch,
            step: self.trainer.steps_done(),
            train_loss: self.loss / self.done as f64,
            train_accuracy: self.hits / self.done as f64,
            validation_loss: evaluation.mean_loss(),
            validation_accuracy: evaluation.confusion.accuracy(),
            images_per_second: self.throughput.per_second().unwrap_or(0.0),
            seconds: self.watch.seconds(),
            parts: std::mem::take(&mut self.trainer.parts),
        }
    }

    fn next_epoch(&mut self, settings: &Settings) {
        self.begin_epoch(self.epoch + 1, settings);
        self.watch = Stopwatch::started();
        self.last_read = Instant::now();
    }

    /// After the last epoch comes the test.
    fn begin_epoch(&mut self, epoch: u32, settings: &Settings) {
        self.epoch = epoch;
        self.phase = if epoch > settings.epochs { Phase::Test(Evaluation::new()) } else { Phase::Train };
        self.order = self.split.order(settings.seed, epoch);
        (self.done, self.loss, self.hits) = (0, 0.0, 0.0);
    }

    fn go_on_from(&mut self, from: &Checkpoint, settings: &Settings) {
        self.begin_epoch(from.epoch, settings);
        self.done = from.done as usize;
        (self.loss, self.hits) = (from.loss, from.hits);
        self.watch = Stopwatch::started_at(from.seconds);
    }

    fn progress(&self, settings: &Settings, workers: usize) -> Progress {
        let (step, steps) = (self.trainer.steps_done(), self.steps_an_epoch * settings.epochs);
        let training = matches!(self.phase, Phase::Train);
        let images_per_second = if training {
            Throughput { images: self.done as u64, seconds: self.watch.seconds() }.per_second()
        } else {
            self.throughput.per_second()
        };
        // An evaluated image costs about a third of a trained one, until it is measured: forward without backward.
        let seconds_left = images_per_second.map(|speed| {
            let evaluation_speed = self.evaluation_speed.unwrap_or(3.0 * speed);
            let to_train = f64::from(steps - step) * f64::from(settings.batch);
            let validations = (settings.epochs + 1).saturating_sub(self.epoch) as usize * self.split.validation.len();
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
        session.command(Command::Predict { id: 1, pixels: vec![0; crate::data::IMAGE] });
        pollster::block_on(session.work());
        assert!(matches!(log.borrow().last(), Some(Event::Prediction { probabilities: None, .. })));
    }
}
