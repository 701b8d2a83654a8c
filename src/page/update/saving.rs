//! What the browser keeps: the run, the history of runs, and the visitor's digits.
//!
//! Invariant: a kept run is replaced only after the visitor has resumed it, discarded it, or started another run while it
//! was offered. A record that could not be read is not replaced at all.

use inkling_core::{
    data::{KeptData, handwriting::Handwriting},
    history::RunHistory,
    protocol::RunState,
    say,
};

use super::Update;
use crate::page::{
    effect::Effect,
    model::{Kept, Saving},
    msg::{Found, Msg, Record, Unread},
};

/// So many checkpoints are kept as they come. Then the pauses between two writes grow by a second each,
const EAGER_SAVES: u32 = 20;
/// up to this many seconds: an hour writes 350 MB instead of 3.4 GB.
const LONGEST_PAUSE: u32 = 30;

impl Update<'_> {
    /// Keeps the run in the browser, so that it survives a reload, a crash or a closed tab.
    pub(super) fn save_run(&mut self) {
        match &mut self.model.saving {
            Saving::Idle => self.save_now(),
            Saving::Busy { newer } | Saving::Resting { newer } => *newer = true,
        }
    }

    /// Keeps the run without resting first.
    pub(super) fn save_now(&mut self) {
        // It was found while this run was in progress: another tab had kept it.
        if self.model.kept.is_some() {
            return self.not_kept(Record::Run, say!("the run offered above is kept until you resume or discard it"));
        }
        if let Some(reason) = self.locked(Record::Run) {
            return self.not_kept(Record::Run, &reason);
        }
        if let Saving::Busy { newer } = &mut self.model.saving {
            *newer = true;
            return;
        }
        // After a reset there is nothing to keep.
        let saved = self.model.run.saved().filter(|_| self.model.run.state != RunState::Idle);
        if let Some(run) = saved {
            self.model.saving = Saving::Busy { newer: false };
            self.effects.push(Effect::SaveRun(Box::new(run)));
        }
    }

    pub(super) fn run_saved(&mut self, result: Result<(), String>) {
        let newer = matches!(self.model.saving, Saving::Busy { newer: true });
        self.model.saving = Saving::Idle;
        match result {
            Err(error) => self.not_kept(Record::Run, &error),
            Ok(()) => {
                self.no_longer_lost(Record::Run);
                self.model.saves += 1;
                self.model.stored = true;
                let pause = self.model.saves.saturating_sub(EAGER_SAVES).min(LONGEST_PAUSE);
                if pause > 0 {
                    self.model.saving = Saving::Resting { newer };
                    self.effects.push(Effect::After(1000 * pause as i32, Box::new(Msg::SaveDue)));
                } else if newer {
                    self.save_now();
                }
            }
        }
    }

    /// The rest is over.
    pub(super) fn save_due(&mut self) {
        if let Saving::Resting { newer } = self.model.saving {
            self.model.saving = Saving::Idle;
            if newer {
                self.save_now();
            }
        }
    }

    /// A page that is hidden may never be shown again.
    pub(super) fn save_before_leaving(&mut self) {
        if self.model.saving == (Saving::Resting { newer: true }) {
            self.save_now();
        }
    }

    /// Says once what a reload would lose.
    pub(super) fn not_kept(&mut self, record: Record, reason: &str) {
        if record == Record::Images {
            self.model.data.kept = false;
        }
        let reason = reason.trim_end_matches('.');
        // The history is lost for the same reason as the run: that is said already.
        let said = self.model.run.warnings.iter().any(|words| words.ends_with(&format!(": {reason}.")));
        if record != Record::History || !said {
            self.warn_once(format!("{}: {reason}.", loses(record)));
        }
    }

    /// Takes back the warning that a reload would lose the record.
    fn no_longer_lost(&mut self, record: Record) {
        self.model.run.warnings.retain(|words| !words.starts_with(&loses(record)));
    }

    /// Why this record must not be overwritten, if it must not.
    fn locked(&self, record: Record) -> Option<String> {
        self.model.unread.iter().find(|unread| unread.0 == record).map(|(_, unread)| match unread {
            Unread::Unreachable(reason) => reason.clone(),
            Unread::Damaged(_) => say!("what the browser has kept can't be read; save or discard it above").into(),
        })
    }

    /// A run that did not get to train brings back the offer whose place it took. One that failed later is offered where
    /// it can resume.
    pub(in crate::page) fn offer_again(&mut self) {
        if let Some(kept) = self.model.set_aside.take() {
            self.model.kept = Some(kept);
        } else if self.model.run.state == RunState::Failed && self.model.kept.is_none() {
            let stored = self.model.stored;
            self.model.kept = self.model.run.saved().map(|run| Kept { run, stored });
        }
    }

    /// Updates a run in the history with what was measured after its end.
    pub(super) fn update_history(&mut self) {
        self.model.history.update(&self.model.run);
        self.save_history();
    }

    pub(super) fn save_history(&mut self) {
        let history = self.model.history.clone();
        self.keep(Record::History, Effect::SaveHistory(history));
    }

    pub(super) fn save_digits(&mut self) {
        let digits = self.model.digits.kept.clone();
        self.keep(Record::Handwriting, Effect::SaveHandwriting(digits));
    }

    pub(super) fn save_images(&mut self) {
        if let Some(data) = self.model.data.set.clone() {
            let note = self.model.data.note.clone();
            self.keep(Record::Images, Effect::SaveImages(KeptData { data, note }));
        }
    }

    /// Performs the effect that keeps a record, unless the record must not be overwritten.
    fn keep(&mut self, record: Record, effect: Effect) {
        match self.locked(record) {
            Some(reason) => self.not_kept(record, &reason),
            None => self.effects.push(effect),
        }
    }

    /// Takes what the browser has kept. Another tab may have written it while this one had its own: both are kept.
    pub(super) fn found(&mut self, found: Found) {
        let record = found.record();
        self.model.unread.retain(|known| known.0 != record);
        self.no_longer_lost(record);
        match found {
            // This tab may have waited so long for its turn to write that there is something to keep.
            Found::Nothing(Record::Run) if self.model.run.checkpoint.is_some() => self.save_run(),
            Found::Nothing(Record::History) => self.found(Found::History(RunHistory::default())),
            Found::Nothing(Record::Handwriting) => self.found(Found::Handwriting(Handwriting::default())),
            Found::Nothing(Record::Run | Record::Images) => {}
            Found::Run(run) => self.model.kept = Some(Kept { run: *run, stored: true }),
            Found::History(stored) => {
                let stored = stored.numbered();
                let merged = stored.clone().merged(&self.model.history, &self.model.read.0);
                let more = merged != stored;
                (self.model.history, self.model.read.0) = (merged, stored);
                if more {
                    self.save_history();
                }
            }
            Found::Handwriting(stored) => {
                let merged = stored.clone().merged(&self.model.digits.kept, &self.model.read.1);
                let more = merged != stored;
                (self.model.digits.kept, self.model.read.1) = (merged, stored);
                if more {
                    self.save_digits();
                }
                self.digits_changed();
            }
            Found::Images(kept) => self.images_found(kept),
            Found::Unread(record, unread) => {
                if let Unread::Unreachable(_) = unread {
                    self.effects.push(Effect::ReadLater(record));
                }
                self.model.unread.push((record, unread));
            }
        }
    }
}

/// The beginning of a warning.
fn loses(record: Record) -> String {
    say!("A reload would lose {}", record.title())
}
