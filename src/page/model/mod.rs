//! Everything the page knows: plain data. Only `update` changes it.

pub mod asked;
pub mod curve;
pub mod digits;
pub mod pad;

use inkling_core::{
    data::NamedFile,
    history::RunHistory,
    protocol::{BackendInfo, Explanation, FileTask, Query, RunState, Specimen},
    settings::{DatasetName, Settings},
    summary::{RunSummary, SavedRun},
};

use self::{asked::Asked, digits::Digits, pad::SketchPad};
use super::{
    msg::Section,
    worker::{Pending, WorkerId, WorkerState},
};

/// Everything the page knows. What it knows of a run is folded from the worker's events.
#[derive(Clone, Debug)]
pub struct Model {
    /// The run.
    pub run: RunSummary,
    /// The settings in the controls, for the next run.
    pub settings: Settings,
    /// What is wrong with a control, by the name of its setting.
    pub errors: Errors,
    /// The worker that trains.
    pub worker: WorkerState,
    /// Number of the newest worker.
    pub last_worker: WorkerId,
    /// What the run is waiting for.
    pub pending: Pending,
    /// The file worker.
    pub file_worker: FileWorker,
    /// The sketch pad.
    pub pad: SketchPad,
    /// The images on show.
    pub browse: Browse,
    /// The image for which the network is explained.
    pub inside: Inside,
    /// What the sketch doctor says.
    pub doctor: Doctor,
    /// The visitor's own digits.
    pub digits: Digits,
    /// Runs that are over.
    pub history: RunHistory,
    /// Numbers of the two runs that are compared, where the visitor chose them.
    pub compared: [Option<u32>; 2],
    /// Names of the classes, if the visitor gave some.
    pub classes: Vec<String>,
    /// The visitor's own data set.
    pub data: OwnData,
    /// What the worker says about these files.
    pub data_note: String,
    /// The epoch that the time machine shows; `None` is the present.
    pub epoch: Option<u32>,
    /// The run that the browser kept, while it is offered.
    pub kept: Option<SavedRun>,
    /// Whether the browser is keeping the run.
    pub saving: Saving,
    /// Sections that are open.
    pub open: [bool; Section::ALL.len()],
}

/// The visitor's own data set, which every new worker gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OwnData {
    /// There is none.
    #[default]
    None,
    /// The worker has not yet said whether it can use these files.
    Offered(Vec<NamedFile>),
    /// A worker has accepted these files.
    Accepted(Vec<NamedFile>),
}

/// Whether the browser is keeping the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Saving {
    /// It is not.
    #[default]
    Idle,
    /// It is.
    Busy,
    /// It is, and a newer checkpoint is waiting.
    Outdated,
}

/// The file worker, which ends when it has nothing left to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum FileWorker {
    /// There is none.
    #[default]
    Absent,
    /// It is starting, and these tasks are waiting.
    Starting(Vec<FileTask>),
    /// It is working on this many tasks.
    Busy(usize),
}

/// The images on show.
#[derive(Clone, Debug, Default)]
pub struct Browse {
    /// Which images.
    pub query: Query,
    /// The images, and how many match in all.
    pub found: Asked<(Vec<Specimen>, u32)>,
}

/// The image for which the network is explained.
#[derive(Clone, Debug, Default)]
pub struct Inside {
    /// What the image is.
    pub caption: String,
    /// `[28, 28]`; empty before the first image.
    pub pixels: Vec<u8>,
    /// What happens inside the network.
    pub explanation: Asked<Explanation>,
}

/// What the sketch doctor says.
#[derive(Clone, Debug, Default)]
pub struct Doctor {
    /// The sketch, prepared in each way.
    pub images: Vec<Vec<u8>>,
    /// What the network makes of each image, and the nearest training images.
    pub diagnosis: Asked<(Vec<Vec<f32>>, Vec<Specimen>)>,
}

/// What is wrong with the controls: a sentence for each, by the name of its setting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Errors(Vec<(&'static str, String)>);

impl Errors {
    /// What is wrong with this control.
    pub fn get(&self, key: &str) -> Option<&String> {
        self.0.iter().find(|error| error.0 == key).map(|error| &error.1)
    }

    /// Records what is wrong with this control.
    pub fn insert(&mut self, key: &'static str, words: String) {
        self.remove(key);
        self.0.push((key, words));
    }

    /// Clears the error of this control.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|error| error.0 != key);
    }

    /// Clears all errors.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Model {
    /// Opens or closes a section. Returns whether that changes anything.
    pub fn set_open(&mut self, section: Section, open: bool) -> bool {
        std::mem::replace(&mut self.open[section as usize], open) != open
    }

    /// A page with these settings, before anything has happened.
    pub fn new(settings: Settings) -> Self {
        Model {
            run: RunSummary::new(0, settings.clone(), BackendInfo::default()),
            settings,
            errors: Errors::default(),
            worker: WorkerState::Absent,
            last_worker: WorkerId::default(),
            pending: Pending::Nothing,
            file_worker: FileWorker::Absent,
            pad: SketchPad::default(),
            browse: Browse::default(),
            inside: Inside::default(),
            doctor: Doctor::default(),
            digits: Digits::default(),
            history: RunHistory::default(),
            compared: [None; 2],
            classes: Vec::new(),
            data: OwnData::None,
            data_note: String::new(),
            epoch: None,
            kept: None,
            saving: Saving::Idle,
            open: [false; Section::ALL.len()],
        }
    }

    /// Whether there is a network to ask.
    pub fn has_network(&self) -> bool {
        let trained = self.run.progress.is_some_and(|progress| progress.step > 0) || self.run.imported;
        trained && self.worker.is_ready() && self.run.state != RunState::Failed
    }

    /// The name of a class: the visitor's, or its digit.
    pub fn class(&self, class: u8) -> String {
        let name = self.classes.get(usize::from(class)).filter(|name| !name.is_empty());
        name.filter(|_| self.run.settings.dataset == DatasetName::Own).cloned().unwrap_or_else(|| class.to_string())
    }

    /// The name of a class with its article: `a 7`, `an 8`, `an Ankle boot`.
    pub fn a_class(&self, class: u8) -> String {
        let name = self.class(class);
        let vowel = name.starts_with(['8', 'a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']);
        format!("{} {name}", if vowel { "an" } else { "a" })
    }

    /// Whether a section is open.
    pub fn is_open(&self, section: Section) -> bool {
        self.open[section as usize]
    }

    /// The numbers of the two runs to compare: the visitor's choice, or the last two.
    pub fn pair(&self) -> Option<[u32; 2]> {
        let runs = &self.history.runs;
        let last = runs.len().checked_sub(2)?;
        let exists = |number: &u32| self.history.get(*number).is_some();
        let choice = |place: usize| self.compared[place].filter(exists).unwrap_or(runs[last + place].number);
        Some([choice(0), choice(1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_the_article_that_is_spoken() {
        let mut model = Model::new(Settings { dataset: DatasetName::Own, ..Settings::default() });
        model.classes = ["Trouser", "Ankle boot"].map(String::from).into();
        assert_eq!([0, 1, 7, 8].map(|class| model.a_class(class)), ["a Trouser", "an Ankle boot", "a 7", "an 8"]);
    }
}
