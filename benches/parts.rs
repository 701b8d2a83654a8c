//! Measures each part of a training step on one thread, natively or in a browser's worker (`make bench`).
//!
//! The parts run in turn, round after round, so that a slow moment of the machine affects all of them alike. The result is
//! the median of the rounds.

use std::hint::black_box;

use burn::{
    optim::{AdamConfig, Optimizer},
    tensor::{Device, Tensor, TensorData},
};
use inkling_core::{
    augment::Augmentation,
    data::{Batch, IMAGE, Labelled, synthetic},
    network::Network,
    parameters::random_weights,
    settings::{Kernels, Method},
};
use inkling_kernels::{
    conv_block::{self, Dims, Strided},
    dense,
    lanes::{LANES, Lanes, Usual},
};
use inkling_train::{
    device::{Backend, BackendKind},
    feed::Feed,
    pass::Recipe,
    schedule::Schedule,
    trainer::Trainer,
};
use web_time::Instant;

const BATCH: usize = 64;
const ROUNDS: usize = 15;
/// Independent accumulators in [`peak`]: with fewer, each addition would wait for the previous one.
const CHAINS: usize = 12;

struct Part {
    name: &'static str,
    /// Images of a call.
    images: usize,
    /// Floating-point operations per batch that dense arithmetic would need; 0 where that number means nothing.
    flops: f64,
    run: Box<dyn FnMut()>,
    milliseconds: Vec<f64>,
}

/// Floating-point operations that [`peak`] does in `steps` rounds.
fn peak_flops(steps: usize) -> f64 {
    (steps * CHAINS * 2 * LANES) as f64
}

/// Runs enough independent chains of multiply-adds to hide their latency: the best that a core can do.
fn peak(steps: usize) {
    let (factor, term) = (Lanes::<Usual>::splat(black_box(0.999)), Lanes::splat(black_box(0.001)));
    let next = |chain| term.add_product(chain, factor);
    // Twelve variables: this is built for size, so an array would stay in memory.
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h, mut i, mut j, mut k, mut l] =
        [Lanes::splat(1.0); CHAINS];
    for _ in 0..steps {
        (a, b, c, d, e, f) = (next(a), next(b), next(c), next(d), next(e), next(f));
        (g, h, i, j, k, l) = (next(g), next(h), next(i), next(j), next(k), next(l));
    }
    black_box([a, b, c, d, e, f, g, h, i, j, k, l].map(Lanes::to_array));
}

fn parts(digits: Labelled) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut add = |name, images, flops, run| parts.push(Part { name, images, flops, run, milliseconds: Vec::new() });
    let mut part = |name, flops, run: Box<dyn FnMut()>| add(name, BATCH, flops, run);
    const PEAK: usize = 1_000_000;
    part("peak", peak_flops(PEAK), Box::new(|| peak(PEAK)));
    let net = Network::default();
    let mut weights = random_weights(net.parameters(), 1).into_iter();
    let weights: Vec<Vec<f32>> =
        net.parameters().iter().map(|parameter| weights.by_ref().take(parameter.len()).collect()).collect();
    let first = Dims { images: BATCH, height: 28, width: 28, inputs: 1, outputs: 32 };
    let second = Dims { images: BATCH, height: 13, width: 13, inputs: 32, outputs: 64 };
    let plain = Batch::plain(&digits, 0..BATCH);
    let hidden = conv_block::forward(&plain.pixels, &weights[0], &weights[1], first);
    let top = conv_block::forward(&hidden.values, &weights[2], &weights[3], second);
    let dense_flops = |d: Dims| {
        let [rows, columns] = d.pooled();
        (d.images * rows * columns * 4 * 9 * d.inputs * d.outputs * 2) as f64
    };
    // As in training: the dense layers pass on [N, C, H, W], and a block passes on [N, H, W, C].
    let gradient = |d: Dims, channels_last: bool| -> (Vec<f32>, [usize; 4]) {
        let [rows, columns] = d.pooled();
        let (plane, channels) = (rows * columns, d.outputs);
        let values = (0..d.images * channels * plane).map(|i| (i % 17) as f32 - 8.0).collect();
        let strides = if channels_last { [1, columns * channels, channels] } else { [plane, columns, 1] };
        let [channel, row, column] = strides;
        (values, [plane * channels, channel, row, column])
    };
    let (w, x) = (weights.clone(), plain.pixels.clone());
    part(
        "block 1 forward",
        dense_flops(first),
        Box::new(move || {
            black_box(conv_block::forward(&x, &w[0], &w[1], first));
        }),
    );
    let (w, x) = (weights.clone(), hidden.values.clone());
    part(
        "block 2 forward",
        dense_flops(second),
        Box::new(move || {
            black_box(conv_block::forward(&x, &w[2], &w[3], second));
        }),
    );
    let winners = top.winners.clone();
    let (w, x, (values, strides)) = (weights.clone(), hidden.values.clone(), gradient(second, false));
    part(
        "block 2 backward",
        2.0 * dense_flops(second),
        Box::new(move || {
            let gradient = Strided { values: &values, strides };
            black_box(conv_block::backward(&x, &w[2], &winners, gradient, second, true));
        }),
    );
    let (w, x, (values, strides)) = (weights.clone(), plain.pixels.clone(), gradient(first, true));
    part(
        "block 1 backward",
        dense_flops(first),
        Box::new(move || {
            let gradient = Strided { values: &values, strides };
            black_box(conv_block::backward(&x, &w[0], &hidden.winners, gradient, first, false));
        }),
    );
    let ranges = Augmentation { rotation: 10.0, shift_x: 0.1, shift_y: 0.1, zoom: 0.1 };
    let picked = digits.pick(&(0..BATCH as u32).collect::<Vec<_>>());
    part(
        "augment",
        0.0,
        Box::new(move || {
            black_box(Batch::augmented(&picked, &ranges, 1, 1));
        }),
    );
    let device = Device::flex();
    let layer = dense::Dims { images: BATCH, inputs: 1600, outputs: 128 };
    let flops = (BATCH * 1600 * 128 * 2) as f64;
    let out = vec![1.0; BATCH * 128];
    let (w, x) = (weights.clone(), top.values.clone());
    part(
        "dense 1 forward",
        flops,
        Box::new(move || {
            black_box(dense::forward(&x, &w[4], &w[5], layer));
        }),
    );
    let (w, gradient) = (weights.clone(), out.clone());
    part(
        "dense 1 input gradient",
        flops,
        Box::new(move || {
            black_box(dense::input_gradient(&gradient, &w[4], layer));
        }),
    );
    let x = top.values.clone();
    part(
        "dense 1 weight gradient",
        flops,
        Box::new(move || {
            black_box(dense::weight_gradient(&x, &out, layer));
        }),
    );
    let nhwc = Tensor::<4>::from_data(TensorData::new(top.values.clone(), [BATCH, 5, 5, 64]), &device);
    part(
        "flatten",
        0.0,
        Box::new(move || {
            black_box(nhwc.clone().permute([0, 3, 1, 2]).reshape([BATCH as i32, -1]));
        }),
    );
    let dense1 = Tensor::<2>::from_data(TensorData::new(weights[4].clone(), [1600, 128]), &device);
    let (mut state, gradient) = (Some((dense1.clone(), None)), dense1);
    let adam = AdamConfig::new().with_epsilon(1e-7).build();
    part(
        "adam for dense 1",
        0.0,
        Box::new(move || {
            state = state.take().map(|(weight, moments)| adam.step(1e-9, weight, gradient.clone(), moments));
        }),
    );
    if let Ok(backend) = pollster::block_on(Backend::open(BackendKind::Cpu)) {
        // A replica's shard may be small: what a step costs whatever its size limits how many workers are of use.
        for (name, images) in [("step", BATCH), ("step of 8 images", 8)] {
            let recipe = Recipe {
                seed: 1,
                net: net.clone(),
                schedule: Schedule::new(0.001, 100_000),
                method: Method::default(),
                kernels: Kernels::Fused,
                class_weights: vec![],
            };
            let mut trainer = Trainer::new(recipe, &backend.device);
            let batch = Batch::plain(&digits, 0..images);
            add(
                name,
                images,
                0.0,
                Box::new(move || {
                    let feed = Feed::upload(batch.clone(), trainer.device());
                    black_box(trainer.step(feed));
                }),
            );
        }
    }
    parts
}

/// Runs all parts and returns their medians, as lines of a table.
fn table() -> String {
    let digits = synthetic::digits(BATCH, 1).train;
    assert_eq!(digits.pixels.len(), BATCH * IMAGE);
    let mut parts = parts(digits);
    for round in 0..=ROUNDS {
        for part in &mut parts {
            let start = Instant::now();
            (part.run)();
            let milliseconds = start.elapsed().as_secs_f64() * 1e3;
            if round > 0 {
                part.milliseconds.push(milliseconds); // the first round is a warm-up
            }
        }
    }
    let medians = parts.iter_mut().map(|part| {
        part.milliseconds.sort_by(f64::total_cmp);
        part.milliseconds[ROUNDS / 2]
    });
    let medians: Vec<f64> = medians.collect();
    let gigaflops = |part: &Part, median: f64| part.flops / median / 1e6;
    let peak = gigaflops(&parts[0], medians[0]);
    let line = |(part, &median): (&Part, &f64)| {
        let speed = match gigaflops(part, median) {
            0.0 => String::new(),
            // Blocks skip what the pool drops, so this is what dense arithmetic would need.
            speed => format!("{speed:6.1} GFLOP/s, {:3.0} % of the peak", 100.0 * speed / peak),
        };
        format!("{:24} {:8.2} us per image {speed}", part.name, median * 1e3 / part.images as f64)
    };
    parts.iter().zip(&medians).map(line).collect::<Vec<_>>().join("\n")
}

/// Returns the table.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn bench() -> String {
    table()
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    println!("{}", table());
}

#[cfg(target_arch = "wasm32")]
fn main() {}
