//! In a dedicated worker: every backend against Keras, and a session that learns.
#![allow(clippy::unwrap_used)] // a test that fails here says where
#![cfg(all(target_arch = "wasm32", feature = "cpu"))]

mod common;
#[path = "common/kernels.rs"]
mod kernels;

use std::{cell::RefCell, rc::Rc};

use common::{assert_equal_to_keras, found};
use inkling::{
    data::source::DatasetName,
    device::{Backend, BackendKind},
    protocol::{Command, Event, RunState},
    replicas::NoCrew,
    session::Session,
    settings::Settings,
};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
async fn burn_flex_equals_keras() {
    let backend = Backend::open(BackendKind::Cpu).await.unwrap();
    assert_equal_to_keras(&found(&backend.device).await, 1e-5);
}

#[cfg(feature = "ndarray")]
#[wasm_bindgen_test]
async fn burn_ndarray_equals_keras() {
    let backend = Backend::open(BackendKind::Ndarray).await.unwrap();
    assert_equal_to_keras(&found(&backend.device).await, 1e-4);
}

#[cfg(feature = "webgpu")]
#[wasm_bindgen_test]
async fn webgpu_passes_its_self_test_and_equals_keras() {
    use inkling::device::DeviceError;
    use wasm_bindgen_test::console_log;
    match Backend::open(BackendKind::Webgpu { fusion: true }).await {
        Ok(backend) => {
            let (difference, of) = backend.self_test().await.unwrap();
            console_log!("WebGPU: {}: at most {difference:.1e} off, in {of}", backend.info.adapter);
            assert!(difference < 1e-4, "{difference} in {of}");
            assert_equal_to_keras(&found(&backend.device).await, 1e-4);
        }
        Err(error @ (DeviceError::NoDevice(_) | DeviceError::NoTimestamps(_))) => {
            console_log!("SKIPPED: nothing is known about WebGPU: {error}");
        }
        Err(error) => panic!("{error}"),
    }
}

/// Here the kernels are SIMD instructions; natively the same checks run on their twin.
#[wasm_bindgen_test]
async fn the_kernels_equal_burns_operations() {
    kernels::whole_numbers_give_the_very_same_results(20).await;
    kernels::real_numbers_agree_within_rounding(20).await;
    kernels::what_is_not_finite_comes_out_where_burn_has_it(20).await;
    kernels::other_shapes_are_right_too().await;
    kernels::dead_windows_and_ties_are_burns().await;
    kernels::every_output_is_written();
}

#[wasm_bindgen_test]
async fn a_session_learns_in_a_worker() {
    let log: Rc<RefCell<Vec<Event>>> = Rc::default();
    let sink = log.clone();
    let backend = Backend::open(BackendKind::Cpu).await.unwrap();
    let mut session = Session::new(backend, NoCrew, move |envelope| sink.borrow_mut().push(envelope.event));
    let settings = Settings {
        dataset: DatasetName::Synthetic,
        images: 600,
        epochs: 3,
        batch: 32,
        augment: false,
        ..Settings::default()
    };
    session.command(Command::start(1, settings));
    while session.work().await {}
    assert_eq!(session.state(), RunState::Finished);
    let accuracy = log.borrow().iter().find_map(|e| if let Event::Test(t) = e { Some(t.accuracy) } else { None });
    assert!(accuracy.unwrap() > 0.8, "{accuracy:?}");
}

/// What page and worker say to each other survives the way through JavaScript values.
#[wasm_bindgen_test]
fn messages_survive_the_link() {
    let pixels: Vec<u8> = (0..784).map(|i| (i % 256) as u8).collect();
    for command in [
        Command::start(3, Settings::default()),
        Command::Pause,
        Command::Predict { id: 9, pixels: pixels.clone(), epoch: None },
    ] {
        let value = serde_wasm_bindgen::to_value(&command).unwrap();
        assert_eq!(serde_wasm_bindgen::from_value::<Command>(value).unwrap(), command);
    }
    let question = serde_wasm_bindgen::to_value(&Command::Predict { id: 9, pixels, epoch: None }).unwrap();
    let inner = js_sys::Reflect::get(&question, &"Predict".into()).unwrap();
    let sent = js_sys::Reflect::get(&inner, &"pixels".into()).unwrap();
    assert!(wasm_bindgen::JsCast::is_instance_of::<js_sys::Uint8Array>(&sent), "pixels go as a typed array");
}
