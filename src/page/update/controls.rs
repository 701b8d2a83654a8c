//! The settings' form and the buttons beside it.

use inkling_core::{
    protocol::{Command, RunState},
    settings::{FIELDS, Field, Preset, SettingError},
};

use super::Update;
use crate::page::{
    effect::Effect,
    msg::{ControlMsg, Section},
};

impl Update<'_> {
    pub(super) fn control(&mut self, msg: ControlMsg) {
        match msg {
            ControlMsg::Train(texts) => self.train_with(texts),
            ControlMsg::PauseOrResume => self.send(match self.model.run.state {
                RunState::Paused => Command::Resume,
                _ => Command::Pause,
            }),
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
            ControlMsg::ResumeKept => self.resume_kept(),
            ControlMsg::ForgetKept => {
                self.model.kept = None;
                self.effects.push(Effect::ForgetRun);
            }
        }
    }

    /// While the visitor types, an error disappears as soon as it is corrected; a new one is not shown until the
    /// visitor leaves the control.
    fn typing(&mut self, key: &'static str, text: &str) {
        if self.model.settings.clone().set(key, text).is_ok() {
            self.model.errors.remove(key);
        }
    }

    fn changed(&mut self, key: &'static str, text: &str) {
        if let Err(error) = self.model.settings.set(key, text) {
            return self.show_error(key, &error);
        }
        self.model.errors.remove(key);
        self.effects.push(Effect::SetAddress(self.model.settings.to_query()));
        let state = self.model.run.state;
        if state.is_active() && Field::of(key).is_some_and(Field::is_adjustable) {
            self.send(Command::Adjust(self.model.settings.adjustable()));
        }
        // A finished run keeps its worker, and with it its network, until the next one starts.
        if key == "backend" && state == RunState::Idle {
            self.engage(self.model.settings.backend);
        }
    }

    fn choose(&mut self, preset: &Preset) {
        if preset.apply(&mut self.model.settings).is_ok() {
            self.show_settings();
        }
    }

    /// Shows the settings in the address; the controls show them without errors.
    pub(super) fn show_settings(&mut self) {
        self.model.errors.clear();
        self.effects.push(Effect::SetAddress(self.model.settings.to_query()));
    }

    fn train_with(&mut self, texts: Vec<(&'static str, String)>) {
        for (key, text) in texts {
            match self.model.settings.set(key, &text) {
                Ok(()) => self.model.errors.remove(key),
                Err(error) => self.show_error(key, &error),
            }
        }
        match FIELDS.iter().find(|field| self.model.errors.get(field.key).is_some()) {
            Some(first) => self.effects.push(Effect::Focus(first.key)),
            None => {
                self.effects.push(Effect::SetAddress(self.model.settings.to_query()));
                self.train();
            }
        }
    }

    fn show_error(&mut self, key: &'static str, error: &SettingError) {
        self.model.errors.insert(key, error.to_string());
        self.model.set_open(Section::Settings, true);
        self.effects.push(Effect::Open(Section::Settings));
    }
}
