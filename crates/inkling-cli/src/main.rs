//! The command `inkling`: trains, resumes, scores and exports the page's networks without a browser.
//!
//! It has the page's settings, from the same table, and reads and writes the page's run files, so that a run goes back and
//! forth between a tab and a bigger machine.

mod backend;
mod cli;
mod data;
mod error;
mod exact;
mod export;
mod info;
mod options;
mod predict;
mod report;
mod run;
mod run_file;
mod score;
#[cfg(feature = "serve")]
mod serve;
mod speed;
mod trained;

use std::process::ExitCode;

use clap::ArgMatches;

use error::CliError;

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    match perform(&matches) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("inkling: {error}");
            error.exit_code()
        }
    }
}

fn perform(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    match matches.subcommand() {
        Some(("train", matches)) => run::train(matches),
        Some(("resume", matches)) => run::resume(matches),
        Some(("test", matches)) => score::test(matches),
        #[cfg(feature = "serve")]
        Some(("serve", matches)) => serve::serve(matches),
        Some(("speed", matches)) => speed::speed(matches),
        Some(("predict", matches)) => predict::predict(matches),
        Some(("export", matches)) => export::export(matches),
        Some(("info", matches)) => info::info(matches),
        Some(("completions", matches)) => cli::completions(matches),
        Some(("man", matches)) => cli::man(matches),
        _ => Ok(ExitCode::SUCCESS), // clap asks for a subcommand
    }
}
