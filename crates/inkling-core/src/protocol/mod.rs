//! What the page and its workers say to each other: plain serde types, no browser types.
//!
//! The page sends a [`Command`] and receives [`Event`]s, each in an [`Envelope`] with the run it belongs to. A
//! [`Question`] is answered by the [`Answer`] of the same name. The file worker has its own pair: [`FileTask`] and
//! [`FileEvent`].

mod command;
mod event;
mod file;
mod progress;
mod question;
mod survey;

pub use command::Command;
pub use event::{BackendInfo, BackendName, Check, Envelope, Event, RunState};
pub use file::{FileEvent, FileTask, Format, Language, Look};
pub use progress::{Activity, EpochRecord, Loaded, Loading, Progress, Score, StepPoint, TestResult};
pub use question::{
    Answer, BatchView, Explanation, Knowledge, LayerStep, Maps, Motion, Part, Query, Question, RobustnessPoint,
    SharedNetwork, Specimen, StepView,
};
pub use survey::{ClassSurvey, Survey, Twin, Twins};

/// Number of a run. The page gives each run a new number, and drops events of earlier runs.
pub type RunId = u32;
