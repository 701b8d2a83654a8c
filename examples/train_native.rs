//! A whole session without a browser: the same settings as in the page's address, the same run.
//!
//! ```text
//! MNIST_DIR=data cargo run --release --no-default-features --features cpu --example train_native -- 'epochs=1&augment=0'
//! ```
//!
//! With `MIN_ACCURACY=0.985` in the environment it is a gate: it fails below that test accuracy.

use std::{cell::Cell, env, error::Error, path::Path, rc::Rc};

use inkling::{
    data::source::read_folder,
    device::{Backend, BackendKind},
    protocol::{Command, Envelope, Event},
    replicas::Threads,
    session::Session,
    settings::Settings,
};

fn main() -> Result<(), Box<dyn Error>> {
    let (settings, errors) = Settings::from_query(&env::args().nth(1).unwrap_or_default());
    if let Some(error) = errors.into_iter().next() {
        return Err(error.into());
    }
    let accuracy = Rc::new(Cell::new(None));
    let result = accuracy.clone();
    let backend = pollster::block_on(Backend::open(BackendKind::Cpu))?;
    let crew = Threads::new(backend.device.clone());
    let mut session = Session::new(backend, crew, move |Envelope { event, .. }| match event {
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
    session.command(Command::start(1, settings));
    if session.wants_mnist() {
        let folder = env::var("MNIST_DIR").unwrap_or_else(|_| "data".into());
        let data = read_folder(Path::new(&folder)).map_err(|error| format!("{error} (set MNIST_DIR)"));
        session.provide(data.map(|data| (data, folder)));
    }
    while pollster::block_on(session.work()) {}
    let accuracy = accuracy.get().ok_or("the run did not finish")?;
    match env::var("MIN_ACCURACY").ok().and_then(|least| least.parse::<f64>().ok()) {
        Some(least) if accuracy < least => Err(format!("test accuracy {accuracy} is below {least}").into()),
        _ => Ok(()),
    }
}
