//! The worker's life: which one to open, when it counts as lost, and what takes its place.
//!
//! A worker is `Absent`, then `Probing` (which backend?), `Fetching` (its program), `Checking` (its self-test),
//! `Ready`, and in the end replaced or `Lost`. Invariant: no state is a dead end. A probe has a time limit, a worker
//! that does not become ready or falls silent is replaced, and after `Lost` the next Train looks for a worker again.

use inkling_core::{
    healing::{Incident, Remedy},
    message,
    protocol::{BackendInfo, Command, Envelope, Event, RunState},
    say,
    settings::{BackendChoice, DatasetName},
};
use inkling_formats::mnist::first_source;

use super::{
    effect::Effect,
    msg::{FromWorker, Msg, WorkerMsg},
    update::Update,
    worker::{Afterwards, Engine, Pending, Pick, Plan, Silence, Verdict, WorkerId, WorkerState},
};
use crate::BUILD;

/// The longest that a worker may take to be downloaded without any progress, and then to pass its self-test.
const READY_TIMEOUT_MS: i32 = 180_000;
/// A worker from which something is awaited and that is silent for [`MAX_SILENCE`] of these intervals counts as lost. A software adapter took
/// 17 s for its first step (Chromium's, two shared cores). Intervals are counted because a machine that slept has
/// missed only one.
const SILENCE_MS: i32 = 10_000;
const MAX_SILENCE: u32 = 9;
/// The same for a worker that is starting another one, which takes milliseconds. In Firefox 153, about one run in thirty hangs there
/// (measured while the service worker installs itself).
const MAX_STARTING: u32 = 2;
/// The pauses before the first, second, ... worker that replaces one that has done nothing. After the last, the visitor
/// decides.
const PAUSES_MS: [i32; 4] = [0, 1_000, 5_000, 20_000];

impl Update<'_> {
    /// Handles what worker `id` did, unless it has been replaced.
    pub(super) fn worker(&mut self, id: WorkerId, msg: WorkerMsg) {
        if id != self.model.last_worker {
            return;
        }
        match msg {
            WorkerMsg::Probed(pick) => {
                if let WorkerState::Probing(choice) = self.model.worker {
                    self.open(Plan { choice, pick, stand_in: false });
                }
            }
            WorkerMsg::Received(said) => {
                if let WorkerState::Ready(_, silence) = &mut self.model.worker {
                    silence.checks = 0;
                }
                match said {
                    FromWorker::Failed(error) => self.lose(&error, false),
                    FromWorker::Message(envelope) => self.hear(*envelope),
                }
            }
            WorkerMsg::Refused(error) => {
                self.model.worker = WorkerState::Lost;
                self.fail(say!("This browser allows no workers ({}), and training needs one.", error));
            }
            WorkerMsg::ReadyDue(received) => self.ready_due(received),
            WorkerMsg::SilenceDue => self.silence_due(),
            WorkerMsg::Rested => {
                if let WorkerState::Resting(choice) = self.model.worker {
                    self.engage(choice);
                }
            }
        }
    }

    /// Finds the worker for `choice` and puts it in place of the current one.
    pub(super) fn engage(&mut self, choice: BackendChoice) {
        self.replace(WorkerState::Probing(choice));
        self.effects.push(Effect::CloseWorker);
        self.model.run.backend = BackendInfo::default();
        self.effects.push(Effect::Probe(self.model.last_worker, choice, self.model.server.clone()));
    }

    fn open(&mut self, plan: Plan) {
        let starts = matches!(self.model.pending, Pending::Start(_));
        let waits = starts && self.model.run.settings.dataset == DatasetName::Mnist;
        // MNIST is downloaded in parallel with the worker.
        let early = if waits { format!("&early={}", first_source().join(",")) } else { String::new() };
        let (address, name) = (plan.pick.address(self.model.cpu_program) + &early, plan.pick.worker_name());
        self.replace(WorkerState::Fetching(plan, 0));
        self.effects.push(Effect::OpenWorker(self.model.last_worker, address, name));
        self.later(SILENCE_MS, WorkerMsg::SilenceDue);
        self.later(READY_TIMEOUT_MS, WorkerMsg::ReadyDue(0));
    }

    /// Replaces the worker. Its network is lost with it, and so are the network's answers.
    fn replace(&mut self, worker: WorkerState) {
        self.model.worker = worker;
        self.model.last_worker = self.model.last_worker.next();
        self.model.run.forget_asides();
        self.forget_answers();
    }

    fn later(&mut self, milliseconds: i32, msg: WorkerMsg) {
        let msg = Msg::Worker(self.model.last_worker, msg);
        self.effects.push(Effect::After(milliseconds, Box::new(msg)));
    }

    /// A worker that has not become ready counts as lost, unless more of its program has arrived in the meantime.
    fn ready_due(&mut self, before: u32) {
        match self.model.worker {
            WorkerState::Fetching(_, received) if received > before => {
                self.later(READY_TIMEOUT_MS, WorkerMsg::ReadyDue(received));
            }
            WorkerState::Fetching(..) => self.lose(message!("it was not ready within three minutes"), false),
            // An earlier timer has a different number of bytes, so the check gets its own three minutes.
            WorkerState::Checking(_, received) if received == before => {
                self.lose(message!("it was not ready within three minutes"), false);
            }
            _ => {}
        }
    }

    /// Counts a check during which the worker was silent: a worker that hangs sends no messages.
    fn silence_due(&mut self) {
        let awaited = self.model.awaits_worker();
        if let WorkerState::Ready(_, silence) = &mut self.model.worker {
            silence.checks = if awaited || silence.starting_replica { silence.checks + 1 } else { 0 };
            let (limit, reason) = match silence.starting_replica {
                true => (MAX_STARTING, message!("it hung while it started another worker")),
                false => (MAX_SILENCE, message!("it did not respond for a minute and a half")),
            };
            if silence.checks >= limit {
                return self.lose(reason, true);
            }
        }
        // It talks, but about something else.
        let overdue = self.model.questions_mut().map(|asked| asked.wait(MAX_SILENCE));
        if overdue.contains(&true) {
            self.warn_once(say!("The worker has not answered a question for a minute and a half. Ask again.").into());
        }
        self.later(SILENCE_MS, WorkerMsg::SilenceDue);
    }

    fn hear(&mut self, envelope: Envelope) {
        match &envelope.event {
            Event::Fetching { received, done } => {
                if let WorkerState::Fetching(plan, bytes) = &mut self.model.worker {
                    *bytes = *received;
                    if *done {
                        self.model.worker = WorkerState::Checking(plan.clone(), *received);
                        self.later(READY_TIMEOUT_MS, WorkerMsg::ReadyDue(*received));
                    }
                }
            }
            Event::StartingReplica { done } => {
                if let WorkerState::Ready(_, silence) = &mut self.model.worker {
                    silence.starting_replica = !done;
                }
            }
            Event::Ready { backend, build } => self.ready(backend, build),
            Event::Unavailable { reason, faulty } => self.lose(reason, *faulty),
            _ if self.model.worker.is_ready() => self.run_event(envelope),
            _ => {}
        }
    }

    fn ready(&mut self, backend: &BackendInfo, build: &str) {
        let (WorkerState::Fetching(plan, _) | WorkerState::Checking(plan, _)) = &self.model.worker else { return };
        let plan = plan.clone();
        if build != BUILD {
            self.model.worker = WorkerState::Lost;
            self.effects.push(Effect::CloseWorker);
            // A page on which the visitor has done nothing yet recovers by itself.
            let untouched = self.model.run.checkpoint.is_none() && self.model.data.set.is_none();
            if untouched && self.model.pad.image().is_none() {
                self.effects.push(Effect::Renew);
            }
            return self.fail(
                say!("Inkling was updated after this page was opened. Reload the page; a kept run is offered again.")
                    .into(),
            );
        }
        self.effects.push(Effect::KeepOffline(plan.pick.address(self.model.cpu_program)));
        if let (Some(check), Some(gpu)) = (&backend.check, plan.pick.gpu()) {
            self.effects.push(Effect::Remember(gpu.adapter.clone(), Verdict::Passed(check.clone())));
        }
        let gpu = plan.pick.gpu().cloned().unwrap_or_default();
        // The browser knows the adapter better than the library does.
        let adapter = if gpu.adapter.is_empty() { backend.adapter.clone() } else { gpu.adapter };
        let check = backend.check.clone().or(gpu.check);
        self.model.run.backend = BackendInfo { name: backend.name, adapter, reason: plan.pick.reason.clone(), check };
        self.model.worker = WorkerState::Ready(plan, Silence::default());
        self.send_data();
        self.start_if_ready();
        self.prepare();
    }

    /// Starts the run that waits for a worker.
    pub(super) fn start_if_ready(&mut self) {
        let Pending::Start(afterwards) = self.model.pending else { return };
        if self.model.worker.is_ready() {
            self.model.pending = afterwards.map_or(Pending::Nothing, Pending::Resume);
            self.forget_answers();
            let run = &self.model.run;
            let (settings, from) = (run.settings.clone(), run.checkpoint.clone());
            self.send(Command::Start { run: run.run, settings, from });
        }
    }

    /// The worker is gone. Before it was ready, another backend takes its place. During a run, a fresh worker resumes
    /// from the last checkpoint. Otherwise a fresh one waits for the next run.
    fn lose(&mut self, error: &str, faulty: bool) {
        let worker = std::mem::replace(&mut self.model.worker, WorkerState::Lost);
        self.model.run.forget_asides();
        self.forget_answers();
        self.effects.push(Effect::CloseWorker);
        let error = error.trim_start_matches("Uncaught ").trim_start_matches("Error: ").trim_end_matches('.');
        match worker {
            WorkerState::Fetching(plan, _) | WorkerState::Checking(plan, _) => self.lose_unready(plan, error, faulty),
            WorkerState::Ready(plan, _) => self.lose_ready(plan, error),
            // There was no worker to lose.
            other => self.model.worker = other,
        }
    }

    fn lose_unready(&mut self, plan: Plan, error: &str, faulty: bool) {
        if plan.pick.engine == Engine::Cpu {
            let advice = say!("Reload the page, or try another browser.");
            return self.fail(say!("The worker could not start: {}. {}", error, advice));
        }
        // A backend that is missing today may be there on the next visit.
        if let (true, Some(gpu)) = (faulty, plan.pick.gpu()) {
            self.effects.push(Effect::Remember(gpu.adapter.clone(), Verdict::Failed(error.into())));
        }
        // A server may be there again for the next run.
        let stand_in = plan.stand_in || matches!(plan.pick.engine, Engine::Remote(_));
        self.open(Plan { pick: Pick::cpu(error), stand_in, ..plan });
    }

    fn lose_ready(&mut self, plan: Plan, error: &str) {
        let state = self.model.run.state;
        if state.is_active() && self.model.pending == Pending::Stop {
            self.model.pending = Pending::Nothing;
            self.model.run.state = RunState::Stopped;
            self.replace_after_failure(plan.choice, error);
        } else if state.is_active() {
            self.recover(plan, error);
        } else {
            self.replace_after_failure(plan.choice, error);
        }
    }

    /// Another worker takes the place of one that was lost outside a run: at once, then after growing pauses, then only
    /// when the visitor wants one.
    fn replace_after_failure(&mut self, choice: BackendChoice, error: &str) {
        let pause = PAUSES_MS.get(self.model.failures as usize);
        self.model.failures += 1;
        let Some(&pause) = pause else {
            self.replace(WorkerState::Lost);
            let times = self.model.failures;
            return self.warn_once(say!(
                "The worker failed {} times in a row ({}). Train tries again; a reload may help.",
                times,
                error
            ));
        };
        self.restore_network();
        if pause == 0 {
            self.engage(choice);
        } else {
            self.replace(WorkerState::Resting(choice));
            self.later(pause, WorkerMsg::Rested);
        }
    }

    /// Restores the network of a run that is over from its checkpoint: a stopped run is stopped again, a finished one
    /// is tested again. Without a checkpoint, there is no longer a network.
    fn restore_network(&mut self) {
        let run = &mut self.model.run;
        let over = matches!(run.state, RunState::Finished | RunState::Stopped);
        if over && run.checkpoint.is_some() {
            let afterwards = (run.state == RunState::Stopped).then_some(Afterwards::Stop);
            run.back_to_checkpoint();
            self.model.pending = Pending::Start(afterwards);
        } else {
            (run.progress, run.imported) = (None, false);
        }
    }

    /// A fresh worker resumes the run: first on the same backend, then on the CPU; after that, the run fails.
    fn recover(&mut self, plan: Plan, error: &str) {
        let afterwards = match (self.model.run.state, &self.model.pending) {
            (RunState::Paused, _) => Some(Afterwards::Pause),
            (_, Pending::Resume(afterwards)) => Some(*afterwards),
            _ => None,
        };
        let backend = plan.pick.engine.name();
        self.model.pending = Pending::Start(afterwards);
        match self.model.run.roll_back(backend, error) {
            Remedy::Again => {
                let pick = plan.pick.again();
                self.open(Plan { pick, ..plan });
            }
            Remedy::Cpu => {
                let pick = Pick::cpu(say!("{} was lost twice: {}", backend, error));
                self.open(Plan { choice: plan.choice, pick, stand_in: true });
            }
            Remedy::None => {
                let words = self.model.run.incidents.last().map(Incident::sentence).unwrap_or_default();
                self.fail(words);
                self.replace_after_failure(plan.choice, error);
            }
        }
    }

    /// Ends the run with an error.
    pub(super) fn fail(&mut self, error: String) {
        self.model.pending = Pending::Nothing;
        self.model.run.state = RunState::Failed;
        self.model.run.error = Some(error);
        self.offer_again();
    }
}
