//! Under any order of messages, the page's pure core reaches no dead end, loses nothing that is kept, and shows no answer of
//! an earlier network.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failed unwrap shows where the test failed
#![cfg(not(target_arch = "wasm32"))]

#[path = "common/world.rs"]
mod world;

use inkling::page::{
    effect::Effect,
    model::Saving,
    msg::{ControlMsg, Msg},
    update::update,
};
use inkling_core::{
    protocol::RunState,
    settings::{FIELDS, Settings},
};
use proptest::prelude::*;
use world::{Act, World, act};

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
    let mut world = World::new();
    world.settle();
    world.act(Act::Click(ControlMsg::Train(Vec::new())));
    world.settle();
    world.act(Act::Step);
    world.act(Act::Checkpoint);
    world.act(Act::Click(ControlMsg::PauseOrResume));
    assert_eq!(world.model.run.state, RunState::Paused);
    world.act(Act::Lose(true));
    assert_eq!(world.model.run.state, RunState::Loading);
    world.settle();
    assert_eq!(world.model.run.state, RunState::Paused);
    assert_eq!(world.model.run.incidents.len(), 1);
}

#[test]
fn errors_in_typed_settings_are_shown_and_the_first_gets_the_focus() {
    let mut world = World::new();
    world.settle();
    let texts = vec![("epochs", "0".to_string()), ("lr", "x".to_string())];
    let effects = update(&mut world.model, Msg::Control(ControlMsg::Train(texts)));
    assert!(world.model.errors.get("epochs").is_some() && world.model.errors.get("lr").is_some());
    assert!(effects.contains(&Effect::Focus("epochs")) && world.model.run.state == RunState::Idle);
    update(&mut world.model, Msg::Control(ControlMsg::Typing("epochs", "3".into())));
    assert!(world.model.errors.get("epochs").is_none());
    assert_eq!(world.model.settings.epochs, 5, "a value that is still being typed is not a setting yet");
}
