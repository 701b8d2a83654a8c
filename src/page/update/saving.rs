//! What the browser keeps: the run and the history of runs.
//!
//! Invariant: a kept run is replaced only after the visitor has resumed it, discarded it, or started another run.

use inkling_core::protocol::RunState;

use super::Update;
use crate::page::{effect::Effect, model::Saving};

impl Update<'_> {
    /// Keeps the run in the browser, so that it survives a reload, a crash or a closed tab.
    pub(super) fn save_run(&mut self) {
        if self.model.kept.as_ref().is_some_and(|kept| !kept.is_finished()) {
            return self.not_saved("the run offered above is kept until you resume or discard it");
        }
        if self.model.saving != Saving::Idle {
            self.model.saving = Saving::Outdated;
            return;
        }
        // After a reset there is nothing to keep.
        let saved = self.model.run.saved().filter(|_| self.model.run.state != RunState::Idle);
        if let Some(run) = saved {
            (self.model.kept, self.model.saving) = (None, Saving::Busy);
            self.effects.push(Effect::SaveRun(Box::new(run)));
        }
    }

    pub(super) fn run_saved(&mut self, result: Result<(), String>) {
        let before = std::mem::take(&mut self.model.saving);
        match result {
            Err(error) => self.not_saved(error.trim_end_matches('.')),
            Ok(()) if before == Saving::Outdated => self.save_run(),
            Ok(()) => {}
        }
    }

    fn not_saved(&mut self, reason: &str) {
        self.warn_once(format!("A reload would lose this run: {reason}."));
    }

    /// Updates a run in the history with what was measured after its end.
    pub(super) fn update_history(&mut self) {
        self.model.history.update(&self.model.run);
        self.save_history();
    }

    pub(super) fn save_history(&mut self) {
        self.effects.push(Effect::SaveHistory(self.model.history.clone()));
    }
}
