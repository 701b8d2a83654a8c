//! Under any order of messages, the page's pure core reaches no dead end, loses nothing that is kept, and shows no answer of
//! an earlier network.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failed unwrap shows where the test failed
#![cfg(not(target_arch = "wasm32"))]

#[path = "common/world.rs"]
mod world;

use inkling::page::{
    effect::Effect,
    model::{
        FileWorker, Saving,
        asked::Awaited,
        picture::{Current, Input},
    },
    msg::{ControlMsg, Found, FromWorker, LessonMsg, Msg, Record, Section, Unread, WorkbenchMsg, WorkerMsg},
    update::update,
    worker::{Server, WorkerState},
};
use inkling_core::{
    image::DataShape,
    lesson::{self, Lesson, Until},
    occlusion::Patch,
    parameters::random_weights,
    protocol::{
        Answer, BackendName, Command, Envelope, Event as RunEvent, Explanation, Maps, Question, RunState, Specimen,
        StepPoint, StepView,
    },
    settings::{BackendChoice, FIELDS, PRESETS, Settings},
    share,
};
use proptest::prelude::*;
use world::{Act, World, act, server, server_link};

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_keeps_the_page_consistent(acts in proptest::collection::vec(act(), 0..60)) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
        }
    }

    #[test]
    fn from_any_state_train_leads_to_training(acts in proptest::collection::vec(act(), 0..40)) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
        }
        world.settle();
        let texts = FIELDS.iter().map(|field| (field.key, Settings::default().get(field.key))).collect();
        // A visitor who wants to train presses Stop, then Train.
        world.send(Msg::Control(ControlMsg::Stop));
        world.settle();
        prop_assert!(!world.model.run.state.is_active(), "Stop leaves it {:?}", world.model.run.state);
        world.send(Msg::Control(ControlMsg::Train(texts)));
        world.settle();
        prop_assert_eq!(world.model.run.state, RunState::Training, "{:?} {:?}", world.model.worker, world.model.run.error);
        prop_assert_eq!(world.model.saving, Saving::Idle);
    }
}

#[test]
fn a_paused_run_whose_worker_is_lost_comes_back_paused() {
    let mut world = training();
    world.act(Act::Checkpoint);
    world.act(Act::Click(ControlMsg::Pause));
    // A second click before the button has changed.
    world.act(Act::Click(ControlMsg::Pause));
    assert_eq!(world.model.run.state, RunState::Paused);
    world.act(Act::Lose(true));
    assert_eq!(world.model.run.state, RunState::Loading);
    world.settle();
    assert_eq!(world.model.run.state, RunState::Paused);
    assert_eq!(world.model.run.incidents.len(), 1);
}

/// The page after the first step of a run.
fn training() -> World {
    let mut world = World::new();
    world.settle();
    world.act(Act::Click(ControlMsg::Train(Vec::new())));
    world.settle();
    world.act(Act::Step);
    world
}

/// Lets the worker be lost as often as it comes, in an idle page, until no other comes.
fn lose_until_none_comes(world: &mut World) -> usize {
    let mut started = 0;
    for _ in 0..100 {
        match world.model.worker {
            WorkerState::Probing(_) => world.act(Act::Probe),
            WorkerState::Fetching(..) | WorkerState::Checking(..) => world.act(Act::Ready),
            WorkerState::Ready(..) => {
                started += 1;
                world.act(Act::Lose(false));
            }
            WorkerState::Resting(_) => world.act(Act::Time),
            WorkerState::Absent | WorkerState::Lost => return started,
        }
    }
    panic!("{started} workers were started, and there is no end to it");
}

#[test]
fn a_worker_that_fails_as_soon_as_it_is_ready_is_replaced_a_few_times_and_then_the_page_says_so() {
    let mut world = World::new();
    assert_eq!(lose_until_none_comes(&mut world), 5);
    assert!(world.model.run.warnings.iter().any(|words| words.contains("failed 5 times in a row (it went)")));
    // The visitor may try again.
    world.act(Act::Click(ControlMsg::Train(Vec::new())));
    world.settle();
    assert_eq!(world.model.run.state, RunState::Training);
    // A worker that has worked is not counted.
    world.act(Act::Step);
    world.act(Act::Finish);
    world.act(Act::Lose(false));
    assert_eq!(world.model.failures, 1);
}

#[test]
fn a_question_that_is_never_answered_is_given_up_with_a_sentence() {
    let mut world = training();
    world.act(Act::Draw);
    assert!(world.model.pad.prediction.is_waiting());
    // The worker trains on, but never answers.
    for _ in 0..9 {
        world.act(Act::Checkpoint);
        world.act(Act::Time);
    }
    assert!(!world.model.pad.prediction.is_waiting());
    assert!(world.model.run.warnings.iter().any(|words| words.contains("has not answered a question")));
    assert_eq!(world.model.run.state, RunState::Training, "the run goes on");
}

#[test]
fn a_worker_that_hangs_while_it_answers_outside_a_run_is_replaced() {
    let mut world = training();
    world.act(Act::Finish);
    let before = world.model.last_worker;
    world.act(Act::Hang);
    world.act(Act::Draw);
    (0..9).for_each(|_| world.act(Act::Time));
    assert_ne!(world.model.last_worker, before);
}

#[test]
fn a_file_worker_that_hangs_is_given_up_with_a_sentence() {
    for ready in [false, true] {
        let mut world = World::new();
        world.settle();
        world.act(Act::Click(ControlMsg::Train(Vec::new())));
        world.settle();
        world.act(Act::SaveWeights);
        if ready {
            world.act(Act::FileReady);
        }
        world.act(Act::Time);
        assert_eq!(world.model.file_worker, FileWorker::Absent);
        assert!(world.model.run.warnings.iter().any(|words| words.contains("has not answered for a minute")));
    }
}

#[test]
fn a_resume_that_fails_keeps_its_offer_and_a_failed_run_is_offered() {
    let mut world = World::new();
    world.act(Act::Found);
    world.settle();
    let offered = world.model.kept.clone();
    assert!(offered.is_some());
    world.act(Act::Click(ControlMsg::ResumeKept));
    world.settle();
    assert!(world.model.kept.is_none(), "the run trains");
    world.act(Act::Fail);
    assert!(world.model.kept.is_some(), "a run that fails is offered where it can resume");

    let mut world = World::new();
    world.act(Act::Found);
    world.act(Act::Click(ControlMsg::ResumeKept));
    world.act(Act::Probe);
    world.act(Act::Refuse);
    assert_eq!((world.model.run.state, &world.model.kept), (RunState::Failed, &offered));
}

#[test]
fn reset_and_discard_forget_only_the_run_that_they_are_about() {
    let forgets = |world: &mut World, msg| {
        let effects = update(&mut world.model, Msg::Control(msg));
        effects.contains(&Effect::Forget(Record::Run))
    };
    let beside = |found: bool| {
        let mut world = training();
        if found {
            // Another tab has closed, and left its run.
            world.act(Act::Found);
        }
        world.act(Act::Checkpoint);
        world.settle();
        world
    };
    let mut own = beside(false);
    assert!(forgets(&mut own, ControlMsg::Reset), "this run is the one that is stored");
    let mut other = beside(true);
    assert!(!forgets(&mut other, ControlMsg::Reset), "the stored run is another tab's");
    assert!(other.model.kept.is_some());
    assert!(forgets(&mut other, ControlMsg::ForgetKept));
    // A run from a file that could not be resumed.
    let mut file = World::new();
    file.act(Act::Open);
    file.act(Act::Probe);
    file.act(Act::Refuse);
    assert!(file.model.kept.is_some());
    assert!(!forgets(&mut file, ControlMsg::ForgetKept), "the browser keeps another run, or none");
}

#[test]
fn the_network_that_a_preset_replaces_comes_back_with_undo() {
    let mut world = World::new();
    let own = "conv 8, dense 16";
    world.act(Act::Click(ControlMsg::Changed("net", own.into())));
    for preset in PRESETS {
        world.act(Act::Click(ControlMsg::Choose(preset)));
        assert!(preset.is(&world.model.settings));
    }
    for _ in PRESETS {
        assert_ne!(world.model.settings.get("net"), own);
        world.act(Act::Click(ControlMsg::UndoEdit));
    }
    assert_eq!(world.model.settings.get("net"), own);
}

#[test]
fn a_larger_batch_is_offered_to_many_workers_on_the_cpu_alone() {
    let mut world = World::new();
    world.settle();
    world.act(Act::Click(ControlMsg::Changed("replicas", "8".into())));
    for (name, offered) in [(BackendName::Webgpu, None), (BackendName::Cpu, Some((256, 0.008)))] {
        world.model.run.backend.name = Some(name);
        assert_eq!(world.model.scaled().map(|scaled| (scaled.batch, scaled.lr)), offered);
    }
    world.act(Act::Click(ControlMsg::Scale));
    assert_eq!((world.model.settings.batch, world.model.settings.lr), (256, 0.008));
    assert_eq!(world.model.scaled(), None);
    world.act(Act::Click(ControlMsg::Scale));
    assert_eq!(world.model.settings.batch, 256, "a click on a button that is just disappearing changes nothing");
}

#[test]
fn a_server_trains_once_it_is_allowed_and_is_tried_again_for_the_next_run() {
    let train = || Act::Click(ControlMsg::Train(Vec::new()));
    let mut world = World::new();
    world.act(Act::Click(ControlMsg::Changed("backend", "remote".into())));
    world.settle();
    let engine = |world: &World| match &world.model.worker {
        WorkerState::Fetching(plan, _) | WorkerState::Checking(plan, _) | WorkerState::Ready(plan, _) => {
            plan.pick.engine.name()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(engine(&world), BackendName::Cpu);
    world.act(Act::Click(ControlMsg::NameServer("no link".into())));
    assert!(matches!(world.model.server, Server::Refused(_)));
    world.act(Act::Click(ControlMsg::NameServer(server(0))));
    world.settle();
    world.act(Act::Click(ControlMsg::AllowServer(server_link(1))));
    world.settle();
    assert_eq!(engine(&world), BackendName::Cpu, "nobody has allowed it");
    world.act(Act::Click(ControlMsg::AllowServer(server_link(0))));
    world.settle();
    assert_eq!(engine(&world), BackendName::Remote);

    // It can't be reached; then it is there again.
    world.act(train());
    world.settle();
    world.act(Act::Step);
    world.act(Act::Checkpoint);
    world.act(Act::Lose(false));
    world.act(Act::Lose(false));
    world.settle();
    assert_eq!((engine(&world), world.model.run.state), (BackendName::Cpu, RunState::Training));
    world.act(Act::Finish);
    world.act(train());
    world.settle();
    assert_eq!(engine(&world), BackendName::Remote);

    world.act(Act::Click(ControlMsg::Stop));
    world.act(Act::Click(ControlMsg::StayInTab));
    world.act(train());
    world.settle();
    assert_eq!((engine(&world), world.model.settings.backend), (BackendName::Cpu, BackendChoice::Auto));
}

#[test]
fn a_server_that_is_allowed_while_the_worker_starts_trains_the_next_run() {
    let train = || Act::Click(ControlMsg::Train(Vec::new()));
    for probed in [false, true] {
        let mut world = World::new();
        world.act(Act::Click(ControlMsg::Changed("backend", "remote".into())));
        world.act(Act::Click(ControlMsg::NameServer(server(0))));
        world.act(train());
        if probed {
            world.act(Act::Probe);
        }
        world.act(Act::Click(ControlMsg::AllowServer(server_link(0))));
        world.settle();
        let name = |world: &World| match &world.model.worker {
            WorkerState::Ready(plan, _) => plan.pick.engine.name(),
            other => panic!("{other:?}"),
        };
        assert_eq!(name(&world), if probed { BackendName::Cpu } else { BackendName::Remote });
        world.act(Act::Finish);
        world.act(train());
        world.settle();
        assert_eq!(name(&world), BackendName::Remote);
    }
}

#[test]
fn a_network_in_a_link_is_opened_with_its_own_settings_and_takes_no_kept_run_away() {
    let small = Settings { net: "dense 8".parse().unwrap(), ..Settings::default() };
    let net = small.network(DataShape::DIGITS).unwrap();
    let text = share::round(&net, &random_weights(net.parameters(), 1)).unwrap().text(0.9);
    let mut world = World::new();
    world.model.settings.net = small.net.clone();
    world.act(Act::Click(ControlMsg::TakeLink(text)));
    world.act(Act::Found);
    world.settle();
    assert!(world.model.linked.is_some() && world.model.kept.is_some());
    world.act(Act::Click(ControlMsg::Changed("net", "dense 9".into())));
    world.act(Act::Click(ControlMsg::OpenLinked));
    assert_eq!(world.model.settings.net, small.net);
    assert!(world.model.linked.is_some(), "until the session has taken it");
    let imported = RunEvent::Imported { run: world.model.run.run + 1 };
    world.say(imported);
    assert!(world.model.linked.is_none() && world.model.kept.is_some());

    world.act(Act::Click(ControlMsg::TakeLink("1.8.1.A".into())));
    assert!(world.model.linked.is_none() && world.model.run.warnings.iter().any(|words| words.contains("damaged")));
}

#[test]
fn a_record_that_cannot_be_read_is_not_overwritten() {
    let unread = |record| Found::Unread(record, Unread::Damaged("it is damaged".into()));
    let mut world = World::new();
    for record in [Record::Run, Record::Handwriting, Record::History] {
        world.send(Msg::Found(unread(record)));
    }
    world.settle();
    world.act(Act::Click(ControlMsg::Train(Vec::new())));
    world.settle();
    world.act(Act::Step);
    world.act(Act::Checkpoint);
    assert_eq!((world.saving, &world.stored), (0, &None));
    assert!(world.model.run.warnings.iter().any(|words| words.starts_with("A reload would lose this run")));
    let keep = update(&mut world.model, Msg::Workbench(WorkbenchMsg::RemoveDigits));
    assert!(!keep.iter().any(|effect| matches!(effect, Effect::SaveHandwriting(_))));
    // Images of this visit do not take the place of those that can't be read.
    world.send(Msg::Found(unread(Record::Images)));
    let data = inkling_core::data::synthetic::digits(240, 1);
    world.model.data.set = Some(data.into());
    let keep = update(&mut world.model, Msg::Workbench(WorkbenchMsg::KeepData(true)));
    assert!(!keep.iter().any(|effect| matches!(effect, Effect::SaveImages(_))) && !world.model.data.kept);
    // Once the visitor has discarded it, the run is kept.
    world.act(Act::Click(ControlMsg::ForgetUnreadable(Record::Run)));
    world.act(Act::Checkpoint);
    assert!(world.stored.is_some());
}

#[test]
fn a_run_that_was_over_before_the_tab_might_write_is_kept_once_it_may() {
    let mut world = training();
    world.act(Act::Checkpoint);
    // Another tab, or none that answers, had the right to write.
    world.send(Msg::RunSaved(Err("another tab is already keeping a run".into())));
    (world.saving, world.stored) = (0, None);
    world.act(Act::Click(ControlMsg::Stop));
    world.settle();
    assert!(world.stored.is_none() && !world.model.run.warnings.is_empty());
    world.send(Msg::Found(Found::Nothing(Record::Run)));
    assert!(world.stored.is_some());
    // What is kept is no longer warned about.
    world.settle();
    assert_eq!(world.model.run.warnings, Vec::<String>::new());
}

#[test]
fn digits_that_were_drawn_before_the_tab_might_write_are_kept_once_it_may() {
    let mut world = World::new();
    world.model.digits.kept.add(&[200; 784], 3);
    let kept = update(&mut world.model, Msg::Found(Found::Nothing(Record::Handwriting)));
    assert!(kept.iter().any(|effect| matches!(effect, Effect::SaveHandwriting(digits) if digits.labels == [3])));
}

#[test]
fn a_long_run_is_written_ever_more_rarely_but_before_the_page_is_left() {
    let mut world = training();
    let mut writes = 0;
    for _ in 0..100 {
        world.act(Act::Checkpoint);
        writes += world.saving;
        world.settle();
    }
    assert_eq!(writes, 21, "it rests once the first minute is over");
    assert_eq!(world.model.saving, Saving::Resting { newer: true });
    world.send(Msg::Leaving);
    assert_eq!(world.saving, 1);
    world.settle();
    world.send(Msg::Leaving);
    assert_eq!(world.saving, 0, "nothing is newer");
}

#[test]
fn errors_in_typed_settings_are_shown_and_the_first_gets_the_focus() {
    let mut world = World::new();
    world.settle();
    let texts = vec![("epochs", "0".to_string()), ("lr", "x".to_string())];
    let effects = update(&mut world.model, Msg::Control(ControlMsg::Train(texts)));
    assert!(world.model.errors.get("epochs").is_some() && world.model.errors.get("lr").is_some());
    assert!(effects.contains(&Effect::Focus("epochs".into())) && world.model.run.state == RunState::Idle);
    update(&mut world.model, Msg::Control(ControlMsg::Typing("epochs", "3".into())));
    assert!(world.model.errors.get("epochs").is_none());
    assert_eq!(world.model.settings.epochs, 5, "a value that is still being typed is not a setting yet");
}

#[test]
fn at_most_one_section_is_open_and_closing_it_gives_the_focus_back() {
    let mut world = World::new();
    world.settle();
    update(&mut world.model, Msg::InspectorsFetched(true));
    let opened = update(&mut world.model, Msg::Toggled(Section::Files, true));
    assert_eq!((world.model.open, opened), (Some(Section::Files), vec![]));
    let other = update(&mut world.model, Msg::Toggled(Section::Runs, true));
    assert_eq!((world.model.open, other), (Some(Section::Runs), vec![Effect::Close(Section::Files)]));
    // The browser reports that the first one was closed.
    update(&mut world.model, Msg::Toggled(Section::Files, false));
    assert_eq!(world.model.open, Some(Section::Runs));
    let closed = update(&mut world.model, Msg::Close);
    assert_eq!(closed, vec![Effect::Close(Section::Runs), Effect::FocusOn(Section::Runs)]);
    assert_eq!((world.model.open, update(&mut world.model, Msg::Close)), (None, vec![]));
}

#[test]
fn a_section_that_opens_fetches_the_inspectors_once_unless_they_do_not_come() {
    let mut world = World::new();
    world.settle();
    let fetches = |effects: &[Effect]| effects.iter().filter(|effect| **effect == Effect::FetchInspectors).count();
    let warnings = |world: &World| world.model.run.warnings.join(" ");
    let open = |world: &mut World, section| fetches(&update(&mut world.model, Msg::Toggled(section, true)));
    assert_eq!((open(&mut world, Section::Files), open(&mut world, Section::Runs)), (1, 0), "one fetch is enough");
    update(&mut world.model, Msg::InspectorsDue);
    assert!(warnings(&world).contains("has not arrived yet"), "{}", warnings(&world));
    update(&mut world.model, Msg::InspectorsFetched(false));
    assert!(warnings(&world).contains("could not be loaded"), "{}", warnings(&world));
    assert_eq!(open(&mut world, Section::Doctor), 1, "the next section tries again");
    update(&mut world.model, Msg::InspectorsFetched(true));
    let said = world.model.run.warnings.len();
    update(&mut world.model, Msg::InspectorsDue);
    assert_eq!((world.model.run.warnings.len(), open(&mut world, Section::Trust)), (said, 0), "they are here");
}

#[test]
fn before_a_run_the_picture_is_of_the_network_in_the_controls_and_a_run_keeps_its_own() {
    let mut world = World::new();
    world.settle();
    let prepared = |effects: &[Effect]| {
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Send(Command::Prepare { settings, .. }) if settings.seed == 9))
    };
    let seed = || Msg::Control(ControlMsg::Changed("seed", "9".into()));
    assert!(prepared(&update(&mut world.model, seed())));
    let shapes = Msg::Control(ControlMsg::Changed("dataset", "shapes".into()));
    update(&mut world.model, shapes);
    assert_eq!(world.model.run.data, DataShape::SHAPES);
    let current = world.model.current().unwrap();
    assert_eq!(current.pixels().len(), DataShape::SHAPES.image().values());
    assert!(matches!(current, Current::Example(_)), "the images are not here yet");
    let mut world = training();
    let settings = world.model.run.settings.clone();
    assert!(!prepared(&update(&mut world.model, seed())));
    assert_eq!(world.model.run.settings, settings);
}

#[test]
fn the_picture_asks_from_time_to_time_and_nothing_in_a_hidden_tab_or_between_epochs_for_little_motion() {
    let explains = |world: &mut World, reports: usize| {
        let mut count = 0;
        for step in 0..reports {
            let point = StepPoint { step: step as u32 + 2, loss: 1.0, accuracy: 0.5 };
            let envelope = Envelope { run: world.model.run.run, event: RunEvent::Steps(vec![point]) };
            let said = FromWorker::Message(Box::new(envelope));
            let worker = world.model.last_worker;
            let effects = update(&mut world.model, Msg::Worker(worker, WorkerMsg::Received(said)));
            for effect in effects {
                if let Effect::Send(Command::Ask { id, question: Question::Explain { .. } }) = effect {
                    count += 1;
                    world.model.inside.explanation.receive(id, Some(explanation()));
                }
            }
        }
        count
    };
    let mut world = training();
    world.model.inside.explanation.forget();
    let asked = explains(&mut world, 50);
    assert!((5..=15).contains(&asked), "{asked} questions in five seconds");
    update(&mut world.model, Msg::Motion { reduced: true });
    assert_eq!(explains(&mut world, 50), 0);
    update(&mut world.model, Msg::Motion { reduced: false });
    update(&mut world.model, Msg::Leaving);
    assert_eq!(explains(&mut world, 50), 0);
    let back = update(&mut world.model, Msg::Returned);
    let asks =
        |effect: &Effect| matches!(effect, Effect::Send(Command::Ask { question: Question::Explain { .. }, .. }));
    assert!(back.iter().any(asks), "the visitor is back");
}

#[test]
fn pressing_an_image_says_why_the_network_answers_as_it_does() {
    let mut world = training();
    let shape = DataShape::DIGITS.image();
    let specimen = Specimen { number: 7, label: 4, answer: Some((9, 0.9)), pixels: vec![200; shape.values()] };
    let browse = |msg| Msg::Workbench(msg);
    update(&mut world.model, browse(WorkbenchMsg::ShowCell { label: 4, predicted: 9 }));
    let question = world.model.last_question;
    world.model.browse.found.receive(question, Some((vec![specimen], 1)));
    let effects = update(&mut world.model, browse(WorkbenchMsg::Inspect(0)));
    assert!(world.model.is_open(Section::Doctor));
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Send(Command::Ask { id, question: Question::Diagnose { pixels } }) => Some((*id, pixels.len())),
        _ => None,
    });
    let (id, len) = asked.unwrap();
    let parts = Patch::all(shape);
    assert_eq!(len, (1 + parts.len()) * shape.values(), "the image, and the image without each part");
    // Without the third part it is a 4; without the fifth, a 5.
    let says = |class: usize, sure: f32| -> Vec<f32> {
        (0..10).map(|other| if other == class { sure } else { (1.0 - sure) / 9.0 }).collect()
    };
    let mut probabilities = vec![says(9, 0.9); 1 + parts.len()];
    (probabilities[3], probabilities[5]) = (says(4, 0.6), says(5, 0.99));
    let envelope = Envelope {
        run: world.model.run.run,
        event: RunEvent::Answer { id, answer: Answer::Diagnose { probabilities, nearest: vec![] } },
    };
    let said = WorkerMsg::Received(FromWorker::Message(Box::new(envelope)));
    let worker = world.model.last_worker;
    update(&mut world.model, Msg::Worker(worker, said));
    let diagnosis = world.model.doctor.diagnosis.answer().unwrap();
    assert_eq!(diagnosis.decisive(shape, Some(4)).map(|found| found.0), Some(parts[2]), "the right class");
    assert_eq!(diagnosis.decisive(shape, None).map(|found| found.0), Some(parts[4]), "the largest drop");
}

fn explanation() -> Explanation {
    let saliency = Maps { side: 28, largest: 1.0, shades: vec![0; 784] };
    Explanation { steps: 1, logits: vec![0.0; 10], probabilities: vec![0.1; 10], layers: Vec::new(), saliency }
}

#[test]
fn a_lesson_goes_on_when_its_task_is_done_and_its_question_is_answered() {
    let question = lesson::Question {
        text: "?".into(),
        choices: vec!["a".into(), "b".into()],
        right: 1,
        wrong: String::new(),
        why: String::new(),
    };
    let step = |until, question| lesson::Step { text: "x".into(), look: None, until, wait: "w".into(), question };
    let lesson = Lesson {
        title: "T".into(),
        settings: "epochs=7".into(),
        steps: vec![step(Some(Until::Past), None), step(None, Some(question))],
    };
    let mut world = World::new();
    world.settle();
    let tell = |world: &mut World, msg| drop(update(&mut world.model, Msg::Lesson(msg)));
    tell(&mut world, LessonMsg::Found(Ok(lesson)));
    assert_eq!(world.model.settings.epochs, 7);
    let place = |world: &World| world.model.course.as_ref().map(|course| course.place);
    tell(&mut world, LessonMsg::Next);
    assert_eq!(place(&world), Some(0), "nobody has gone back in time");
    world.act(Act::Click(ControlMsg::Train(Vec::new())));
    world.settle();
    world.act(Act::Epoch);
    world.act(Act::Workbench(WorkbenchMsg::TimeMachine(1)));
    world.act(Act::Workbench(WorkbenchMsg::TimeMachine(9)));
    tell(&mut world, LessonMsg::Next);
    assert_eq!(place(&world), Some(1), "what was done once counts");
    for (choice, next) in [(0, Some(1)), (1, None)] {
        tell(&mut world, LessonMsg::Choose(choice));
        tell(&mut world, LessonMsg::Next);
        assert_eq!(place(&world), next);
    }
    tell(&mut world, LessonMsg::Found(Err("there is none".into())));
    assert!(world.model.run.warnings.iter().any(|words| words == "The lesson can't be shown: there is none."));
}

#[test]
fn the_current_image_keeps_its_answer_when_it_is_chosen_and_goes_with_its_run() {
    let mut world = training();
    let pixels = world.model.current().unwrap().pixels().to_vec();
    world.model.inside.explanation.ask(900);
    world.model.inside.asked.clone_from(&pixels);
    let answer = RunEvent::Answer { id: 900, answer: Answer::Explain(Box::new(explanation())) };
    world.say(answer);
    assert!(world.model.current_answer().is_some());
    world.act(Act::Workbench(WorkbenchMsg::ChooseInput(Input::Data(None))));
    assert!(world.model.current_answer().is_some(), "it is the same image");
    // A run on other images begins.
    let specimen = Specimen { number: 3, label: 3, answer: None, pixels };
    world.act(Act::Workbench(WorkbenchMsg::ChooseInput(Input::Data(Some(Box::new(specimen))))));
    let step = StepView { step: 1, images: 1, before: 1.0, after: 1.0, layers: vec![] };
    world.say(RunEvent::Followed(step));
    assert!(world.model.picture.followed.is_some());
    world.act(Act::Click(ControlMsg::Stop));
    world.settle();
    for (dataset, shape) in [("letters", DataShape::LETTERS), ("shapes", DataShape::SHAPES)] {
        update(&mut world.model, Msg::Control(ControlMsg::Changed("dataset", dataset.into())));
        world.act(Act::Click(ControlMsg::Train(Vec::new())));
        world.settle();
        let current = world.model.current();
        assert!(matches!(current, Some(Current::Example(_))), "{dataset}: {current:?}");
        assert_eq!(world.model.run.data, shape);
        assert_eq!(world.model.picture.followed, None);
        world.act(Act::Click(ControlMsg::Stop));
        world.settle();
    }
}
