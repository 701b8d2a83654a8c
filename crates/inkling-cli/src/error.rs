//! What can go wrong, and the exit code for it.

use std::{io, path::PathBuf, process::ExitCode};

use inkling_core::settings::SettingError;
use inkling_formats::{run::RunError, weights::WeightsError};
use inkling_train::{device::DeviceError, read::ReadError};
use thiserror::Error;

/// Ended by Ctrl-C; the run is saved.
pub const INTERRUPTED: u8 = 130;

/// Why the command could not be done.
#[derive(Debug, Error)]
pub enum CliError {
    /// A setting has an impossible value.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// An option asks for what this build or this run does not have.
    #[error("{0}")]
    Usage(String),
    /// A file can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("{} can't be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file is there already.
    #[error("{} exists; --force overwrites it, or choose another --output", .0.display())]
    Exists(PathBuf),
    /// The run in a file can't be used.
    #[error("{} can't be used: {source}", path.display())]
    Run {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RunError,
    },
    /// Weights can't be read or written.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: WeightsError,
    },
    /// A picture can't be read.
    #[error("{}: {reason}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The data set can't be used, as a sentence.
    #[error("{0}")]
    Data(String),
    /// The backend can't be used.
    #[error("the backend can't be used: {0}")]
    Device(#[from] DeviceError),
    /// The device was lost.
    #[error("the device stopped responding: {0}")]
    Lost(#[from] ReadError),
    /// The run failed, for this reason.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    /// 2 for wrong options, as clap has it; 3 for files and data; 4 for runs that fail.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            CliError::Setting(_) | CliError::Usage(_) | CliError::Exists(_) => 2,
            CliError::Read { .. }
            | CliError::Write { .. }
            | CliError::Run { .. }
            | CliError::Weights { .. }
            | CliError::Picture { .. }
            | CliError::Data(_) => 3,
            CliError::Device(_) | CliError::Lost(_) | CliError::Failed(_) => 4,
        })
    }
}
