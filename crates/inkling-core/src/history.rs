//! The history of finished runs, for comparison side by side.

use serde::{Deserialize, Serialize};

use crate::{
    compare::McNemar,
    network::{DataShape, Network},
    protocol::{BackendName, EpochRecord, RobustnessPoint, TestResult},
    say,
    settings::{DatasetName, FIELDS, Settings},
    summary::RunSummary,
};

/// Maximum number of runs in the history; a new run then replaces the oldest.
pub(crate) const MAX_RUNS: usize = 8;

/// Maximum number of characters in a run's name.
pub(crate) const MAX_NAME: usize = 40;

/// A finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastRun {
    /// Its name, which the visitor may change.
    pub name: String,
    /// Its number, which no other run ever has; 0 in a history of an earlier version.
    #[serde(default)]
    pub number: u32,
    /// Index of its colour, which never changes.
    pub colour: usize,
    /// Settings of the run.
    pub settings: Settings,
    /// Its images and classes; unknown in a history of an earlier version.
    #[serde(default)]
    pub data: Option<DataShape>,
    /// The backend that it finished on.
    pub backend: Option<BackendName>,
    /// One record per epoch.
    pub history: Vec<EpochRecord>,
    /// Its score on the test set.
    pub test: Option<TestResult>,
    /// Its accuracy on rotated, shifted and zoomed images.
    pub robustness: Vec<RobustnessPoint>,
}

impl PastRun {
    /// Its network, if its data set is known.
    pub fn network(&self) -> Option<Network> {
        let dataset = self.settings.dataset;
        let ready_made = (dataset != DatasetName::Own).then(|| dataset.shape(None));
        self.settings.network(self.data.or(ready_made)?).ok()
    }
}

/// Finished runs, in the order in which they finished.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunHistory {
    /// The runs, oldest first.
    pub runs: Vec<PastRun>,
    /// Number of runs ever added, from which new runs get their names.
    count: u32,
}

impl RunHistory {
    /// Adds a finished run, if it has at least one epoch. A run that is already here with the same epochs, for example
    /// because it was only resumed, is updated instead.
    pub fn add(&mut self, run: &RunSummary) {
        if run.history.is_empty() || self.update(run) {
            return;
        }
        self.count += 1;
        self.make_room();
        let colour = self.free_colour();
        self.runs.push(PastRun {
            name: format!("Run {}", self.count),
            number: self.count,
            colour,
            settings: run.settings.clone(),
            data: Some(run.data),
            backend: run.backend.name,
            history: run.history.clone(),
            test: run.test.clone(),
            robustness: run.robustness.clone(),
        });
    }

    /// Updates the results of a run that is already here; returns false if it is not here. Results of a network that
    /// was fine-tuned later do not belong to the run and are ignored.
    pub fn update(&mut self, run: &RunSummary) -> bool {
        let Some(known) = self.runs.iter_mut().find(|known| known.history == run.history) else { return false };
        if run.fine_tuned.is_none() {
            (known.test, known.robustness) = (run.test.clone(), run.robustness.clone());
        }
        true
    }

    /// The same history with a number for each run, wherever it comes from.
    pub fn numbered(mut self) -> Self {
        if self.runs.iter().any(|run| run.number == 0) {
            self.runs.iter_mut().zip(1..).for_each(|(run, number)| run.number = number);
            self.count = self.count.max(self.runs.len() as u32);
        }
        self
    }

    /// Number of runs ever added.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Three-way merge: applies the changes between `base` and `other` to these runs: removals, new names and scores, and additions,
    /// which get new numbers; the oldest runs make room.
    pub fn merged(mut self, other: &RunHistory, base: &RunHistory) -> Self {
        self.runs.retain(|run| base.find(run).is_none() || other.find(run).is_some());
        for run in &mut self.runs {
            let (Some(before), Some(now)) = (base.find(run), other.find(run)) else { continue };
            if before.name != now.name {
                run.name.clone_from(&now.name);
            }
            if before.test != now.test {
                run.test.clone_from(&now.test);
            }
            if before.robustness != now.robustness {
                run.robustness.clone_from(&now.robustness);
            }
        }
        for run in &other.runs {
            if self.find(run).is_none() && base.find(run).is_none() {
                self.count += 1;
                self.make_room();
                let colour = self.free_colour();
                self.runs.push(PastRun { number: self.count, colour, ..run.clone() });
            }
        }
        self
    }

    /// The same run here: its epochs tell, because names and scores may change.
    fn find(&self, run: &PastRun) -> Option<&PastRun> {
        self.runs.iter().find(|known| known.history == run.history)
    }

    fn make_room(&mut self) {
        if self.runs.len() == MAX_RUNS {
            self.runs.remove(0);
        }
    }

    fn free_colour(&self) -> usize {
        (0..MAX_RUNS).find(|&colour| self.runs.iter().all(|run| run.colour != colour)).unwrap_or_default()
    }

    /// Removes the run with this number.
    pub fn remove(&mut self, number: u32) {
        self.runs.retain(|run| run.number != number);
    }

    /// The run with this number.
    pub fn get(&self, number: u32) -> Option<&PastRun> {
        self.runs.iter().find(|run| run.number == number)
    }

    /// Renames the run with this number. An empty name changes nothing; a long name is cut off.
    pub fn rename(&mut self, number: u32, name: &str) {
        let name = name.trim();
        let run = self.runs.iter_mut().find(|run| run.number == number);
        if let Some(run) = run.filter(|_| !name.is_empty()) {
            run.name = name.chars().take(MAX_NAME).collect();
        }
    }

    /// Key and label of each setting that differs between runs.
    pub fn differing(&self) -> Vec<(&'static str, &'static str)> {
        let differs =
            |key: &str| self.runs.windows(2).any(|pair| pair[0].settings.get(key) != pair[1].settings.get(key));
        FIELDS.iter().filter(|field| differs(field.key)).map(|field| (field.key, field.label)).collect()
    }

    /// A sentence that says which of the two runs with these numbers is better.
    pub fn compare(&self, first: u32, second: u32) -> String {
        let (Some(first), Some(second)) = (self.get(first), self.get(second)) else {
            return String::new();
        };
        let (Some(a), Some(b)) = (&first.test, &second.test) else {
            return say!("Both runs must be scored on the test set first.").into();
        };
        let same_data = first.settings.dataset == second.settings.dataset && a.right.len() == b.right.len();
        match McNemar::test(&a.right, &b.right).filter(|_| same_data) {
            Some(test) => test.sentence(&first.name, &second.name),
            None => say!("These runs were scored on different test sets.").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metrics::Parts, protocol::BackendInfo};

    fn over(seed: u32) -> RunSummary {
        let settings = Settings { seed, ..Settings::default() };
        let mut run = RunSummary::new(1, settings, BackendInfo::default(), None);
        run.history.push(EpochRecord {
            epoch: 1,
            step: 9,
            train_loss: 1.0,
            train_accuracy: 0.5,
            validation_loss: 1.0,
            validation_accuracy: 0.5,
            averaged: None,
            images_per_second: 1.0,
            seconds: f64::from(seed),
            parts: Parts::default(),
        });
        run
    }

    #[test]
    fn the_history_keeps_the_newest_runs_with_their_names_and_colours() {
        let mut history = RunHistory::default();
        history.add(&RunSummary::new(1, Settings::default(), BackendInfo::default(), None));
        assert!(history.runs.is_empty(), "a run without an epoch has nothing to show");
        (0..MAX_RUNS as u32 + 2).for_each(|seed| history.add(&over(seed)));
        assert_eq!(history.runs.len(), MAX_RUNS);
        history.add(&over(4));
        assert_eq!((history.runs.len(), history.runs.last().unwrap().settings.seed), (MAX_RUNS, MAX_RUNS as u32 + 1));
        assert_eq!(history.runs[0].name, "Run 3");
        let (first, colour) = (history.runs[0].number, history.runs[1].colour);
        history.rename(first, "  mine ");
        history.rename(first, " ");
        assert_eq!(history.runs[0].name, "mine");
        history.remove(first);
        history.remove(99);
        assert_eq!((history.runs.len(), history.runs[0].colour), (MAX_RUNS - 1, colour));
        let mut colours: Vec<_> = history.runs.iter().map(|run| run.colour).collect();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), MAX_RUNS - 1, "two runs have the same colour");
        assert_eq!(history.differing(), [("seed", "Seed")]);
        assert_eq!(history.runs[0].network(), Some(Network::default()));
        assert!(history.compare(history.runs[0].number, history.runs[1].number).contains("must be scored"));
    }

    #[test]
    fn a_history_of_an_earlier_version_gets_a_number_for_each_run() {
        let mut history = RunHistory::default();
        (0..3).for_each(|seed| history.add(&over(seed)));
        history.runs.iter_mut().for_each(|run| run.number = 0);
        let mut history = history.numbered();
        history.add(&over(7));
        let numbers: Vec<u32> = history.runs.iter().map(|run| run.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        // It did not say what the images looked like.
        let (digits, own) = (&mut history.runs[0].clone(), &mut history.runs[1]);
        (digits.data, own.data, own.settings.dataset) = (None, None, DatasetName::Own);
        assert_eq!((digits.network(), own.network()), (Some(Network::default()), None));
    }
}
