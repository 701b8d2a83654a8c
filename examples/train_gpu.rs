//! Does what the page does on WebGPU, but without a browser, on Vulkan or Metal: runs the self-test, measures images per second
//! for several batch sizes and the parts of a step, and trains a whole session with the given settings.
//!
//! ```text
//! MNIST_DIR=data cargo run --release --example train_gpu -- 'preset=fast'
//! ```
//!
//! `SECONDS=1` measures each number for about one second; the default is 3.

mod common;

use std::{env, error::Error, time::Duration};

use burn::tensor::{Device, Tensor};
use inkling_core::{
    augment::{AffineMap, Augmentation},
    image::DataShape,
    network::Network,
    parameters::random_weights,
    settings::Settings,
};
use inkling_train::{
    device::{Backend, BackendKind},
    feed::Feed,
    model::Model,
    pass::{self, Recipe},
    read::read_metrics,
    replicas::NoReplicas,
    resident::Resident,
    schedule::Schedule,
    trainer::Trainer,
};
use pollster::block_on;
use web_time::Instant;

const RANGES: Augmentation = Augmentation { rotation: 10.0, shift_x: 0.1, shift_y: 0.1, zoom: 0.1 };
/// Calls whose results are read together.
const CALLS: u32 = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let settings = common::settings()?;
    let backend = block_on(Backend::open(kind()))?;
    println!("{}", backend.info.adapter);
    let net = settings.network(DataShape::DIGITS)?;
    let (difference, of) = block_on(backend.self_test(&net))?;
    println!("self-test passed: at most {difference:.1e} off, in {of}\n");

    let (data, _) = common::mnist()?;
    let device = backend.device.clone().autodiff();
    let set = Resident::new(&data.train, &backend.device).ok_or("the images do not fit on the device")?;
    println!("| batch | images/s | of a step, ms to queue it |\n|---:|---:|---:|");
    for batch in [64, 128, 256, 512, 1024] {
        let mut trainer = trainer(&backend, &net, &settings);
        let mut queueing = Duration::ZERO;
        let (seconds, steps) = seconds_of(
            |step| {
                let start = Instant::now();
                let metrics = trainer.step(feed(&set, step, batch, &device));
                queueing += start.elapsed();
                metrics
            },
            |metrics| block_on(read_metrics(metrics)).is_ok(),
        );
        let queueing = 1e3 * queueing.as_secs_f64() / f64::from(steps);
        println!("| {batch} | {:.0} | {queueing:.2} |", batch as f64 / seconds);
    }

    println!("\n| up to and including, batch 64 | ms per step |\n|---|---:|");
    let model = Model::new(&net, random_weights(net.parameters(), 1), settings.kernels, &device);
    let read = |tensors: Vec<Tensor<1>>| Tensor::cat(tensors, 0).try_into_data().is_ok();
    let one = |tensor: Tensor<1>| tensor.slice(0..1);
    let loss = |step| pass::loss(&model, feed(&set, step, 64, &device)).0;
    let (images, _) = seconds_of(|step| one(images_of(&set, step)), read);
    let (forward, _) = seconds_of(|step| loss(step).inner(), read);
    let gradients = |step| model.gradients(loss(step).backward());
    let (backward, _) = seconds_of(|step| one(Tensor::cat(gradients(step), 0)), read);
    let mut trainer = trainer(&backend, &net, &settings);
    let (update, _) = seconds_of(
        |step| trainer.step(feed(&set, step, 64, &device)),
        |metrics| block_on(read_metrics(metrics)).is_ok(),
    );
    for (name, seconds) in [("images", images), ("forward", forward), ("backward", backward), ("optimizer", update)] {
        println!("| {name} | {:.2} |", 1e3 * seconds);
    }
    println!();
    common::train(backend, NoReplicas, settings)
}

/// A GPU; the CPU if this is built without the feature `webgpu`, which keeps the example compiling.
fn kind() -> BackendKind {
    #[cfg(feature = "webgpu")]
    return BackendKind::Webgpu;
    #[cfg(not(feature = "webgpu"))]
    BackendKind::Cpu
}

fn trainer(backend: &Backend, net: &Network, settings: &Settings) -> Trainer {
    Trainer::new(
        Recipe {
            seed: 1,
            net: net.clone(),
            schedule: Schedule::new(0.001, 1_000_000),
            method: settings.method(),
            kernels: settings.kernels,
            class_weights: vec![],
        },
        &backend.device,
    )
}

fn numbers(step: u32, batch: usize) -> Vec<u32> {
    (0..batch as u32).map(|i| (step * batch as u32 + i) % 55_000).collect()
}

fn maps(numbers: &[u32]) -> Vec<AffineMap> {
    RANGES.maps(DataShape::DIGITS.image().side, numbers, 1, 1)
}

fn feed(set: &Resident, step: u32, batch: usize, device: &Device) -> Feed {
    let numbers = numbers(step, batch);
    let maps = maps(&numbers);
    Feed::resident(set, &numbers, Some(maps), batch, device)
}

fn images_of(set: &Resident, step: u32) -> Tensor<1> {
    let numbers = numbers(step, 64);
    set.batch(&numbers, Some(&maps(&numbers))).0.flatten(0, 3)
}

/// Seconds per `call`, and the number of calls. The results of [`CALLS`] calls are read together.
fn seconds_of<T>(mut call: impl FnMut(u32) -> T, mut read: impl FnMut(Vec<T>) -> bool) -> (f64, u32) {
    let length = env::var("SECONDS").ok().and_then(|value| value.parse().ok()).unwrap_or(3.0);
    let mut round = |from: u32| {
        let results = (from..from + CALLS).map(&mut call).collect();
        read(results)
    };
    round(0); // compiles the kernels
    let (start, mut calls) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs_f64(length) {
        if !round(calls) {
            return (f64::NAN, calls);
        }
        calls += CALLS;
    }
    (start.elapsed().as_secs_f64() / f64::from(calls), calls + CALLS)
}
