//! `test`: the score on the test set.

use std::process::ExitCode;

use clap::ArgMatches;
use inkling_core::{
    checkpoint::TrainerState,
    protocol::{Command, Event, RunState, TestResult},
};

use crate::{
    backend, cli,
    error::CliError,
    report::{Score, print},
    run::Driver,
    trained::Trained,
};

/// Scores the network on the test set.
pub fn test(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let trained = Trained::open(matches)?;
    let mut driver = Driver::new(backend::open(cli::backend_choice(matches)?)?, 1, matches)?;
    let settings = trained.settings.clone();
    // A run that is not finished would go on, so its test is asked for before its first step.
    driver.session.command(match trained.run.as_ref() {
        Some(run) if run.is_finished() => Command::Start { run: 1, settings, from: Some(run.checkpoint.clone()) },
        _ => Command::Import { run: 1, next: 1, settings, weights: TrainerState::new(0, &trained.weights) },
    });
    let test = scored(&mut driver)?;
    if matches.get_flag("json") {
        print(&Score::from(&test));
    } else {
        let [low, high] = test.interval.map(|share| 100.0 * share);
        println!("test accuracy {:.2} % (95 %: {low:.2} to {high:.2}), loss {:.4}\n", 100.0 * test.accuracy, test.loss);
        print!("{}", test.confusion.report().text(|class| trained.class(class.into(), &[])));
    }
    Ok(ExitCode::SUCCESS)
}

/// Works until the test set is scored.
fn scored(driver: &mut Driver) -> Result<TestResult, CliError> {
    let mut last = "the test was not done".to_string();
    while let Some(heard) = driver.work() {
        for envelope in heard {
            match envelope.event {
                Event::Test(test) => return Ok(test),
                Event::State(RunState::Paused) => driver.session.command(Command::Test),
                Event::Warning(reason) | Event::Failed(reason) => last = reason,
                _ => {}
            }
        }
    }
    Err(driver.failure(last))
}
