//! A whole session without a browser.

use std::{cell::Cell, env, error::Error, path::Path, rc::Rc};

use inkling_core::{
    data::Dataset,
    protocol::{Command, Envelope, Event},
    settings::Settings,
};
use inkling_formats::mnist::read_folder;
use inkling_train::{device::Backend, replicas::Replicas, session::Session};
use web_time::Instant;

/// The settings in the program's first argument, written as in the page's address.
pub fn settings() -> Result<Settings, Box<dyn Error>> {
    let (settings, errors) = Settings::from_query(&env::args().nth(1).unwrap_or_default());
    match errors.into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(settings),
    }
}

/// MNIST from the folder `MNIST_DIR` (by default `data`), and the folder's name.
pub fn mnist() -> Result<(Dataset, String), String> {
    let folder = env::var("MNIST_DIR").unwrap_or_else(|_| "data".into());
    let data = read_folder(Path::new(&folder)).map_err(|error| format!("{error} (set MNIST_DIR)"))?;
    Ok((data, folder))
}

/// Trains to the end.
pub fn train(backend: Backend, replicas: impl Replicas + 'static, settings: Settings) -> Result<(), Box<dyn Error>> {
    let accuracy = Rc::new(Cell::new(None));
    let result = accuracy.clone();
    let mut session = Session::new(backend, replicas, move |Envelope { event, .. }| match event {
        Event::Loaded(loaded) => println!("{loaded:?}"),
        Event::Epoch { record, .. } => println!("{record:?}"),
        Event::Test(test) => {
            println!(
                "test accuracy {:.4} {:?} loss {:.4} in {:.1} s",
                test.accuracy, test.interval, test.loss, test.seconds
            );
            result.set(Some(test.accuracy));
        }
        Event::Failed(reason) | Event::Warning(reason) => eprintln!("{reason}"),
        _ => {}
    });
    let start = Instant::now();
    session.command(Command::start(1, settings));
    if session.wants_mnist() {
        session.provide(mnist());
    }
    while pollster::block_on(session.work()) {}
    let accuracy = accuracy.get().ok_or("the run did not finish")?;
    println!("{accuracy:.4} after {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
