//! Compares the network with Keras, with finite differences, and with itself.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(all(not(target_arch = "wasm32"), feature = "ndarray"))]

mod common;

use burn::{
    optim::{AdamConfig, GradientsParams},
    tensor::Device,
};
use common::{assert_equal_to_keras, batch, found, weights};
use inkling_core::{
    data::{Batch, synthetic},
    network::Network,
    parameters::random_weights,
    settings::{Kernels, Method},
};
use inkling_train::{
    device::{Backend, BackendKind},
    feed::{Feed, upload},
    model::Model,
    pass::{Recipe, cross_entropy},
    read::read_metrics,
    schedule::Schedule,
    trainer::Trainer,
};
use pollster::block_on;

#[allow(deprecated)]
fn devices() -> [(&'static str, Device); 2] {
    [("burn-flex", Device::flex()), ("burn-ndarray", Device::ndarray())]
}

#[test]
fn logits_loss_and_every_gradient_equal_keras() {
    for (name, device) in devices() {
        println!("{name}");
        // Single precision and another order of summation: at most 1e-5 of the largest value.
        assert_equal_to_keras(&block_on(found(&device)), 1e-5);
    }
}

#[test]
fn every_gradient_equals_finite_differences() {
    let device = Device::flex();
    let net = Network::default();
    let loss = |weights: Vec<f32>| {
        let (images, labels) = upload(batch(), &device);
        cross_entropy(Model::new(&net, weights, Kernels::Fused, &device).forward(images), labels).into_scalar::<f32>()
    };
    let gradients = block_on(found(&device)).split_off(2);
    let mut first = 0;
    for (parameter, known) in net.parameters().iter().enumerate() {
        let name = &known.name;
        let scale = gradients[parameter].iter().fold(0.0f32, |m, v| m.max(v.abs()));
        // Checks the largest gradients of each parameter, where rounding does not drown the difference quotient.
        let mut order: Vec<usize> = (0..gradients[parameter].len()).collect();
        order.sort_by(|&a, &b| gradients[parameter][b].abs().total_cmp(&gradients[parameter][a].abs()));
        for &index in order.iter().take(4) {
            let at = |delta: f32| {
                let mut moved = weights();
                moved[first + index] += delta;
                loss(moved)
            };
            const STEP: f32 = 2e-3;
            let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            let gradient = gradients[parameter][index];
            // ReLU and max-pool have kinks, so the quotient over a finite step is only close to the gradient.
            assert!((slope - gradient).abs() < 0.03 * scale + 1e-3, "{name}[{index}]: {slope} against {gradient}");
        }
        first += known.len();
    }
}

#[test]
fn the_network_can_overfit_one_batch() {
    let device = Device::flex().autodiff();
    let digits = synthetic::digits(16, 5).train;
    let net = Network::default();
    let mut model = Model::new(&net, random_weights(net.parameters(), 5), Kernels::Fused, &device);
    let mut optimizer = AdamConfig::new().init();
    let mut last = f32::NAN;
    for _ in 0..60 {
        let (images, labels) = upload(Batch::plain(&digits, 0..16), &device);
        let loss = cross_entropy(model.forward(images), labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        last = loss.into_scalar::<f32>();
        model = optimizer.step(0.002, model, gradients);
    }
    assert!(last < 0.01, "loss {last} after 60 steps on 16 images");
}

#[test]
fn initial_weights_have_the_stated_ranges_and_count() {
    let net = Network::default();
    let weights = random_weights(net.parameters(), 3);
    assert_eq!(weights.len(), 225_034);
    assert_eq!(weights, random_weights(net.parameters(), 3));
    assert_ne!(weights, random_weights(net.parameters(), 4));
    let limits = [6.0f32 / 9.0, 0.0, 6.0 / 288.0, 0.0, 6.0 / 1600.0, 0.0, 6.0 / 138.0, 0.0].map(f32::sqrt);
    let mut rest = &weights[..];
    for (parameter, limit) in net.parameters().iter().zip(limits) {
        let (values, more) = rest.split_at(parameter.len());
        rest = more;
        let name = &parameter.name;
        let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(largest <= limit && largest >= 0.97 * limit, "{name}: {largest} of {limit}");
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!(mean.abs() <= 4.0 * limit / (3.0 * values.len() as f32).sqrt(), "{name}: mean {mean}");
    }
}

fn recipe() -> Recipe {
    let schedule = Schedule::new(0.002, 6);
    Recipe {
        seed: 7,
        net: Network::default(),
        schedule,
        method: Method::default(),
        kernels: Kernels::Fused,
        class_weights: vec![],
    }
}

/// Losses of the first six steps with seed 7 on burn-flex. They change only when the recipe or a random stream does.
const GOLDEN: [f64; 6] = [3.67156, 2.74328, 3.46270, 3.48785, 2.37093, 1.27423];

#[test]
fn a_seed_reproduces_its_steps_exactly_and_nearly_so_on_ndarray() {
    let digits = synthetic::digits(96, 7).train;
    let losses = |device: &Device| -> Vec<f64> {
        let mut trainer = Trainer::new(recipe(), device);
        let steps = (0..6)
            .map(|i| trainer.step(Feed::upload(Batch::plain(&digits, i * 16..(i + 1) * 16), trainer.device())))
            .collect();
        block_on(read_metrics(steps)).unwrap().into_iter().map(|[loss, _]| loss).collect()
    };
    let [(_, flex), (_, ndarray)] = devices();
    let golden = losses(&flex);
    assert_eq!(golden, losses(&flex));
    println!("{golden:?}");
    for (loss, before) in golden.iter().zip(GOLDEN) {
        // Other processors sum in another order; over six steps of Adam the difference stays small.
        assert!((loss - before).abs() < 2e-3, "{golden:?}");
    }
    // Dropout is also the same on every backend.
    for (loss, other) in golden.iter().zip(losses(&ndarray)) {
        assert!((loss - other).abs() < 2e-3, "{golden:?}, burn-ndarray {other}");
    }
    assert!(golden[5] < golden[0], "{golden:?}");
}

#[test]
fn the_self_test_passes_on_a_correct_backend_and_names_its_largest_difference() {
    let backend = block_on(Backend::open(BackendKind::Ndarray)).unwrap();
    let (difference, of) = block_on(backend.self_test(&Network::default())).unwrap();
    assert!(difference > 0.0 && difference < 1e-4 && of != "nothing", "{difference} {of}");
}
