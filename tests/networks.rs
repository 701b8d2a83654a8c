//! Any network that a description can say: computed as Burn computes it, trained, kept and resumed.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(all(not(target_arch = "wasm32"), feature = "ndarray"))]

#[path = "common/session.rs"]
mod common;

use burn::tensor::{Device, Tensor, TensorData};
use common::{all, finish, session, tiny};
use inkling_core::{
    checkpoint::TrainerState,
    data::{Batch, DataShape, IMAGE, Picked, Shape, synthetic},
    network::{Layers, Network},
    parameters::{Follows, Initial, random_weights},
    protocol::{Answer, Command, Event, Format, Question, RunState},
    restore::Restore,
    settings::{DatasetName, Kernels, Method, OptimizerName, ScheduleName, Settings},
    summary::RunSummary,
};
use inkling_formats::weights;
use inkling_train::{
    feed::{Feed, upload},
    model::{Model, Training},
    pass::{Recipe, cross_entropy},
    read::read_metrics,
    replicas::{Team, Threads},
    schedule::Schedule,
    trainer::Trainer,
};
use pollster::block_on;
use proptest::prelude::*;

/// Networks that differ in every layer and function.
const NETWORKS: [&str; 8] = [
    "none",
    "dense 32 tanh, dropout 0.2, dense 16 sigmoid",
    "conv 6 5x5 same tanh, avgpool, conv 16 5x5 tanh, avgpool, dense 120 tanh, dense 84 tanh",
    "conv 8 same, pool, conv 16 same, pool, conv 16 same, pool, dense 32 gelu",
    "conv 8 stride 2 leaky, dropout 0.1, conv 8 1x1 silu, conv 8 7x7 none, dense 16",
    "conv 12, pool, conv 16, globalpool, dense 20 none",
    "conv 8 none, batchnorm relu, pool, residual 8, pool, residual 12 silu, dense 16 none, batchnorm tanh",
    "batchnorm, residual 6, avgpool, dropout 0.1, dense 20",
];

fn network(text: &str) -> Network {
    text.parse().unwrap()
}

/// Random weights in which no bias is zero, no scale one, and no statistic what it was at the beginning.
fn random_everywhere(net: &Network, seed: u32) -> Vec<f32> {
    let mut weights = random_weights(net.parameters(), seed);
    let mut places = net.parameters().iter().flat_map(|known| (0..known.len()).map(move |at| (known, at)));
    for (weight, (parameter, at)) in weights.iter_mut().zip(&mut places) {
        if !matches!(parameter.initial, Initial::Uniform(_)) {
            *weight += ((at * 7 + seed as usize) % 11) as f32 * 0.01 - 0.05;
        }
    }
    weights
}

/// Three digits, or three coloured shapes, with noise: on an even background, all values of a pool window are equal but for
/// rounding, and the gradient depends on which one wins.
fn batch(net: &Network) -> Batch {
    let data = if net.data() == DataShape::SHAPES { synthetic::shapes(24, 4) } else { synthetic::digits(24, 4) };
    let mut images = data.train;
    for (at, pixel) in images.pixels.iter_mut().enumerate() {
        *pixel = *pixel / 2 + (at.wrapping_mul(2_654_435_761) >> 16) as u8 / 2;
    }
    Batch::plain(&images, 0..3)
}

/// Logits when it answers and when it trains, loss and every change for [`batch`].
fn pass(net: &Network, kernels: Kernels, device: &Device, seed: u32) -> Vec<Vec<f32>> {
    let device = device.clone().autodiff();
    let model = Model::new(net, random_everywhere(net, seed), kernels, &device);
    let (images, labels) = upload(batch(net), &device);
    let answer = model.forward(images.clone());
    let (logits, statistics) = model.forward_training(images, Training { dropout: Vec::new(), counted: 3 });
    let loss = cross_entropy(logits.clone(), labels);
    let changes = Tensor::cat(model.changes(loss.backward(), statistics, 1.0), 0);
    let mut tensors = vec![answer.inner().flatten(0, 1), logits.inner().flatten(0, 1), loss.inner()];
    let mut from = 0;
    for parameter in net.parameters() {
        tensors.push(changes.clone().slice(from..from + parameter.len()));
        from += parameter.len();
    }
    tensors.into_iter().map(|tensor| TensorData::try_into_vec(tensor.into_data()).unwrap()).collect()
}

/// The first value that is not within `tolerance` of the largest value of its part. A part that is zero but for rounding, as the
/// gradient of a bias before batch norm, is measured against the others.
fn difference(what: &str, tolerance: f32, a: &[Vec<f32>], b: &[Vec<f32>]) -> Option<String> {
    beyond(what, &vec![tolerance; a.len()], a, b)
}

/// The same, with a tolerance for each part.
fn beyond(what: &str, tolerances: &[f32], a: &[Vec<f32>], b: &[Vec<f32>]) -> Option<String> {
    assert_eq!(a.len(), b.len(), "{what}");
    let largest = |part: &Vec<f32>| part.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let least = 0.05 * a.iter().map(largest).fold(0.0, f32::max);
    a.iter().zip(b).zip(tolerances).enumerate().find_map(|(part, ((a, b), tolerance))| {
        assert_eq!(a.len(), b.len(), "{what}, part {part}");
        let scale = largest(a).max(least);
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Not a number is a difference, too.
        let near = worst <= *tolerance * scale && a.iter().chain(b).all(|value| value.is_finite());
        (!near).then(|| format!("{what}, part {part}: {worst} of {scale}"))
    })
}

/// How the network differs from Burn's own operations, or from burn-ndarray.
fn misfit(text: &str, net: &Network, seed: u32) -> Option<String> {
    let ours = pass(net, Kernels::Fused, &Device::flex(), seed);
    let stock = pass(net, Kernels::Stock, &Device::flex(), seed);
    #[allow(deprecated)] // a reference, see `device.rs`
    let reference = pass(net, Kernels::Stock, &Device::ndarray(), seed);
    // burn-ndarray's derivative of GELU is off by a hundredth; finite differences confirm burn-flex's.
    let parts = if text.contains("gelu") { 3 } else { ours.len() };
    // Batch norm divides by a deviation that may be small, which multiplies the rounding of the layers before it: the difference
    // between Burn's two backends says how far.
    let largest = |part: &[f32]| part.iter().fold(1e-9f32, |m, v| m.max(v.abs()));
    let apart = |part: usize| {
        let (a, b) = (&stock[part], &reference[part]);
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest(a)
    };
    let tolerance = |part: usize| match text.contains("batchnorm") {
        true if part < parts => (5.0 * apart(part)).clamp(1e-3, 3e-2),
        true => 1e-2,
        false => 1e-4,
    };
    let tolerances: Vec<f32> = (0..ours.len()).map(tolerance).collect();
    beyond(&format!("{text}, Burn's own"), &tolerances, &stock, &ours)
        .or_else(|| beyond(&format!("{text}, burn-ndarray"), &tolerances, &reference[..parts], &ours[..parts]))
}

fn layer() -> impl Strategy<Value = String> {
    let function = prop_oneof![
        Just(""),
        Just(" leaky"),
        Just(" gelu"),
        Just(" silu"),
        Just(" tanh"),
        Just(" sigmoid"),
        Just(" none")
    ];
    let kernel = prop_oneof![3 => Just(""), 1 => Just(" 1x1"), 1 => Just(" 5x5"), 1 => Just(" 7x7")];
    let padding = prop_oneof![Just(""), Just(" same")];
    let stride = prop_oneof![3 => Just(""), 1 => Just(" stride 2")];
    let conv =
        (1u32..=33, kernel, padding, stride, function).prop_map(|(channels, kernel, padding, stride, function)| {
            format!("conv {channels}{kernel}{padding}{stride}{function}")
        });
    // Blocks of the fused kernel come up often enough.
    let block = (1u32..=4).prop_map(|channels| format!("conv {}, pool", 8 * channels));
    let norm = (1u32..=12).prop_map(|channels| format!("conv {channels} none, batchnorm relu"));
    let residual = (1u32..=12, prop_oneof![Just(""), Just(" tanh")]);
    let residual = residual.prop_map(|(channels, function)| format!("residual {channels}{function}"));
    prop_oneof![3 => conv, 2 => block, 1 => Just("pool".into()), 1 => Just("avgpool".into()), 1 => norm, 1 => residual]
}

fn description() -> impl Strategy<Value = String> {
    let dense = (1u32..=40).prop_map(|units| format!("dense {units} tanh"));
    let global = prop_oneof![3 => Just(vec![]), 1 => Just(vec!["globalpool".to_string()])];
    (proptest::collection::vec(layer(), 1..5), global, proptest::collection::vec(dense, 0..3))
        .prop_map(|(images, global, dense)| [images, global, dense].concat().join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn logits_loss_and_gradients_equal_burns_own_operations(text in description(), colour: bool) {
        let data = if colour { DataShape::SHAPES } else { DataShape::DIGITS };
        if let Ok(net) = text.parse::<Layers>().unwrap().fit(data) {
            // Where two values of a pool window are equal but for rounding, either may win, and the gradient jumps: such a tie
            // does not come with other weights. A wrong operation is wrong with all of them.
            let found: Vec<_> = (2..5).map_while(|seed| misfit(&text, &net, seed)).collect();
            prop_assert!(found.len() < 3, "{:?}", found);
        }
    }
}

#[test]
fn gradients_equal_finite_differences() {
    // No kinks: the quotient is close to the gradient.
    let net = network(
        "conv 3 5x5 same stride 2 gelu, batchnorm silu, avgpool, conv 4 silu, residual 4 tanh, residual 5 silu, dense 9 tanh, dense 7 sigmoid",
    );
    let loss = |weights: Vec<f32>| {
        let (images, labels) = upload(batch(&net), &Device::flex());
        let model = Model::new(&net, weights, Kernels::Fused, &Device::flex());
        let (logits, _) = model.forward_training(images, Training { dropout: Vec::new(), counted: 3 });
        cross_entropy(logits, labels).into_scalar::<f32>()
    };
    let gradients = pass(&net, Kernels::Fused, &Device::flex(), 2).split_off(3);
    let mut first = 0;
    for (parameter, gradient) in net.parameters().iter().zip(&gradients) {
        if parameter.follows == Follows::Batches {
            first += parameter.len();
            continue;
        }
        let largest = (0..gradient.len()).max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs())).unwrap();
        let at = |delta: f32| {
            let mut moved = random_everywhere(&net, 2);
            moved[first + largest] += delta;
            loss(moved)
        };
        let slope = (at(5e-3) - at(-5e-3)) / 1e-2;
        assert!(
            (slope - gradient[largest]).abs() < 0.02 * slope.abs() + 1e-4,
            "{}: {slope} against {}",
            parameter.name,
            gradient[largest]
        );
        first += parameter.len();
    }
}

/// Trains on twelve digits, checks that a checkpoint resumes exactly and that the digits are known by heart after some 300 steps,
/// and returns the checkpoint after ten steps.
fn assert_learns_by_heart_and_resumes(recipe: &Recipe, what: &str) -> TrainerState {
    let digits = synthetic::digits(24, 5).train;
    let step = |trainer: &mut Trainer| {
        let metrics = trainer.step(Feed::upload(Batch::plain(&digits, 0..12), trainer.device()));
        block_on(read_metrics(vec![metrics])).unwrap()[0][0]
    };
    let mut trainer = Trainer::new(recipe.clone(), &Device::flex());
    (0..10).for_each(|_| _ = step(&mut trainer));
    let kept = block_on(trainer.state()).unwrap();
    assert_eq!(kept.len(), (1 + recipe.method.kept()) * recipe.net.count());
    let whole: Vec<f64> = (0..5).map(|_| step(&mut trainer)).collect();
    let mut resumed = Trainer::restored(recipe.clone(), &kept, &Device::flex()).unwrap();
    let again: Vec<f64> = (0..5).map(|_| step(&mut resumed)).collect();
    assert_eq!(whole, again, "{what}");
    let mut last = f64::NAN;
    (0..300).for_each(|_| last = step(&mut trainer));
    assert!(last < 0.1, "{what}: loss {last} on twelve images");
    kept
}

#[test]
fn every_network_learns_one_batch_by_heart_and_resumes_exactly() {
    for text in NETWORKS {
        let schedule = Schedule::new(0.01, 400);
        let recipe = Recipe {
            seed: 5,
            net: network(text),
            schedule,
            method: Method::default(),
            kernels: Kernels::Fused,
            class_weights: vec![],
        };
        let kept = assert_learns_by_heart_and_resumes(&recipe, text);
        // Weights of another network are refused.
        let other = Recipe { net: network("conv 3"), ..recipe };
        assert!(Trainer::restored(other, &kept, &Device::flex()).is_none());
    }
}

/// Resumes a finished run from one of its checkpoints, in a new session, and compares the last checkpoints of both.
fn assert_resumes_to_the_same_end(settings: Settings, log: &common::Log, checkpoint: usize, what: &str) {
    let checkpoints = |log: &common::Log| {
        all(log, |event| if let Event::Checkpoint(kept) = event { Some(kept.clone()) } else { None })
    };
    let last = |log: &common::Log| checkpoints(log).pop().map(|kept| kept.trainer);
    let (mut next, log_of_next) = session();
    next.command(Command::Start { run: 1, settings, from: Some(checkpoints(log)[checkpoint].clone()) });
    finish(&mut next);
    assert_eq!(last(&log_of_next), last(log), "{what}");
}

#[test]
fn a_run_with_another_network_is_explained_saved_read_back_and_resumed() {
    for text in NETWORKS {
        let (net, settings) = (network(text), Settings { net: text.parse().unwrap(), ..tiny() });
        let (mut session, log) = session();
        session.command(Command::start(1, settings.clone()));
        finish(&mut session);
        assert_eq!(session.state(), RunState::Finished, "{text}: {:?}", log.borrow().last());
        session.command(Command::Ask { id: 1, question: Question::Explain { pixels: vec![90; IMAGE] } });
        session.command(Command::Export(Format::Safetensors));
        finish(&mut session);
        let explained = all(&log, |event| match event {
            Event::Answer { answer: Answer::Explain(explanation), .. } => Some(explanation.clone()),
            _ => None,
        });
        let sizes: Vec<_> = explained[0].layers.iter().map(|maps| (maps.side as usize, maps.shades.len())).collect();
        let expected: Vec<_> = net.layers().iter().map(|(_, shape)| (shape.side, shape.values())).collect();
        assert_eq!(sizes, expected, "{text}");

        let saved =
            all(&log, |event| if let Event::Export { weights, .. } = event { Some(weights.clone()) } else { None });
        let bytes = weights::file(Format::Safetensors, &net, &saved[0].values()).unwrap();
        assert_eq!(weights::read(&net, &bytes).unwrap(), saved[0].values());
        assert!(weights::read(&network("conv 3"), &bytes).is_err());

        // A checkpoint in the middle goes on in a new session, to the same end.
        assert_resumes_to_the_same_end(settings, &log, 0, text);
    }
}

#[test]
fn letters_and_coloured_shapes_are_trained_explained_browsed_and_resumed() {
    for (dataset, shape, classes) in
        [(DatasetName::Letters, DataShape::LETTERS, 26), (DatasetName::Shapes, DataShape::SHAPES, 9)]
    {
        let net: Layers = "conv 8, pool, dense 32".parse().unwrap();
        let settings =
            Settings { dataset, net: net.clone(), images: 520, epochs: 4, lr: 0.01, augment: false, ..tiny() };
        let (mut session, log) = session();
        session.command(Command::start(1, settings.clone()));
        finish(&mut session);
        assert_eq!(session.state(), RunState::Finished, "{dataset:?}: {:?}", log.borrow().last());
        let loaded = all(&log, |e| if let Event::Loaded(loaded) = e { Some(loaded.clone()) } else { None });
        assert_eq!((loaded[0].shape, loaded[0].names.len()), (shape, classes));
        let test = all(&log, |e| if let Event::Test(test) = e { Some(test.clone()) } else { None });
        assert!(test[0].accuracy > 3.0 / classes as f64, "{dataset:?}: {}", test[0].accuracy);
        assert_eq!(test[0].confusion.classes(), classes);
        let question = Question::Explain { pixels: vec![90; shape.image().values()] };
        session.command(Command::Ask { id: 1, question });
        session.command(Command::Ask { id: 2, question: Question::Explain { pixels: vec![90; 7] } });
        finish(&mut session);
        let explained = all(&log, |event| match event {
            Event::Answer { answer: Answer::Explain(explanation), .. } => Some(explanation.clone()),
            _ => None,
        });
        assert_eq!((explained.len(), explained[0].logits.len()), (1, classes));
        assert_eq!(explained[0].saliency.shades.len(), shape.image().pixels());

        // The page keeps the run, and what it keeps can be read again.
        let mut page = RunSummary::new(1, settings.clone(), Default::default(), None);
        log.borrow().iter().for_each(|envelope| assert!(page.apply(envelope)));
        assert_eq!(page.saved().unwrap().check(), Ok(()));
        assert_eq!(page.filters(0).unwrap().1.len(), 8 * 9 * shape.image().channels);
        assert_resumes_to_the_same_end(settings, &log, 1, &format!("{dataset:?}"));
    }
}

#[test]
fn every_optimizer_learns_one_batch_by_heart_and_resumes_exactly() {
    for (optimizer, peak) in [
        (OptimizerName::Adam, 0.01),
        (OptimizerName::Adamw, 0.01),
        (OptimizerName::Sgd, 0.3),
        (OptimizerName::Momentum, 0.05),
        (OptimizerName::Nesterov, 0.05),
        (OptimizerName::Rmsprop, 0.003),
    ] {
        let method = Method { optimizer, decay: 1e-4, smoothing: 0.0, clip: 5.0, ema: 0.9 };
        let (net, schedule) = (network("conv 8, pool, dense 16"), Schedule::new(peak, 400));
        let recipe = Recipe { seed: 5, net, schedule, method, kernels: Kernels::Fused, class_weights: vec![] };
        assert_learns_by_heart_and_resumes(&recipe, &format!("{optimizer:?}"));
    }
}

#[test]
fn the_average_of_the_weights_follows_its_formula_and_the_network_ends_with_the_better_ones() {
    let digits = synthetic::digits(24, 5).train;
    let recipe = Recipe {
        seed: 5,
        net: network("dense 8, batchnorm tanh"),
        schedule: Schedule::new(0.01, 400),
        method: Method { ema: 0.6, ..Method::default() },
        kernels: Kernels::Fused,
        class_weights: vec![],
    };
    let (mut trainer, count) = (Trainer::new(recipe.clone(), &Device::flex()), recipe.net.count());
    let mut expected: Vec<f64> = Vec::new();
    for step in 0..12 {
        trainer.step(Feed::upload(Batch::plain(&digits, 0..12), trainer.device()));
        let kept = block_on(trainer.state()).unwrap().values();
        let weights = kept[..count].iter().map(|&weight| f64::from(weight));
        // Each of the first steps counts more than the share says.
        let share = f64::min(0.6, (1.0 + f64::from(step)) / (10.0 + f64::from(step)));
        expected = match expected.is_empty() {
            true => weights.collect(),
            false => {
                expected.iter().zip(weights).map(|(average, weight)| share * average + (1.0 - share) * weight).collect()
            }
        };
        let average = &kept[kept.len() - count..];
        let worst = expected.iter().zip(average).map(|(a, &b)| (a - f64::from(b)).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-5, "step {step} differs by {worst}");
    }

    // At a constant learning rate that is too high, the average is far better; a run that averages nothing is the same but for that.
    let settings = Settings {
        images: 600,
        epochs: 4,
        net: "dense 16".parse().unwrap(),
        schedule: ScheduleName::Constant,
        lr: 0.03,
        augment: false,
        ..tiny()
    };
    let run = |ema: f64| {
        let (mut session, log) = session();
        session.command(Command::start(1, Settings { ema, ..settings.clone() }));
        finish(&mut session);
        log
    };
    let epochs = |log: &common::Log| {
        all(log, |event| if let Event::Epoch { record, .. } = event { Some(*record) } else { None })
    };
    let (plain, averaged) = (run(0.0), run(0.95));
    for (plain, averaged) in epochs(&plain).iter().zip(&epochs(&averaged)) {
        assert_eq!((plain.train_loss, plain.validation_loss), (averaged.train_loss, averaged.validation_loss));
        assert!(plain.averaged.is_none());
    }
    let last = epochs(&averaged).pop().unwrap();
    assert!(last.averaged.unwrap().loss < 0.9 * last.validation_loss, "{last:?}");
    let said = |log: &common::Log| {
        all(log, |event| if let Event::Warning(words) = event { Some(words.clone()) } else { None }).concat()
    };
    assert!(said(&averaged).contains("has the average of its weights now") && said(&plain).is_empty());
    let kept = all(&averaged, |event| if let Event::Checkpoint(kept) = event { Some(kept.clone()) } else { None });
    let values = kept.last().unwrap().trainer.values();
    let count = network("dense 16").count();
    assert_eq!(values[..count], values[values.len() - count..], "the weights are the average");
    let tested =
        |log: &common::Log| all(log, |event| if let Event::Test(test) = event { Some(test.loss) } else { None });
    assert_ne!(tested(&averaged), tested(&plain));
    // Every checkpoint carries the average.
    assert_resumes_to_the_same_end(Settings { ema: 0.95, ..settings }, &averaged, 1, "averaged");
}

#[test]
fn batch_norm_keeps_the_mean_and_the_variance_of_the_batches() {
    let net = network("batchnorm, globalpool");
    let digits = synthetic::digits(24, 5).train;
    let schedule = Schedule::new(0.01, 400);
    // Neither clipping nor weight decay touches the statistics.
    let method = Method { clip: 0.01, decay: 0.1, ..Method::default() };
    let recipe = Recipe { seed: 5, net: net.clone(), schedule, method, kernels: Kernels::Fused, class_weights: vec![] };
    let mut trainer = Trainer::new(recipe.clone(), &Device::flex());
    let [mut mean, mut variance] = [0.0, 1.0];
    for step in 0..3 {
        let range = 4 * step..4 * step + 4;
        let pixels = digits.pixels[range.start * IMAGE..range.end * IMAGE].iter().map(|&p| f64::from(p) / 255.0);
        let of_batch = pixels.clone().sum::<f64>() / (4 * IMAGE) as f64;
        let spread = pixels.map(|p| (p - of_batch).powi(2)).sum::<f64>() / (4 * IMAGE) as f64;
        (mean, variance) = (0.9 * mean + 0.1 * of_batch, 0.9 * variance + 0.1 * spread);
        trainer.step(Feed::upload(Batch::plain(&digits, range), trainer.device()));
        let kept = block_on(trainer.state()).unwrap().values();
        // Scale, shift, mean, variance.
        assert!((f64::from(kept[2]) - mean).abs() < 1e-5, "step {step}: {} instead of {mean}", kept[2]);
        assert!((f64::from(kept[3]) - variance).abs() < 1e-5, "step {step}: {} instead of {variance}", kept[3]);
    }

    // Three workers find the mean of the whole batch, and the mean of the variances of their shares.
    let (numbers, mut trainer) = (Vec::from_iter(0..10), Trainer::new(recipe, &Device::flex()));
    let mut team = Team::new(Threads::new(Device::flex()));
    team.resize(3);
    let picked = Picked { images: digits.pick(&numbers).images, numbers };
    block_on(team.step(&mut trainer, &picked, None)).unwrap();
    let kept = block_on(trainer.state()).unwrap().values();
    let pixels = picked.images.pixels.iter().map(|&p| f64::from(p) / 255.0);
    let mean = 0.1 * pixels.sum::<f64>() / (10 * IMAGE) as f64;
    assert!((f64::from(kept[2]) - mean).abs() < 1e-5, "{} instead of {mean}", kept[2]);
    assert!((0.9..0.92).contains(&kept[3]), "{}", kept[3]);
}

#[test]
fn padding_does_not_change_what_batch_norm_finds() {
    let net = network("conv 3, batchnorm relu, globalpool");
    let device = Device::flex().autodiff();
    let model = Model::new(&net, random_everywhere(&net, 3), Kernels::Fused, &device);
    let digits = synthetic::digits(24, 5).train;
    let run = |range: std::ops::Range<usize>, counted| {
        let (images, _) = upload(Batch::plain(&digits, range), &device);
        let (logits, found) = model.forward_training(images, Training { dropout: Vec::new(), counted });
        let tensors = [vec![logits.inner().slice(0..counted).flatten(0, 1)], found].concat();
        tensors
            .into_iter()
            .map(|tensor| TensorData::try_into_vec::<f32>(tensor.into_data()).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(difference("padded", 1e-6, &run(0..5, 5), &run(0..8, 5)), None);
}

#[test]
fn label_smoothing_moves_the_least_loss_away_from_zero() {
    // With one batch by heart, the loss is the entropy of the smoothed answer: 0.91 on one class, 0.01 on nine.
    let digits = synthetic::digits(24, 5).train;
    let method = Method { smoothing: 0.1, ..Method::default() };
    let schedule = Schedule::new(0.01, 400);
    let recipe =
        Recipe { seed: 5, net: network("dense 32"), schedule, method, kernels: Kernels::Fused, class_weights: vec![] };
    let mut trainer = Trainer::new(recipe, &Device::flex());
    let mut last = f64::NAN;
    for _ in 0..400 {
        let metrics = trainer.step(Feed::upload(Batch::plain(&digits, 0..12), trainer.device()));
        last = block_on(read_metrics(vec![metrics])).unwrap()[0][0];
    }
    let least = -(0.91f64 * 0.91f64.ln() + 9.0 * 0.01 * 0.01f64.ln());
    assert!((last - least).abs() < 0.01, "{last} instead of {least}");
}

#[test]
fn what_is_said_to_be_fused_is_what_the_kernels_support() {
    use inkling_kernels::conv_block::Dims;
    for (channels, side) in [(1, 28), (3, 32), (1, 8), (3, 64)] {
        let data = DataShape::new(Shape { channels, side }, 5).unwrap();
        for outputs in 1..=40 {
            for first in ["", "conv 4, ", "conv 6, ", "pool, pool, ", "conv 8 7x7, "] {
                let layers: Layers = format!("{first}conv {outputs}, pool").parse().unwrap();
                let outline = layers.outline(data);
                let at = outline.len() - 3;
                let before =
                    at.checked_sub(1).map_or(Ok(data.image()), |at| outline[at].size.clone().map(|size| size.shape));
                let Ok(Shape { channels: inputs, side }) = before else { continue };
                let dims = Dims { images: 1, height: side, width: side, inputs, outputs };
                if layers.fit(data).is_ok() {
                    assert_eq!(layers.fused(data)[at + 1], dims.supported(), "{layers} on {channels} x {side}");
                }
            }
        }
    }
}

#[test]
fn a_question_that_waited_while_a_run_on_other_images_began_is_refused() {
    let (mut session, log) = session();
    let shapes = Settings { dataset: DatasetName::Shapes, net: "none".parse().unwrap(), ..tiny() };
    session.command(Command::start(1, shapes));
    finish(&mut session);
    let pixels = vec![7; DataShape::SHAPES.image().values()];
    session.command(Command::Ask { id: 8, question: Question::Explain { pixels: pixels.clone() } });
    session.command(Command::Ask { id: 9, question: Question::Predict { pixels, epoch: None } });
    session.command(Command::UseData(synthetic::digits(240, 5).into()));
    session.command(Command::start(2, Settings { dataset: DatasetName::Own, net: "none".parse().unwrap(), ..tiny() }));
    finish(&mut session);
    assert_eq!(session.state(), RunState::Finished);
    let refused = all(&log, |event| if let Event::Refused { id } = event { Some(*id) } else { None });
    let answered = all(&log, |event| if let Event::Answer { id, .. } = event { Some(*id) } else { None });
    assert_eq!([refused, answered].concat().len(), 2, "each question has one end");
}
