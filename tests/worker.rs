//! Runs in a dedicated worker: every backend equals Keras, and a session learns.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(all(target_arch = "wasm32", feature = "cpu"))]

mod common;
#[path = "common/kernels.rs"]
mod kernels;

use std::{cell::RefCell, rc::Rc};

use common::{assert_equal_to_keras, found};
use inkling_core::{
    protocol::{Command, Event, Question, RunState},
    settings::{DatasetName, Settings},
};
use inkling_train::{
    device::{Backend, BackendKind},
    replicas::NoReplicas,
    session::Session,
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
    use inkling_train::device::DeviceError;
    use wasm_bindgen_test::console_log;
    match Backend::open(BackendKind::Webgpu).await {
        Ok(backend) => {
            let (difference, of) = backend.self_test(&inkling_core::network::Network::default()).await.unwrap();
            console_log!("WebGPU: {}: at most {difference:.1e} off, in {of}", backend.info.adapter);
            assert!(difference < 1e-4, "{difference} in {of}");
            assert_equal_to_keras(&found(&backend.device).await, 1e-4);
        }
        Err(error @ (DeviceError::NoDevice(_) | DeviceError::NoTimestamps(_))) => {
            console_log!("SKIPPED: WebGPU is not tested: {error}");
        }
        Err(error) => panic!("{error}"),
    }
}

/// Here the kernels are SIMD instructions; natively the same checks run on the equivalent array code.
#[wasm_bindgen_test]
async fn the_kernels_equal_burns_operations() {
    kernels::whole_numbers_give_exactly_the_same_results(20).await;
    kernels::real_numbers_agree_within_rounding(20).await;
    kernels::non_finite_values_come_out_where_burn_has_them(20).await;
    kernels::other_shapes_give_correct_results_too().await;
    kernels::convolutions_of_any_size_agree_with_burns(30).await;
    kernels::dense_layers_of_any_size_agree_with_burns(40).await;
    kernels::the_logarithm_of_softmax_agrees_with_burns(40).await;
    kernels::the_logarithm_of_softmax_has_the_same_bits_everywhere().await;
    kernels::dead_windows_and_ties_behave_as_in_burn().await;
    kernels::every_output_is_written();
}

/// `make test-browser` runs the test above in both builds.
#[wasm_bindgen_test]
fn the_kernels_round_once_only_with_relaxed_simd() {
    let relaxed = option_env!("INKLING_RELAXED").is_some();
    assert!(relaxed || !inkling_kernels::lanes::rounds_once());
    assert_eq!(cfg!(target_feature = "relaxed-simd"), relaxed, "the build has not been made as it was asked for");
}

#[wasm_bindgen_test]
async fn a_session_learns_in_a_worker() {
    let log: Rc<RefCell<Vec<Event>>> = Rc::default();
    let sink = log.clone();
    let backend = Backend::open(BackendKind::Cpu).await.unwrap();
    let mut session = Session::new(backend, NoReplicas, move |envelope| sink.borrow_mut().push(envelope.event));
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

/// The messages between page and worker survive conversion to JavaScript values and back.
#[wasm_bindgen_test]
fn messages_survive_the_link() {
    let pixels: Vec<u8> = (0..784).map(|i| (i % 256) as u8).collect();
    for command in [
        Command::start(3, Settings::default()),
        Command::Pause,
        Command::Ask { id: 9, question: Question::Predict { pixels: pixels.clone(), epoch: None } },
    ] {
        let value = serde_wasm_bindgen::to_value(&command).unwrap();
        assert_eq!(serde_wasm_bindgen::from_value::<Command>(value).unwrap(), command);
    }
    let question =
        serde_wasm_bindgen::to_value(&Command::Ask { id: 9, question: Question::Predict { pixels, epoch: None } })
            .unwrap();
    let path = ["Ask", "question", "Predict", "pixels"];
    let sent = path.iter().fold(question, |value, name| js_sys::Reflect::get(&value, &(*name).into()).unwrap());
    assert!(wasm_bindgen::JsCast::is_instance_of::<js_sys::Uint8Array>(&sent), "pixels go as a typed array");
}
