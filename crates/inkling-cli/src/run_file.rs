//! Files on disk.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use inkling_core::summary::SavedRun;
use inkling_formats::run::{self, MAX_SIZE};

use crate::error::CliError;

/// Reads and checks the run in a file.
pub fn read(path: &Path) -> Result<SavedRun, CliError> {
    parse(path, &contents(path)?)
}

/// The contents of a file that is not too large.
pub fn contents(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |source| CliError::Read { path: path.into(), source };
    if fs::metadata(path).map_err(failed)?.len() > MAX_SIZE {
        return Err(failed(io::Error::other(format!("it is larger than {} MiB", MAX_SIZE >> 20))));
    }
    fs::read(path).map_err(failed)
}

/// The run in the contents of the file `path`.
pub fn parse(path: &Path, contents: &[u8]) -> Result<SavedRun, CliError> {
    run::read(contents).map_err(|source| CliError::Run { path: path.into(), source })
}

/// Writes a run. The file is there as a whole or not at all.
pub fn write(path: &Path, run: &SavedRun) -> Result<(), CliError> {
    whole(path, &run::file(run).map_err(|source| CliError::Run { path: path.into(), source })?)
}

/// Writes a file that is there as a whole or not at all: first under another name.
pub fn whole(path: &Path, contents: &[u8]) -> Result<(), CliError> {
    let part = part(path);
    let write = || {
        let mut file = fs::File::create(&part)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&part);
        CliError::Write { path: path.into(), source }
    })
}

/// Whether a file can be written there, before hours of work that end in it.
pub fn check_writable(path: &Path) -> Result<(), CliError> {
    let part = part(path);
    let tried = fs::File::create(&part).and_then(|_| fs::remove_file(&part));
    tried.map_err(|source| CliError::Write { path: path.into(), source })
}

/// What a file is called until it is complete.
fn part(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    path.with_file_name(name)
}

/// Refuses to overwrite a file, unless it is `forced`.
pub fn check_absent(path: &Path, forced: bool) -> Result<(), CliError> {
    if path.exists() && !forced { Err(CliError::Exists(path.into())) } else { Ok(()) }
}
