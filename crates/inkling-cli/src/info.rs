//! `info`: what is in a file.

use std::process::ExitCode;

use clap::ArgMatches;
use inkling_core::settings::{FIELDS, Settings};
use serde::Serialize;

use crate::{
    error::CliError,
    report::{print, put},
    trained::Trained,
};

/// What is in a file, for programs.
#[derive(Serialize)]
struct Info<'a> {
    network: String,
    parameters: usize,
    classes: usize,
    settings: &'a Settings,
    /// `None` for a file of weights.
    run: Option<Place>,
}

/// How far a run is.
#[derive(Serialize)]
struct Place {
    finished: bool,
    epoch: u32,
    epochs: u32,
    step: u32,
    validation_accuracy: Option<f64>,
    test_accuracy: Option<f64>,
}

/// Prints what is in the file.
pub fn info(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let trained = Trained::open(matches)?;
    let run = trained.run.as_ref().map(|run| Place {
        finished: run.is_finished(),
        epoch: run.checkpoint.epoch.min(run.settings.epochs),
        epochs: run.settings.epochs,
        step: run.checkpoint.trainer.step,
        validation_accuracy: run.history().last().map(|record| record.validation_accuracy),
        test_accuracy: run.test_accuracy(),
    });
    let info = Info {
        network: trained.net.to_string(),
        parameters: trained.net.count(),
        classes: trained.data().classes(),
        settings: &trained.settings,
        run,
    };
    if matches.get_flag("json") {
        print(&info);
    } else {
        people(&info, &trained);
    }
    Ok(ExitCode::SUCCESS)
}

fn people(info: &Info, trained: &Trained) {
    put(&format!("network     {}", info.network));
    put(&format!("            {}", trained.net.sentence()));
    match &info.run {
        None => put("run         none: a file of weights"),
        Some(Place { finished, epoch, epochs, step, validation_accuracy, test_accuracy }) => {
            let state = if *finished { "finished" } else { "unfinished; `inkling resume` goes on" };
            put(&format!("run         epoch {epoch} of {epochs}, step {step}, {state}"));
            for (name, share) in [("validation", validation_accuracy), ("test", test_accuracy)] {
                if let Some(share) = share {
                    put(&format!("{name:<11} {:.2} %", 100.0 * share));
                }
            }
            let usual = Settings::default();
            let changed = FIELDS.iter().filter(|field| usual.get(field.key) != info.settings.get(field.key));
            let changed =
                changed.map(|field| format!("--{} {:?}", field.key.replace('_', "-"), info.settings.get(field.key)));
            let changed: Vec<String> = changed.collect();
            put(&format!("settings    {}", if changed.is_empty() { "the defaults".into() } else { changed.join(" ") }));
        }
    }
}
