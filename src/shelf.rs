//! Runs that are over, side by side.

use serde::{Deserialize, Serialize};

use crate::{
    compare::McNemar,
    protocol::{EpochRecord, Robust, TestResult},
    settings::{FIELDS, Settings},
    summary::RunSummary,
};

/// The most runs that stand on the shelf; the oldest makes room.
const ROOM: usize = 8;

/// A run that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShelvedRun {
    /// What the visitor calls it.
    pub name: String,
    /// Its place among the colours, which it keeps.
    pub colour: usize,
    /// Its settings.
    pub settings: Settings,
    /// `webgpu`, `cpu` or `ndarray`.
    pub backend: String,
    /// Its epochs.
    pub history: Vec<EpochRecord>,
    /// Its score.
    pub test: Option<TestResult>,
    /// Its accuracy on moved images.
    pub robustness: Vec<Robust>,
}

/// The runs, in the order in which they ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shelf {
    /// The runs.
    pub runs: Vec<ShelvedRun>,
    /// Runs that were ever put here, for the names.
    count: u32,
}

impl Shelf {
    /// Puts a run here once it is over, if it has an epoch to show. One that stands here already, and was only gone on with,
    /// is the same.
    pub fn add(&mut self, run: &RunSummary) {
        if run.history.is_empty() || self.update(run) {
            return;
        }
        self.count += 1;
        if self.runs.len() == ROOM {
            self.runs.remove(0);
        }
        let free = (0..ROOM).find(|&colour| self.runs.iter().all(|run| run.colour != colour));
        self.runs.push(ShelvedRun {
            name: format!("Run {}", self.count),
            colour: free.unwrap_or_default(),
            settings: run.settings.clone(),
            backend: run.backend.name.clone(),
            history: run.history.clone(),
            test: run.test.clone(),
            robustness: run.robustness.clone(),
        });
    }

    /// What was learned of a run after it was put here; false if it is not here. What its network was taught later is not the
    /// run's.
    pub fn update(&mut self, run: &RunSummary) -> bool {
        let Some(known) = self.runs.iter_mut().find(|known| known.history == run.history) else { return false };
        if run.fine_tuned.is_none() {
            (known.test, known.robustness) = (run.test.clone(), run.robustness.clone());
        }
        true
    }

    /// Takes a run away.
    pub fn remove(&mut self, place: usize) {
        if place < self.runs.len() {
            self.runs.remove(place);
        }
    }

    /// Gives a run another name; an empty one changes nothing.
    pub fn rename(&mut self, place: usize, name: &str) {
        let name = name.trim();
        if let Some(run) = self.runs.get_mut(place).filter(|_| !name.is_empty()) {
            run.name = name.chars().take(40).collect();
        }
    }

    /// The settings that are not the same in all runs, each with its label.
    pub fn differing(&self) -> Vec<(&'static str, &'static str)> {
        let differs =
            |key: &str| self.runs.windows(2).any(|pair| pair[0].settings.get(key) != pair[1].settings.get(key));
        FIELDS.iter().filter(|field| differs(field.key)).map(|field| (field.key, field.label)).collect()
    }

    /// Which of two runs is better, in words.
    pub fn compare(&self, first: usize, second: usize) -> String {
        let (Some(first), Some(second)) = (self.runs.get(first), self.runs.get(second)) else {
            return String::new();
        };
        let (Some(a), Some(b)) = (&first.test, &second.test) else {
            return "Both runs must have scored the test set.".into();
        };
        let same_data = first.settings.dataset == second.settings.dataset && a.right.len() == b.right.len();
        match McNemar::test(&a.right, &b.right).filter(|_| same_data) {
            Some(test) => test.sentence(&first.name, &second.name),
            None => "These runs were scored on different test sets.".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metrics::Parts, protocol::BackendInfo};

    fn over(seed: u32) -> RunSummary {
        let settings = Settings { seed, ..Settings::default() };
        let mut run = RunSummary::new(1, settings, BackendInfo::default());
        run.history.push(EpochRecord {
            epoch: 1,
            step: 9,
            train_loss: 1.0,
            train_accuracy: 0.5,
            validation_loss: 1.0,
            validation_accuracy: 0.5,
            images_per_second: 1.0,
            seconds: f64::from(seed),
            parts: Parts::default(),
        });
        run
    }

    #[test]
    fn it_holds_the_newest_and_each_keeps_its_name_and_colour() {
        let mut shelf = Shelf::default();
        shelf.add(&RunSummary::new(1, Settings::default(), BackendInfo::default()));
        assert!(shelf.runs.is_empty(), "a run without an epoch has nothing to show");
        (0..ROOM as u32 + 2).for_each(|seed| shelf.add(&over(seed)));
        assert_eq!(shelf.runs.len(), ROOM);
        shelf.add(&over(4));
        assert_eq!((shelf.runs.len(), shelf.runs.last().unwrap().settings.seed), (ROOM, ROOM as u32 + 1));
        assert_eq!(shelf.runs[0].name, "Run 3");
        shelf.rename(0, "  mine ");
        shelf.rename(0, " ");
        let colour = shelf.runs[1].colour;
        shelf.remove(0);
        shelf.remove(99);
        assert_eq!((shelf.runs.len(), shelf.runs[0].colour), (ROOM - 1, colour));
        let mut colours: Vec<_> = shelf.runs.iter().map(|run| run.colour).collect();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), ROOM - 1, "two runs have the same colour");
        assert_eq!(shelf.differing(), [("seed", "Seed")]);
        assert!(shelf.compare(0, 1).contains("must have scored"));
    }
}
