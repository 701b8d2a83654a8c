//! The beginning and end of a run, and what its worker reports about it.

use inkling_core::{
    checkpoint::TrainerState,
    protocol::{Command, Envelope, Event, FileTask, RunId, RunState},
    summary::{RunSummary, SavedRun},
};

use super::Update;
use crate::page::{
    effect::Effect,
    model::OwnData,
    worker::{Afterwards, Pending, WorkerState},
};

impl Update<'_> {
    /// Starts a run with the settings in the controls.
    pub(super) fn train(&mut self) {
        if self.model.run.state.is_active() {
            return; // a second press before the effect of the first was drawn
        }
        self.new_run();
        self.begin();
    }

    /// Resumes the run that the browser kept.
    pub(super) fn resume_kept(&mut self) {
        if self.model.run.state.is_active() {
            return;
        }
        if let Some(kept) = self.model.kept.take() {
            self.resume_saved(kept);
        }
    }

    /// Resumes a run that was saved.
    pub(super) fn resume_saved(&mut self, saved: SavedRun) {
        if self.model.run.state.is_active() {
            return self.warn("A run is in progress. Stop it before opening another.".into());
        }
        self.model.settings = saved.settings.clone();
        self.show_settings();
        let run = &self.model.run;
        self.model.run = RunSummary::restored(run.run + 1, saved, run.backend.clone());
        self.begin();
    }

    fn new_run(&mut self) {
        let run = &self.model.run;
        self.model.run = RunSummary::new(run.run + 1, self.model.settings.clone(), run.backend.clone());
    }

    /// Starts the run in the model as soon as there is a worker for it.
    fn begin(&mut self) {
        (self.model.kept, self.model.epoch) = (None, None);
        self.model.run.state = RunState::Loading;
        self.model.pending = Pending::Start(None);
        self.forget_answers();
        let choice = self.model.settings.backend;
        match &self.model.worker {
            WorkerState::Ready(plan, _) if plan.choice == choice && !plan.stand_in => self.start_if_ready(),
            WorkerState::Fetching(plan, _) | WorkerState::Checking(plan, _)
                if plan.choice == choice && !plan.stand_in => {}
            WorkerState::Probing(probing) if *probing == choice => {}
            _ => self.engage(choice),
        }
    }

    /// Ends the run, or the wait for its worker.
    pub(super) fn stop(&mut self) {
        if !self.model.run.state.is_active() {
            return;
        }
        let started = self.model.run.checkpoint.is_some();
        match self.model.pending {
            // The run resumes first, so that its network is there to be asked. A second Stop does not wait for that.
            Pending::Start(afterwards) if started && afterwards != Some(Afterwards::Stop) => {
                self.model.pending = Pending::Start(Some(Afterwards::Stop));
            }
            Pending::Start(_) => {
                self.model.pending = Pending::Nothing;
                let run = &mut self.model.run;
                (run.state, run.progress, run.imported) = (RunState::Stopped, None, false);
            }
            _ => {
                self.model.pending = Pending::Stop;
                self.send(Command::Stop);
            }
        }
    }

    /// Ends the run and forgets it.
    pub(super) fn reset(&mut self) {
        self.model.pending = Pending::Nothing;
        // A kept run that is only offered is another run.
        if self.model.run.checkpoint.is_some() {
            self.model.kept = None;
            self.effects.push(Effect::ForgetRun);
        }
        self.model.epoch = None;
        self.send(Command::Reset);
        // The run gets a new number: messages that are still on their way belong to the forgotten run.
        self.new_run();
        self.forget_answers();
    }

    /// Scores the test set with the current weights.
    pub(super) fn test(&mut self) {
        self.model.run.testing = true;
        self.send(Command::Test);
    }

    /// Asks for a run with the weights of a file.
    pub(super) fn import(&mut self, weights: TrainerState) {
        if !self.model.worker.is_ready() {
            return self.warn("The file was not opened: no worker is ready for it. Try again in a moment.".into());
        }
        let (run, settings) = (self.model.run.run, self.model.settings.clone());
        self.send(Command::Import { run, next: run + 1, settings, weights });
    }

    /// Applies what the worker reports about the run.
    pub(crate) fn run_event(&mut self, envelope: Envelope) {
        if !self.model.run.apply(&envelope) {
            return;
        }
        match envelope.event {
            Event::Answer { id, answer } => self.answered(id, answer),
            Event::Steps(_) => self.ask_what_is_missing(),
            Event::Epoch { .. } => self.ask_again(),
            Event::Test(_) => {
                self.ask_again();
                self.read_digits();
                self.update_history();
                self.save_run();
            }
            Event::Robustness { left: 0, .. } => self.update_history(),
            Event::Checkpoint(_) => {
                self.read_digits();
                self.save_run();
            }
            Event::FineTuned { .. } | Event::TakenBack => {
                self.forget_answers();
                self.ask_again();
                self.read_digits();
            }
            Event::Imported { run } => self.imported(run),
            Event::DataTaken { train, test } => {
                self.model.data_note = format!("{train} images to train with, {test} to test with. Press Train.");
                if let OwnData::Offered(files) = &mut self.model.data {
                    self.model.data = OwnData::Accepted(std::mem::take(files));
                }
            }
            Event::Export { format, weights } => self.file_task(FileTask::Write { format, weights }),
            Event::State(state) => self.state_changed(state),
            _ => {}
        }
    }

    fn imported(&mut self, run: RunId) {
        let backend = self.model.run.backend.clone();
        self.model.run = RunSummary::new(run, self.model.settings.clone(), backend);
        self.model.run.imported = true;
        (self.model.kept, self.model.epoch, self.model.pending) = (None, None, Pending::Nothing);
        self.forget_answers();
    }

    fn state_changed(&mut self, state: RunState) {
        if matches!(state, RunState::Finished | RunState::Stopped) {
            self.model.history.add(&self.model.run);
            self.save_history();
        }
        match (state, &self.model.pending) {
            (RunState::Training, Pending::Resume(afterwards)) => {
                let afterwards = *afterwards;
                self.model.pending = Pending::Nothing;
                match afterwards {
                    Afterwards::Pause => self.send(Command::Pause),
                    Afterwards::Stop => self.stop(),
                }
            }
            (state, Pending::Stop | Pending::Resume(_)) if !state.is_active() => self.model.pending = Pending::Nothing,
            _ => {}
        }
    }
}
