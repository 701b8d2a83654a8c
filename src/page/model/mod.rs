//! Everything the page knows: plain data. Only `update` changes it.

pub mod asked;
pub mod camera;
pub mod course;
pub mod curve;
pub mod digits;
pub mod pad;
pub mod picture;

use std::borrow::Cow;

use inkling_core::{
    checkpoint::TrainerState,
    data::{DataShape, SharedDataset, handwriting::Handwriting, synthetic},
    history::RunHistory,
    image::Shape,
    language::translate,
    metrics::argmax,
    network::{Layers, Network},
    occlusion::Patch,
    protocol::{BackendInfo, BackendName, Explanation, FileTask, Look, Query, RunState, SharedNetwork, Specimen},
    say,
    settings::{DatasetName, SettingError, Settings},
    share,
    sketch::{Target, Unlike},
    summary::{RunSummary, SavedRun},
};

use self::{
    asked::{Asked, Awaited},
    camera::Camera,
    course::Course,
    digits::Digits,
    pad::SketchPad,
    picture::Picture,
};
use super::{
    msg::{Record, Section, Unread},
    worker::{CpuProgram, Pending, Server, WorkerId, WorkerState},
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
    /// The network that the controls took from a file of weights: said once the weights are there.
    pub network_from_file: Option<String>,
    /// Earlier networks of the controls, the last one at the end.
    pub earlier_networks: Vec<Layers>,
    /// The worker that trains.
    pub worker: WorkerState,
    /// The program that it runs on the CPU.
    pub cpu_program: CpuProgram,
    /// The server that may train for this tab.
    pub server: Server,
    /// Number of the newest worker.
    pub last_worker: WorkerId,
    /// What the run is waiting for.
    pub pending: Pending,
    /// The file worker.
    pub file_worker: FileWorker,
    /// What the file worker has said and got so far, as a count: if it stands still, the worker hangs.
    pub file_activity: u32,
    /// Weights that the session is to hand out.
    pub export: Asked<()>,
    /// The network as text for a link, or why it can't be shared.
    pub share: Asked<Result<SharedNetwork, String>>,
    /// The network in the page's link, until the visitor opens or discards it.
    pub linked: Option<LinkedNetwork>,
    /// Number of the last question.
    pub last_question: u32,
    /// Workers lost in a row that had done nothing.
    pub failures: u32,
    /// The sketch pad.
    pub pad: SketchPad,
    /// Seconds that a training pass spends in each layer.
    pub layer_times: Asked<Vec<f64>>,
    /// The images on show.
    pub browse: Browse,
    /// What the picture of the network shows.
    pub picture: Picture,
    /// What happens inside the network for the current image.
    pub inside: Inside,
    /// Why the network answers as it does.
    pub doctor: Doctor,
    /// The visitor's own digits.
    pub digits: Digits,
    /// The camera.
    pub camera: Camera,
    /// Runs that are over.
    pub history: RunHistory,
    /// Numbers of the two runs that are compared, where the visitor chose them.
    pub compared: [Option<u32>; 2],
    /// Names of the classes, if the visitor gave some.
    pub classes: Vec<String>,
    /// The visitor's own data set.
    pub data: OwnData,
    /// The epoch that the time machine shows; `None` is the present.
    pub epoch: Option<u32>,
    /// The run that is offered.
    pub kept: Option<Kept>,
    /// The offer that the run which is starting took the place of. It comes back if that run does not get to train.
    pub set_aside: Option<Kept>,
    /// Whether the run that the browser keeps is the one in `run`.
    pub stored: bool,
    /// The history of runs and the digits when the browser was last asked: what has been added since is this tab's own.
    pub read: (RunHistory, Handwriting),
    /// What the browser keeps but this page could not read. Nothing overwrites it.
    pub unread: Vec<(Record, Unread)>,
    /// Whether the browser is keeping the run.
    pub saving: Saving,
    /// How often this run has been kept.
    pub saves: u32,
    /// The lesson that the visitor takes.
    pub course: Option<Course>,
    /// The section that is open.
    pub open: Option<Section>,
    /// Whether the panels of sections are here.
    pub inspectors: Inspectors,
}

/// A network that came in the page's link.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkedNetwork {
    /// The settings in the link.
    pub settings: Settings,
    /// Its weights.
    pub weights: TrainerState,
    /// Share of the test images that it classifies correctly, as the link says.
    pub accuracy: f64,
}

/// A run that is offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The run.
    pub run: SavedRun,
    /// Whether it is the one that the browser keeps. Another one comes from a file.
    pub stored: bool,
}

/// The visitor's own data set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnData {
    /// The last one that was read. Every new worker gets it.
    pub set: Option<SharedDataset>,
    /// What a sketch becomes, to look like its images.
    pub target: Option<Result<Target, Unlike>>,
    /// Whether the browser keeps it for the next visit.
    pub kept: bool,
    /// Whether the file worker is reading another.
    pub reading: bool,
    /// What the file worker says about the files.
    pub note: String,
    /// What pictures become.
    pub look: Look,
}

/// Whether the browser is keeping the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Saving {
    /// It is not.
    #[default]
    Idle,
    /// It is; a newer checkpoint may be waiting.
    Busy {
        /// Whether a newer one is waiting.
        newer: bool,
    },
    /// It has just kept it, and rests: a long run is not written every few seconds.
    Resting {
        /// Whether a newer checkpoint is waiting.
        newer: bool,
    },
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

/// The panels of sections, which are fetched when a section first opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inspectors {
    /// Nobody has needed them, or they could not be fetched.
    #[default]
    Absent,
    /// They are being fetched.
    Fetching,
    /// They are here.
    Ready,
}

/// The images on show.
#[derive(Clone, Debug, Default)]
pub struct Browse {
    /// Which images.
    pub query: Query,
    /// The images, and how many match in all.
    pub found: Asked<(Vec<Specimen>, u32)>,
}

/// What happens inside the network for the current image.
#[derive(Clone, Debug, Default)]
pub struct Inside {
    /// Place of the layer on show.
    pub layer: usize,
    /// The image that was asked about, `[C, H, W]`; empty before the first.
    pub asked: Vec<u8>,
    /// The image that the explanation is of.
    pub explained: Vec<u8>,
    /// What happens inside the network.
    pub explanation: Asked<Explanation>,
}

/// Why the network answers as it does.
#[derive(Clone, Debug, Default)]
pub struct Doctor {
    /// The sketch, prepared in each way; or the image of the data set alone.
    pub images: Vec<Vec<u8>>,
    /// What was found about them.
    pub diagnosis: Asked<Diagnosis>,
}

/// What the network makes of an image and of changed copies: the probability of each class for each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnosis {
    /// The image, prepared in each way.
    pub prepared: Vec<Vec<f32>>,
    /// The image without each of its parts, as [`Patch::all`] lists them.
    pub without: Vec<Vec<f32>>,
    /// The training images that are nearest.
    pub nearest: Vec<Specimen>,
}

impl Diagnosis {
    /// The part that matters most, and what the network says without it: of those whose removal changes the answer, or else of all, the
    /// one whose removal makes the true class `label` most probable if the answer is wrong, and otherwise the answer least probable.
    pub fn decisive(&self, shape: Shape, label: Option<u8>) -> Option<(Patch, &[f32])> {
        let top = argmax(self.prepared.first()?);
        let parts = Patch::all(shape).into_iter().zip(self.without.iter().map(Vec::as_slice));
        let keeps = |then: &[f32]| argmax(then) == top;
        parts.min_by(|a, b| keeps(a.1).cmp(&keeps(b.1)).then(score(a.1, top, label).total_cmp(&score(b.1, top, label))))
    }
}

/// What speaks for the answer `top` in these probabilities: its own, or, where the true class `label` is another one, that one's with a
/// minus.
pub fn score(found: &[f32], top: usize, label: Option<u8>) -> f32 {
    match label.map(usize::from) {
        Some(label) if label != top => -found[label],
        _ => found[top],
    }
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
    /// A page with these settings, before anything has happened.
    pub fn new(settings: Settings) -> Self {
        Model {
            run: RunSummary::new(0, settings.clone(), BackendInfo::default(), None),
            settings,
            errors: Errors::default(),
            network_from_file: None,
            earlier_networks: Vec::new(),
            worker: WorkerState::Absent,
            cpu_program: CpuProgram::default(),
            server: Server::default(),
            last_worker: WorkerId::default(),
            pending: Pending::Nothing,
            file_worker: FileWorker::Absent,
            file_activity: 0,
            export: Asked::default(),
            share: Asked::default(),
            linked: None,
            last_question: 0,
            failures: 0,
            pad: SketchPad::default(),
            layer_times: Asked::default(),
            browse: Browse::default(),
            picture: Picture::default(),
            inside: Inside::default(),
            doctor: Doctor::default(),
            digits: Digits::default(),
            camera: Camera::default(),
            history: RunHistory::default(),
            compared: [None; 2],
            classes: Vec::new(),
            data: OwnData::default(),
            epoch: None,
            kept: None,
            set_aside: None,
            stored: false,
            read: Default::default(),
            unread: Vec::new(),
            saving: Saving::Idle,
            saves: 0,
            course: None,
            open: None,
            inspectors: Inspectors::default(),
        }
    }

    /// Takes the network in the page's link, which has the layers in the settings. What is wrong with it becomes a warning.
    pub fn take_link(&mut self, text: &str) {
        let net = self.settings.network(self.settings.dataset.shape(None)).map_err(|error| error.to_string());
        let read =
            net.and_then(|net| share::read(&net, text).map_err(|error| translate(&error.to_string()).to_string()));
        match read {
            Ok((weights, accuracy)) => {
                let (settings, weights) = (self.settings.clone(), TrainerState::new(0, &weights));
                self.linked = Some(LinkedNetwork { settings, weights, accuracy });
            }
            Err(words) => self.run.warnings.push(words),
        }
    }

    /// Whether something is awaited from the worker, so that its silence means something.
    pub fn awaits_worker(&self) -> bool {
        let run = &self.run;
        let works = matches!(run.state, RunState::Loading | RunState::Training) || run.fine_tuning.is_some();
        let measures = run.testing || run.robustness_left > 0 || run.survey.looking.is_some();
        works || measures || self.questions().iter().any(|asked| asked.is_waiting()) || self.pending == Pending::Stop
    }

    /// The settings with a batch that keeps all workers busy, if theirs does not: the workers that the visitor chose, or those that the last
    /// run found.
    pub fn scaled(&self) -> Option<Settings> {
        let Settings { replicas, .. } = self.settings;
        let found = self.run.progress.map_or(0, |progress| progress.workers);
        let shares = self.run.backend.name == Some(BackendName::Cpu);
        self.settings.for_workers(if replicas == 0 { found } else { replicas }).filter(|_| shares)
    }

    /// All questions to the worker.
    pub fn questions(&self) -> [&dyn Awaited; 10] {
        let Model { pad, layer_times, browse, picture, inside, doctor, digits, camera, export, share, .. } = self;
        [
            &pad.prediction,
            layer_times,
            &browse.found,
            &picture.batch,
            &inside.explanation,
            &doctor.diagnosis,
            &digits.read,
            &camera.prediction,
            export,
            share,
        ]
    }

    /// All questions to the worker.
    pub fn questions_mut(&mut self) -> [&mut dyn Awaited; 10] {
        let Model { pad, layer_times, browse, picture, inside, doctor, digits, camera, export, share, .. } = self;
        [
            &mut pad.prediction,
            layer_times,
            &mut browse.found,
            &mut picture.batch,
            &mut inside.explanation,
            &mut doctor.diagnosis,
            &mut digits.read,
            &mut camera.prediction,
            export,
            share,
        ]
    }

    /// Whether there is a network to ask.
    pub fn has_network(&self) -> bool {
        let trained = self.run.progress.is_some_and(|progress| progress.step > 0) || self.run.imported;
        trained && self.worker.is_ready() && self.run.state != RunState::Failed
    }

    /// Names of the classes of the current run: the visitor's own, or those of the data set; empty if they are numbers.
    pub fn class_names(&self) -> Cow<'_, [String]> {
        let dataset = self.run.settings.dataset;
        let given = self.classes.iter().any(|name| !name.is_empty());
        match (&self.run.dataset, &self.data.set) {
            _ if dataset == DatasetName::Own && given => Cow::Borrowed(&self.classes),
            (Some(data), _) => Cow::Borrowed(&data.loaded.names),
            (None, Some(data)) if dataset == DatasetName::Own => Cow::Borrowed(&data.names),
            _ => Cow::Owned(synthetic::names(dataset)),
        }
    }

    /// The name of a class: see [`Model::class_names`].
    pub fn class(&self, class: u8) -> String {
        let names = self.class_names();
        names.get(usize::from(class)).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| class.to_string())
    }

    /// Shape of the visitor's own data set, if there is one.
    pub fn own_shape(&self) -> Option<DataShape> {
        self.data.set.as_ref().map(|data| data.shape)
    }

    /// What a sketch becomes, to look like the images of the current run.
    pub fn target(&self) -> Result<Target, Unlike> {
        let own = self.run.settings.dataset == DatasetName::Own && self.own_shape() == Some(self.run.data);
        let like_own = self.data.target.filter(|_| own);
        like_own.unwrap_or_else(|| Target::like_mnist(self.run.data.image()))
    }

    /// The network of the settings in the controls, for the data set that is chosen there.
    ///
    /// # Errors
    /// A layer that does not fit.
    pub fn network(&self) -> Result<Network, SettingError> {
        self.network_of(&self.settings)
    }

    /// Why the network of these settings does not fit their data set, if it does not and the data set is known.
    pub fn misfit(&self, settings: &Settings) -> Option<SettingError> {
        let known = settings.dataset != DatasetName::Own || self.data.set.is_some();
        self.network_of(settings).err().filter(|_| known)
    }

    /// The network of other settings.
    ///
    /// # Errors
    /// A layer that does not fit.
    pub fn network_of(&self, settings: &Settings) -> Result<Network, SettingError> {
        settings.network(settings.dataset.shape(self.own_shape()))
    }

    /// Whether the current network sees images like the visitor's digits.
    pub fn sees_digits(&self) -> bool {
        self.run.data == DataShape::DIGITS
    }

    /// The name of a class with its article: `a 7`, `an 8`, `an Ankle boot`.
    pub fn a_class(&self, class: u8) -> String {
        let name = self.class(class);
        let vowel = match name.chars().count() {
            // A letter is spoken by its name: an F, a U.
            1 => name.starts_with(['8', 'A', 'E', 'F', 'H', 'I', 'L', 'M', 'N', 'O', 'R', 'S', 'X']),
            _ => name.starts_with(['8', 'a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']),
        };
        if vowel { say!("an {}", name) } else { say!("a {}", name) }
    }

    /// Whether a section is open.
    pub fn is_open(&self, section: Section) -> bool {
        self.open == Some(section)
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
        model.classes = ["Trouser", "Ankle boot", "F", "U"].map(String::from).into();
        let spoken = ["a Trouser", "an Ankle boot", "an F", "a U", "a 7", "an 8"];
        assert_eq!([0, 1, 2, 3, 7, 8].map(|class| model.a_class(class)), spoken);
    }
}
