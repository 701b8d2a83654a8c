//! A run on several devices is the run that one device alone would have.
#![cfg(feature = "devices")]
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed

use std::{cell::RefCell, rc::Rc};

use burn::tensor::Device;
use inkling_core::{
    checkpoint::Checkpoint,
    protocol::{Command, Event, StepPoint},
    settings::{DatasetName, Settings},
};
use inkling_train::{
    device::{Backend, BackendKind},
    devices::Devices,
    replicas::NoReplicas,
    session::Session,
};
use pollster::block_on;

/// What a run does.
#[derive(Default)]
struct Seen {
    steps: Vec<StepPoint>,
    checkpoints: Vec<Checkpoint>,
    accuracy: Option<f64>,
}

/// A run on this many devices, or on the session's own if that is 0, from a checkpoint, if there is one.
fn run(settings: &Settings, devices: usize, from: Option<Checkpoint>) -> Seen {
    let seen: Rc<RefCell<Seen>> = Rc::default();
    let sink = seen.clone();
    let backend = block_on(Backend::open(BackendKind::Cpu)).unwrap();
    let mut session = Session::new(backend, NoReplicas, move |envelope| {
        let mut seen = sink.borrow_mut();
        match envelope.event {
            Event::Steps(points) => seen.steps.extend(points),
            Event::Checkpoint(checkpoint) => seen.checkpoints.push(*checkpoint),
            Event::Test(test) => seen.accuracy = Some(test.accuracy),
            Event::Failed(reason) => panic!("{reason}"),
            _ => {}
        }
    });
    if let Some(devices) = Devices::new(vec![Device::flex(); devices]) {
        session.use_devices(devices);
    }
    session.command(Command::Start { run: 1, settings: settings.clone(), from: from.map(Box::new) });
    while block_on(session.work()) {}
    drop(session);
    Rc::try_unwrap(seen).ok().unwrap().into_inner()
}

/// 540 images to train with: the last batch of an epoch has 28, which three devices do not share evenly.
fn settings() -> Settings {
    let mut settings =
        Settings { dataset: DatasetName::Synthetic, images: 600, epochs: 2, batch: 32, ..Settings::default() };
    for (key, value) in [("ema", "0.9"), ("clip", "1"), ("smoothing", "0.1"), ("balance", "1"), ("decay", "0.01")] {
        settings.set(key, value).unwrap();
    }
    settings
}

fn largest_difference(a: &Seen, b: &Seen, steps: usize) -> f64 {
    assert_eq!(a.steps.len(), b.steps.len());
    a.steps
        .iter()
        .zip(&b.steps)
        .take(steps)
        .map(|(a, b)| {
            assert_eq!(a.step, b.step);
            (a.loss - b.loss).abs()
        })
        .fold(0.0, f64::max)
}

#[test]
fn several_devices_train_as_one_does() {
    let alone = run(&settings(), 0, None);
    for devices in [1, 2, 3, 40] {
        let together = run(&settings(), devices, None);
        let (early, all) =
            (largest_difference(&alone, &together, 10), largest_difference(&alone, &together, usize::MAX));
        println!("{devices} devices: a step's loss differs by at most {early:.1e} in the first ten, {all:.1e} in all");
        assert!(early < 1e-4 && all < 0.1, "{devices} devices: {early} {all}");
        assert!((alone.accuracy.unwrap() - together.accuracy.unwrap()).abs() < 0.05);
    }
}

#[test]
fn a_run_goes_from_one_device_to_several_and_back() {
    let whole = run(&settings(), 2, None);
    let first = whole.checkpoints.iter().find(|checkpoint| checkpoint.epoch == 2).unwrap().clone();
    for devices in [0, 2] {
        let rest = run(&settings(), devices, Some(first.clone()));
        let expected: Vec<&StepPoint> = whole.steps.iter().filter(|point| point.step > first.trainer.step).collect();
        assert_eq!(rest.steps.len(), expected.len());
        let exact = rest.steps.iter().zip(&expected).all(|(a, b)| a.loss == b.loss);
        assert!(exact || devices == 0, "on the same devices, the run continues bit for bit");
        for (a, b) in rest.steps.iter().zip(expected).take(10) {
            assert!((a.loss - b.loss).abs() < 1e-3, "{} {}", a.loss, b.loss);
        }
    }
}
