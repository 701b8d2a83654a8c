//! The shell: performs effects, hands messages to `update`, and lets panels draw.
//!
//! Invariant: one message is handled at a time. What happens meanwhile (a browser may report a change while its element
//! is being drawn) waits in a queue.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    mem, panic,
    pin::Pin,
};

use inkling_core::{
    protocol::{Answer, Envelope, Event as RunEvent, FileEvent},
    restore::Restore,
    say,
    settings::{Field, Settings, autostart, lesson},
    summary::SavedRun,
};
use js_sys::Date;
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen_futures::spawn_local;
use web_sys::Event;

use super::{
    camera, dom,
    effect::Effect,
    files,
    link::{self, Link},
    model::Model,
    msg::{CameraMsg, ControlMsg, Found, FromWorker, LessonMsg, Msg, Record, WorkerMsg},
    panels::{self, Panel},
    probe, store,
    update::{start as first_effects, update},
    verdict,
    worker::{Server, WorkerId},
};
use crate::tasks;

/// Steps arrive many times a second and are shown together at this interval, because drawing takes time that training
/// could use.
const SHOW_STEPS_MS: i32 = 250;
/// Drawing yields after this long, so that slow phones stay responsive.
const DRAW_MS: f64 = 8.0;
/// A record whose storage did not answer is read again after this long.
const READ_AGAIN_MS: i32 = 30_000;
const DARK: &str = "(prefers-color-scheme: dark)";
const REDUCED_MOTION: &str = "(prefers-reduced-motion: reduce)";
/// Program of the file worker.
const FILE_WORKER: &str = "worker_files";

thread_local! {
    static APP: RefCell<Option<App>> = const { RefCell::new(None) };
    static QUEUE: RefCell<VecDeque<Msg>> = const { RefCell::new(VecDeque::new()) };
    static BUSY: Cell<bool> = const { Cell::new(false) };
    static STOPPED: Cell<bool> = const { Cell::new(false) };
}

/// Fetches the panels of sections. None, if they can't be fetched; the browser's console then says why.
pub type FetchInspectors = fn() -> Pin<Box<dyn Future<Output = Option<Vec<Box<dyn Panel>>>>>>;

struct App {
    model: Model,
    panels: Vec<Box<dyn Panel>>,
    fetch_inspectors: FetchInspectors,
    worker: Option<Link>,
    file_worker: Option<Link>,
    /// The page is drawn at the next frame, or is being drawn.
    draw_pending: bool,
    /// Number of panels drawn so far in this pass.
    drawn: usize,
    /// Something has changed since the first of them was drawn.
    draw_again: bool,
    /// Steps have arrived that are shown together with later ones.
    steps_pending: bool,
}

/// When the panels show a message's effect.
enum Urgency {
    /// At once, in the panels that show predictions.
    Prediction,
    /// At the next frame.
    Frame,
    /// After a while, together with similar messages.
    Later,
}

/// Starts the page.
pub fn start(fetch_inspectors: FetchInspectors) {
    panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        // Only the first panic is shown: later ones are consequences of it.
        if !STOPPED.replace(true) {
            dom::set_text(
                "error",
                &say!("The page stopped: {}. Reload it; if it happens again, please report it.", info),
            );
            dom::set_hidden("error", false);
        }
    }));
    let query = dom::window().and_then(|window| window.location().search().ok()).unwrap_or_default();
    let (settings, errors) = Settings::from_query(&query);
    let mut model = Model::new(settings);
    model.cpu_program = probe::cpu_program();
    model.picture.still = dom::matches_media(REDUCED_MOTION);
    model.picture.hidden = dom::document().is_some_and(|document| document.hidden());
    if let Some(link) = dom::fragment("server") {
        model.server = Server::of(&link);
    }
    if let Some(text) = dom::fragment("weights") {
        model.take_link(&text);
    }
    for error in errors {
        if let Some(field) = Field::of(&error.key) {
            model.errors.insert(field.key, error.to_string());
        }
    }
    let app = App {
        model,
        panels: panels::overview(),
        fetch_inspectors,
        worker: None,
        file_worker: None,
        draw_pending: false,
        drawn: 0,
        draw_again: false,
        steps_pending: false,
    };
    APP.set(Some(app));
    with_app(|app| {
        app.panels.iter_mut().for_each(|panel| panel.mount(emit));
        let effects = first_effects(&mut app.model, autostart(&query));
        app.perform_all(effects);
        app.after(Urgency::Frame);
    });
    redraw_when_the_look_changes();
    notice_when_the_page_is_left();
    follow_links();
    // Until now nobody listened to the controls, which index.html has from the first paint on.
    dom::remove_attribute("controls", "inert");
    set_on_body("data-started");
    spawn_local(find_what_is_kept());
    if let Some(name) = lesson(&query).map(String::from) {
        spawn_local(async move { emit(Msg::Lesson(LessonMsg::Found(files::lesson(&name).await))) });
    }
}

/// Tells the page's scripts, and tests, how far it has come.
fn set_on_body(attribute: &str) {
    if let Some(body) = dom::document().and_then(|document| document.body()) {
        let _ = body.set_attribute(attribute, "");
    }
}

/// Hands `msg` to the page, now or after the message that is being handled.
pub fn emit(msg: Msg) {
    QUEUE.with_borrow_mut(|queue| queue.push_back(msg));
    with_app(|_| {});
}

/// Calls `action` with the app unless the app is busy, then handles all waiting messages.
fn with_app(action: impl FnOnce(&mut App)) {
    if BUSY.replace(true) {
        return;
    }
    APP.with_borrow_mut(|app| {
        let Some(app) = app else { return };
        action(app);
        while let Some(msg) = QUEUE.with_borrow_mut(VecDeque::pop_front) {
            app.handle(msg);
        }
    });
    BUSY.set(false);
}

/// Shows what the browser has kept. Another tab may be writing: once this one takes its place, it reads again.
async fn find_what_is_kept() {
    read(Record::History).await;
    read(Record::Handwriting).await;
    read(Record::Images).await;
    store::owned().await;
    for record in [Record::Run, Record::History, Record::Handwriting] {
        read(record).await;
    }
    store::begin();
}

async fn read(record: Record) {
    match record {
        Record::Run => find(record, |run: SavedRun| Found::Run(Box::new(run))).await,
        Record::History => find(record, Found::History).await,
        Record::Handwriting => find(record, Found::Handwriting).await,
        Record::Images => find(record, Found::Images).await,
    }
}

async fn find<T: DeserializeOwned + Restore>(record: Record, found: impl FnOnce(T) -> Found) {
    match store::load(record).await {
        Ok(None) => emit(Msg::Found(Found::Nothing(record))),
        Ok(Some(value)) => emit(Msg::Found(found(value))),
        Err(unread) => emit(Msg::Found(Found::Unread(record, unread))),
    }
}

fn keep(record: Record, value: impl Serialize + 'static) {
    spawn_local(async move {
        if let Err(error) = store::save(record, &value).await {
            emit(Msg::NotKept(record, error));
        }
    });
}

fn notice_when_the_page_is_left() {
    let hidden = || dom::document().is_some_and(|document| document.hidden());
    if let (Some(window), Some(document)) = (dom::window(), dom::document()) {
        dom::listen_on(&window, "pagehide", |_: Event| emit(Msg::Leaving));
        dom::listen_on(&document, "visibilitychange", move |_: Event| {
            emit(if hidden() { Msg::Leaving } else { Msg::Returned });
        });
        dom::listen_on(&window, "pageshow", move |_: Event| {
            if !hidden() {
                emit(Msg::Returned);
            }
        });
    }
}

/// A link to the open page, with the same settings, changes only the fragment: the browser does not load the page again.
fn follow_links() {
    if let Some(window) = dom::window() {
        dom::listen_on(&window, "hashchange", |_: Event| {
            if let Some(link) = dom::fragment("server") {
                emit(Msg::Control(ControlMsg::NameServer(link)));
            }
            if let Some(text) = dom::fragment("weights") {
                emit(Msg::Control(ControlMsg::TakeLink(text)));
            }
        });
    }
}

fn redraw_when_the_look_changes() {
    if let Some(window) = dom::window() {
        dom::listen_on(&window, "resize", |_: Event| emit(Msg::Resized));
        if let Ok(Some(dark)) = window.match_media(DARK) {
            dom::listen_on(&dark, "change", |_: Event| emit(Msg::Resized));
        }
        if let Ok(Some(reduced)) = window.match_media(REDUCED_MOTION) {
            dom::listen_on(&reduced, "change", |_: Event| {
                emit(Msg::Motion { reduced: dom::matches_media(REDUCED_MOTION) });
            });
        }
    }
}

impl App {
    fn handle(&mut self, msg: Msg) {
        let urgency = Urgency::of(&msg);
        let effects = update(&mut self.model, msg);
        self.perform_all(effects);
        self.after(urgency);
    }

    fn perform_all(&mut self, effects: Vec<Effect>) {
        effects.into_iter().for_each(|effect| self.perform(effect));
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Probe(id, choice, server) => spawn_local(async move {
                let pick = probe::pick(choice, &server).await;
                emit(Msg::Worker(id, WorkerMsg::Probed(pick)));
            }),
            Effect::OpenWorker(id, address, name) => self.open_worker(id, &address, &name),
            Effect::CloseWorker => self.worker = None,
            Effect::Send(command) => {
                if let Some(Err(error)) = self.worker.as_ref().map(|link| link.send(&command)) {
                    self.worker_broke(say!("it can't be reached ({})", error));
                }
            }
            Effect::KeepOffline(address) => link::keep(&address, FILE_WORKER),
            Effect::Remember(adapter, found) => verdict::keep(&adapter, &found),
            Effect::Renew => link::renew(),
            Effect::OpenFileWorker => self.open_file_worker(),
            Effect::SendFileTask(task) => {
                if let Some(Err(error)) = self.file_worker.as_ref().map(|link| link.send(&task)) {
                    emit(Msg::FileWorker(FromWorker::Failed(error)));
                }
            }
            Effect::CloseFileWorker => self.file_worker = None,
            Effect::After(milliseconds, msg) => tasks::after(milliseconds, move || emit(*msg)),
            Effect::SaveRun(run) => spawn_local(async move {
                emit(Msg::RunSaved(store::save(Record::Run, &run).await));
            }),
            Effect::ReadLater(record) => tasks::after(READ_AGAIN_MS, move || spawn_local(read(record))),
            Effect::Forget(record) => spawn_local(store::forget(record)),
            Effect::SaveAsFile(record) => spawn_local(async move {
                if let Err(error) = store::save_as_file(record).await {
                    emit(Msg::Warn(say!("The file could not be saved: {}.", error)));
                }
            }),
            Effect::SaveHistory(history) => keep(Record::History, history),
            Effect::SaveHandwriting(digits) => keep(Record::Handwriting, digits),
            Effect::SaveImages(data) => keep(Record::Images, data),
            Effect::OpenCamera(turn) => spawn_local(async move {
                let tell = |msg| emit(Msg::Camera(msg));
                let opened = camera::open(move || tell(CameraMsg::Lost(turn))).await;
                tell(CameraMsg::Opened(turn, opened));
            }),
            Effect::CloseCamera => camera::close(),
            Effect::TakePicture(side) => spawn_local(async move {
                emit(Msg::Camera(CameraMsg::Taken(camera::picture(side).await)));
            }),
            Effect::LookThroughCamera(shape) => {
                if let Some(pixels) = camera::look(shape) {
                    emit(Msg::Camera(CameraMsg::Seen(pixels)));
                }
            }
            Effect::Download(name, bytes) => files::save(&name, &bytes),
            Effect::DownloadCanvas(name, canvas) => files::save_png(&name, canvas),
            Effect::DownloadHistory(history) => files::save("inkling-history.json", dom::json(&history).as_bytes()),
            Effect::DownloadRun(run) => spawn_local(async move {
                if let Err(error) = files::save_run(SavedRun::FILE_NAME, &run).await {
                    emit(Msg::Warn(say!("The run could not be saved: {}.", error)));
                }
            }),
            Effect::SetAddress(query) => dom::set_address(&query),
            Effect::FetchInspectors => {
                let fetched = (self.fetch_inspectors)();
                spawn_local(async move {
                    let inspectors = fetched.await;
                    emit(Msg::InspectorsFetched(inspectors.is_some()));
                    with_app(|app| app.add(inspectors.unwrap_or_default()));
                });
            }
            Effect::Focus(id) => dom::focus(&id),
            Effect::Open(section) => {
                dom::set_attribute(section.id(), "open", "");
                dom::focus_in_place(&format!("{}-sheet", section.id()));
            }
            Effect::Close(section) => dom::remove_attribute(section.id(), "open"),
            Effect::FocusOn(section) => dom::focus(&format!("{}-summary", section.id())),
        }
    }

    fn add(&mut self, mut panels: Vec<Box<dyn Panel>>) {
        panels.iter_mut().for_each(|panel| panel.mount(emit));
        self.panels.append(&mut panels);
        self.after(Urgency::Frame);
    }

    fn open_worker(&mut self, id: WorkerId, address: &str, name: &str) {
        self.worker = None; // two programs at once might not fit into memory
        let hear = move |heard: FromWorker<Envelope>| emit(Msg::Worker(id, WorkerMsg::Received(heard)));
        match Link::open(address, name, hear) {
            Ok(link) => self.worker = Some(link),
            Err(error) => emit(Msg::Worker(id, WorkerMsg::Refused(error))),
        }
    }

    fn open_file_worker(&mut self) {
        let hear = |heard: FromWorker<Envelope<FileEvent>>| {
            emit(Msg::FileWorker(match heard {
                FromWorker::Message(envelope) => FromWorker::Message(Box::new(envelope.event)),
                FromWorker::Failed(reason) => FromWorker::Failed(reason),
            }));
        };
        match Link::open(FILE_WORKER, "", hear) {
            Ok(link) => self.file_worker = Some(link),
            Err(error) => emit(Msg::FileWorker(FromWorker::Failed(say!("this browser allows no workers ({})", error)))),
        }
    }

    fn worker_broke(&self, reason: String) {
        emit(Msg::Worker(self.model.last_worker, WorkerMsg::Received(FromWorker::Failed(reason))));
    }

    /// Shows what has changed.
    fn after(&mut self, urgency: Urgency) {
        match urgency {
            Urgency::Prediction => {
                let panels = self.panels.iter_mut().filter(|panel| panel.shows_predictions());
                panels.for_each(|panel| panel.draw(&self.model));
            }
            Urgency::Frame => {
                self.panels.iter_mut().for_each(|panel| panel.note(&self.model));
                self.draw_again = self.drawn > 0;
                if !mem::replace(&mut self.draw_pending, true) {
                    // Only drawing waits for a frame.
                    tasks::next_frame(|| with_app(App::draw));
                }
            }
            Urgency::Later => {
                if !mem::replace(&mut self.steps_pending, true) {
                    tasks::after(SHOW_STEPS_MS, || {
                        with_app(|app| {
                            app.steps_pending = false;
                            app.after(Urgency::Frame);
                        });
                    });
                }
            }
        }
    }

    fn draw(&mut self) {
        let begun = Date::now();
        while let Some(panel) = self.panels.get_mut(self.drawn) {
            panel.draw(&self.model);
            self.drawn += 1;
            if Date::now() - begun > DRAW_MS && self.drawn < self.panels.len() {
                return tasks::after(0, || with_app(App::draw));
            }
        }
        (self.drawn, self.draw_pending) = (0, false);
        set_on_body("data-drawn");
        if mem::take(&mut self.draw_again) {
            self.after(Urgency::Frame);
        }
    }
}

impl Urgency {
    fn of(msg: &Msg) -> Self {
        let envelope = match msg {
            Msg::Worker(_, WorkerMsg::Received(FromWorker::Message(envelope))) => envelope,
            // Several times a second; only the camera's panel shows them.
            Msg::Camera(CameraMsg::TakeNext | CameraMsg::Taken(_) | CameraMsg::Look(_) | CameraMsg::Seen(_)) => {
                return Urgency::Prediction;
            }
            _ => return Urgency::Frame,
        };
        match &envelope.event {
            RunEvent::Answer { answer: Answer::Predict { .. }, .. } => Urgency::Prediction,
            RunEvent::Steps(_) | RunEvent::Progress(_) => Urgency::Later,
            _ => Urgency::Frame,
        }
    }
}
