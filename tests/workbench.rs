//! What a visitor can do with a run besides letting it run, tested through the commands and events that the page uses.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(all(not(target_arch = "wasm32"), feature = "cpu", feature = "files"))]

#[path = "common/session.rs"]
mod common;

use common::{Log, all, finish, session, tiny};
use inkling_core::{
    checkpoint::TrainerState,
    data::{IMAGE, handwriting::Handwriting, synthetic},
    image::DataShape,
    network::Network,
    parameters::random_weights,
    protocol::{
        Answer, ClassSurvey, Command, Envelope, Event, FileEvent, FileTask, Format, Look, Motion, Part, Query,
        Question, RunState, Specimen,
    },
    settings::{DatasetName, Settings},
    share::{self, ShareError},
    summary::RunSummary,
};
use inkling_formats::{
    own::Picture,
    tasks::{Host, perform},
    weights,
};
use inkling_train::session::Session;
use pollster::block_on;

fn steps(log: &Log) -> Vec<(u32, f64)> {
    let points = |event: &Event| if let Event::Steps(points) = event { Some(points.clone()) } else { None };
    all(log, points).into_iter().flatten().map(|point| (point.step, point.loss)).collect()
}

fn warnings(log: &Log) -> Vec<String> {
    all(log, |event| if let Event::Warning(words) = event { Some(words.clone()) } else { None })
}

#[test]
fn a_run_that_is_stepped_through_equals_one_that_runs_freely() {
    let (mut whole, expected) = session();
    whole.command(Command::start(1, tiny()));
    finish(&mut whole);
    let (mut session, log) = session();
    session.command(Command::start(1, tiny()));
    block_on(session.work());
    session.command(Command::Pause);
    assert!(!block_on(session.work()), "nothing has been done yet");
    for done in 1..=4 {
        session.command(Command::Step);
        assert!(block_on(session.work()));
        assert!(!block_on(session.work()), "after one step it pauses again");
        assert_eq!((session.state(), steps(&log).len()), (RunState::Paused, done), "a step is reported at once");
    }
    session.command(Command::Resume);
    session.command(Command::Step);
    finish(&mut session);
    assert_eq!(steps(&log), steps(&expected));
}

#[test]
fn a_small_network_is_shared_with_the_accuracy_that_rounding_leaves_it_and_a_large_one_is_refused() {
    let (mut session, log) = session();
    let shared = |session: &mut Session, id| {
        session.command(Command::Ask { id, question: Question::Share });
        while block_on(session.work()) {}
        all(&log, |event| match event {
            Event::Answer { id: of, answer: Answer::Share(shared) } if *of == id => Some(shared.clone()),
            _ => None,
        })
        .pop()
    };
    session.command(Command::start(1, tiny()));
    finish(&mut session);
    assert_eq!(shared(&mut session, 1).unwrap(), Err(ShareError::TooLarge.to_string()));

    let settings = Settings { net: "conv 8, pool, dense 8".parse().unwrap(), ..tiny() };
    session.command(Command::start(2, settings.clone()));
    finish(&mut session);
    let found = shared(&mut session, 2).unwrap().unwrap();
    assert_eq!(session.state(), RunState::Finished);
    let net = settings.network(DataShape::DIGITS).unwrap();
    let (weights, accuracy) = share::read(&net, &found.text).unwrap();
    assert!((accuracy - found.accuracy).abs() < 1e-4, "{accuracy} {}", found.accuracy);
    session.command(Command::Import { run: 2, next: 3, settings, weights: TrainerState::new(0, &weights) });
    while block_on(session.work()) {}
    session.command(Command::Test);
    while block_on(session.work()) {}
    let tested = all(&log, |event| if let Event::Test(test) = event { Some(test.accuracy) } else { None });
    assert_eq!(tested[tested.len() - 2..], [found.before, found.accuracy]);
}

#[test]
fn learning_rate_and_augmentation_can_change_during_a_run_and_a_reload_keeps_the_change() {
    let settings = Settings { batch: 9, epochs: 2, ..tiny() };
    let story = |change: bool| {
        let (mut session, log) = session();
        session.command(Command::start(1, settings.clone()));
        (0..6).for_each(|_| assert!(block_on(session.work())));
        if change {
            session.command(Command::Adjust(Settings { lr: 0.02, augment: false, ..settings.clone() }.adjustable()));
            session.command(Command::Adjust(Settings { lr: 7.0, ..settings.clone() }.adjustable()));
        }
        finish(&mut session);
        log
    };
    let (plain, changed) = (story(false), story(true));
    assert!(warnings(&changed)[0].contains("Learning rate must be"), "{:?}", warnings(&changed));
    let (a, b) = (steps(&plain), steps(&changed));
    assert_eq!(a[..5], b[..5]);
    // Step 6 sees other images; the steps after it also have other weights.
    assert!(a[5..].iter().zip(&b[5..]).all(|(a, b)| a != b), "{a:?} {b:?}");

    let mut page = RunSummary::new(1, settings, Default::default(), None);
    let mut kept = None;
    for envelope in changed.borrow().iter() {
        page.apply(envelope);
        if kept.is_none() && !page.adjustments.is_empty() {
            kept = page.saved(); // with the next losses, not at the end of the epoch
        }
    }
    assert_eq!((page.adjustments.len(), page.adjustments[0].0), (1, 5));
    let kept = kept.unwrap();
    assert_eq!((kept.settings.lr, kept.settings.augment), (0.02, false));
    let (mut rest, log) = session();
    let page = RunSummary::restored(2, kept.clone(), Default::default());
    rest.command(Command::Start { run: 2, settings: kept.settings, from: page.checkpoint });
    finish(&mut rest);
    let rest = steps(&log);
    assert_eq!(rest[..], b[b.len() - rest.len()..]);
}

#[test]
fn a_run_stops_early_when_the_validation_loss_rises_and_says_which_epoch_was_best() {
    // With a learning rate this high, the loss only gets worse.
    let settings = Settings { lr: 0.3, patience: 2, epochs: 40, ..tiny() };
    let (mut session, log) = session();
    session.command(Command::start(1, settings.clone()));
    finish(&mut session);
    let losses = all(&log, |e| if let Event::Epoch { record, .. } = e { Some(record.validation_loss) } else { None });
    let best = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap();
    assert!(losses.len() < 40 && losses.len() == best + 3, "{losses:?}");
    let words =
        format!("Stopped early after epoch {}: the validation loss was lowest in epoch {}.", best + 3, best + 1);
    assert_eq!(warnings(&log), [words]);
    assert_eq!(session.state(), RunState::Finished);
    assert_eq!(all(&log, |e| matches!(e, Event::Test(_)).then_some(())).len(), 1);
    let mut page = RunSummary::new(1, settings, Default::default(), None);
    log.borrow().iter().for_each(|envelope| assert!(page.apply(envelope)));
    assert!(page.saved().unwrap().is_finished());
}

#[test]
fn a_visitors_own_data_set_is_trained_on_and_a_bad_one_changes_nothing() {
    let (mut session, log) = session();
    let settings = Settings { dataset: DatasetName::Own, images: 0, epochs: 1, ..tiny() };
    session.command(Command::start(1, settings.clone()));
    assert_eq!(session.state(), RunState::Failed);
    let failed = |e: &Event| matches!(e, Event::Failed(words) if words.contains("Choose the files")).then_some(());
    assert_eq!(all(&log, failed).len(), 1);
    let data = synthetic::digits(240, 5);
    session.command(Command::UseData(data.clone().into()));
    let mut damaged = data;
    damaged.train.labels[7] = 10;
    session.command(Command::UseData(damaged.into()));
    assert_eq!(warnings(&log), ["The data set is damaged. Choose its files again."]);
    session.command(Command::start(2, settings));
    finish(&mut session);
    assert_eq!(session.state(), RunState::Finished);
    let loaded = all(&log, |e| if let Event::Loaded(loaded) = e { Some(loaded.clone()) } else { None });
    assert_eq!((loaded[0].source.as_str(), loaded[0].test), ("your own files", 40));
    assert_eq!(loaded[0].train + loaded[0].validation, 240);
}

/// Performs a task of the file worker that needs no browser.
fn perform_alone(task: FileTask) -> FileEvent {
    struct Nobody;
    impl Host for Nobody {
        async fn decode(&self, _: &Picture, _: Look) -> Result<Vec<u8>, String> {
            Err("there is no browser".into())
        }
        fn report(&self, _: FileEvent) {}
    }
    block_on(perform(task, &Nobody))
}

#[test]
fn weights_from_a_file_can_be_queried_scored_and_trained_on() {
    let net = Network::default();
    let weights = random_weights(net.parameters(), 9);
    for format in [Format::Safetensors, Format::Burnpack] {
        let (mut session, log) = session();
        session.command(Command::start(1, tiny()));
        let file = weights::file(format, &net, &weights).unwrap();
        let task = FileTask::Read { net: Some(net.clone()), file: file.clone() };
        let FileEvent::Opened { weights: opened, .. } = perform_alone(task) else { panic!() };
        let import =
            |weights: &TrainerState| Command::Import { run: 1, next: 2, settings: tiny(), weights: weights.clone() };
        session.command(import(&opened));
        assert!(warnings(&log)[0].contains("A run is in progress"));
        finish(&mut session);
        let before = log.borrow().len();
        session.command(import(&TrainerState::new(0, &weights[1..])));
        assert_eq!(warnings(&log)[1], "These are not this network's weights.");
        assert_eq!((session.state(), log.borrow().len()), (RunState::Finished, before + 1), "nothing is lost");
        session.command(import(&opened));
        finish(&mut session);
        assert_eq!(session.state(), RunState::Paused);
        let kept = all(&log, |e| if let Event::Checkpoint(kept) = e { Some(kept.trainer.clone()) } else { None });
        assert_eq!(kept.last(), Some(&opened), "losing the worker now loses nothing");
        session.command(Command::Ask { id: 3, question: Question::Predict { pixels: vec![99; IMAGE], epoch: None } });
        session.command(Command::Export(format));
        finish(&mut session);
        let saved = all(&log, |e| if let Event::Export { weights, .. } = e { Some(weights.clone()) } else { None });
        let task = FileTask::Write { format, net: net.clone(), weights: saved[0].clone() };
        let FileEvent::Saved { name, bytes } = perform_alone(task) else { panic!() };
        assert_eq!(name, format!("inkling-step-0.{}", format.extension()));
        assert_eq!(weights::read(&net, &bytes).unwrap(), weights);
        assert!(matches!(
            log.borrow().iter().rev().nth(1),
            Some(Envelope {
                run: 2,
                event: Event::Answer { answer: Answer::Predict { probabilities: Some(_), steps: 0, .. }, .. }
            })
        ));
        session.command(Command::Resume);
        finish(&mut session);
        assert_eq!(session.state(), RunState::Finished);
        let cut = perform_alone(FileTask::Read { net: Some(net.clone()), file: file[..file.len() - 9].to_vec() });
        assert!(matches!(cut, FileEvent::Failed(words) if words.starts_with("The file was not opened: ")));
        let task = FileTask::Write { format, net: net.clone(), weights: TrainerState::new(0, &[1.0]) };
        assert!(matches!(perform_alone(task), FileEvent::Failed(words) if words.contains("could not be saved")));
    }
}

fn ask(query: Query, session: &mut inkling_train::session::Session, log: &Log) -> (u32, Vec<Specimen>) {
    session.command(Command::Ask { id: 6, question: Question::Browse(query) });
    assert!(block_on(session.work()));
    let Some(Event::Answer { id, answer: Answer::Browse { total, specimens } }) =
        log.borrow().last().map(|e| e.event.clone())
    else {
        panic!()
    };
    assert_eq!(id, 6);
    (total, specimens)
}

#[test]
fn images_are_shown_by_class_and_by_mistake_the_most_confident_first() {
    let (mut session, log) = session();
    let settings = Settings { images: 600, epochs: 1, ..tiny() };
    session.command(Command::start(1, settings));
    finish(&mut session);
    let test = all(&log, |e| if let Event::Test(test) = e { Some(test.clone()) } else { None }).remove(0);
    let query = Query { part: Part::Test, count: 7, ..Query::default() };
    let (total, shown) = ask(query, &mut session, &log);
    assert_eq!((total, shown.len()), (test.confusion.total(), 7));
    let mut mistakes = 0;
    for label in 0..10u8 {
        for predicted in 0..10u8 {
            let count = test.confusion.counts[usize::from(label)][usize::from(predicted)];
            let query = Query { label: Some(label), predicted: Some(predicted), count: 100, ..query };
            let (total, shown) = ask(query, &mut session, &log);
            assert_eq!((total, shown.len() as u32), (count, count.min(100)));
            assert!(shown.iter().all(|s| s.label == label && s.answer.unwrap().0 == predicted));
            assert!(shown.is_sorted_by(|a, b| a.answer.unwrap().1 >= b.answer.unwrap().1));
            mistakes += if label == predicted { 0 } else { count };
        }
    }
    assert!(mistakes > 0, "without mistakes this test proves nothing");
    let (total, shown) = ask(Query { mistakes: true, count: 200, ..query }, &mut session, &log);
    assert_eq!((total, shown.len() as u32), (mistakes, mistakes.min(200)));
    // Asked about an image that it has shown, the network gives the same answer.
    let image = &shown[0];
    session.command(Command::Ask { id: 2, question: Question::Predict { pixels: image.pixels.clone(), epoch: None } });
    block_on(session.work());
    let Some(Event::Answer { answer: Answer::Predict { probabilities: Some(p), .. }, .. }) =
        log.borrow().last().map(|e| e.event.clone())
    else {
        panic!()
    };
    let (class, confidence) = image.answer.unwrap();
    assert!((p[usize::from(class)] - confidence).abs() < 1e-5);
    let (total, shown) =
        ask(Query { part: Part::Train, label: Some(3), from: 2, count: 5, ..query }, &mut session, &log);
    assert!(total > 40 && shown.len() == 5 && shown.iter().all(|s| s.label == 3 && s.answer.is_none()));
}

#[test]
fn a_score_says_how_confident_the_network_is_and_which_images_are_correct() {
    let (mut session, log) = session();
    session.command(Command::start(1, Settings { images: 600, ..tiny() }));
    finish(&mut session);
    let test = all(&log, |e| if let Event::Test(test) = e { Some(test.clone()) } else { None }).remove(0);
    assert_eq!(test.right.len() as u32, test.confusion.total());
    assert_eq!(test.right.iter().map(|&right| u32::from(right)).sum::<u32>(), test.confusion.correct());
    let counted = |of: fn(&inkling_core::calibration::Bin) -> u32| test.calibration.bins.iter().map(of).sum::<u32>();
    assert_eq!(counted(|bin| bin.images), test.confusion.total());
    assert_eq!(counted(|bin| bin.right), test.confusion.correct());
    assert!((0.0..0.6).contains(&test.calibration.error()));
}

#[test]
fn robustness_is_measured_during_training_without_changing_it() {
    let (mut whole, expected) = session();
    whole.command(Command::start(1, tiny()));
    finish(&mut whole);
    let (mut session, log) = session();
    session.command(Command::start(1, tiny()));
    (0..3).for_each(|_| assert!(block_on(session.work())));
    session.command(Command::MeasureRobustness);
    finish(&mut session);
    let points = all(&log, |e| if let Event::Robustness { point, left } = e { Some((*point, *left)) } else { None });
    assert_eq!(points.iter().map(|p| p.1).collect::<Vec<_>>(), (0..points.len() as u32).rev().collect::<Vec<_>>());
    for motion in [Motion::Rotation, Motion::Shift, Motion::Zoom] {
        assert!(points.iter().filter(|p| p.0.motion == motion).count() >= 11);
    }
    assert_eq!(steps(&log), steps(&expected));
    let again = log.borrow().len();
    session.command(Command::MeasureRobustness);
    finish(&mut session);
    let measured = log.borrow()[again..].iter().filter(|e| matches!(e.event, Event::Robustness { .. })).count();
    assert_eq!(measured, points.len(), "once more when the run is over");
    let first = log.borrow().iter().position(|e| matches!(e.event, Event::Robustness { .. })).unwrap();
    assert!(log.borrow()[first..].iter().any(|e| matches!(e.event, Event::Steps(_))), "training waited for the end");
}

#[test]
fn a_data_set_is_surveyed_during_training_without_changing_it_and_its_labels_once_that_is_over() {
    let settings = Settings { images: 600, ..tiny() };
    let (mut whole, expected) = session();
    whole.command(Command::start(1, settings.clone()));
    finish(&mut whole);
    let (mut session, log) = session();
    session.command(Command::Survey);
    assert_eq!(warnings(&log), ["There are no images yet. Press Train first."]);
    session.command(Command::start(1, settings.clone()));
    (0..3).for_each(|_| assert!(block_on(session.work())));
    session.command(Command::Survey);
    finish(&mut session);
    assert_eq!(steps(&log), steps(&expected));
    let found = |log: &Log| all(log, |e| if let Event::Surveyed(twins) = e { Some(twins.clone()) } else { None });
    let twins = found(&log).remove(0);
    assert_eq!((twins.pairs.len(), twins.mistakes), (12, None), "the network was learning");

    session.command(Command::Survey);
    finish(&mut session);
    let again = found(&log).remove(1);
    assert_eq!(again.pairs, twins.pairs);
    let query = Query { part: Part::Train, mistakes: true, count: 200, ..Query::default() };
    let (total, specimens) = ask(query, &mut session, &log);
    assert_eq!(again.mistakes, Some(total));
    assert!(total > 0 && specimens.iter().all(|s| s.answer.is_some_and(|(class, _)| class != s.label)));
    let classes = all(&log, |e| if let Event::Classes(classes) = e { Some(classes.clone()) } else { None }).remove(1);
    let counted = |of: fn(&ClassSurvey) -> u32| classes.iter().map(of).sum::<u32>();
    assert_eq!((counted(|class| class.train), counted(|class| class.test)), (600, 100));
    let (done, of): (Vec<u32>, Vec<u32>) =
        all(&log, |e| if let Event::Surveying { done, of } = e { Some((*done, *of)) } else { None })
            .into_iter()
            .unzip();
    assert!(done.iter().zip(&of).all(|(done, of)| done <= of));
}

#[test]
fn a_sketch_is_explained_diagnosed_and_shown_to_earlier_epochs() {
    let (mut session, log) = session();
    session.command(Command::start(1, tiny()));
    finish(&mut session);
    let Specimen { pixels, number, .. } =
        ask(Query { part: Part::Train, count: 1, ..Query::default() }, &mut session, &log).1.remove(0);
    session.command(Command::Ask { id: 7, question: Question::Explain { pixels: pixels.clone() } });
    session.command(Command::Ask {
        id: 8,
        question: Question::Diagnose { pixels: [pixels.clone(), vec![0; IMAGE]].concat() },
    });
    finish(&mut session);
    let explained = all(&log, |e| {
        if let Event::Answer { id: 7, answer: Answer::Explain(explanation) } = e {
            Some(explanation.clone())
        } else {
            None
        }
    });
    let diagnosed = all(&log, |e| match e {
        Event::Answer { id: 8, answer: Answer::Diagnose { probabilities, nearest } } => {
            Some((probabilities.clone(), nearest.clone()))
        }
        _ => None,
    });
    let (probabilities, nearest) = &diagnosed[0];
    assert_eq!(probabilities.len(), 2);
    assert!(probabilities[0].iter().zip(&explained[0].probabilities).all(|(a, b)| (a - b).abs() < 1e-5));
    assert_ne!(probabilities[0], probabilities[1]);
    assert_eq!((nearest.len(), nearest[0].number), (8, number), "an image of the set is nearest to itself");

    for epoch in [Some(1), Some(2), Some(3), None] {
        session.command(Command::Ask {
            id: epoch.unwrap_or(0),
            question: Question::Predict { pixels: pixels.clone(), epoch },
        });
        finish(&mut session);
    }
    let answers = all(&log, |e| {
        if let Event::Answer { answer: Answer::Predict { probabilities, .. }, .. } = e {
            Some(probabilities.clone())
        } else {
            None
        }
    });
    assert_ne!(answers[0], answers[1]);
    assert_eq!(
        (answers[1].as_ref(), answers[2].as_ref()),
        (answers[3].as_ref(), None),
        "the last epoch is the current network"
    );
    let mut page = RunSummary::new(1, tiny(), Default::default(), None);
    log.borrow().iter().for_each(|envelope| assert!(page.apply(envelope)));
    let filters: Vec<_> = page.snapshots.iter().map(|snapshot| &snapshot.filters).collect();
    assert!(filters.len() == 2 && filters[0].len() == 288 && filters[0] != filters[1]);
    assert_eq!(*filters[1], page.filters(0).unwrap().1);
}

#[test]
fn handwriting_teaches_the_network_without_making_it_forget_and_can_be_taken_back() {
    let (mut session, log) = session();
    // Handwriting in which every digit is mirrored.
    let mirrored = |image: &[u8]| -> Vec<u8> { image.chunks(28).flat_map(|row| row.iter().rev().copied()).collect() };
    let digits = synthetic::digits(120, 77).train;
    let mut hand = Handwriting::default();
    (0..60).for_each(|i| assert!(hand.add(&mirrored(digits.image(i)), digits.labels[i])));
    session.command(Command::FineTune(hand.clone()));
    session.command(Command::start(1, Settings { images: 1200, epochs: 4, ..tiny() }));
    assert!(block_on(session.work()));
    session.command(Command::FineTune(hand.clone()));
    finish(&mut session);
    session.command(Command::FineTune(Handwriting::default()));
    session.command(Command::FineTune(Handwriting { labels: vec![3], ..Handwriting::default() }));
    session.command(Command::TakeBack);
    finish(&mut session);
    let words = warnings(&log);
    let expected = [
        "There is no network",
        "A run is in progress",
        "There are no digits",
        "There are no digits",
        "There is no teaching",
    ];
    assert!(words.len() == 5 && words.iter().zip(expected).all(|(word, begins)| word.starts_with(begins)), "{words:?}");

    let mut page = RunSummary::new(1, tiny(), Default::default(), None);
    let apply = |page: &mut RunSummary, log: &Log| {
        log.borrow_mut().drain(..).for_each(|e| {
            page.apply(&e);
        })
    };
    let read = |session: &mut inkling_train::session::Session| {
        session.command(Command::Ask { id: 5, question: Question::ReadHandwriting(hand.clone()) });
        finish(session);
        let found = all(&log, |e| {
            if let Event::Answer { id: 5, answer: Answer::ReadHandwriting(answers) } = e {
                Some(answers.clone())
            } else {
                None
            }
        });
        found.last().unwrap().clone()
    };
    let first = read(&mut session);
    apply(&mut page, &log);
    let (untouched, tested) = (page.checkpoint.clone().unwrap(), page.test_accuracy.unwrap());
    session.command(Command::FineTune(hand.clone()));
    finish(&mut session);
    let steps = all(&log, |e| if let Event::FineTuning { step, steps } = e { Some((*step, *steps)) } else { None });
    assert!(steps.is_sorted() && steps[0].0 == 0 && steps.last().is_some_and(|last| last.0 == last.1), "{steps:?}");
    let after = read(&mut session);
    apply(&mut page, &log);
    let [before, now] = page.fine_tuned.unwrap();
    println!("{before:?} {now:?}");
    let share = |(right, of): (u32, u32)| f64::from(right) / f64::from(of);
    assert_eq!((before.own.1, before.aside.1), (40, 20));
    assert_eq!(share(before.test), tested);
    assert_eq!(share(now.test), page.test_accuracy.unwrap());
    assert!(share(now.own) > share(before.own) + 0.2 && share(now.aside) > share(before.aside) + 0.15);
    assert!(share(now.test) > share(before.test) - 0.03, "the network forgot what it knew");
    let right = |answers: &[(u8, f32)], aside| {
        let place = |place: &usize| hand.is_aside(*place) == aside && answers[*place].0 == hand.labels[*place];
        (0..hand.len()).filter(place).count() as u32
    };
    assert_eq!((right(&first, false), right(&first, true)), (before.own.0, before.aside.0));
    assert_eq!((right(&after, false), right(&after, true)), (now.own.0, now.aside.0));
    let taught = page.checkpoint.clone().unwrap();
    assert_eq!(taught.trainer.step, untouched.trainer.step);
    assert_ne!(taught.trainer, untouched.trainer);

    session.command(Command::TakeBack);
    finish(&mut session);
    assert_eq!(read(&mut session), first);
    apply(&mut page, &log);
    assert_eq!((page.fine_tuned, page.test_accuracy), (None, Some(tested)));
    assert_eq!(page.checkpoint.unwrap().trainer, untouched.trainer);
    assert!(page.progress.unwrap().images_per_second.is_some(), "the training speed is still known");
}

#[test]
fn burn_itself_loads_the_burnpack_file() {
    use burn::{
        module::Module,
        nn::{Linear, LinearConfig, conv::Conv2d, conv::Conv2dConfig},
        store::ModuleRecord,
        tensor::{Bytes, Device},
    };
    /// As a Burn user would write it.
    #[derive(Module, Debug)]
    struct Cnn {
        conv1: Conv2d,
        conv2: Conv2d,
        dense1: Linear,
        dense2: Linear,
    }
    let (net, device) = (Network::default(), Device::flex());
    let there = random_weights(net.parameters(), 5);
    let file = weights::file(Format::Burnpack, &net, &there).unwrap();
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(file)).unwrap();
    let other = Cnn {
        conv1: Conv2dConfig::new([1, 32], [3, 3]).init(&device),
        conv2: Conv2dConfig::new([32, 64], [3, 3]).init(&device),
        dense1: LinearConfig::new(1600, 128).init(&device),
        dense2: LinearConfig::new(128, 10).init(&device),
    };
    let Cnn { conv1, conv2, dense1, dense2 } = other.load_record(record);
    let mut found: Vec<f32> = Vec::new();
    for (weight, bias) in [(conv1.weight, conv1.bias), (conv2.weight, conv2.bias)] {
        found.extend(weight.val().into_data().try_into_vec::<f32>().unwrap());
        found.extend(bias.unwrap().val().into_data().try_into_vec::<f32>().unwrap());
    }
    for (weight, bias) in [(dense1.weight, dense1.bias), (dense2.weight, dense2.bias)] {
        found.extend(weight.val().into_data().try_into_vec::<f32>().unwrap());
        found.extend(bias.unwrap().val().into_data().try_into_vec::<f32>().unwrap());
    }
    assert_eq!(found, there);
}
