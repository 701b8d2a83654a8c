//! What is done when a worker is lost under a run: it goes on from its last checkpoint, first with a fresh worker of the
//! same backend, then on the CPU.

use serde::{Deserialize, Serialize};

/// A worker that was lost under a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The backend that was lost: `webgpu`, `cpu` or `ndarray`.
    pub backend: String,
    /// Why, in words.
    pub reason: String,
    /// Steps that were done then.
    pub step: u32,
    /// Steps of the checkpoint that the run went on from; 0 is the beginning.
    pub from: u32,
    /// What was done.
    pub remedy: Remedy,
}

/// What is done about an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Remedy {
    /// Once more with a fresh worker of the same backend.
    Again,
    /// On with the CPU.
    Cpu,
    /// Nothing: the run has failed.
    None,
}

impl Remedy {
    /// For a worker of `backend`, after what this run has seen `before`.
    pub fn after(before: &[Incident], backend: &str) -> Self {
        let seen = before.iter().any(|incident| incident.backend == backend);
        match (seen, backend) {
            (false, _) => Remedy::Again,
            (true, "cpu") => Remedy::None,
            (true, _) => Remedy::Cpu,
        }
    }
}

impl Incident {
    /// The incident as a sentence of the page.
    pub fn sentence(&self) -> String {
        let Incident { reason, step, from, .. } = self;
        let place = if *from == 0 { "the beginning".into() } else { format!("step {from}") };
        match self.remedy {
            Remedy::Again => {
                format!("The worker was lost at step {step} ({reason}). A fresh one went on from {place}.")
            }
            Remedy::Cpu => {
                format!("The worker was lost again at step {step} ({reason}). The CPU went on from {place}.")
            }
            Remedy::None => {
                format!("The worker was lost again at step {step} ({reason}). Press Train to start anew.")
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
        let story: Vec<Remedy> = ["webgpu", "webgpu", "cpu", "cpu"]
            .map(|backend| {
                let remedy = Remedy::after(&seen, backend);
                let reason = "it went".to_string();
                seen.push(Incident { backend: backend.into(), reason, step: 9, from: 5, remedy });
                remedy
            })
            .into();
        assert_eq!(story, [Remedy::Again, Remedy::Cpu, Remedy::Again, Remedy::None]);
        assert_eq!(seen[0].sentence(), "The worker was lost at step 9 (it went). A fresh one went on from step 5.");
    }
}
