//! Everything that can happen to the page.

use inkling_core::{
    charts::Scheme,
    data::{KeptData, NamedFile, handwriting::Handwriting},
    history::RunHistory,
    lesson::Lesson,
    message,
    network::Edit,
    protocol::{Envelope, FileEvent, Format, Language, Look, Query},
    remote::ServerLink,
    say,
    settings::Preset,
    summary::SavedRun,
};

use super::{
    model::picture::Input,
    worker::{Pick, WorkerId},
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Msg {
    /// The visitor used the controls.
    Control(ControlMsg),
    /// The visitor used the sketch pad.
    Pad(PadMsg),
    /// The visitor looked at images, the network or the history.
    Workbench(WorkbenchMsg),
    /// The visitor used the camera, or it did something.
    Camera(CameraMsg),
    /// The visitor saved or opened something.
    File(FileMsg),
    /// The visitor takes a lesson.
    Lesson(LessonMsg),
    /// The worker of this number did something.
    Worker(WorkerId, WorkerMsg),
    /// The file worker did something.
    FileWorker(FromWorker<FileEvent>),
    /// The file worker should have done something since its activity was this.
    FileWorkerDue(u32),
    /// What an earlier visit left in the browser.
    Found(Found),
    /// The browser has kept the run, or reports why it could not.
    RunSaved(Result<(), String>),
    /// The browser could not keep this record, for this reason.
    NotKept(Record, String),
    /// Time to keep the run again.
    SaveDue,
    /// The page is being hidden or left.
    Leaving,
    /// The visitor is back.
    Returned,
    /// The visitor wants to close the open section.
    Close,
    /// A message for the visitor.
    Warn(String),
    /// A section was opened or closed.
    Toggled(Section, bool),
    /// The inspectors have arrived, or can't be fetched.
    InspectorsFetched(bool),
    /// The inspectors should have arrived by now.
    InspectorsDue,
    /// The page looks different: another size or colour scheme.
    Resized,
    /// The visitor's preference for reduced motion has changed.
    Motion {
        /// Whether the visitor prefers reduced motion.
        reduced: bool,
    },
}

/// What the visitor does with the controls.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlMsg {
    /// Train with the texts of all controls.
    Train(Vec<(&'static str, String)>),
    /// Pause the run.
    Pause,
    /// Go on after a pause.
    Resume,
    /// While paused: one step.
    Step,
    /// End the run.
    Stop,
    /// End the run and forget it.
    Reset,
    /// Score the test set.
    Test,
    /// The text of a control is changing.
    Typing(&'static str, String),
    /// The text of a control has changed.
    Changed(&'static str, String),
    /// A slider moves.
    Sliding(&'static str, String),
    /// Use a preset.
    Choose(Preset),
    /// Use a batch and a learning rate that keep all workers busy.
    Scale,
    /// Change a layer of the network.
    Edit(Edit),
    /// Undo the last change of the network.
    UndoEdit,
    /// Continue the run that the browser kept.
    ResumeKept,
    /// Forget the run that the browser kept.
    ForgetKept,
    /// Train on the server with this link, if the visitor then lets data leave the tab.
    NameServer(String),
    /// Let data leave the tab for the server with this link, which was offered.
    AllowServer(ServerLink),
    /// Train in this tab, not on the server.
    StayInTab,
    /// Offer the network in this fragment of a link.
    TakeLink(String),
    /// Open the network in the page's link.
    OpenLinked,
    /// Forget the network in the page's link.
    ForgetLinked,
    /// Save the record that can't be read as a file.
    SaveUnreadable(Record),
    /// Forget the record that can't be read.
    ForgetUnreadable(Record),
}

/// What the visitor does on the sketch pad. Points are in pad coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMsg {
    /// A pointer touches the pad.
    Down(i32, (f32, f32)),
    /// A pointer moves while it touches the pad.
    Move(i32, (f32, f32)),
    /// A pointer leaves.
    Up(i32),
    /// A key moves or lifts the pen.
    Key(Stroke),
    /// The keyboard has left the pad.
    Blur,
    /// Undo the last stroke.
    Undo,
    /// Clear the pad.
    Clear,
}

/// What a key does to the pen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stroke {
    /// Moves it by steps of the grid, to the right and down.
    Move(f32, f32),
    /// Puts it down, or lifts it.
    Pen,
}

/// What the visitor does in the workbench.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkbenchMsg {
    /// Show these images.
    Browse(Query),
    /// Show the images of one cell of the confusion matrix.
    ShowCell {
        /// The true class.
        label: u8,
        /// The predicted class.
        predicted: u8,
    },
    /// Show the next or the previous images.
    Turn {
        /// The next ones.
        forward: bool,
    },
    /// Show what happens inside the network for the image at this place.
    Inspect(usize),
    /// Send another image through the network.
    ChooseInput(Input),
    /// Send the image at this place of the batch through the network.
    LookAt(usize),
    /// Send the next image of the batch through the network.
    LookAtAnother,
    /// Keep the visitor's own images in the browser, or no longer.
    KeepData(bool),
    /// Show the layer at this place in the section that looks inside the network.
    ShowLayer(usize),
    /// The same, and go there.
    LookInside(usize),
    /// Measure how long each layer takes.
    TimeLayers,
    /// Show the network after this epoch; past the last epoch, the current one.
    TimeMachine(u32),
    /// Measure robustness.
    MeasureRobustness,
    /// Describe the data set.
    Survey,
    /// Show the training images that the network takes for another class.
    ShowMistakes,
    /// The sketch is a digit of this class.
    KeepDigit(u8),
    /// Remove the digit at this place.
    RemoveDigit(usize),
    /// Remove all digits.
    RemoveDigits,
    /// Bring back the digits that were removed last.
    RestoreDigits,
    /// Teach the network the digits.
    Teach,
    /// Undo the teaching, or stop it.
    TakeBack,
    /// Name the run of this number.
    Rename(u32, String),
    /// Remove the run of this number from the history.
    Remove(u32),
    /// Compare the runs of these numbers: the first or the second of the pair.
    Compare {
        /// Place in the pair, 0 or 1.
        place: usize,
        /// Number of the run.
        run: u32,
    },
    /// Name the classes.
    NameClasses(String),
    /// What pictures become.
    ChooseLook(Look),
    /// Use these files as the data set.
    UseData(Vec<NamedFile>),
}

/// What the visitor does with the camera, and what it does.
#[derive(Clone, Debug, PartialEq)]
pub enum CameraMsg {
    /// Turn it on or off.
    Switch,
    /// It was turned on for this turn, or could not be.
    Opened(u32, Result<(), String>),
    /// It was taken away in this turn.
    Lost(u32),
    /// Take pictures for the class of this name until the button is released.
    Hold(String),
    /// The button is released.
    Release,
    /// Time for the next picture.
    TakeNext,
    /// The picture as a PNG file, or the reason why it could not be taken.
    Taken(Result<Vec<u8>, String>),
    /// Remove the class at this place.
    Remove(usize),
    /// Bring back the class that was removed last.
    Restore,
    /// Use the pictures as the data set.
    Use,
    /// Time to look, in this turn.
    Look(u32),
    /// What it sees, as an image for the network.
    Seen(Vec<u8>),
}

/// What the visitor saves and opens.
#[derive(Clone, Debug, PartialEq)]
pub enum FileMsg {
    /// Save the weights.
    SaveWeights(Format),
    /// Make a link that carries the network.
    Share,
    /// Save a text.
    SaveText(Text),
    /// Save a chart as an image of pixels.
    SavePng(Chart),
    /// Save a chart as SVG in these colours.
    SaveSvg(Chart, Scheme),
    /// Save a script that builds the network and loads its weights.
    SaveCode(Language),
    /// Save the data set, for such a script.
    SaveData,
    /// Save the whole run.
    SaveRun,
    /// Open a weights file.
    OpenWeights(Vec<u8>),
    /// Open a whole run.
    OpenRun(Box<SavedRun>),
}

/// What the visitor does in a lesson.
#[derive(Clone, Debug, PartialEq)]
pub enum LessonMsg {
    /// The lesson that the address asks for, or why it can't be shown.
    Found(Result<Lesson, String>),
    /// Answer the question with the choice at this place.
    Choose(usize),
    /// Go to the next step.
    Next,
    /// Go to the step before.
    Back,
    /// End the lesson.
    End,
}

/// Texts that can be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// The history as CSV.
    HistoryCsv,
    /// The history as JSON.
    HistoryJson,
    /// The classification report as text.
    Report,
    /// The classification report as Markdown.
    ReportMarkdown,
}

/// Charts that can be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chart {
    /// Accuracy over the epochs.
    Accuracy,
    /// Loss over the epochs.
    Loss,
    /// The confusion matrix.
    Matrix,
}

impl Chart {
    /// All charts.
    pub const ALL: [Self; 3] = [Self::Accuracy, Self::Loss, Self::Matrix];

    /// Its canvas, and its file name without extension.
    pub fn key(self) -> &'static str {
        match self {
            Self::Accuracy => message!("accuracy"),
            Self::Loss => message!("loss"),
            Self::Matrix => "matrix",
        }
    }
}

/// What a worker does.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerMsg {
    /// The probe has picked this worker.
    Probed(Pick),
    /// It sent a message, or broke.
    Received(FromWorker<Envelope>),
    /// The browser allows no workers, for this reason.
    Refused(String),
    /// It should be ready by now; this many bytes had arrived when the wait began.
    ReadyDue(u32),
    /// Time to check whether it is silent.
    SilenceDue,
    /// The pause before the next worker is over.
    Rested,
}

/// What comes from a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker<M> {
    /// A message.
    Message(Box<M>),
    /// It can't continue: its script did not load, or it trapped.
    Failed(String),
}

/// What an earlier visit left in the browser.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A run.
    Run(Box<SavedRun>),
    /// The history of runs.
    History(RunHistory),
    /// The visitor's digits.
    Handwriting(Handwriting),
    /// The visitor's own data set.
    Images(KeptData),
    /// There is no such record.
    Nothing(Record),
    /// A record that can't be read.
    Unread(Record, Unread),
}

impl Found {
    /// The record that this is about.
    pub fn record(&self) -> Record {
        match self {
            Self::Run(_) => Record::Run,
            Self::History(_) => Record::History,
            Self::Handwriting(_) => Record::Handwriting,
            Self::Images(_) => Record::Images,
            Self::Nothing(record) | Self::Unread(record, _) => *record,
        }
    }
}

/// A record that the browser keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// The last run.
    Run,
    /// The history of runs.
    History,
    /// The visitor's digits.
    Handwriting,
    /// The visitor's own data set.
    Images,
}

impl Record {
    /// Its name in the database.
    pub fn key(self) -> &'static str {
        match self {
            Self::Run => "last",
            Self::History => "shelf",
            Self::Handwriting => "digits",
            Self::Images => "images",
        }
    }

    /// What it is called in a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::Run => say!("this run"),
            Self::History => say!("the history of runs"),
            Self::Handwriting => say!("your digits"),
            Self::Images => say!("your images"),
        }
    }
}

/// Why a record can't be read. Until that is settled, nothing overwrites it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The browser's storage does not answer.
    Unreachable(String),
    /// The record is damaged, or of another version.
    Damaged(String),
}

/// A part of the page that opens in place of the timeline, or under the bar. At most one is open; a closed one is not drawn, and
/// nothing is asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// The settings that are not among the first ones.
    Settings,
    /// The editor of the network.
    Editor,
    /// The classification report, and the confusion matrix as a table.
    Report,
    /// What the data set looks like.
    Survey,
    /// Images and mistakes.
    Images,
    /// Inside the network.
    Inside,
    /// Why the network answers as it does.
    Doctor,
    /// How far to trust the network.
    Trust,
    /// The visitor's own digits.
    Handwriting,
    /// The camera.
    Camera,
    /// The epochs as a table, and where the time goes.
    Epochs,
    /// The history of runs.
    Runs,
    /// Save and open.
    Files,
}

impl Section {
    /// All sections.
    pub const ALL: [Self; 13] = [
        Self::Settings,
        Self::Editor,
        Self::Report,
        Self::Survey,
        Self::Images,
        Self::Inside,
        Self::Doctor,
        Self::Trust,
        Self::Handwriting,
        Self::Camera,
        Self::Epochs,
        Self::Runs,
        Self::Files,
    ];

    /// Its element.
    pub fn id(self) -> &'static str {
        match self {
            Self::Settings => "fold",
            Self::Editor => "edit",
            Self::Report => "scores",
            Self::Survey => "survey",
            Self::Images => "look",
            Self::Inside => "inside",
            Self::Doctor => "doctor",
            Self::Trust => "trust",
            Self::Handwriting => "hand",
            Self::Camera => "camera",
            Self::Epochs => "epochs-table",
            Self::Runs => "runs",
            Self::Files => "files",
        }
    }
}
