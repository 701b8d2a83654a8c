//! `export`: weights as files, and programs that build and train the network.

use std::{path::PathBuf, process::ExitCode};

use clap::ArgMatches;
use inkling_formats::{code, weights};

use crate::{
    error::CliError,
    options::{self, Written},
    report::put,
    run_file,
    trained::Trained,
};

/// Writes the file.
pub fn export(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let trained = Trained::open(matches)?;
    let Some(written) = options::written(matches) else { return Ok(ExitCode::SUCCESS) }; // clap asks for it
    let usual = match written {
        Written::Weights(format) => format!("inkling.{}", format.extension()),
        Written::Code(language) => language.file_name().into(),
    };
    let path = matches.get_one::<PathBuf>("output").cloned().unwrap_or_else(|| usual.into());
    run_file::check_absent(&path, matches.get_flag("force"))?;
    let contents = match written {
        Written::Weights(format) => weights::file(format, &trained.net, &trained.weights)
            .map_err(|source| CliError::Weights { path: path.clone(), source })?,
        Written::Code(language) => code::script(language, &trained.net, &trained.settings).into_bytes(),
    };
    run_file::whole(&path, &contents)?;
    put(&format!("{}", path.display()));
    Ok(ExitCode::SUCCESS)
}
