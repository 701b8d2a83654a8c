//! The worker as the page knows it: its state, which one to start, and what a run is waiting for.

use inkling_core::{
    protocol::{BackendName, Check},
    remote::{LinkError, ServerLink},
    say,
    settings::BackendChoice,
};

/// Number of a worker. Messages from an earlier worker are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerId(u32);

impl WorkerId {
    /// The number after this one.
    pub fn next(self) -> Self {
        WorkerId(self.0 + 1)
    }
}

/// The worker that trains.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerState {
    /// Nothing has been tried yet.
    Absent,
    /// Finding out which backend this browser offers.
    Probing(BackendChoice),
    /// Its program is being downloaded: this many bytes so far.
    Fetching(Plan, u32),
    /// Its program of this many bytes has arrived, and it is testing its backend.
    Checking(Plan, u32),
    /// It accepts commands.
    Ready(Plan, Silence),
    /// Workers failed one after the other; the next one for this choice starts after a pause.
    Resting(BackendChoice),
    /// No worker could be started, and nothing is left to try.
    Lost,
}

/// How long a worker that accepts commands has been silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// Checks in a row.
    pub checks: u32,
    /// It is starting another worker.
    pub starting_replica: bool,
}

/// Which worker was chosen, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the visitor chose.
    pub choice: BackendChoice,
    /// The worker for that choice.
    pub pick: Pick,
    /// It replaces a worker that was lost during a run: the next run tries the visitor's choice again.
    pub stand_in: bool,
}

/// A worker that the site offers, and why it was picked.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    /// What it computes with.
    pub engine: Engine,
    /// Why it was picked, for the visitor.
    pub reason: String,
}

/// What a worker computes with.
#[derive(Clone, Debug, PartialEq)]
pub enum Engine {
    /// burn-flex.
    Cpu,
    /// burn-ndarray.
    Ndarray,
    /// burn-wgpu.
    Webgpu(Gpu),
    /// A server's device.
    Remote(ServerLink),
}

/// The server that may train for this tab.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Server {
    /// None is known.
    #[default]
    Unknown,
    /// The visitor's text is not a valid link.
    Refused(LinkError),
    /// The visitor has not said yet whether data may leave the tab.
    Offered(ServerLink),
    /// The visitor lets data leave the tab.
    Allowed(ServerLink),
}

/// How to start a WebGPU worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gpu {
    /// The adapter, in the browser's words.
    pub adapter: String,
    /// The self-test that it passed on an earlier visit.
    pub check: Option<Check>,
}

/// The workers that `index.html` lists. Every site has the CPU worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Site {
    /// Those that it has.
    pub ready: Vec<BackendName>,
    /// Those that `scripts/workers` is building while the site is already served.
    pub building: Vec<BackendName>,
    /// Whether it has the CPU worker with relaxed SIMD as well.
    pub relaxed: bool,
}

/// The program of the CPU worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CpuProgram {
    /// For every browser.
    #[default]
    Plain,
    /// With relaxed SIMD, where the site has it and the browser runs it.
    Relaxed,
}

/// The browser's GPU adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// Vendor, architecture, device and description, as far as the browser reveals them.
    pub name: String,
    /// Whether it is emulated on the CPU.
    pub software: bool,
}

/// The self-test's verdict on an adapter.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It passed.
    Passed(Check),
    /// It failed in every configuration, for this reason.
    Failed(String),
}

/// What the run is waiting for.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pending {
    /// Nothing.
    #[default]
    Nothing,
    /// A worker, to start the run. The run may then have to be paused or stopped.
    Start(Option<Afterwards>),
    /// Training to start; then the run is paused or stopped.
    Resume(Afterwards),
    /// The worker's confirmation that it has stopped.
    Stop,
}

/// What to do with a resumed run once it trains, to return it to the state it was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It was paused.
    Pause,
    /// It was stopped.
    Stop,
}

impl WorkerState {
    /// Whether the worker accepts commands.
    pub fn is_ready(&self) -> bool {
        matches!(self, WorkerState::Ready(..))
    }

    /// What is happening with the worker, until it is ready.
    pub fn note(&self) -> Option<String> {
        match self {
            WorkerState::Ready(..) => None,
            WorkerState::Lost => Some(say!("No backend").into()),
            WorkerState::Resting(_) => Some(say!("The worker failed; the next one starts in a moment…").into()),
            WorkerState::Absent | WorkerState::Probing(_) => Some(say!("Choosing between GPU and CPU…").into()),
            WorkerState::Checking(Plan { pick: Pick { engine: Engine::Webgpu(_), .. }, .. }, _) => {
                Some(say!("Checking the GPU against the CPU…").into())
            }
            WorkerState::Checking(Plan { pick: Pick { engine: Engine::Remote(link), .. }, .. }, _) => {
                Some(say!("Connecting to {}, and checking it against the CPU…", link.host()))
            }
            WorkerState::Checking(..) => Some(say!("Starting the CPU worker…").into()),
            WorkerState::Fetching(plan, received) => {
                let name = match plan.pick.engine {
                    Engine::Webgpu(_) => "WebGPU",
                    Engine::Remote(_) => "server",
                    Engine::Cpu | Engine::Ndarray => "CPU",
                };
                Some(say!("Fetching the {} worker: {} MB…", name, format_args!("{:.1}", f64::from(*received) / 1e6)))
            }
        }
    }
}

impl Engine {
    /// Its name.
    pub fn name(&self) -> BackendName {
        match self {
            Engine::Cpu => BackendName::Cpu,
            Engine::Ndarray => BackendName::Ndarray,
            Engine::Webgpu(_) => BackendName::Webgpu,
            Engine::Remote(_) => BackendName::Remote,
        }
    }
}

impl Server {
    /// Reads a server's link, or a page's address that contains one. The visitor must still agree to use it.
    pub fn of(link: &str) -> Self {
        let link = link.rsplit_once("#server=").map_or(link, |parts| parts.1);
        link.parse().map_or_else(Server::Refused, Server::Offered)
    }
}

impl Site {
    /// The site with these lists of workers, separated by spaces. Names of other programs are ignored.
    pub fn of(ready: &str, building: &str) -> Self {
        const KNOWN: [BackendName; 4] =
            [BackendName::Webgpu, BackendName::Cpu, BackendName::Ndarray, BackendName::Remote];
        let names = |list: &str| {
            list.split(' ').filter_map(|word| KNOWN.into_iter().find(|name| name.to_string() == word)).collect()
        };
        let relaxed = ready.split(' ').any(|word| word == "relaxed");
        Site { ready: names(ready), building: names(building), relaxed }
    }

    /// Why the site does not have this worker; `None` if it has it.
    fn lacks(&self, name: BackendName) -> Option<String> {
        let title = match name {
            BackendName::Webgpu => "WebGPU",
            BackendName::Ndarray => "burn-ndarray",
            BackendName::Remote => say!("training on a server"),
            BackendName::Cpu => "the CPU",
            BackendName::Cuda => "CUDA",
        };
        if self.ready.contains(&name) {
            None
        } else if self.building.contains(&name) {
            Some(say!("{} is still being built; the CPU trains until then", title))
        } else {
            Some(say!("this site was built without {}", title))
        }
    }
}

impl Pick {
    /// The CPU, because of `reason`.
    pub fn cpu(reason: impl Into<String>) -> Self {
        Pick { engine: Engine::Cpu, reason: reason.into() }
    }

    /// How to start it, if it is a WebGPU worker.
    pub fn gpu(&self) -> Option<&Gpu> {
        if let Engine::Webgpu(gpu) = &self.engine { Some(gpu) } else { None }
    }

    /// The worker for `choice` on this site with this server, if the choice does not depend on an adapter.
    pub fn without_adapter(choice: BackendChoice, site: &Site, server: &Server) -> Option<Self> {
        match choice {
            BackendChoice::Remote => Some(match (site.lacks(BackendName::Remote), server) {
                (Some(reason), _) => Pick::cpu(reason),
                (None, Server::Allowed(link)) => {
                    Pick { engine: Engine::Remote(link.clone()), reason: say!("you chose this server").into() }
                }
                (None, Server::Offered(_)) => Pick::cpu(say!("you have not let data leave this tab")),
                (None, Server::Unknown | Server::Refused(_)) => Pick::cpu(say!("no server is known")),
            }),
            BackendChoice::Cpu => Some(Pick::cpu(say!("you chose the CPU"))),
            BackendChoice::Ndarray => Some(match site.lacks(BackendName::Ndarray) {
                Some(reason) => Pick::cpu(reason),
                None => Pick { engine: Engine::Ndarray, reason: say!("you chose burn-ndarray").into() },
            }),
            BackendChoice::Webgpu | BackendChoice::Auto => site.lacks(BackendName::Webgpu).map(Pick::cpu),
        }
    }

    /// The worker for `choice` with this adapter and the stored `verdict` on it; or the CPU, with the reason.
    pub fn with_adapter(choice: BackendChoice, adapter: Result<Adapter, String>, verdict: Option<Verdict>) -> Self {
        let automatic = choice == BackendChoice::Auto;
        let Adapter { name, software } = match adapter {
            Err(reason) => return Pick::cpu(reason),
            Ok(adapter) => adapter,
        };
        if software && automatic {
            return Pick::cpu(say!(
                "the only WebGPU adapter here is a software one, which is slower than the CPU worker"
            ));
        }
        let check = match verdict {
            Some(Verdict::Failed(reason)) if automatic => return Pick::cpu(say!("on an earlier visit: {}", reason)),
            Some(Verdict::Passed(check)) => Some(check),
            // A visitor who asks for WebGPU gets it tested again.
            _ => None,
        };
        let reason = if automatic { say!("a WebGPU adapter was found") } else { say!("you chose WebGPU") };
        Pick { engine: Engine::Webgpu(Gpu { adapter: name, check }), reason: reason.into() }
    }

    /// Address of the worker, whose program on the CPU is `cpu`.
    pub fn address(&self, cpu: CpuProgram) -> String {
        match &self.engine {
            Engine::Webgpu(Gpu { check: None, .. }) => "worker_webgpu".into(),
            Engine::Webgpu(Gpu { check: Some(_), .. }) => "worker_webgpu&checked=1".into(),
            Engine::Cpu if cpu == CpuProgram::Relaxed => "worker_relaxed".into(),
            Engine::Cpu => "worker_cpu".into(),
            Engine::Ndarray => "worker_ndarray".into(),
            Engine::Remote(_) => "worker_remote".into(),
        }
    }

    /// What the worker is told by its name, which is sent to no host: the server, if there is one.
    pub fn worker_name(&self) -> String {
        if let Engine::Remote(link) = &self.engine { link.to_string() } else { String::new() }
    }

    /// The same again, but without relying on a self-test that passed on an earlier visit.
    pub fn again(&self) -> Self {
        let mut pick = self.clone();
        if let Engine::Webgpu(gpu) = &mut pick.engine {
            gpu.check = None;
        }
        pick
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_the_answer_whenever_webgpu_is_not_offered_not_there_or_only_emulated() {
        let adapter = |software| Ok(Adapter { name: "a".into(), software });
        let cpu_only = Pick::without_adapter(BackendChoice::Auto, &Site::of("cpu", ""), &Server::Unknown).unwrap();
        assert_eq!(cpu_only, Pick::cpu("this site was built without WebGPU"));
        let all = Site::of("cpu files webgpu ndarray", "");
        assert_eq!(Pick::without_adapter(BackendChoice::Auto, &all, &Server::Unknown), None);
        assert_eq!(
            Pick::without_adapter(BackendChoice::Ndarray, &all, &Server::Unknown).unwrap().engine,
            Engine::Ndarray
        );
        let none = Pick::with_adapter(BackendChoice::Webgpu, Err("no WebGPU".into()), None);
        assert_eq!(none, Pick::cpu("no WebGPU"));
        assert_eq!(Pick::with_adapter(BackendChoice::Auto, adapter(true), None).engine, Engine::Cpu);
        assert!(Pick::with_adapter(BackendChoice::Webgpu, adapter(true), None).gpu().is_some());
    }

    #[test]
    fn while_a_worker_is_being_built_the_cpu_trains_and_the_page_says_so() {
        let site = Site::of("cpu files", "webgpu ndarray");
        let waiting = Pick::without_adapter(BackendChoice::Auto, &site, &Server::Unknown).unwrap();
        assert_eq!(waiting, Pick::cpu("WebGPU is still being built; the CPU trains until then"));
        let waiting = Pick::without_adapter(BackendChoice::Ndarray, &site, &Server::Unknown).unwrap();
        assert_eq!(waiting, Pick::cpu("burn-ndarray is still being built; the CPU trains until then"));
    }

    #[test]
    fn a_remembered_verdict_is_used_but_a_failed_one_is_retried_on_request() {
        let with = |choice, verdict| {
            Pick::with_adapter(choice, Ok(Adapter { name: "a".into(), software: false }), Some(verdict))
        };
        let check = Check { largest_difference: 1e-6, of: "loss".into(), tolerance: 1e-3, earlier: true };
        let passed = with(BackendChoice::Auto, Verdict::Passed(check));
        assert_eq!(passed.address(CpuProgram::Relaxed), "worker_webgpu&checked=1");
        let failed = || Verdict::Failed("it computed wrongly".into());
        assert_eq!(with(BackendChoice::Auto, failed()).engine, Engine::Cpu);
        assert_eq!(with(BackendChoice::Webgpu, failed()).address(CpuProgram::Plain), "worker_webgpu");
    }

    #[test]
    fn a_server_trains_only_once_the_visitor_lets_data_leave_the_tab() {
        let link: ServerLink =
            format!("http://localhost:3340/{}/{}", "ab".repeat(32), "cd".repeat(16)).parse().unwrap();
        let site = Site::of("cpu remote", "");
        let with = |site: &Site, server| Pick::without_adapter(BackendChoice::Remote, site, &server).unwrap();
        let allowed = with(&site, Server::Allowed(link.clone()));
        assert_eq!(allowed.engine, Engine::Remote(link.clone()));
        assert_eq!(
            (allowed.address(CpuProgram::Relaxed), allowed.worker_name()),
            ("worker_remote".into(), link.to_string())
        );
        assert_eq!(with(&Site::of("cpu", ""), Server::Allowed(link.clone())).engine, Engine::Cpu);
        for server in [Server::Unknown, Server::Refused(LinkError::Form), Server::Offered(link)] {
            let pick = with(&site, server);
            assert!(pick.engine == Engine::Cpu && pick.worker_name().is_empty());
        }
    }

    #[test]
    fn the_cpu_has_two_programs() {
        let addresses =
            [CpuProgram::Plain, CpuProgram::Relaxed].map(|program| Pick::cpu("you chose it").address(program));
        assert_eq!(addresses, ["worker_cpu", "worker_relaxed"]);
        assert!(Site::of("cpu files relaxed", "webgpu").relaxed && !Site::of("cpu files", "relaxed").relaxed);
    }
}
