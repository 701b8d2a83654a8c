//! The page: what it knows, what it does when something happens, and when its panels draw.

use std::{
    cell::{Cell, RefCell},
    panic,
};

use web_sys::{Event, MediaQueryList};

use super::{
    dom,
    filing::Clerk,
    link::{self, Incoming, Link},
    panels::{
        self, doctor, doctor::Doctor, hand, hand::Hand, inside, inside::Inside, look, look::Look, sketch::SketchPad,
    },
    probe::{Gpu, Pick, pick},
    store, tasks,
    verdict::{self, Verdict},
};
use crate::{
    BUILD,
    checkpoint::TrainerState,
    data::{
        own::NamedFile,
        source::{DatasetName, first_source},
    },
    healing::{Incident, Remedy},
    protocol::{BackendInfo, Command, Envelope, Event as RunEvent, Filing, RunState},
    settings::{BackendChoice, Settings, autostart},
    shelf::Shelf,
    summary::{RunSummary, SavedRun},
};

/// Everything that the page knows. The truth about a run is the worker's; this is the fold of what it said.
pub struct Page {
    /// The run.
    pub summary: RunSummary,
    /// What the controls say; the next run's settings.
    pub settings: Settings,
    /// The sketch pad.
    pub sketch: SketchPad,
    /// The images that are looked at.
    pub look: Look,
    /// The image that the network is looked into with.
    pub inside: Inside,
    /// What the doctor says of the sketch.
    pub doctor: Doctor,
    /// The visitor's own digits.
    pub hand: Hand,
    /// Runs that are over.
    pub shelf: Shelf,
    /// Names of the classes, where the visitor gave some.
    pub classes: Vec<String>,
    /// Files of the visitor's own data set, for the next worker as well.
    own: Vec<NamedFile>,
    /// The epoch that the time machine is at; none is now.
    pub moment: Option<u32>,
    /// The run that the browser has kept, while it is offered.
    pub kept: Option<SavedRun>,
    /// The browser is just keeping the run.
    keeping: bool,
    /// There is a newer checkpoint than the one that is being kept.
    keep_again: bool,
    /// The visitor has ended the run; the worker may not have heard it yet.
    stop_asked: bool,
    /// The worker, once one is being fetched.
    worker: Option<Engaged>,
    /// The worker for files, while it has something to do.
    clerk: Option<Clerk>,
    /// Counts the workers, so that a late answer of an earlier one is dropped.
    generation: u32,
    /// A run waits for the worker: the visitor pressed Train, or the worker before this one was lost.
    start_when_ready: bool,
    /// The run whose worker was lost was paused or stopped, and is to be again.
    when_back: Option<Command>,
    /// How often in a row [`listen_for_silence`] heard nothing.
    silence: u32,
    /// A drawing is due with the next frame.
    draw_pending: bool,
    /// Steps have been heard of that are to be shown with the next ones.
    steps_pending: bool,
}

struct Engaged {
    choice: BackendChoice,
    pick: Pick,
    link: Link,
    /// Bytes of its program so far, and whether that is all.
    fetched: (u32, bool),
    ready: bool,
    /// It took the place of one that was lost under a run: the next run tries what the visitor chose.
    makeshift: bool,
}

/// Steps come many times a second and are shown together this often: drawing takes time that the training could use.
const SHOW_STEPS_MS: i32 = 250;
/// The longest that a worker may take to be fetched and to pass its self-test.
const READY_WITHIN_MS: i32 = 180_000;
/// A worker that trains and says nothing for so many of these intervals is lost. A software adapter was seen to need 17 s
/// for its first step. Intervals, not a time: a machine that slept has missed only one.
const SILENCE_MS: i32 = 10_000;
const MOST_SILENCE: u32 = 9;

thread_local! {
    static STOPPED: Cell<bool> = const { Cell::new(false) };
    static PAGE: RefCell<Option<Page>> = const { RefCell::new(None) };
}

/// Changes the page, then draws what changed with the next frame.
pub fn update(change: impl FnOnce(&mut Page)) {
    PAGE.with_borrow_mut(|page| {
        if let Some(page) = page {
            change(page);
            panels::summary::write(page);
            page.draw_soon();
        }
    });
}

/// Takes in what the worker of this `generation` says.
fn hear(incoming: Incoming, generation: u32) {
    PAGE.with_borrow_mut(|page| {
        let Some(page) = page.as_mut().filter(|page| page.generation == generation) else { return };
        page.silence = 0;
        let (steps, answer) = match &incoming {
            Incoming::Envelope(envelope) => (
                matches!(envelope.event, RunEvent::Steps(_) | RunEvent::Progress(_)),
                matches!(envelope.event, RunEvent::Prediction { .. }),
            ),
            Incoming::Broken(_) => (false, false),
        };
        page.receive(incoming);
        if answer {
            panels::sketch::draw(page);
        } else if !steps {
            panels::summary::write(page);
            page.draw_soon();
        } else if !std::mem::replace(&mut page.steps_pending, true) {
            tasks::after(SHOW_STEPS_MS, || update(|page| page.steps_pending = false));
        }
    });
}

/// Takes in what the worker for files says.
pub fn filed(incoming: Incoming) {
    update(|page| match Clerk::hear(&mut page.clerk, incoming) {
        Some(RunEvent::File { format, step, bytes }) => panels::files::written(format, step, &bytes),
        Some(RunEvent::Opened { weights }) => page.import(weights),
        Some(RunEvent::Warning(words)) => page.warn(words),
        Some(RunEvent::Unavailable { reason, .. }) => {
            page.warn(format!("The file was neither written nor read: {}.", reason.trim_end_matches('.')))
        }
        _ => {}
    });
}

/// Mounts the panels and starts a worker.
pub fn start() {
    panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        // Only the first: what a stopped page panics about later is a consequence.
        if !STOPPED.replace(true) {
            dom::set_text(
                "error",
                &format!("The page stopped: {info}. Reload it; if it happens again, please report it."),
            );
            dom::set_hidden("error", false);
        }
    }));
    let query = dom::window().and_then(|window| window.location().search().ok()).unwrap_or_default();
    let (settings, errors) = Settings::from_query(&query);
    let page = Page {
        summary: RunSummary::new(0, settings.clone(), BackendInfo::default()),
        settings: settings.clone(),
        sketch: SketchPad::default(),
        look: Look::default(),
        inside: Inside::default(),
        doctor: Doctor::default(),
        hand: Hand::default(),
        shelf: Shelf::default(),
        classes: Vec::new(),
        own: Vec::new(),
        moment: None,
        kept: None,
        keeping: false,
        keep_again: false,
        stop_asked: false,
        worker: None,
        clerk: None,
        generation: 0,
        start_when_ready: false,
        when_back: None,
        silence: 0,
        draw_pending: false,
        steps_pending: false,
    };
    PAGE.set(Some(page));
    panels::controls::mount(&settings);
    panels::mount();
    redraw_when_the_look_changes();
    if let Some(body) = dom::document().and_then(|document| document.body()) {
        let _ = body.set_attribute("data-started", "");
    }
    update(|page| {
        for error in &errors {
            panels::controls::show_error(error);
        }
        page.engage(settings.backend);
        if autostart(&query) && errors.is_empty() {
            page.train();
        }
    });
    wasm_bindgen_futures::spawn_local(async {
        if let Some(shelf) = store::load_shelf().await {
            update(|page| page.shelf = shelf);
        }
        if let Some(digits) = store::load_digits().await {
            update(|page| hand::found(page, digits));
        }
        let kept = store::load().await;
        update(|page| page.kept = kept);
    });
}

fn redraw_when_the_look_changes() {
    if let Some(window) = dom::window() {
        dom::listen_on(&window, "resize", |_: Event| update(|_| {}));
        if let Ok(Some(list)) = window.match_media("(prefers-color-scheme: dark)") {
            let list: MediaQueryList = list;
            dom::listen_on(&list, "change", |_: Event| update(|_| {}));
        }
    }
}

/// A worker of which `fetched` bytes have come is to be ready soon, or more of it is to have come.
fn expect_ready(generation: u32, fetched: u32) {
    tasks::after(READY_WITHIN_MS, move || {
        update(|page| match &page.worker {
            Some(worker) if page.generation == generation && !worker.ready => match worker.fetched.0 {
                more if more > fetched => expect_ready(generation, more),
                _ => page.broken("it was not ready within three minutes", false),
            },
            _ => {}
        });
    });
}

/// A worker that hangs says nothing, not even that.
fn listen_for_silence(generation: u32) {
    tasks::after(SILENCE_MS, move || {
        let mut same = false;
        update(|page| {
            same = page.generation == generation && page.worker.is_some();
            let talks = page.summary.state == RunState::Training || page.summary.fine_tuning.is_some();
            page.silence = if same && talks { page.silence + 1 } else { 0 };
            if page.silence >= MOST_SILENCE {
                page.broken("it said nothing for a minute and a half", true);
            }
        });
        if same {
            listen_for_silence(generation);
        }
    });
}

impl Page {
    /// Begins a run with the controls' settings.
    pub fn train(&mut self) {
        if self.summary.state.is_active() {
            return; // a second press before the first was drawn
        }
        let backend = self.summary.backend.clone();
        self.summary = RunSummary::new(self.summary.run + 1, self.settings.clone(), backend);
        self.begin();
    }

    /// Goes on with the run that the browser has kept.
    pub fn resume(&mut self) {
        if self.summary.state.is_active() {
            return;
        }
        if let Some(kept) = self.kept.take() {
            self.go_on_with(kept);
        }
    }

    /// Goes on with a run that was saved.
    pub fn go_on_with(&mut self, kept: SavedRun) {
        if self.summary.state.is_active() {
            return self.warn("A run is under way. Stop it before opening another.".into());
        }
        self.settings = kept.settings.clone();
        panels::controls::show(&self.settings);
        self.summary = RunSummary::restored(self.summary.run + 1, kept, self.summary.backend.clone());
        self.begin();
    }

    /// Forgets the run that the browser has kept.
    pub fn forget(&mut self) {
        self.kept = None;
        wasm_bindgen_futures::spawn_local(store::forget());
    }

    /// Has the worker for files write or read one.
    pub fn file(&mut self, task: Filing) {
        if let Err(error) = Clerk::ask(&mut self.clerk, task) {
            self.warn(format!("No file can be written or read: this browser allows no worker ({error})."));
        }
    }

    /// Asks for a run with the weights of a file.
    fn import(&mut self, weights: TrainerState) {
        if self.worker_note().is_some() {
            return self
                .warn("The file was not opened: there is no worker yet that could take it. Try again soon.".into());
        }
        let (run, settings) = (self.summary.run, self.settings.clone());
        self.send(Command::Import { run, next: run + 1, settings, weights });
    }

    /// Takes the files of the visitor's own data set.
    pub fn use_data(&mut self, files: Vec<NamedFile>) {
        if self.summary.state.is_active() {
            return self.warn("A run is under way. Stop it before choosing other data.".into());
        }
        self.own = files;
        self.send_data();
    }

    fn send_data(&mut self) {
        if !self.own.is_empty() {
            self.send(Command::UseData { run: self.summary.run, files: self.own.clone() });
        }
    }

    /// What class `class` is called.
    pub fn class(&self, class: u8) -> String {
        let name = self.classes.get(usize::from(class)).filter(|name| !name.is_empty());
        name.filter(|_| self.summary.settings.dataset == DatasetName::Own).cloned().unwrap_or_else(|| class.to_string())
    }

    /// Whether there is a network to ask.
    pub fn has_network(&self) -> bool {
        let summary = &self.summary;
        let trained = summary.progress.is_some_and(|progress| progress.step > 0) || summary.imported;
        trained && self.worker_note().is_none() && summary.state != RunState::Failed
    }

    /// Says something that stops nothing.
    pub fn warn(&mut self, words: String) {
        self.summary.warnings.push(words);
    }

    /// There is another network, or none: what the last one said counts no more.
    fn forget_answers(&mut self) {
        self.sketch.forget_answer();
        self.hand.forget_answers();
    }

    /// Says it, if it has not been said.
    pub fn warn_once(&mut self, words: String) {
        if !self.summary.warnings.contains(&words) {
            self.warn(words);
        }
    }

    /// Has the browser keep the runs side by side.
    pub fn keep_shelf(&self) {
        let shelf = self.shelf.clone();
        wasm_bindgen_futures::spawn_local(async move { store::save_shelf(&shelf).await });
    }

    fn begin(&mut self) {
        self.kept = None;
        self.moment = None;
        self.stop_asked = false;
        self.summary.state = RunState::Loading;
        (self.start_when_ready, self.when_back) = (true, None);
        match &self.worker {
            Some(worker) if worker.choice == self.settings.backend && !worker.makeshift => self.start_if_ready(),
            _ => self.engage(self.settings.backend),
        }
    }

    /// Tells the session to do something, if there is one.
    pub fn send(&mut self, command: Command) {
        let sent = match &self.worker {
            Some(Engaged { link, ready: true, .. }) => link.send(&command),
            _ => return,
        };
        if let Err(error) = sent {
            self.fail(format!("The worker can't be reached: {error}."));
        }
    }

    /// Ends the run, or the wait for its worker.
    pub fn stop(&mut self) {
        self.stop_asked = true;
        if std::mem::take(&mut self.start_when_ready) {
            self.summary.state = RunState::Stopped;
        } else {
            self.send(Command::Stop);
        }
    }

    /// Ends the run and forgets it.
    pub fn reset(&mut self) {
        self.start_when_ready = false;
        // A run that is only offered is another.
        if self.summary.checkpoint.is_some() {
            self.forget();
        }
        self.moment = None;
        self.send(Command::Reset);
        let backend = self.summary.backend.clone();
        self.summary = RunSummary::new(self.summary.run, self.settings.clone(), backend);
        self.forget_answers();
    }

    /// What is going on with the worker, until it is ready.
    pub fn worker_note(&self) -> Option<String> {
        match &self.worker {
            Some(Engaged { ready: true, .. }) => None,
            Some(Engaged { pick, fetched: (_, true), .. }) if pick.backend == BackendChoice::Webgpu => {
                Some("Checking the GPU against the CPU…".into())
            }
            Some(Engaged { pick, fetched: (received, _), .. }) => {
                let name = if pick.backend == BackendChoice::Webgpu { "WebGPU" } else { "CPU" };
                Some(format!("Fetching the {name} worker: {:.1} MB…", f64::from(*received) / 1e6))
            }
            None if self.summary.state == RunState::Failed => Some("No backend".into()),
            None => Some("Looking for a backend…".into()),
        }
    }

    /// Finds the worker for `choice` and starts it in place of the present one.
    pub fn engage(&mut self, choice: BackendChoice) {
        self.generation += 1;
        self.worker = None;
        self.forget_answers();
        self.summary.forget_asides();
        self.summary.backend = BackendInfo::default();
        let generation = self.generation;
        wasm_bindgen_futures::spawn_local(async move {
            let pick = pick(choice).await;
            update(|page| {
                if page.generation == generation {
                    page.open(choice, pick);
                }
            });
        });
    }

    fn open(&mut self, choice: BackendChoice, pick: Pick) {
        self.generation += 1;
        let generation = self.generation;
        let receive = move |incoming| hear(incoming, generation);
        let waits = self.start_when_ready && self.summary.settings.dataset == DatasetName::Mnist;
        let early = if waits { format!("&early={}", first_source().join(",")) } else { String::new() };
        match Link::open(&format!("{}{early}", pick.worker()), receive) {
            Ok(link) => {
                self.worker = Some(Engaged { choice, pick, link, fetched: (0, false), ready: false, makeshift: false });
                self.silence = 0;
                listen_for_silence(generation);
                expect_ready(generation, 0);
            }
            Err(error) => self.fail(format!("This browser allows no worker ({error}), and training needs one.")),
        }
    }

    fn receive(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Broken(error) => self.broken(&error, false),
            Incoming::Envelope(envelope) => match &envelope.event {
                RunEvent::Fetching { received, done } => {
                    if let Some(worker) = &mut self.worker {
                        worker.fetched = (*received, *done);
                    }
                }
                RunEvent::Ready { backend, build } => self.ready(backend, build),
                RunEvent::Unavailable { reason, faulty } => self.broken(reason, *faulty),
                _ => self.heard(&envelope),
            },
        }
    }

    fn heard(&mut self, envelope: &Envelope) {
        if !self.summary.apply(envelope) {
            return;
        }
        match &envelope.event {
            RunEvent::Prediction { id, probabilities, steps, .. } => {
                self.sketch.answered(*id, probabilities.as_deref(), *steps)
            }
            RunEvent::Steps(_) => self.ask_again(),
            RunEvent::Epoch { .. } => {
                self.ask_again();
                look::again(self);
                inside::again(self);
            }
            RunEvent::Test(_) => {
                self.ask_again();
                look::again(self);
                inside::again(self);
                hand::again(self);
                self.shelve();
                self.keep();
            }
            RunEvent::Robustness { left: 0, .. } => self.shelve(),
            RunEvent::Checkpoint(_) => {
                hand::again(self);
                self.keep();
            }
            RunEvent::Read { id, answers } => hand::answered(self, *id, answers),
            RunEvent::Imported { run } => {
                let backend = self.summary.backend.clone();
                self.summary = RunSummary::new(*run, self.settings.clone(), backend);
                self.summary.imported = true;
                (self.kept, self.moment, self.stop_asked) = (None, None, false);
                self.forget_answers();
            }
            RunEvent::DataTaken { train, test } => panels::data::taken(*train, *test),
            RunEvent::Save { format, weights } => {
                self.file(Filing::Write { format: *format, weights: weights.clone() })
            }
            RunEvent::Specimens { id, total, specimens } => look::answered(self, *id, *total, specimens),
            RunEvent::Explained { id, explanation } => inside::answered(self, *id, explanation),
            RunEvent::Diagnosed { id, probabilities, nearest } => doctor::answered(self, *id, probabilities, nearest),
            RunEvent::State(RunState::Finished | RunState::Stopped) => {
                self.shelf.add(&self.summary);
                self.keep_shelf();
            }
            RunEvent::State(RunState::Training) => {
                if let Some(command) = self.when_back.take() {
                    self.send(command);
                }
            }
            _ => {}
        }
    }

    /// What was measured of a run that is over stands with it.
    fn shelve(&mut self) {
        self.shelf.update(&self.summary);
        self.keep_shelf();
    }

    /// Has the browser keep the run, for a reload, a crash or a closed tab.
    fn keep(&mut self) {
        if self.kept.as_ref().is_some_and(|kept| !kept.is_finished()) {
            return self.not_kept("the run above is kept, until you go on with it or forget it");
        }
        self.keep_again = self.keeping;
        // A checkpoint may come after a reset.
        if self.keeping || self.summary.state == RunState::Idle {
            return;
        }
        let Some(run) = self.summary.saved() else { return };
        (self.kept, self.keeping) = (None, true);
        wasm_bindgen_futures::spawn_local(async move {
            let kept = store::save(&run).await;
            update(|page| {
                page.keeping = false;
                match kept {
                    Err(error) => page.not_kept(error.trim_end_matches('.')),
                    Ok(()) if page.keep_again => page.keep(),
                    Ok(()) => {}
                }
            });
        });
    }

    fn not_kept(&mut self, reason: &str) {
        self.warn_once(format!("A reload would lose this run: {reason}."));
    }

    /// Asks what the network thinks of the sketch, if something is drawn and no answer is awaited.
    pub fn ask_again(&mut self) {
        if let Some(question) = self.sketch.question(self.moment) {
            self.send(question);
        }
    }

    fn ready(&mut self, backend: &BackendInfo, build: &str) {
        if build != BUILD {
            self.worker = None;
            return self.fail("The page and its worker are of different versions. Reload the page.".into());
        }
        let Some(worker) = &mut self.worker else { return };
        worker.ready = true;
        link::keep(&worker.pick.worker());
        let Pick { reason, gpu, .. } = &worker.pick;
        if let Some(check) = &backend.check {
            verdict::keep(&gpu.adapter, &Verdict::Passed(check.clone()));
        }
        let check = backend.check.clone().or_else(|| gpu.check.clone());
        // The browser knows the adapter better than the library does.
        let adapter = if gpu.adapter.is_empty() { &backend.adapter } else { &gpu.adapter };
        let (adapter, reason) = (adapter.clone(), reason.clone());
        self.summary.backend = BackendInfo { name: backend.name.clone(), adapter, reason, check };
        self.send_data();
        self.start_if_ready();
    }

    fn start_if_ready(&mut self) {
        if self.start_when_ready && self.worker.as_ref().is_some_and(|worker| worker.ready) {
            self.start_when_ready = false;
            self.forget_answers();
            let RunSummary { run, settings, checkpoint, .. } = &self.summary;
            self.send(Command::Start { run: *run, settings: settings.clone(), from: checkpoint.clone() });
        }
    }

    /// The worker is gone. Before it was ready, another backend takes its place; under a run, a fresh worker goes on from the
    /// last checkpoint; else a fresh one waits for the next run.
    fn broken(&mut self, error: &str, faulty: bool) {
        let Some(worker) = self.worker.take() else { return };
        let Engaged { choice, pick, ready, .. } = worker;
        let error = error.trim_start_matches("Uncaught ").trim_start_matches("Error: ").trim_end_matches('.');
        if !ready && pick.backend != BackendChoice::Cpu {
            // A backend that is not there needs no safer configuration.
            let next = if faulty { pick.safer(error) } else { Pick::cpu(error) };
            if faulty && next.backend == BackendChoice::Cpu && pick.backend == BackendChoice::Webgpu {
                verdict::keep(&pick.gpu.adapter, &Verdict::Failed(error.into()));
            }
            self.open(choice, next);
        } else if !ready {
            self.fail(format!("The worker could not start: {error}. Reload the page, or try another browser."));
        } else if self.stop_asked && self.summary.state.is_active() {
            self.summary.state = RunState::Stopped;
            self.engage(choice);
        } else if self.summary.state.is_active() {
            self.heal(choice, pick, error);
        } else {
            // Its network is to be asked on: it comes back from its checkpoint, and a finished one is tested again.
            let over = matches!(self.summary.state, RunState::Finished | RunState::Stopped);
            if over && self.summary.checkpoint.is_some() {
                self.when_back = (self.summary.state == RunState::Stopped).then_some(Command::Stop);
                self.summary.back_to_checkpoint();
                self.start_when_ready = true;
            } else {
                (self.summary.progress, self.summary.imported) = (None, false);
            }
            self.engage(choice);
        }
    }

    fn heal(&mut self, choice: BackendChoice, pick: Pick, error: &str) {
        let paused = self.summary.state == RunState::Paused;
        let backend = self.summary.backend.name.clone();
        (self.start_when_ready, self.when_back) = (true, paused.then_some(Command::Pause));
        match self.summary.roll_back(&backend, error) {
            Remedy::Again => {
                // What it passed on an earlier visit is in doubt now.
                let gpu = Gpu { check: None, ..pick.gpu };
                self.open(choice, Pick { gpu, ..pick });
            }
            Remedy::Cpu => {
                self.open(choice, Pick::cpu(format!("{backend} was lost twice: {error}")));
                if let Some(worker) = &mut self.worker {
                    worker.makeshift = true;
                }
            }
            Remedy::None => {
                let words = self.summary.incidents.last().map(Incident::sentence).unwrap_or_default();
                self.fail(words);
                return self.engage(choice);
            }
        }
        self.forget_answers();
    }

    fn fail(&mut self, error: String) {
        self.start_when_ready = false;
        self.summary.state = RunState::Failed;
        self.summary.error = Some(error);
    }

    fn draw_soon(&mut self) {
        if !std::mem::replace(&mut self.draw_pending, true) {
            // Drawing waits for a frame; nothing else does.
            tasks::next_frame(|| {
                PAGE.with_borrow_mut(|page| {
                    if let Some(page) = page {
                        page.draw_pending = false;
                        panels::draw(page);
                    }
                });
            });
        }
    }
}
