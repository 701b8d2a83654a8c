//! The file worker: what the page asks of it, and what it answers.

use serde::{Deserialize, Serialize};

use crate::{
    charts::{Drawing, Scheme},
    checkpoint::TrainerState,
    data::{NamedFile, SharedDataset},
    image::Shape,
    network::Network,
    settings::Settings,
};

/// What the page asks of the file worker. Each task has one answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FileTask {
    /// Write weights as a file: answered by [`FileEvent::Saved`].
    Write {
        /// The format.
        format: Format,
        /// The network.
        net: Network,
        /// Its weights.
        weights: TrainerState,
    },
    /// Read the weights in a safetensors or burnpack file: answered by [`FileEvent::Opened`].
    Read {
        /// The network that they fit, unless the file is of another one for the same images. `None`: the one that the file describes.
        net: Option<Network>,
        /// The file.
        #[serde(with = "serde_bytes")]
        file: Vec<u8>,
    },
    /// Read the visitor's own data set: answered by [`FileEvent::DataRead`].
    ReadData {
        /// Its files.
        files: Vec<NamedFile>,
        /// What pictures become. Numbers stay as they are.
        look: Look,
    },
    /// Write a script that builds the network, loads its weights, scores it and trains it again: answered by
    /// [`FileEvent::Saved`].
    WriteCode {
        /// The framework.
        language: Language,
        /// The network.
        net: Network,
        /// The recipe.
        settings: Settings,
    },
    /// Write a data set as a safetensors file, for such a script: answered by [`FileEvent::Saved`].
    WriteData {
        /// The visitor's own; `None` draws it as `settings` say.
        own: Option<SharedDataset>,
        /// Which data set, how many images, and their seed.
        settings: Settings,
    },
    /// Draw a chart as SVG: answered by [`FileEvent::Saved`].
    Draw {
        /// File name.
        name: String,
        /// The chart.
        drawing: Drawing,
        /// Its colours.
        scheme: Scheme,
    },
}

/// A framework that a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// Keras 3.
    Keras,
    /// PyTorch.
    PyTorch,
    /// Burn.
    Burn,
}

impl Language {
    /// All of them, in the order of the page's buttons.
    pub const ALL: [Self; 3] = [Self::Keras, Self::PyTorch, Self::Burn];

    /// The name of the file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Keras => "inkling_keras.py",
            Self::PyTorch => "inkling_pytorch.py",
            Self::Burn => "inkling_burn.rs",
        }
    }
}

/// What pictures of any size become: the middle square of each, at this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Rows and columns.
    pub side: u32,
    /// In colour, or gray.
    pub colour: bool,
}

impl Look {
    /// The shape of the images.
    pub fn shape(self) -> Shape {
        Shape { channels: if self.colour { 3 } else { 1 }, side: self.side as usize }
    }
}

impl Default for Look {
    fn default() -> Self {
        Look { side: 32, colour: true }
    }
}

/// What the file worker sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FileEvent {
    /// Its program is being downloaded: sent by the loader.
    Fetching {
        /// Bytes so far, decompressed.
        received: u32,
        /// Whether the download is complete.
        done: bool,
    },
    /// It is ready for tasks.
    Ready {
        /// Build of the worker; it must equal the page's.
        build: String,
    },
    /// It can't work, and will send no more answers.
    Unavailable {
        /// Why, as a sentence.
        reason: String,
    },
    /// The answer to [`FileTask::Read`].
    Opened {
        /// Their network: that of the task, or another one that the file describes.
        net: Network,
        /// The weights, for the start of a run.
        weights: TrainerState,
    },
    /// How far [`FileTask::ReadData`] is.
    Reading {
        /// Pictures done.
        done: u32,
        /// Pictures in all.
        total: u32,
    },
    /// The answer to [`FileTask::ReadData`].
    DataRead {
        /// The data set.
        data: SharedDataset,
        /// What it is and how it was split, as sentences for the visitor.
        note: String,
    },
    /// The data set can't be used: a sentence for the visitor.
    DataRefused(String),
    /// A file to save.
    Saved {
        /// Its name.
        name: String,
        /// The file.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The task could not be done: a sentence for the visitor.
    Failed(String),
}

/// A file format for weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// With PyTorch's names and shapes.
    Safetensors,
    /// Burn's own, with the names and shapes of Burn's module.
    Burnpack,
    /// The network with its weights, for ONNX Runtime and others.
    Onnx,
}

impl Format {
    /// All formats, in the order of a menu.
    pub const ALL: [Self; 3] = [Self::Safetensors, Self::Burnpack, Self::Onnx];

    /// The file name's extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Burnpack => "bpk",
            Self::Onnx => "onnx",
        }
    }
}
