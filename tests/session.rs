//! A session keeps a legal state under any order of commands, and reports the events of a whole run in the right order.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(all(not(target_arch = "wasm32"), feature = "cpu"))]

#[path = "common/session.rs"]
mod common;

use std::time::Duration;

use common::{Log, all, finish, session, session_with, tiny};

use burn::tensor::Device;
use inkling_core::{
    checkpoint::{Checkpoint, Rounding, TrainerState},
    data::{IMAGE, handwriting::Handwriting, synthetic},
    protocol::{Activity, Answer, Command, Envelope, EpochRecord, Event, Format, Part, Question, RunState},
    restore::Restore,
    settings::{DatasetName, Settings},
    summary::RunSummary,
};
use inkling_train::{replicas::Threads, session::Session};
use pollster::block_on;
use proptest::prelude::*;

/// Parameters of the default network.
const PARAMETERS: usize = 225_034;

#[test]
fn a_whole_run_reports_its_events_in_order() {
    let (mut session, log) = session();
    session.command(Command::start(7, tiny()));
    assert!(!session.wants_mnist(), "synthetic digits need no download");
    finish(&mut session);
    assert_eq!(session.state(), RunState::Finished);
    let log = log.borrow();
    assert!(log.iter().all(|envelope| envelope.run == 7));
    let story: Vec<&str> = log
        .iter()
        .filter_map(|envelope| match &envelope.event {
            Event::State(RunState::Loading) => Some("loading"),
            Event::Loaded(_) => Some("loaded"),
            Event::State(RunState::Training) => Some("training"),
            Event::Epoch { .. } => Some("epoch"),
            Event::Test(_) => Some("test"),
            Event::State(RunState::Finished) => Some("finished"),
            Event::Steps(_) | Event::Progress(_) | Event::Checkpoint(_) => None,
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    assert_eq!(story, ["loading", "loaded", "training", "epoch", "epoch", "test", "finished"]);

    let steps: Vec<u32> = log
        .iter()
        .filter_map(|e| match &e.event {
            Event::Steps(points) => Some(points.iter().map(|p| p.step).collect::<Vec<_>>()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(steps, (1..=8).collect::<Vec<_>>(), "110 images in batches of 32, twice");

    let mut summary = RunSummary::new(7, tiny(), Default::default(), None);
    log.iter().for_each(|envelope| assert!(summary.apply(envelope)));
    assert_eq!((summary.state, summary.history.len()), (RunState::Finished, 2));
    assert_eq!(summary.confusion_matrix.unwrap().total(), 20);
    assert_eq!(summary.confusion_matrix_of, Some(Part::Test));
    assert_eq!(summary.progress.unwrap().activity, Activity::Test);
    let [low, high] = summary.test_accuracy_interval.unwrap();
    assert!(low < summary.test_accuracy.unwrap() && summary.test_accuracy.unwrap() <= high);
    assert_eq!(summary.curves.loss.last().unwrap().0, 2.0, "the curve ends where the axis does");
}

#[test]
fn a_session_learns_the_synthetic_digits_and_a_seed_reproduces_the_result() {
    let run = |seed: u32| {
        let (mut session, log) = session();
        let settings = Settings { images: 1200, epochs: 3, augment: false, seed, ..tiny() };
        session.command(Command::start(1, settings));
        finish(&mut session);
        let log = log.borrow();
        let test =
            log.iter().find_map(|e| if let Event::Test(test) = &e.event { Some(test.clone()) } else { None }).unwrap();
        (test.accuracy, test.loss)
    };
    let (accuracy, loss) = run(3);
    assert!(accuracy >= 0.95, "test accuracy {accuracy}");
    assert_eq!((accuracy, loss), run(3));
    assert_ne!(loss, run(4).1);
}

#[test]
fn a_command_takes_effect_before_the_next_step() {
    let (mut session, log) = session();
    session.command(Command::start(1, tiny()));
    block_on(session.work());
    assert_eq!(session.state(), RunState::Training);
    block_on(session.work());
    session.command(Command::Pause);
    assert!(block_on(session.work()), "the loss of the finished step is read");
    assert!(!block_on(session.work()), "then a paused session has nothing to do");
    assert_eq!(session.state(), RunState::Paused);
    let before = log.borrow().len();
    session.command(Command::Ask { id: 4, question: Question::Predict { pixels: vec![0; IMAGE], epoch: None } });
    assert!(block_on(session.work()), "a question is answered while paused");
    let answer = log.borrow()[before].event.clone();
    let Event::Answer { id: 4, answer: Answer::Predict { probabilities: Some(p), steps: 1 } } = answer else {
        panic!("{answer:?}")
    };
    assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    session.command(Command::Test);
    finish(&mut session);
    assert_eq!(session.state(), RunState::Paused, "scoring on request does not end the pause");
    assert!(log.borrow().iter().any(|e| matches!(e.event, Event::Test(_))));
    session.command(Command::Resume);
    session.command(Command::Stop);
    assert!(!block_on(session.work()));
    assert_eq!(session.state(), RunState::Stopped);
    session.command(Command::Reset);
    session.command(Command::Ask { id: 5, question: Question::Predict { pixels: vec![0; IMAGE], epoch: None } });
    finish(&mut session);
    let last = log.borrow().last().unwrap().event.clone();
    assert_eq!(last, Event::Answer { id: 5, answer: Answer::Predict { probabilities: None, steps: 0 } });
}

#[test]
fn mnist_is_requested_once_and_serves_the_run_that_waits() {
    let (mut session, log) = session();
    let settings = Settings { dataset: DatasetName::Mnist, epochs: 1, ..tiny() };
    session.command(Command::start(1, settings.clone()));
    assert!(session.wants_mnist() && !session.wants_mnist());
    assert!(!block_on(session.work()));
    session.command(Command::Stop);
    session.command(Command::start(2, settings.clone()));
    assert!(!session.wants_mnist(), "the first run's download is still in progress");
    session.provide(Err("There is no network.".into()));
    assert_eq!(session.state(), RunState::Failed);
    assert!(log.borrow().iter().any(|e| e.run == 2 && e.event == Event::Failed("There is no network.".into())));
    session.command(Command::start(3, settings.clone()));
    assert!(session.wants_mnist());
    session.command(Command::Stop);
    session.provide(Err("late".into()));
    assert_eq!(session.state(), RunState::Stopped, "a failed download that no run waits for changes nothing");
    session.command(Command::start(4, settings.clone()));
    assert!(session.wants_mnist());
    session.provide(Ok((synthetic::digits(240, 1), "a test".into())));
    finish(&mut session);
    assert_eq!(session.state(), RunState::Finished);
    session.command(Command::start(5, settings));
    assert!(session.state() == RunState::Training && !session.wants_mnist(), "the data is still there");
}

#[test]
fn bad_settings_fail_with_an_explanation() {
    let (mut session, log) = session();
    session.command(Command::start(1, Settings { batch: 0, ..tiny() }));
    let failure = |log: &Log| {
        log.borrow().iter().rev().find_map(|e| if let Event::Failed(m) = &e.event { Some(m.clone()) } else { None })
    };
    assert_eq!(failure(&log).unwrap(), "Batch size must be a whole number from 1 to 1024; it is \"0\".");
    assert_eq!(session.state(), RunState::Failed);
}

#[derive(Clone, Debug)]
enum Act {
    Command(Command),
    Work,
    Provide(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let settings = (any::<bool>(), 0u32..3).prop_map(|(mnist, bad)| Settings {
        dataset: if mnist { DatasetName::Mnist } else { DatasetName::Synthetic },
        images: 24,
        batch: if bad == 0 { 0 } else { 16 },
        epochs: 1,
        ..Settings::default()
    });
    prop_oneof![
        3 => (0u32..4, settings).prop_map(|(run, settings)| Act::Command(Command::start(run, settings))),
        8 => Just(Act::Work),
        1 => Just(Act::Command(Command::Pause)),
        1 => Just(Act::Command(Command::Resume)),
        1 => Just(Act::Command(Command::Stop)),
        1 => Just(Act::Command(Command::Reset)),
        1 => Just(Act::Command(Command::Test)),
        1 => Just(Act::Command(Command::Step)),
        1 => Just(Act::Command(Command::MeasureRobustness)),
        1 => Just(Act::Command(Command::Survey)),
        1 => (0usize..3).prop_map(|n| Act::Command(Command::FineTune(Handwriting { pixels: vec![9; 2 * IMAGE], labels: vec![3; n], aside: vec![0; 2], drawn: 2 }))),
        1 => Just(Act::Command(Command::TakeBack)),
        1 => Just(Act::Command(Command::Ask { id: 1, question: Question::Explain { pixels: vec![9; IMAGE] } })),
        1 => (0f64..0.1).prop_map(|lr| Act::Command(Command::Adjust(Settings { lr, ..tiny() }.adjustable()))),
        1 => (0u32..4).prop_map(|run| Act::Command(Command::Import { run, next: run + 1, settings: tiny(), weights: TrainerState::new(0, &[1.0; 9]) })),
        1 => (0usize..3).prop_map(|n| Act::Command(Command::Ask { id: 1, question: Question::Predict { pixels: vec![9; [0, IMAGE, IMAGE + 1][n]], epoch: None } })),
        1 => any::<bool>().prop_map(Act::Provide),
    ]
}

/// Whether a state may follow another.
fn legal(from: RunState, to: RunState) -> bool {
    use RunState::*;
    match to {
        Idle | Failed => true,
        Loading => !from.is_active(),
        Training => matches!(from, Loading | Paused),
        Paused => from == Training,
        // A single step may be the last.
        Finished => matches!(from, Training | Paused),
        Stopped => from.is_active(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_order_of_commands_keeps_a_legal_state(acts in proptest::collection::vec(act(), 1..60)) {
            let (mut session, log) = session();
        for act in acts {
            match act {
                Act::Command(command) => session.command(command),
                Act::Work => drop(block_on(session.work())),
                Act::Provide(true) => session.provide(Ok((synthetic::digits(24, 1), "test".into()))),
                Act::Provide(false) => session.provide(Err("no".into())),
            }
            let _ = session.wants_mnist();
        }
        let mut state = RunState::Idle;
        for envelope in log.borrow().iter() {
            if let Event::State(next) = envelope.event {
                prop_assert!(legal(state, next), "{:?} after {:?}", next, state);
                state = next;
            }
        }
        prop_assert_eq!(state, session.state());
        // Whatever happened before, a reset and a new run work.
        session.command(Command::Reset);
        session.command(Command::start(99, Settings { images: 24, epochs: 1, ..tiny() }));
        finish(&mut session);
        prop_assert_eq!(session.state(), RunState::Finished);
    }
}

#[test]
fn a_run_resumes_from_a_checkpoint_as_if_it_had_never_stopped() {
    type Story = (Vec<(u32, f64)>, Vec<[f64; 4]>, f64);
    let story = |log: &[Envelope], after: u32| -> Story {
        let steps = log.iter().filter_map(|e| if let Event::Steps(points) = &e.event { Some(points) } else { None });
        let steps = steps.flatten().filter(|point| point.step > after).map(|point| (point.step, point.loss)).collect();
        let epochs = log.iter().filter_map(|e| match &e.event {
            Event::Epoch { record: r, .. } if r.step > after => {
                Some([r.train_loss, r.train_accuracy, r.validation_loss, r.validation_accuracy])
            }
            _ => None,
        });
        let test = log.iter().find_map(|e| if let Event::Test(test) = &e.event { Some(test.loss) } else { None });
        (steps, epochs.collect(), test.unwrap())
    };
    let settings = Settings { epochs: 3, batch: 9, ..tiny() };
    let (mut whole, log) = session();
    whole.checkpoint_after(Duration::ZERO);
    whole.command(Command::start(1, settings.clone()));
    finish(&mut whole);
    let log = log.borrow();
    let checkpoints: Vec<_> =
        log.iter().filter_map(|e| if let Event::Checkpoint(c) = &e.event { Some(c.clone()) } else { None }).collect();
    // An epoch has thirteen steps. Losses are first read after eight of them, or earlier on a slow machine.
    let places: Vec<_> = checkpoints.iter().map(|c| (c.epoch, c.done, c.trainer.step)).collect();
    assert!([(2, 0, 13), (4, 0, 39)].iter().all(|place| places.contains(place)), "{places:?}");
    assert!(places.iter().any(|&(_, done, _)| done > 0), "no checkpoint lies within an epoch: {places:?}");
    for checkpoint in checkpoints {
        let step = checkpoint.trainer.step;
        let (mut rest, rest_log) = session();
        rest.command(Command::Start { run: 1, settings: settings.clone(), from: Some(checkpoint) });
        finish(&mut rest);
        assert_eq!(rest.state(), RunState::Finished);
        assert_eq!(story(&rest_log.borrow(), 0), story(&log, step), "after step {step}");
    }
}

#[test]
fn a_checkpoint_of_another_network_is_refused_with_a_reason() {
    let (mut session, log) = session();
    for (step, values) in [(3, vec![0.0; 7]), (0, vec![0.0; 225_034 * 3]), (3, vec![0.0; 225_034])] {
        let trainer = TrainerState::new(step, &values);
        let from = Checkpoint {
            epoch: 1,
            done: 32,
            loss: 1.0,
            hits: 3.0,
            seconds: 0.5,
            best: None,
            data: None,
            rounding: None,
            workers: None,
            trainer,
        };
        session.command(Command::Start { run: 1, settings: tiny(), from: Some(Box::new(from)) });
        finish(&mut session);
        assert_eq!(session.state(), RunState::Failed);
    }
    let failed =
        |e: &&Envelope| matches!(&e.event, Event::Failed(reason) if reason.starts_with("The run can't be resumed"));
    assert_eq!(log.borrow().iter().filter(failed).count(), 3);
}

#[test]
fn the_weights_can_be_exported_whenever_there_is_a_network() {
    let (mut session, log) = session();
    session.command(Command::Export(Format::Onnx));
    assert!(matches!(&log.borrow()[0].event, Event::Warning(words) if words.contains("no network")));
    session.command(Command::start(1, tiny()));
    block_on(session.work());
    block_on(session.work());
    session.command(Command::Pause);
    Format::ALL.into_iter().for_each(|format| session.command(Command::Export(format)));
    finish(&mut session);
    let log = log.borrow();
    let saved = log.iter().filter_map(|e| match &e.event {
        Event::Export { format, weights } => Some((*format, weights)),
        _ => None,
    });
    let (formats, weights): (Vec<_>, Vec<_>) = saved.unzip();
    assert_eq!(formats, Format::ALL);
    assert!(weights.iter().all(|weights| weights.step == 1 && weights.values().len() == PARAMETERS));
}

#[test]
fn a_run_that_is_kept_and_resumed_equals_one_that_is_never_interrupted() {
    let settings = Settings { epochs: 3, batch: 9, ..tiny() };
    let (mut whole, log) = session();
    whole.checkpoint_after(Duration::ZERO);
    whole.command(Command::start(1, settings.clone()));
    finish(&mut whole);
    let mut uninterrupted = RunSummary::new(1, settings.clone(), Default::default(), None);
    // The page is closed some steps after the checkpoint of step 8, and again after that of epoch 2.
    let mut page = RunSummary::new(1, settings.clone(), Default::default(), None);
    assert_eq!(page.saved(), None, "there is nothing to keep before the first checkpoint");
    let mut kept = Vec::new();
    for envelope in log.borrow().iter() {
        uninterrupted.apply(envelope);
        page.apply(envelope);
        if matches!(envelope.event, Event::Steps(_)) {
            kept.extend(page.saved());
        }
    }
    for run in [kept.first().unwrap(), kept.last().unwrap()] {
        assert!(run.check().is_ok() && run.sentence().contains("of 39"), "{}", run.sentence());
        let (mut rest, log) = session();
        let mut page = RunSummary::restored(5, run.clone(), Default::default());
        let from = page.checkpoint.clone();
        rest.command(Command::Start { run: 5, settings: run.settings.clone(), from });
        finish(&mut rest);
        log.borrow().iter().for_each(|envelope| assert!(page.apply(envelope)));
        assert_eq!(page.curves, uninterrupted.curves);
        assert_eq!(page.test_accuracy, uninterrupted.test_accuracy);
        let scores = |summary: &RunSummary| -> Vec<[f64; 4]> {
            let score = |r: &EpochRecord| [r.train_loss, r.train_accuracy, r.validation_loss, r.validation_accuracy];
            summary.history.iter().map(score).collect()
        };
        assert_eq!(scores(&page), scores(&uninterrupted));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_checkpoint_with_any_value_trains_or_is_refused_with_a_sentence(
        epoch in prop_oneof![0u32..5, Just(u32::MAX)],
        done in prop_oneof![0u32..40, Just(u32::MAX)],
        step in prop_oneof![0u32..40, Just(u32::MAX)],
        loss in prop_oneof![Just(1.0), any::<f64>()],
        hits in prop_oneof![Just(1.0), any::<f64>()],
        seconds in prop_oneof![Just(1.0), any::<f64>()],
        best in proptest::option::of((0u32..5, any::<f64>())),
        values in prop_oneof![Just(0usize), Just(1), Just(PARAMETERS), Just(3 * PARAMETERS)],
        weight in prop_oneof![3 => Just(0.01f32), 1 => Just(f32::NAN)],
        data in proptest::option::of(any::<u32>()),
    ) {
        let trainer = TrainerState::new(step, &vec![weight; values]);
        let from = Some(Box::new(Checkpoint { epoch, done, loss, hits, seconds, best, data, rounding: None, workers: None, trainer }));
        let (mut session, log) = session();
        session.command(Command::Start { run: 1, settings: tiny(), from });
        for _ in 0..3 {
            block_on(session.work());
        }
        let log = log.borrow();
        let failed = log.iter().any(|e| matches!(&e.event, Event::Failed(words) if words.starts_with("The run can't be resumed")));
        prop_assert!(failed || log.iter().any(|e| e.event == Event::State(RunState::Training)));
    }
}

#[test]
fn a_run_does_not_go_on_with_other_images_than_it_had() {
    let settings = Settings { batch: 9, ..tiny() };
    let (mut first, log) = session();
    first.checkpoint_after(Duration::ZERO);
    first.command(Command::start(1, settings.clone()));
    finish(&mut first);
    let checkpoint =
        log.borrow().iter().find_map(|e| if let Event::Checkpoint(c) = &e.event { Some(c.clone()) } else { None });
    let resume = |from: Checkpoint| {
        let (mut session, _) = session();
        session.command(Command::Start { run: 1, settings: settings.clone(), from: Some(Box::new(from)) });
        block_on(session.work());
        session.state()
    };
    let checkpoint = checkpoint.unwrap();
    assert_eq!(resume((*checkpoint).clone()), RunState::Training);
    assert_eq!(
        resume(Checkpoint { data: checkpoint.data.map(|data| data ^ 1), ..*checkpoint.clone() }),
        RunState::Failed
    );
    // A checkpoint of an earlier version does not say which images they were.
    assert_eq!(resume(Checkpoint { data: None, ..*checkpoint }), RunState::Training);
}

#[test]
fn a_run_that_goes_on_keeps_its_number_of_workers_unless_it_is_chosen_or_too_large() {
    let four = || session_with(Threads::with_most(Device::flex(), 4));
    let (mut first, log) = four();
    first.command(Command::start(1, Settings { replicas: 3, ..tiny() }));
    finish(&mut first);
    let checkpoint = all(&log, |event| if let Event::Checkpoint(c) = event { Some(c.clone()) } else { None }).remove(0);
    assert_eq!(checkpoint.workers, Some(3));
    let workers = |recorded: u32, replicas: u32| {
        let (mut session, log) = four();
        let from = Some(Box::new(Checkpoint { workers: Some(recorded), ..*checkpoint.clone() }));
        session.command(Command::Start { run: 1, settings: Settings { replicas, ..tiny() }, from });
        block_on(session.work());
        all(&log, |event| if let Event::Progress(progress) = event { Some(progress.workers) } else { None })[0]
    };
    assert_eq!([workers(3, 0), workers(1, 0), workers(3, 2)], [3, 1, 2]);
    assert!(workers(9, 0) <= 4, "of another machine: measured again");
}

#[test]
fn where_a_batch_can_not_be_shared_a_checkpoint_says_nothing_about_workers() {
    let (mut alone, log) = session();
    alone.command(Command::start(1, tiny()));
    finish(&mut alone);
    let recorded = all(&log, |event| if let Event::Checkpoint(c) = event { Some(c.workers) } else { None });
    assert!(!recorded.is_empty() && recorded.iter().all(Option::is_none), "else the run would go on alone elsewhere");
}

#[test]
fn measuring_the_number_of_workers_is_not_training_time() {
    let (mut session, log) = session_with(Threads::with_most(Device::flex(), 4));
    session.command(Command::start(1, Settings { images: 60, epochs: 1, ..tiny() }));
    finish(&mut session);
    let seconds =
        all(&log, |event| if let Event::Epoch { record, .. } = event { Some(record.seconds) } else { None })[0];
    assert!(seconds < 0.5, "{seconds} s for two steps: measuring alone takes half a second");
}

#[test]
fn a_run_that_goes_on_with_another_rounding_says_so() {
    let (mut first, log) = session();
    first.command(Command::start(1, tiny()));
    finish(&mut first);
    let checkpoint =
        log.borrow().iter().find_map(|e| if let Event::Checkpoint(c) = &e.event { Some(c.clone()) } else { None });
    let checkpoint = checkpoint.unwrap();
    assert_eq!(checkpoint.rounding, Some(Rounding::Twice), "native kernels round products and sums");
    for (rounding, told) in [(Some(Rounding::Once), 1), (Some(Rounding::Twice), 0), (None, 0)] {
        let (mut session, log) = session();
        let from = Some(Box::new(Checkpoint { rounding, ..*checkpoint.clone() }));
        session.command(Command::Start { run: 1, settings: tiny(), from });
        block_on(session.work());
        let warnings = log
            .borrow()
            .iter()
            .filter(|e| matches!(&e.event, Event::Warning(words) if words.contains("rounds differently")))
            .count();
        assert_eq!(warnings, told, "{rounding:?}");
    }
}

#[test]
fn an_untrained_network_answers_before_the_run_and_is_the_one_that_the_run_begins_with() {
    let (mut session, log) = session();
    let ask = |session: &mut Session, question| {
        session.command(Command::Ask { id: 1, question });
        block_on(session.work());
        match &log.borrow().last().unwrap().event {
            Event::Answer { answer, .. } => Some(answer.clone()),
            _ => None,
        }
    };
    let pixels = synthetic::digits(12, 2).train.image(3).to_vec();
    let what = || Question::Predict { pixels: pixels.clone(), epoch: None };
    let Some(Answer::Predict { probabilities: None, .. }) = ask(&mut session, what()) else { panic!("no network") };
    session.command(Command::Prepare { run: 0, settings: tiny() });
    let before = ask(&mut session, what());
    assert!(matches!(&before, Some(Answer::Predict { probabilities: Some(p), steps: 0 }) if p.len() == 10));
    assert!(matches!(ask(&mut session, Question::Explain { pixels: pixels.clone() }), Some(Answer::Explain(_))));
    assert_eq!(ask(&mut session, Question::Batch), None, "there are no images yet");
    // While a run waits for its data, its own network answers.
    session.command(Command::start(1, Settings { dataset: DatasetName::Mnist, seed: 5, ..tiny() }));
    let waiting = ask(&mut session, what());
    assert_ne!(waiting, before);
    session.command(Command::Stop);
    session.command(Command::Prepare { run: 1, settings: Settings { seed: 5, ..tiny() } });
    assert_eq!(ask(&mut session, what()), waiting);
    session.command(Command::start(1, tiny()));
    block_on(session.work());
    session.command(Command::Pause);
    assert_eq!(ask(&mut session, what()), before);
    session.command(Command::Prepare { run: 1, settings: Settings { seed: 9, ..tiny() } });
    assert_eq!(ask(&mut session, what()), before, "a run's own network answers");
}

#[test]
fn a_step_that_is_followed_says_what_it_does_and_leaves_the_run_as_it_would_have_been() {
    let settings = Settings { epochs: 1, lr: 0.0005, ..tiny() };
    let steps = |log: &Log| -> Vec<(u32, f64)> {
        let points = |e: &Envelope| if let Event::Steps(points) = &e.event { points.clone() } else { vec![] };
        log.borrow().iter().flat_map(points).map(|point| (point.step, point.loss)).collect()
    };
    let (mut whole, whole_log) = session();
    whole.command(Command::start(1, settings.clone()));
    finish(&mut whole);
    let (mut session, log) = session();
    session.command(Command::start(1, settings.clone()));
    block_on(session.work());
    session.command(Command::Pause);
    session.command(Command::Ask { id: 4, question: Question::Batch });
    block_on(session.work());
    let Event::Answer { answer: Answer::Batch(batch), .. } = log.borrow().last().unwrap().event.clone() else {
        panic!("no batch")
    };
    assert_eq!(batch.specimens.len(), 8);
    assert_eq!(batch.augmented.len(), 8 * IMAGE);
    assert_ne!(batch.specimens[0].pixels, batch.augmented[..IMAGE], "augmentation moves it");
    assert_eq!(batch.counts.len(), 10);
    session.command(Command::Step);
    while block_on(session.work()) {}
    let found = log.borrow().iter().find_map(|e| match &e.event {
        Event::Followed(view) => Some(view.clone()),
        _ => None,
    });
    let view = found.unwrap();
    assert_eq!((view.step, view.images, view.layers.len()), (1, settings.batch, 7));
    assert!(view.after < view.before, "{view:?}");
    for (layer, has_weights) in view.layers.iter().zip([true, false, true, false, true, false, true]) {
        assert_eq!(layer.is_some(), has_weights);
        assert!(layer.is_none_or(|l| l.gradient > 0.0 && l.change > 0.0 && l.change < l.weights), "{layer:?}");
    }
    session.command(Command::Resume);
    finish(&mut session);
    assert_eq!(steps(&log), steps(&whole_log));
}
