//! `speed`: how many images a second this machine trains with.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::ArgMatches;
use inkling_core::{
    protocol::{Command, Event},
    settings::Settings,
};
use inkling_train::device::Backend;
use serde::Serialize;

use crate::{
    backend,
    error::CliError,
    options,
    report::{print, put},
    run::{self, Driver},
};

/// What is not counted at the start: kernels are compiled, and the best number of threads is found.
const WARM_UP: Duration = Duration::from_secs(1);

/// A line for programs.
#[derive(Serialize)]
struct Measured {
    batch: u32,
    images_per_second: f64,
    workers: u32,
}

/// Trains with each batch size for a while, and prints the speeds.
pub fn speed(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let settings = run::settings(matches)?;
    let length = Duration::from_secs(matches.get_one::<u32>("seconds").copied().unwrap_or_default().into());
    let backend = backend::open(options::backend_choice(matches)?)?;
    let json = matches.get_flag("json");
    if !json {
        put(&backend.info.adapter);
    }
    for batch in matches.get_many::<String>("batches").into_iter().flatten() {
        let mut settings = settings.clone();
        settings.set("batch", batch)?;
        let measured = measure(&backend, settings, length, matches)?;
        if json {
            print(&measured);
        } else {
            let Measured { batch, images_per_second, workers } = measured;
            put(&format!("batch {batch:>5}: {images_per_second:>8.0} images/s, {workers} at a time"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Trains for `length` after the warm-up. Only training counts, not validation.
fn measure(
    backend: &Backend,
    settings: Settings,
    length: Duration,
    matches: &ArgMatches,
) -> Result<Measured, CliError> {
    let batch = settings.batch;
    // The last batch of an epoch is smaller.
    let images = |step: u32, train: u32| {
        let place = (step - 1) % train.div_ceil(batch).max(1);
        batch.min(train.saturating_sub(place * batch))
    };
    let mut train = 0;
    let mut driver = Driver::new(backend.clone(), 1, matches, options::look_of(matches))?;
    driver.session.command(Command::start(1, settings));
    let begin = Instant::now();
    let (mut last, mut done, mut time, mut workers) = (None, 0, Duration::ZERO, 1);
    while let Some(heard) = driver.work() {
        for envelope in heard {
            match envelope.event {
                Event::Steps(points) => {
                    let now = Instant::now();
                    if let Some(last) = last.filter(|_| begin.elapsed() > WARM_UP) {
                        done += points.iter().map(|point| images(point.step, train)).sum::<u32>();
                        time += now - last;
                    }
                    last = Some(now);
                }
                Event::Loaded(loaded) => train = loaded.train,
                // Validation does not count.
                Event::Epoch { .. } => last = Some(Instant::now()),
                Event::Progress(progress) => workers = progress.workers,
                Event::Failed(reason) => return Err(driver.failure(reason)),
                _ => {}
            }
        }
        if time >= length && done > 0 {
            break;
        }
    }
    if done == 0 {
        return Err(CliError::Usage(
            "the run is over before it can be measured; give it more --images or --epochs".into(),
        ));
    }
    Ok(Measured { batch, images_per_second: f64::from(done) / time.as_secs_f64(), workers })
}
