//! `test`: the score on the test set.

use std::process::ExitCode;

use clap::ArgMatches;
use inkling_core::{
    checkpoint::TrainerState,
    protocol::{Command, Event, RunState, TestResult},
};

use crate::{
    backend, data,
    error::CliError,
    options,
    report::{Score, print, put, score},
    run::Driver,
    trained::Trained,
};

/// Scores the network on the test set.
pub fn test(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let trained = Trained::open(matches)?;
    data::check(matches, trained.run.as_ref())?;
    let mut driver =
        Driver::new(backend::open(options::backend_choice(matches)?)?, 1, matches, data::look(trained.data()))?;
    let settings = trained.settings.clone();
    // A run that is not finished would go on, so its test is asked for before its first step.
    driver.session.command(match trained.run.as_ref() {
        Some(run) if run.is_finished() => Command::Start { run: 1, settings, from: Some(run.checkpoint.clone()) },
        _ => Command::Import { run: 1, next: 1, settings, weights: TrainerState::new(0, &trained.weights) },
    });
    let (test, names) = scored(&mut driver)?;
    if matches.get_flag("json") {
        print(&Score::from(&test));
    } else {
        put(&score(&test));
        put("");
        put(test.confusion.report().text(|class| trained.class(class.into(), &names)).trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

/// Works until the test set is scored. Returns the score and the names of the classes, as far as the images have some.
fn scored(driver: &mut Driver) -> Result<(TestResult, Vec<String>), CliError> {
    let (mut last, mut names) = ("the test was not done".to_string(), Vec::new());
    while let Some(heard) = driver.work() {
        for envelope in heard {
            match envelope.event {
                Event::Loaded(loaded) => names = loaded.names,
                Event::Test(test) => return Ok((test, names)),
                Event::State(RunState::Paused) => driver.session.command(Command::Test),
                Event::Warning(reason) | Event::Failed(reason) => last = reason,
                _ => {}
            }
        }
    }
    Err(driver.failure(last))
}
