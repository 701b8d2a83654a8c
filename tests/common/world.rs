//! The page's core with the world around it: workers, timers, files and a visitor who does anything at any time.

use inkling::{
    BUILD,
    page::{
        effect::Effect,
        model::{Model, picture::Input},
        msg::{ControlMsg, FileMsg, Found, FromWorker, Msg, PadMsg, Record, Section, WorkbenchMsg, WorkerMsg},
        update::{start, update},
        worker::{Pending, Pick, Server, Site, WorkerId, WorkerState},
    },
};
use inkling_core::{
    checkpoint::{Checkpoint, TrainerState},
    metrics::{ConfusionMatrix, Parts},
    protocol::{
        Answer, BackendInfo, BackendName, Command, Envelope, EpochRecord, Event, FileEvent, FileTask, Format, Progress,
        Question, RunState, StepPoint, TestResult, Twins,
    },
    remote::ServerLink,
    settings::{BackendChoice, FIELDS, Settings},
    summary::SavedRun,
};
use proptest::prelude::*;

/// A session as the page sees it: the commands it has received, and the events it would send.
#[derive(Default)]
pub struct FakeSession {
    run: u32,
    state: RunState,
    step: u32,
    questions: Vec<(u32, Question)>,
}

/// The page with the world around it: one worker at a time, timers that have not fired, files that are being written.
pub struct World {
    pub model: Model,
    pub worker: Option<(WorkerId, bool, FakeSession)>,
    /// What is found, once it is.
    pub probing: Option<(WorkerId, Pick)>,
    /// The servers that the visitor has let data leave the tab for.
    pub allowed: Vec<String>,
    pub timers: Vec<Msg>,
    /// Whether the worker hangs; it then answers nothing.
    pub hung: bool,
    pub file_worker: Option<(bool, Vec<FileTask>)>,
    pub saving: usize,
    /// The run that the browser has stored.
    pub stored: Option<SavedRun>,
    /// Number of the network, one higher at every start. Answers carry it as their number of steps.
    pub network: u32,
}

impl World {
    pub fn new() -> Self {
        let mut model = Model::new(Settings { backend: BackendChoice::Cpu, ..Settings::default() });
        let effects = start(&mut model, false);
        let mut world = World {
            model,
            worker: None,
            probing: None,
            allowed: Vec::new(),
            timers: Vec::new(),
            hung: false,
            file_worker: None,
            saving: 0,
            stored: None,
            network: 0,
        };
        world.perform(effects);
        world
    }

    pub fn send(&mut self, msg: Msg) {
        if let Msg::Control(ControlMsg::AllowServer(link)) = &msg
            && self.model.server == Server::Offered(link.clone())
        {
            self.allowed.push(link.to_string());
        }
        let effects = update(&mut self.model, msg);
        self.perform(effects);
        self.check();
    }

    pub fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Probe(id, choice, server) => {
                    let pick = match choice {
                        BackendChoice::Remote => Pick::without_adapter(choice, &Site::of("cpu remote", ""), &server),
                        _ => None,
                    };
                    self.probing = Some((id, pick.unwrap_or(Pick::cpu("test"))));
                }
                Effect::OpenWorker(id, _, name) => {
                    assert!(
                        name.is_empty() || self.allowed.contains(&name),
                        "data leaves the tab, and nobody has allowed it"
                    );
                    self.worker = Some((id, false, FakeSession::default()));
                    self.hung = false;
                }
                Effect::CloseWorker => self.worker = None,
                Effect::Send(command) => self.command(command),
                Effect::After(_, msg) => self.timers.push(*msg),
                Effect::SaveRun(run) => {
                    assert_eq!(self.saving, 0, "two saves at once");
                    self.saving += 1;
                    self.stored = Some(*run);
                }
                Effect::Forget(Record::Run) => self.stored = None,
                Effect::OpenFileWorker => self.file_worker = Some((false, Vec::new())),
                Effect::SendFileTask(task) => {
                    let (ready, tasks) = self.file_worker.as_mut().expect("a task without a worker");
                    assert!(*ready, "a task before the worker was ready");
                    tasks.push(task);
                }
                Effect::CloseFileWorker => self.file_worker = None,
                // They come, or not, at any time.
                Effect::FetchInspectors => self.timers.push(Msg::InspectorsFetched(self.network % 2 == 1)),
                _ => {}
            }
        }
    }

    pub fn command(&mut self, command: Command) {
        let (_, ready, session) = self.worker.as_mut().expect("a command without a worker");
        assert!(*ready, "{command:?} before the worker was ready");
        let mut states = Vec::new();
        let surveys = command == Command::Survey;
        match command {
            Command::Start { run, .. } => {
                (session.run, session.step) = (run, 0);
                self.network += 1;
                states = vec![RunState::Loading, RunState::Training];
            }
            Command::Prepare { run, .. } if !session.state.is_active() => {
                (session.run, session.step) = (run, 0);
                self.network += 1;
            }
            Command::Pause if session.state == RunState::Training => states = vec![RunState::Paused],
            Command::Resume if session.state == RunState::Paused => states = vec![RunState::Training],
            Command::Stop if session.state.is_active() => states = vec![RunState::Stopped],
            Command::Reset => states = vec![RunState::Idle],
            Command::Ask { id, question } => session.questions.push((id, question)),
            _ => {}
        }
        if !self.hung {
            for state in states {
                self.say(Event::State(state));
            }
            if surveys {
                self.say(Event::Surveyed(Twins { pairs: Vec::new(), identical: 0, mistakes: None }));
            }
        }
    }

    /// Sends an event of the session about its run.
    pub fn say(&mut self, event: Event) {
        let Some((id, true, session)) = &mut self.worker else { return };
        if let Event::State(state) = event {
            session.state = state;
        }
        let (id, run) = (*id, session.run);
        self.send(Msg::Worker(id, WorkerMsg::Received(FromWorker::Message(Box::new(Envelope { run, event })))));
    }

    /// Checks what must hold after every message.
    pub fn check(&self) {
        let Model { run, worker, pending, .. } = &self.model;
        if run.state.is_active() {
            let served = worker.is_ready() || matches!(pending, Pending::Start(_));
            assert!(served, "an active run has no worker and waits for none: {worker:?} {pending:?}");
        }
        if matches!(pending, Pending::Start(_)) {
            assert!(run.state == RunState::Loading, "a run waits to start in state {:?}", run.state);
            let comes = !matches!(worker, WorkerState::Absent | WorkerState::Lost | WorkerState::Ready(..));
            assert!(comes, "a run waits for a worker that is not coming: {worker:?}");
        }
        if matches!(pending, Pending::Stop | Pending::Resume(_)) {
            assert!(run.state.is_active() && worker.is_ready(), "{pending:?} in {:?} with {worker:?}", run.state);
        }
        if let Some(prediction) = self.model.pad.prediction.answer() {
            assert_eq!(prediction.steps, self.network, "an answer from an earlier network is shown");
        }
        assert!(self.model.run.state != RunState::Failed || run.error.is_some(), "failed without a reason");
    }

    /// Lets time pass until nothing more happens.
    pub fn settle(&mut self) {
        for _ in 0..200 {
            if let Some((id, pick)) = self.probing.take() {
                self.send(Msg::Worker(id, WorkerMsg::Probed(pick)));
            } else if let Some((id, false, _)) = self.worker {
                self.ready(id, BUILD);
            } else if self.saving > 0 {
                self.saving = 0;
                self.send(Msg::RunSaved(Ok(())));
            } else if matches!(self.model.worker, WorkerState::Resting(_)) || (self.hung && self.is_watched()) {
                let due = std::mem::take(&mut self.timers);
                due.into_iter().for_each(|msg| self.send(msg));
            } else {
                return;
            }
        }
        panic!("the page never settles: {:?} {:?}", self.model.worker, self.model.pending);
    }

    /// Whether the page waits for an answer from the worker. A hanging worker that nobody waits for does no harm.
    pub fn is_watched(&self) -> bool {
        !self.timers.is_empty() && self.model.awaits_worker()
    }

    pub fn ready(&mut self, id: WorkerId, build: &str) {
        if let Some((there, ready, _)) = &mut self.worker
            && *there == id
        {
            *ready = true;
            let backend = BackendInfo { name: Some(BackendName::Cpu), ..BackendInfo::default() };
            let event = Event::Ready { backend, build: build.into() };
            self.send(Msg::Worker(id, WorkerMsg::Received(FromWorker::Message(Box::new(Envelope { run: 0, event })))));
        }
    }
}

/// Something that can happen.
#[derive(Clone, Debug)]
pub enum Act {
    Click(ControlMsg),
    Workbench(WorkbenchMsg),
    Draw,
    Toggle(Section, bool),
    /// A probe ends, a worker becomes ready.
    Probe,
    Ready,
    /// The worker is lost, hangs, or can't be started.
    Lose(bool),
    Hang,
    Refuse,
    OtherBuild,
    /// Timers fire.
    Time,
    /// The session works.
    Step,
    Epoch,
    Test,
    Checkpoint,
    Finish,
    Fail,
    Answer,
    Saved(bool),
    /// A late message from an earlier worker or from an earlier run.
    Stale,
    /// Messages to and from the file worker.
    SaveWeights,
    FileReady,
    FileAnswer,
    FileLost,
    /// A run is found in the browser, or opened from a file.
    Found,
    Open,
}

pub fn act() -> impl Strategy<Value = Act> {
    let texts = || FIELDS.iter().map(|field| (field.key, Settings::default().get(field.key))).collect::<Vec<_>>();
    prop_oneof![
        4 => Just(Act::Click(ControlMsg::Train(texts()))),
        1 => Just(Act::Click(ControlMsg::Pause)),
        1 => Just(Act::Click(ControlMsg::Resume)),
        1 => Just(Act::Click(ControlMsg::Step)),
        2 => Just(Act::Click(ControlMsg::Stop)),
        1 => Just(Act::Click(ControlMsg::Reset)),
        1 => Just(Act::Click(ControlMsg::Test)),
        1 => Just(Act::Click(ControlMsg::ResumeKept)),
        1 => Just(Act::Click(ControlMsg::ForgetKept)),
        1 => prop_oneof![Just("cpu"), Just("auto"), Just("webgpu"), Just("remote"), Just("nonsense")].prop_map(|text| Act::Click(ControlMsg::Changed("backend", text.into()))),
        1 => (0..2u8).prop_map(|which| Act::Click(ControlMsg::NameServer(server(which)))),
        1 => (0..2u8).prop_map(|which| Act::Click(ControlMsg::AllowServer(server_link(which)))),
        1 => Just(Act::Click(ControlMsg::OpenLinked)),
        1 => Just(Act::Click(ControlMsg::ForgetLinked)),
        1 => Just(Act::Click(ControlMsg::StayInTab)),
        1 => Just(Act::Workbench(WorkbenchMsg::TimeMachine(1))),
        1 => Just(Act::Workbench(WorkbenchMsg::ChooseInput(Input::Data(None)))),
        1 => Just(Act::Workbench(WorkbenchMsg::Survey)),
        1 => Just(Act::Workbench(WorkbenchMsg::KeepDigit(3))),
        1 => Just(Act::Workbench(WorkbenchMsg::Remove(0))),
        2 => Just(Act::Draw),
        1 => (0..Section::ALL.len(), any::<bool>()).prop_map(|(n, open)| Act::Toggle(Section::ALL[n], open)),
        6 => Just(Act::Probe),
        6 => Just(Act::Ready),
        2 => any::<bool>().prop_map(Act::Lose),
        1 => Just(Act::Hang),
        1 => Just(Act::Refuse),
        1 => Just(Act::OtherBuild),
        2 => Just(Act::Time),
        4 => Just(Act::Step),
        2 => Just(Act::Epoch),
        1 => Just(Act::Test),
        3 => Just(Act::Checkpoint),
        1 => Just(Act::Finish),
        1 => Just(Act::Fail),
        4 => Just(Act::Answer),
        2 => any::<bool>().prop_map(Act::Saved),
        2 => Just(Act::Stale),
        1 => Just(Act::SaveWeights),
        1 => Just(Act::FileReady),
        1 => Just(Act::FileAnswer),
        1 => Just(Act::FileLost),
        1 => Just(Act::Found),
        1 => Just(Act::Open),
    ]
}

/// A link to the page that names one of two servers.
pub fn server(which: u8) -> String {
    format!("http://localhost:8080/?backend=remote#server={}", server_link(which))
}

pub fn server_link(which: u8) -> ServerLink {
    format!("http://localhost:334{which}/{}/{}", "5f".repeat(32), "c2".repeat(16)).parse().unwrap()
}

pub fn checkpoint(step: u32) -> Box<Checkpoint> {
    let trainer = TrainerState::new(step, &[0.5; 3]);
    Box::new(Checkpoint {
        epoch: 1,
        done: 8,
        loss: 1.0,
        hits: 1.0,
        seconds: 1.0,
        best: None,
        data: None,
        rounding: None,
        workers: None,
        trainer,
    })
}

pub fn record(epoch: u32) -> EpochRecord {
    EpochRecord {
        epoch,
        step: epoch,
        train_loss: 1.0,
        train_accuracy: 0.5,
        validation_loss: 1.0,
        validation_accuracy: 0.5,
        averaged: None,
        images_per_second: 1.0,
        seconds: 1.0,
        parts: Parts::default(),
    }
}

pub fn score() -> TestResult {
    TestResult {
        accuracy: 0.5,
        interval: [0.4, 0.6],
        loss: 1.0,
        confusion: ConfusionMatrix::new(10),
        calibration: Default::default(),
        right: vec![1, 0],
        seconds: 1.0,
    }
}

/// A run with one checkpoint, as the browser keeps it.
pub fn saved() -> SavedRun {
    let mut model = Model::new(Settings::default());
    model.run.checkpoint = Some(checkpoint(7));
    model.run.saved().unwrap()
}

impl World {
    pub fn act(&mut self, act: Act) {
        let trains = |session: &FakeSession| session.state == RunState::Training;
        let training = !self.hung && self.worker.as_ref().is_some_and(|(_, ready, session)| *ready && trains(session));
        match act {
            Act::Click(msg) => {
                let kept = self.model.kept.is_some();
                let discards = matches!(
                    msg,
                    ControlMsg::Train(_) | ControlMsg::ResumeKept | ControlMsg::ForgetKept | ControlMsg::Reset
                );
                self.send(Msg::Control(msg));
                assert!(discards || !kept || self.model.kept.is_some(), "a kept run is gone but was not discarded");
            }
            Act::Workbench(msg) => self.send(Msg::Workbench(msg)),
            Act::Draw => {
                self.send(Msg::Pad(PadMsg::Down(1, (90.0, 90.0))));
                self.send(Msg::Pad(PadMsg::Move(1, (180.0, 200.0))));
                self.send(Msg::Pad(PadMsg::Up(1)));
            }
            Act::Toggle(section, open) => self.send(Msg::Toggled(section, open)),
            Act::Probe => {
                if let Some((id, pick)) = self.probing.take() {
                    self.send(Msg::Worker(id, WorkerMsg::Probed(pick)));
                }
            }
            Act::Ready => {
                if let Some((id, false, _)) = self.worker {
                    self.ready(id, BUILD);
                }
            }
            Act::OtherBuild => {
                if let Some((id, false, _)) = self.worker {
                    self.ready(id, "another");
                }
            }
            Act::Lose(faulty) => {
                if let Some((id, ..)) = self.worker {
                    let event = Event::Unavailable { reason: "it went".into(), faulty };
                    self.send(Msg::Worker(
                        id,
                        WorkerMsg::Received(FromWorker::Message(Box::new(Envelope { run: 0, event }))),
                    ));
                }
            }
            Act::Hang => self.hung = self.worker.is_some(),
            Act::Refuse => {
                if let Some((id, false, _)) = self.worker {
                    self.worker = None;
                    self.send(Msg::Worker(id, WorkerMsg::Refused("no".into())));
                }
            }
            Act::Time => std::mem::take(&mut self.timers).into_iter().for_each(|msg| self.send(msg)),
            Act::Step if training => {
                let step = self.worker.as_mut().map_or(0, |(_, _, session)| {
                    session.step += 1;
                    session.step
                });
                self.say(Event::Progress(Progress { step, steps: 99, epochs: 5, epoch: 1, ..Progress::default() }));
                self.say(Event::Steps(vec![StepPoint { step, loss: 1.0, accuracy: 0.5 }]));
            }
            Act::Epoch if training => {
                let epoch = self.model.run.history.len() as u32 + 1;
                self.say(Event::Epoch { record: record(epoch), confusion: ConfusionMatrix::new(10) });
            }
            Act::Test if training => self.say(Event::Test(score())),
            Act::Checkpoint if training => self.say(Event::Checkpoint(checkpoint(1))),
            Act::Finish if training => {
                self.say(Event::Test(score()));
                self.say(Event::State(RunState::Finished));
            }
            Act::Fail if training => {
                self.say(Event::Failed("no".into()));
                self.say(Event::State(RunState::Failed));
            }
            Act::Answer if !self.hung => {
                let network = self.network;
                let asked = self.worker.as_mut().and_then(|(_, _, session)| session.questions.pop());
                if let Some((id, Question::Predict { .. })) = asked {
                    let answer = Answer::Predict { probabilities: Some(vec![0.1; 10]), steps: network };
                    self.say(Event::Answer { id, answer });
                }
            }
            Act::Saved(worked) if self.saving > 0 => {
                self.saving = 0;
                self.send(Msg::RunSaved(if worked { Ok(()) } else { Err("no room".into()) }));
            }
            Act::Stale => {
                // Messages from a replaced worker and from an earlier run must not change anything that matters.
                let (state, network) = (self.model.run.state, self.network);
                self.send(Msg::Worker(WorkerId::default(), WorkerMsg::Received(FromWorker::Failed("late".into()))));
                if let Some((id, true, _)) = self.worker {
                    let answer = Answer::Predict { probabilities: Some(vec![0.1; 10]), steps: network + 100 };
                    for event in [Event::State(RunState::Failed), Event::Answer { id: 1, answer }] {
                        let run = self.model.run.run.wrapping_sub(1);
                        let envelope = Box::new(Envelope { run, event });
                        self.send(Msg::Worker(id, WorkerMsg::Received(FromWorker::Message(envelope))));
                    }
                }
                assert_eq!(self.model.run.state, state);
            }
            Act::SaveWeights => {
                let weights = TrainerState::new(1, &[1.0]);
                self.say(Event::Export { format: Format::Onnx, weights });
            }
            Act::FileReady => {
                if let Some((ready @ false, _)) = &mut self.file_worker {
                    *ready = true;
                    self.send(Msg::FileWorker(FromWorker::Message(Box::new(FileEvent::Ready { build: BUILD.into() }))));
                }
            }
            Act::FileAnswer => {
                if let Some((true, tasks)) = &mut self.file_worker
                    && tasks.pop().is_some()
                {
                    self.send(Msg::FileWorker(FromWorker::Message(Box::new(FileEvent::Failed("no".into())))));
                }
            }
            Act::FileLost => self.send(Msg::FileWorker(FromWorker::Failed("it went".into()))),
            Act::Found => self.send(Msg::Found(Found::Run(Box::new(saved())))),
            Act::Open => self.send(Msg::File(FileMsg::OpenRun(Box::new(saved())))),
            _ => {}
        }
    }
}
