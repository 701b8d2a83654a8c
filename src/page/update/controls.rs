//! The settings' form and the buttons beside it.

use inkling_core::{
    network::{Edit, Layers},
    protocol::{Command, RunState},
    say,
    settings::{BackendChoice, Control, DatasetName, FIELDS, Field, Preset, SettingError},
};

use super::Update;
use crate::page::{
    effect::Effect,
    msg::{ControlMsg, Record, Section},
    worker::{Server, WorkerState},
};

/// So many changes of the network can be undone.
const MAX_EARLIER: usize = 50;
/// What is wrong with a change in the editor. The network is as it was.
pub const EDITOR: &str = "layers";

impl Update<'_> {
    pub(super) fn control(&mut self, msg: ControlMsg) {
        match msg {
            ControlMsg::Train(texts) => self.train_with(texts),
            ControlMsg::Pause => self.send(Command::Pause),
            ControlMsg::Resume => self.send(Command::Resume),
            ControlMsg::Step => self.send(Command::Step),
            ControlMsg::Stop => self.stop(),
            ControlMsg::Reset => self.reset(),
            ControlMsg::Test => self.test(),
            ControlMsg::Typing(key, text) => self.typing(key, &text),
            ControlMsg::Changed(key, text) => self.changed(key, &text),
            ControlMsg::Sliding(key, text) => {
                // A run gets the new value when the slider is released.
                if self.model.settings.set(key, &text).is_ok() {
                    self.model.errors.remove(key);
                }
            }
            ControlMsg::Choose(preset) => self.choose(&preset),
            ControlMsg::Scale => {
                if let Some(scaled) = self.model.scaled() {
                    self.model.settings = scaled;
                    self.show_settings();
                    // The button is gone.
                    self.effects.push(Effect::Focus("replicas-on".into()));
                }
            }
            ControlMsg::Edit(edit) => match self.model.settings.net.edited(&edit) {
                Ok(layers) => {
                    self.changed("net", &layers.to_string());
                    self.follow(&edit);
                }
                Err(error) => self.model.errors.insert(EDITOR, say!("Network {}.", error)),
            },
            ControlMsg::UndoEdit => self.undo_edit(),
            ControlMsg::ResumeKept => self.resume_kept(),
            ControlMsg::ForgetKept => {
                if self.model.kept.take().is_some_and(|kept| kept.stored) {
                    self.effects.push(Effect::Forget(Record::Run));
                }
            }
            ControlMsg::NameServer(link) => {
                self.use_server(Server::of(&link));
                if self.model.settings.backend != BackendChoice::Remote {
                    self.changed("backend", BackendChoice::Remote.key());
                }
            }
            ControlMsg::AllowServer(link) => {
                // Another may have been offered since this one was shown.
                if self.model.server == Server::Offered(link.clone()) {
                    self.use_server(Server::Allowed(link));
                }
            }
            ControlMsg::StayInTab => {
                self.model.server = Server::Unknown;
                self.changed("backend", BackendChoice::Auto.key());
            }
            ControlMsg::TakeLink(text) => self.model.take_link(&text),
            ControlMsg::OpenLinked => {
                if self.model.worker.is_ready()
                    && !self.model.run.state.is_active()
                    && let Some(linked) = self.model.linked.clone()
                {
                    self.model.settings = linked.settings;
                    self.show_settings();
                    self.import(linked.weights);
                }
            }
            ControlMsg::ForgetLinked => {
                self.model.linked = None;
                self.effects.push(Effect::SetAddress(self.model.settings.to_query()));
            }
            ControlMsg::SaveUnreadable(record) => self.effects.push(Effect::SaveAsFile(record)),
            ControlMsg::ForgetUnreadable(record) => {
                self.model.unread.retain(|unread| unread.0 != record);
                self.effects.push(Effect::Forget(record));
            }
        }
    }

    /// Takes note of the server. What runs goes on where it is.
    fn use_server(&mut self, server: Server) {
        self.model.server = server;
        if self.model.settings.backend != BackendChoice::Remote {
            return;
        }
        if self.model.run.state == RunState::Idle || matches!(self.model.worker, WorkerState::Probing(_)) {
            self.engage(BackendChoice::Remote);
            self.prepare();
        } else if let WorkerState::Fetching(plan, _) | WorkerState::Checking(plan, _) | WorkerState::Ready(plan, _) =
            &mut self.model.worker
        {
            plan.stand_in = true; // the next run looks for its worker again
        }
    }

    /// While the visitor types, an error disappears as soon as it is corrected; a new one is not shown until the
    /// visitor leaves the control.
    fn typing(&mut self, key: &'static str, text: &str) {
        let mut tried = self.model.settings.clone();
        if tried.set(key, text).is_ok() && (key != "net" || self.model.misfit(&tried).is_none()) {
            self.model.errors.remove(key);
        }
    }

    /// Says so if the network does not fit the data set. `misfit`: it did not fit before either, so that an error may be gone.
    pub(super) fn check_network(&mut self, misfit: bool) {
        match self.model.misfit(&self.model.settings) {
            Some(error) => self.show_error("net", &error),
            None if misfit => self.model.errors.remove("net"),
            None => {}
        }
    }

    pub(super) fn changed(&mut self, key: &'static str, text: &str) {
        let misfit = self.model.misfit(&self.model.settings).is_some();
        let before = self.model.settings.net.clone();
        if let Err(error) = self.model.settings.set(key, text) {
            return self.show_error(key, &error);
        }
        self.remember_network(before);
        self.model.errors.remove(key);
        self.check_network(misfit);
        self.effects.push(Effect::SetAddress(self.model.settings.to_query()));
        let state = self.model.run.state;
        if state.is_active() && Field::of(key).is_some_and(Field::is_adjustable) {
            self.send(Command::Adjust(self.model.settings.adjustable()));
        }
        // A finished run keeps its worker, and with it its network, until the next one starts.
        if key == "backend" && state == RunState::Idle {
            self.engage(self.model.settings.backend);
        }
        if key == "dataset" && self.model.settings.dataset == DatasetName::Own && self.model.data.set.is_none() {
            // Its files are chosen there.
            self.open_section(Section::Settings);
        }
        self.prepare();
    }

    /// Keeps the network that the controls had, if they have another now, so that the change can be undone.
    pub(super) fn remember_network(&mut self, before: Layers) {
        if before != self.model.settings.net {
            self.model.errors.remove(EDITOR);
            let earlier = &mut self.model.earlier_networks;
            earlier.push(before);
            if earlier.len() > MAX_EARLIER {
                earlier.remove(0);
            }
        }
    }

    fn undo_edit(&mut self) {
        if let Some(before) = self.model.earlier_networks.pop() {
            let left = self.model.earlier_networks.len();
            self.changed("net", &before.to_string());
            // What was undone is not one of the earlier networks.
            self.model.earlier_networks.truncate(left);
        }
    }

    /// The focus goes with a layer that was moved. When the last one is removed, its button is gone.
    fn follow(&mut self, edit: &Edit) {
        let layers = self.model.settings.net.len();
        let focus = match edit {
            Edit::MoveUp(at) if *at > 0 => format!("layer-{}-before", at - 1),
            Edit::MoveDown(at) if at + 1 < layers => format!("layer-{}-after", at + 1),
            Edit::Remove(at) if *at >= layers => "layers-row".into(),
            _ => return,
        };
        self.effects.push(Effect::Focus(focus));
    }

    fn choose(&mut self, preset: &Preset) {
        let before = self.model.settings.net.clone();
        if preset.apply(&mut self.model.settings).is_ok() {
            self.remember_network(before);
            self.show_settings();
            self.prepare();
        }
    }

    /// Shows the settings in the address; the controls show them without errors.
    pub(super) fn show_settings(&mut self) {
        self.model.errors.clear();
        self.check_network(false);
        self.effects.push(Effect::SetAddress(self.model.settings.to_query()));
    }

    fn train_with(&mut self, texts: Vec<(&'static str, String)>) {
        for (key, text) in texts {
            match self.model.settings.set(key, &text) {
                Ok(()) => self.model.errors.remove(key),
                Err(error) => self.show_error(key, &error),
            }
        }
        self.check_network(false);
        match FIELDS.iter().find(|field| self.model.errors.get(field.key).is_some()) {
            Some(first) => {
                self.reveal(first.key);
                self.effects.push(Effect::Focus(first.key.into()));
            }
            None => {
                self.effects.push(Effect::SetAddress(self.model.settings.to_query()));
                self.train();
            }
        }
    }

    fn show_error(&mut self, key: &'static str, error: &SettingError) {
        self.model.errors.insert(key, error.to_string());
        self.reveal(key);
    }

    /// Opens the section that has this control, or nothing if it is always visible.
    pub(super) fn reveal(&mut self, key: &str) {
        match Field::of(key).map(|field| field.control) {
            Some(Control::Editor) => self.open_section(Section::Editor),
            Some(Control::In(_) | Control::Optional(..) | Control::Slider(_)) => self.open_section(Section::Settings),
            _ => {}
        }
    }
}
