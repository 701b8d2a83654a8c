//! The beginning and end of a run, and what its worker reports about it.

use inkling_core::{
    checkpoint::TrainerState,
    protocol::{Command, Envelope, Event, FileTask, Query, RunId, RunState},
    say,
    settings::DatasetName,
    summary::{RunSummary, SavedRun},
};

use super::Update;
use crate::page::{
    effect::Effect,
    model::{Model, Saving, asked::Awaited},
    msg::Record,
    worker::{Afterwards, Pending, WorkerState},
};

impl Update<'_> {
    /// Starts a run with the settings in the controls.
    pub(super) fn train(&mut self) {
        if self.model.run.state.is_active() {
            return; // a second press before the effect of the first was drawn
        }
        if self.model.settings.dataset == DatasetName::Own && self.model.data.reading {
            return self.warn(say!("Your files are still being read. Press Train again in a moment.").into());
        }
        self.new_run();
        self.begin();
    }

    /// Resumes the run that the browser kept.
    pub(super) fn resume_kept(&mut self) {
        if self.model.run.state.is_active() {
            return;
        }
        if let Some(kept) = self.model.kept.clone() {
            self.resume_saved(kept.run);
            self.model.stored = kept.stored;
        }
    }

    /// Resumes a run that was saved.
    pub(super) fn resume_saved(&mut self, saved: SavedRun) {
        if self.model.run.state.is_active() {
            return self.warn(say!("A run is in progress. Stop it before opening another.").into());
        }
        self.model.settings = saved.settings.clone();
        self.model.earlier_networks.clear();
        self.show_settings();
        let run = &self.model.run;
        self.model.run = RunSummary::restored(run.run + 1, saved, run.backend.clone());
        self.model.forget_current();
        self.begin();
    }

    fn new_run(&mut self) {
        let (run, own) = (&self.model.run, self.model.own_shape());
        self.model.run = RunSummary::new(run.run + 1, self.model.settings.clone(), run.backend.clone(), own);
        self.model.forget_current();
    }

    /// Starts the run in the model as soon as there is a worker for it.
    fn begin(&mut self) {
        self.model.set_aside = self.model.kept.take();
        (self.model.epoch, self.model.saves, self.model.failures) = (None, 0, 0);
        self.model.stored = false;
        if let Saving::Resting { .. } = self.model.saving {
            self.model.saving = Saving::Idle;
        }
        let classes = self.model.run.data.classes();
        let known = |class: Option<u8>| class.is_none_or(|class| usize::from(class) < classes);
        let query = self.model.browse.query;
        if !known(query.label) || !known(query.predicted) {
            self.model.browse.query = Query::default();
        }
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
                self.offer_again();
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
        // A run that is only offered, or that can't be read, is another run.
        if std::mem::take(&mut self.model.stored) {
            self.model.kept = None;
            self.effects.push(Effect::Forget(Record::Run));
        }
        (self.model.epoch, self.model.set_aside) = (None, None);
        self.send(Command::Reset);
        // The run gets a new number: messages that are still on their way belong to the forgotten run.
        self.new_run();
        self.prepare();
    }

    /// Before a run: the picture shows the network of the controls, with the weights that the run will begin with.
    pub(in crate::page) fn prepare(&mut self) {
        let own = self.model.own_shape();
        let Model { run, settings, .. } = &mut *self.model;
        if run.state != RunState::Idle {
            return;
        }
        run.settings.clone_from(settings);
        run.data = settings.dataset.shape(own);
        self.model.find_stand_in();
        self.forget_answers();
        if self.model.worker.is_ready() {
            let (run, settings) = (self.model.run.run, self.model.settings.clone());
            self.send(Command::Prepare { run, settings });
            self.ask_about_sketch();
            self.ask_for_picture();
        }
    }

    /// Scores the test set with the current weights.
    pub(super) fn test(&mut self) {
        self.model.run.testing = self.model.worker.is_ready();
        self.send(Command::Test);
    }

    /// Asks for a run with the weights of a file.
    pub(super) fn import(&mut self, weights: TrainerState) {
        if !self.model.worker.is_ready() {
            return self
                .warn(say!("The file was not opened: no worker is ready for it. Try again in a moment.").into());
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
            Event::Answer { id, answer } => {
                self.model.failures = 0;
                self.answered(id, answer);
            }
            Event::Refused { id } => self.refused(id),
            Event::Steps(_) => {
                self.model.share.forget(); // it is of the weights before
                self.model.failures = 0;
                self.ask_what_is_missing();
            }
            Event::Epoch { .. } => self.ask_again(),
            Event::Loaded(_) => {
                self.ask_about_sketch();
                self.ask_for_picture();
            }
            Event::Followed(view) => {
                self.model.picture.followed = Some(view);
                self.ask_for_picture();
            }
            Event::Test(_) => {
                self.ask_again();
                self.read_digits();
                self.update_history();
                self.save_now();
            }
            Event::Robustness { left: 0, .. } => self.update_history(),
            Event::Surveyed(_) => self.browse_again(),
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
            Event::Export { format, weights } => {
                self.model.export.forget();
                if let Some(net) = self.model.run.network() {
                    self.file_task(FileTask::Write { format, net, weights });
                }
            }
            // It may refuse what was asked for.
            Event::Warning(_) => self.model.export.forget(),
            Event::State(state) => self.state_changed(state),
            _ => {}
        }
    }

    fn imported(&mut self, run: RunId) {
        let (backend, own) = (self.model.run.backend.clone(), self.model.own_shape());
        self.model.run = RunSummary::new(run, self.model.settings.clone(), backend, own);
        self.model.run.imported = true;
        self.model.forget_current();
        // A link is not worth a run that is offered: the network in it is not kept before the visitor has decided about that run.
        if self.model.linked.take().is_none() {
            self.model.kept = None;
        }
        (self.model.epoch, self.model.pending) = (None, Pending::Nothing);
        self.forget_answers();
        if let Some(text) = self.model.network_from_file.take() {
            self.warn(say!(
                "The weights in this file belong to another network: {}. The settings now have that network.",
                text
            ));
        }
    }

    fn state_changed(&mut self, state: RunState) {
        self.model.picture.followed = None;
        match state {
            RunState::Training => self.model.set_aside = None,
            RunState::Failed | RunState::Stopped => self.offer_again(),
            _ => {}
        }
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
