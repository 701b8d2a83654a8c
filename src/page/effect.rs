//! What the page does to the world. `update` asks for effects; `app` performs them.

use inkling_core::{
    data::{KeptData, handwriting::Handwriting},
    history::RunHistory,
    image::Shape,
    protocol::{Command, EpochRecord, FileTask},
    settings::BackendChoice,
    summary::SavedRun,
};

use super::{
    msg::{Msg, Record, Section},
    worker::{Server, Verdict, WorkerId},
};

/// Something to do outside the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Find out which backend this browser offers, besides this server; answered by [`crate::page::msg::WorkerMsg::Probed`].
    Probe(WorkerId, BackendChoice, Server),
    /// Start the worker at this address, with this name, in place of the current one.
    OpenWorker(WorkerId, String, String),
    /// End the worker.
    CloseWorker,
    /// Send a command to the worker.
    Send(Command),
    /// Let the browser keep the worker at this address for offline visits.
    KeepOffline(String),
    /// Remember the self-test's verdict on an adapter for the next visit.
    Remember(String, Verdict),
    /// Load the page again from the network: its worker is of another build. At most once for a build.
    Renew,
    /// Start the file worker.
    OpenFileWorker,
    /// Send a task to the file worker.
    SendFileTask(FileTask),
    /// End the file worker.
    CloseFileWorker,
    /// Handle this message after some milliseconds.
    After(i32, Box<Msg>),
    /// Keep the run in the browser; answered by [`Msg::RunSaved`].
    SaveRun(Box<SavedRun>),
    /// After a while, read a record again whose storage did not answer.
    ReadLater(Record),
    /// Forget what the browser keeps.
    Forget(Record),
    /// Let the visitor save, as a file, what the browser keeps.
    SaveAsFile(Record),
    /// Keep the history of runs in the browser; a failure is answered by [`Msg::NotKept`].
    SaveHistory(RunHistory),
    /// Keep the visitor's digits in the browser; a failure is answered by [`Msg::NotKept`].
    SaveHandwriting(Handwriting),
    /// Keep the visitor's own data set in the browser; a failure is answered by [`Msg::NotKept`].
    SaveImages(KeptData),
    /// Turn the camera on, once the visitor allows it; answered by [`crate::page::msg::CameraMsg::Opened`] with this turn.
    OpenCamera(u32),
    /// Turn the camera off.
    CloseCamera,
    /// Take a square picture with this many rows; answered by [`crate::page::msg::CameraMsg::Taken`].
    TakePicture(u32),
    /// Look through the camera; answered, if it sees something, by [`crate::page::msg::CameraMsg::Seen`].
    LookThroughCamera(Shape),
    /// Let the visitor save a file.
    Download(String, Vec<u8>),
    /// Let the visitor save the picture on a canvas: file name and canvas.
    DownloadCanvas(String, &'static str),
    /// Let the visitor save the history as JSON.
    DownloadHistory(Vec<EpochRecord>),
    /// Let the visitor save a whole run.
    DownloadRun(Box<SavedRun>),
    /// Put these settings into the page's address.
    SetAddress(String),
    /// Fetch the inspectors; answered by [`Msg::InspectorsFetched`].
    FetchInspectors,
    /// Give this element the focus.
    Focus(String),
    /// Open this section, and give it the focus.
    Open(Section),
    /// Close this section.
    Close(Section),
    /// Give the focus to what opens this section.
    FocusOn(Section),
}
