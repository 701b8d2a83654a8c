//! Trains a whole session without a browser. The settings are those of the page's address, and give the same run with
//! the same number of workers (`replicas=2`).
//!
//! ```text
//! MNIST_DIR=data cargo run --release --no-default-features --features cpu --example train_native -- 'epochs=1&augment=0'
//! ```
//!
//! With `MIN_ACCURACY=0.985` in the environment, it fails if the test accuracy is below 0.985.

mod common;

use std::error::Error;

use inkling_train::{
    device::{Backend, BackendKind},
    replicas::Threads,
};

fn main() -> Result<(), Box<dyn Error>> {
    let backend = pollster::block_on(Backend::open(BackendKind::Cpu))?;
    let replicas = Threads::new(backend.device.clone());
    common::train(backend, replicas, common::settings()?)
}
