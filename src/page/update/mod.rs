//! What the page does when something happens: a message and the model in, effects out.
//!
//! Invariant: only this module and its children change the model, and they do not depend on a browser.

mod answers;
mod camera;
mod controls;
mod files;
mod lesson;
mod run;
mod saving;
mod workbench;

pub use answers::PREPARATIONS;
pub use controls::EDITOR;

use inkling_core::{protocol::Command, say, settings::FIELDS};

use super::{
    effect::Effect,
    model::{Inspectors, Model},
    msg::{Msg, Section},
};

/// The inspectors should arrive within this time.
const INSPECTORS_PATIENCE_MS: i32 = 10_000;

/// Handles `msg`. Returns the effects to perform.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut update = Update { model, effects: Vec::new() };
    update.handle(msg);
    if update.model.pad.fit(update.model.target()) {
        update.ask_about_sketch();
    }
    update.follow_current_image();
    update.model.follow_lesson();
    update.effects
}

/// The visitor opened a page with these settings: looks for a worker, and starts training if the address asks for it.
pub fn start(model: &mut Model, autostart: bool) -> Vec<Effect> {
    let mut update = Update { model, effects: Vec::new() };
    update.model.pad.fit(update.model.target());
    update.check_network(false);
    update.model.find_stand_in();
    update.engage(update.model.settings.backend);
    if let Some(wrong) = FIELDS.iter().find(|field| update.model.errors.get(field.key).is_some()) {
        update.reveal(wrong.key);
    }
    if autostart && update.model.errors.is_empty() {
        update.train();
    }
    update.effects
}

/// One message being handled.
pub(super) struct Update<'a> {
    pub(super) model: &'a mut Model,
    pub(super) effects: Vec<Effect>,
}

impl Update<'_> {
    fn handle(&mut self, msg: Msg) {
        match msg {
            Msg::Control(msg) => self.control(msg),
            Msg::Pad(msg) => {
                if self.model.pad.take(msg) {
                    self.ask_about_sketch();
                }
            }
            Msg::Workbench(msg) => self.workbench(msg),
            Msg::Camera(msg) => self.camera(msg),
            Msg::File(msg) => self.file(msg),
            Msg::Lesson(msg) => self.lesson(msg),
            Msg::Worker(id, msg) => self.worker(id, msg),
            Msg::FileWorker(said) => self.file_worker(said),
            Msg::FileWorkerDue(activity) => self.file_worker_due(activity),
            Msg::Found(found) => self.found(found),
            Msg::RunSaved(result) => self.run_saved(result),
            Msg::NotKept(record, reason) => self.not_kept(record, &reason),
            Msg::SaveDue => self.save_due(),
            Msg::Returned => {
                self.model.picture.hidden = false;
                self.ask_for_picture();
            }
            Msg::Close => self.close_section(),
            Msg::Leaving => {
                self.model.picture.hidden = true;
                self.close_camera();
                self.save_before_leaving();
            }
            Msg::Warn(words) => self.warn(words),
            Msg::Toggled(section, open) => self.toggled(section, open),
            Msg::InspectorsFetched(here) => self.inspectors_fetched(here),
            Msg::InspectorsDue => self.inspectors_due(),
            Msg::Resized => {}
            Msg::Motion { reduced } => self.model.picture.still = reduced,
        }
    }

    /// Opens a section in place of the one that is open.
    pub(super) fn open_section(&mut self, section: Section) {
        if !self.model.is_open(section) {
            self.effects.push(Effect::Open(section));
            self.toggled(section, true);
        }
    }

    /// Closes the open section. The focus goes to its summary.
    fn close_section(&mut self) {
        if let Some(section) = self.model.open {
            self.toggled(section, false);
            self.effects.extend([Effect::Close(section), Effect::FocusOn(section)]);
        }
    }

    /// The browser or `open_section` has opened or closed a section.
    fn toggled(&mut self, section: Section, open: bool) {
        let before = self.model.open;
        if open == (before == Some(section)) {
            return;
        }
        self.model.open = open.then_some(section);
        if before == Some(Section::Camera) {
            self.close_camera();
        }
        if !open {
            return;
        }
        self.effects.extend(before.map(Effect::Close));
        self.fetch_inspectors();
        // Asks for what it shows.
        match section {
            Section::Images => self.browse_again(),
            Section::Doctor => self.examine(),
            Section::Handwriting => self.read_digits(),
            _ => {}
        }
    }

    fn fetch_inspectors(&mut self) {
        if self.model.inspectors == Inspectors::Absent {
            self.model.inspectors = Inspectors::Fetching;
            let due = Effect::After(INSPECTORS_PATIENCE_MS, Box::new(Msg::InspectorsDue));
            self.effects.extend([Effect::FetchInspectors, due]);
        }
    }

    fn inspectors_fetched(&mut self, here: bool) {
        if here {
            self.model.inspectors = Inspectors::Ready;
            return;
        }
        // The open section stays: what does not depend on them works.
        self.model.inspectors = Inspectors::Absent;
        self.warn_once(
            say!("This part of the page could not be loaded. Check the connection, then open it again; if that does not help, reload the page.").into(),
        );
    }

    fn inspectors_due(&mut self) {
        if self.model.inspectors == Inspectors::Fetching {
            self.warn_once(
                say!("This part of the page has not arrived yet. If it stays empty, reload the page.").into(),
            );
        }
    }

    /// Sends a command, if there is a worker to receive it.
    pub(super) fn send(&mut self, command: Command) {
        if self.model.worker.is_ready() {
            self.effects.push(Effect::Send(command));
        }
    }

    pub(super) fn warn(&mut self, words: String) {
        self.model.run.warnings.push(words);
    }

    pub(super) fn warn_once(&mut self, words: String) {
        if !self.model.run.warnings.contains(&words) {
            self.warn(words);
        }
    }
}
