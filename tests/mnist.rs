//! Real MNIST, where `MNIST_DIR` says where it is: one epoch, and sketches of what was learned.
#![allow(clippy::unwrap_used)] // a test that fails here says where
#![cfg(all(not(target_arch = "wasm32"), feature = "cpu"))]

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use inkling::{
    data::{Dataset, SIDE, handwriting::Handwriting, source, synthetic},
    device::{Backend, BackendKind},
    ink::Sheet,
    protocol::{Command, Event, RunState},
    replicas::NoCrew,
    session::Session,
    settings::Settings,
    sketch::{PAD, normalise},
};
use pollster::block_on;

fn mnist() -> Option<Dataset> {
    let Some(folder) = std::env::var_os("MNIST_DIR") else {
        eprintln!("SKIPPED: no MNIST_DIR, so nothing is known about real MNIST");
        return None;
    };
    Some(source::read_folder(&PathBuf::from(folder)).unwrap())
}

/// The digit as somebody might have drawn it on the pad: five times as large, and not in the middle.
fn on_the_pad(image: &[u8]) -> Sheet {
    const SCALE: usize = 5;
    let mut sheet = Sheet::new(PAD);
    for (i, &pixel) in image.iter().enumerate() {
        let (top, left) = (i / SIDE * SCALE + 20, i % SIDE * SCALE + 90);
        for at in (0..SCALE * SCALE).map(|k| (top + k / SCALE) * PAD + left + k % SCALE) {
            sheet.ink[at] = f32::from(pixel) / 255.0;
        }
    }
    sheet
}

#[test]
fn one_epoch_reaches_the_accuracy_that_is_promised_and_reads_sketches() {
    let Some(data) = mnist() else { return };
    assert_eq!((data.train.len(), data.test.len()), (60_000, 10_000));
    let log: Rc<RefCell<Vec<Event>>> = Rc::default();
    let sink = log.clone();
    let backend = block_on(Backend::open(BackendKind::Cpu)).unwrap();
    let mut session = Session::new(backend, NoCrew, move |envelope| sink.borrow_mut().push(envelope.event));
    session.command(Command::start(1, Settings { epochs: 1, augment: false, ..Settings::default() }));
    assert!(session.wants_mnist());
    let test = data.test.clone();
    session.provide(Ok((data, "MNIST_DIR".into())));
    while block_on(session.work()) {}
    assert_eq!(session.state(), RunState::Finished);
    let accuracy =
        log.borrow().iter().find_map(|e| if let Event::Test(t) = e { Some(t.accuracy) } else { None }).unwrap();
    println!("test accuracy after one epoch without augmentation: {accuracy}");
    // 98.89 % as measured for the README; another processor sums in another order, which moves it by a tenth or so.
    assert!(accuracy >= 0.987, "{accuracy}");
    let loaded =
        log.borrow().iter().find_map(|e| if let Event::Loaded(l) = e { Some(l.clone()) } else { None }).unwrap();
    assert_eq!((loaded.train, loaded.validation, loaded.test), (55_000, 5_000, 10_000));

    let mut right = 0;
    for index in 0..200 {
        log.borrow_mut().clear();
        let pixels = normalise(&on_the_pad(test.image(index))).unwrap();
        session.command(Command::Predict { id: index as u32, pixels, epoch: None });
        while block_on(session.work()) {}
        let log = log.borrow();
        let Some(Event::Prediction { probabilities: Some(p), .. }) = log.last() else { panic!("{log:?}") };
        let best = (0..10).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
        right += usize::from(best == usize::from(test.labels[index]));
    }
    assert!(right >= 195, "{right} of 200 redrawn digits are recognised");

    // Another hand, which mirrors what it writes.
    let digits = synthetic::generate(1200, 3).train;
    let part = |places: std::ops::Range<usize>| {
        let mut hand = Handwriting::default();
        for place in places {
            let mirrored: Vec<u8> =
                digits.image(place).chunks(SIDE).flat_map(|row| row.iter().rev().copied()).collect();
            assert!(hand.add(&mirrored, digits.labels[place]));
        }
        hand
    };
    let (hand, more) = (part(0..40), part(100..400));
    let read = |session: &mut Session| {
        session.command(Command::Read { id: 1, digits: more.clone() });
        while block_on(session.work()) {}
        let log = log.borrow();
        let Some(Event::Read { answers, .. }) = log.last() else { panic!("{log:?}") };
        answers.iter().zip(&more.labels).filter(|((answer, _), label)| answer == *label).count()
    };
    let before = read(&mut session);
    session.command(Command::FineTune(hand));
    while block_on(session.work()) {}
    let tuned = log
        .borrow()
        .iter()
        .find_map(|e| if let Event::FineTuned { before, after } = e { Some((*before, *after)) } else { None });
    let (then, now) = tuned.unwrap();
    let after = read(&mut session);
    println!(
        "fine-tuned on 27 digits of another hand: {then:?}, then {now:?}; of 300 more it read {before}, then {after}"
    );
    assert!(after >= before + 60, "{before} of 300 before, {after} after");
    assert!(now.test.0 + 50 >= then.test.0, "it forgot: {then:?}, then {now:?}");
}
