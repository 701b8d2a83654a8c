//! A whole session without a browser: the same settings as in the page's address, the same run.
//!
//! ```text
//! MNIST_DIR=data cargo run --release --no-default-features --features cpu --example train_native -- 'epochs=1&augment=0'
//! ```
//!
//! With `MIN_ACCURACY=0.985` in the environment it is a gate: it fails below that test accuracy.

mod common;

use std::error::Error;

use inkling::{
    device::{Backend, BackendKind},
    replicas::Threads,
};

fn main() -> Result<(), Box<dyn Error>> {
    let backend = pollster::block_on(Backend::open(BackendKind::Cpu))?;
    let crew = Threads::new(backend.device.clone());
    common::train(backend, crew, common::settings()?)
}
