//! Recovery when a run loses its worker: the run resumes from its last checkpoint, first with a fresh worker of the
//! same backend, then on the CPU.

use crate::{language::translate, say};
use serde::{Deserialize, Serialize};

use crate::protocol::BackendName;

/// The loss of a worker during a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Backend of the lost worker.
    pub backend: BackendName,
    /// Why the worker was lost, in words.
    pub reason: String,
    /// Number of steps completed by then.
    pub step: u32,
    /// Step of the checkpoint that the run resumed from; 0 is the beginning.
    pub from: u32,
    /// How the run was recovered.
    pub remedy: Remedy,
}

/// How a run recovers from an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Remedy {
    /// Resume with a fresh worker of the same backend.
    Again,
    /// Resume on the CPU.
    Cpu,
    /// Give up: the run has failed.
    None,
}

impl Remedy {
    /// The remedy for the loss of a worker of `backend`, given the incidents `before` it in this run.
    pub fn after(before: &[Incident], backend: BackendName) -> Self {
        let seen = before.iter().any(|incident| incident.backend == backend);
        match (seen, backend) {
            (false, _) => Remedy::Again,
            (true, BackendName::Cpu) => Remedy::None,
            (true, _) => Remedy::Cpu,
        }
    }
}

impl Incident {
    /// The incident as a sentence for the page.
    pub fn sentence(&self) -> String {
        let Incident { reason, step, from, .. } = self;
        let reason = translate(reason); // a record keeps it in English
        let resumed = if *from == 0 {
            say!("started again from the beginning").into()
        } else {
            say!("resumed from step {}", from)
        };
        match self.remedy {
            Remedy::Again => {
                say!("The worker was lost at step {} ({}). A fresh worker {}.", step, reason, resumed)
            }
            Remedy::Cpu => {
                say!("The worker was lost again at step {} ({}). The CPU {}.", step, reason, resumed)
            }
            Remedy::None => {
                let way_out = if *from == 0 { say!("Press Train") } else { say!("Resume the run, or press Train") };
                say!("The worker was lost again at step {} ({}). {} for a new run.", step, reason, way_out)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_gets_a_second_chance_then_the_cpu_then_nothing() {
        let mut seen = Vec::new();
        let story: Vec<Remedy> = [BackendName::Webgpu, BackendName::Webgpu, BackendName::Cpu, BackendName::Cpu]
            .map(|backend| {
                let remedy = Remedy::after(&seen, backend);
                let reason = "it went".to_string();
                seen.push(Incident { backend, reason, step: 9, from: 5, remedy });
                remedy
            })
            .into();
        assert_eq!(story, [Remedy::Again, Remedy::Cpu, Remedy::Again, Remedy::None]);
        assert_eq!(seen[0].sentence(), "The worker was lost at step 9 (it went). A fresh worker resumed from step 5.");
    }
}
