//! Compares the convolutions with Burn's own operations over random shapes, natively and in the browser.

use burn::tensor::{Device, Tensor, TensorData, activation, module, ops::ConvOptions};
use inkling_core::settings::Kernels;
use inkling_kernels::{
    conv_block,
    conv_block::{Dims, Output, forward, forward_into},
    convolution, dense, log_softmax, stock_conv_block,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;

/// The values of one case.
#[derive(Clone)]
struct Case {
    dims: Dims,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// Gradient of the output.
    flow: Vec<f32>,
}

impl Case {
    fn new(dims: Dims, mut number: impl FnMut() -> f32) -> Self {
        let Dims { images, height, width, inputs, outputs } = dims;
        let [rows, columns] = dims.pooled();
        let mut numbers = |len: usize| (0..len).map(|_| number()).collect();
        Case {
            dims,
            x: numbers(images * inputs * height * width),
            weight: numbers(outputs * inputs * 9),
            bias: numbers(outputs),
            flow: numbers(images * outputs * rows * columns),
        }
    }

    /// Output and gradients of input, weight and bias on burn-flex.
    async fn run(&self, kernels: Kernels) -> [Vec<f32>; 4] {
        let Dims { images, height, width, inputs, outputs } = self.dims;
        let [rows, columns] = self.dims.pooled();
        let device = Device::flex().autodiff();
        let x = Tensor::<4>::from_data(TensorData::new(self.x.clone(), [images, inputs, height, width]), &device);
        let weight = Tensor::<4>::from_data(TensorData::new(self.weight.clone(), [outputs, inputs, 3, 3]), &device);
        let bias = Tensor::<1>::from_data(TensorData::new(self.bias.clone(), [outputs]), &device);
        let flow =
            Tensor::<4>::from_data(TensorData::new(self.flow.clone(), [images, outputs, rows, columns]), &device);
        let (x, weight, bias) = (x.require_grad(), weight.require_grad(), bias.require_grad());
        // Multiplies in Burn before and after, so that the block's input and output are not leaves.
        let block = if kernels == Kernels::Fused { conv_block } else { stock_conv_block };
        let out = block(x.clone() * 1.0, weight.clone(), bias.clone());
        let gradients = (out.clone() * flow).sum().backward();
        [
            values(out.inner()).await,
            values(x.grad(&gradients).unwrap()).await,
            values(weight.grad(&gradients).unwrap()).await,
            values(bias.grad(&gradients).unwrap()).await,
        ]
    }

    async fn assert_same(&self, tolerance: f32) {
        let (found, expected) = (self.run(Kernels::Fused).await, self.run(Kernels::Stock).await);
        for ((found, expected), what) in found.iter().zip(&expected).zip(["output", "input", "weight", "bias"]) {
            let scale = expected.iter().filter(|v| v.is_finite()).fold(1.0f32, |m, v| m.max(v.abs()));
            assert_eq!(found.len(), expected.len());
            for (i, (f, e)) in found.iter().zip(expected).enumerate() {
                let same = f == e || (f.is_nan() && e.is_nan()) || (f - e).abs() <= tolerance * scale;
                assert!(same, "{what}[{i}] of {:?}: {f}, Burn has {e}", self.dims);
            }
        }
    }
}

async fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data_async().await.unwrap().try_into_vec().unwrap()
}

fn dims(rng: &mut Pcg32, inputs: &[usize], outputs: &[usize]) -> Dims {
    let mut one_of = |choices: &[usize]| choices[rng.random_range(0..choices.len())];
    let (inputs, outputs) = (one_of(inputs), one_of(outputs));
    let mut side = || rng.random_range(4..16);
    let (height, width) = (side(), side());
    // Up to four images are computed together.
    Dims { images: rng.random_range(1..10), height, width, inputs, outputs }
}

const FUSED: ([usize; 5], [usize; 3]) = ([1, 4, 8, 36, 64], [8, 16, 24]);

/// Whole numbers are exact in any order of summation and in the transform, so ties are ties for both. The output, the
/// winners (the input's gradient) and everything else are exactly equal.
pub async fn whole_numbers_give_exactly_the_same_results(cases: u64) {
    for seed in 0..cases {
        let mut rng = Pcg32::seed_from_u64(seed);
        let dims = dims(&mut rng, &FUSED.0, &FUSED.1);
        assert!(dims.supported());
        Case::new(dims, || rng.random_range(-3i8..=3).into()).assert_same(0.0).await;
    }
}

pub async fn real_numbers_agree_within_rounding(cases: u64) {
    for seed in 0..cases {
        let mut rng = Pcg32::seed_from_u64(1000 + seed);
        let dims = dims(&mut rng, &FUSED.0, &FUSED.1);
        Case::new(dims, || rng.random_range(-1.0..1.0)).assert_same(1e-5).await;
    }
}

/// Channel counts that the fused kernels don't support go to the composed operations.
pub async fn other_shapes_give_correct_results_too() {
    let mut rng = Pcg32::seed_from_u64(5);
    for (inputs, outputs) in [(3, 8), (4, 5), (1, 1), (6, 10)] {
        let dims = Dims { images: 2, ..dims(&mut rng, &[inputs], &[outputs]) };
        assert!(!dims.supported());
        Case::new(dims, || rng.random_range(-3i8..=3).into()).assert_same(0.0).await;
    }
}

/// The plain convolution, in every kernel size, with and without a border, for channels that fill whole registers and for others. Whole
/// numbers, and the halves of Winograd's transforms, are exact, so everything is exactly equal; real numbers agree within rounding.
pub async fn convolutions_of_any_size_agree_with_burns(cases: u64) {
    let mut winograd = 0;
    for seed in 0..cases {
        let mut rng = Pcg32::seed_from_u64(3000 + seed);
        let kernel = [1, 3, 3, 5, 7][rng.random_range(0..5)];
        let padding = if rng.random() { (kernel - 1) / 2 } else { 0 };
        let [inputs, outputs] = [[1, 3, 4, 8, 20], [1, 4, 6, 8, 20]].map(|of| of[rng.random_range(0..5)]);
        let images = rng.random_range(1..4);
        let mut side = || rng.random_range(kernel..12);
        let input = [images, inputs, side(), side()];
        let sizes = [input, [outputs, inputs, kernel, kernel], [outputs, 1, 1, 1]];
        winograd += usize::from(kernel == 3 && inputs % 4 == 0 && outputs % 4 == 0);
        let exact = seed % 3 > 0;
        let values = sizes.map(|size| {
            let number = |_| if exact { rng.random_range(-3i8..=3).into() } else { rng.random_range(-1.0..1.0) };
            (0..size.iter().product()).map(number).collect::<Vec<f32>>()
        });
        let run = async |own: bool| {
            let device = Device::flex().autodiff();
            let tensor =
                |place: usize| Tensor::<4>::from_data(TensorData::new(values[place].clone(), sizes[place]), &device);
            let [x, weight] = [0, 1].map(|place| tensor(place).require_grad());
            let bias = tensor(2).reshape([outputs]).require_grad();
            // As in a network, neither the input nor the gradient lies in memory in the usual order.
            let turned = (x.clone() * 1.0).swap_dims(2, 3);
            let out = match own {
                true => convolution(turned, weight.clone(), bias.clone(), padding),
                false => {
                    let options = ConvOptions::new([1, 1], [padding, padding], [1, 1], 1);
                    module::conv2d(turned, weight.clone(), Some(bias.clone()), options)
                }
            };
            let flow = Tensor::arange(0..out.shape().num_elements() as i64, &device).float().reshape(out.dims());
            let gradients = (out.clone().swap_dims(2, 3) * (flow % 5.0 - 2.0).swap_dims(2, 3)).sum().backward();
            let found = [x.grad(&gradients), weight.grad(&gradients)].map(Option::unwrap);
            let mut all = vec![self::values(out.inner()).await, self::values(bias.grad(&gradients).unwrap()).await];
            for tensor in found {
                all.push(self::values(tensor).await);
            }
            all
        };
        let (found, expected) = (run(true).await, run(false).await);
        for ((found, expected), what) in found.iter().zip(&expected).zip(["output", "bias", "input", "weight"]) {
            assert_eq!(found.len(), expected.len());
            let scale = expected.iter().fold(1.0f32, |m, v| m.max(v.abs()));
            let tolerance = if exact { 0.0 } else { 2e-5 * scale };
            let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= tolerance, "{what} of {sizes:?} with {padding} around it differs by {worst}");
        }
    }
    assert!(winograd > cases as usize / 20, "{winograd} cases of Winograd's");
}

/// The dense layer, for sizes that fill whole registers and for others. Whole numbers give exactly the same.
pub async fn dense_layers_of_any_size_agree_with_burns(cases: u64) {
    for seed in 0..cases {
        let mut rng = Pcg32::seed_from_u64(4000 + seed);
        let mut size = |most: usize| if rng.random() { rng.random_range(1..most) } else { 8 };
        let [images, inputs, outputs] = [size(13), size(400), size(40)];
        let sizes = [[images, inputs], [inputs, outputs], [1, outputs], [images, outputs]];
        let exact = seed % 3 > 0;
        let values = sizes.map(|[rows, columns]| {
            let number = |_| if exact { rng.random_range(-3i8..=3).into() } else { rng.random_range(-1.0..1.0) };
            (0..rows * columns).map(number).collect::<Vec<f32>>()
        });
        let run = async |own: bool| {
            let device = Device::flex().autodiff();
            let tensor =
                |place: usize| Tensor::<2>::from_data(TensorData::new(values[place].clone(), sizes[place]), &device);
            let [x, weight] = [0, 1].map(|place| tensor(place).require_grad());
            let bias = tensor(2).reshape([outputs]).require_grad();
            let layer = if own { dense } else { |x, weight, bias| module::linear(x, weight, Some(bias)) };
            // Nor does every input lie in memory in the usual order.
            let turned = (x.clone().swap_dims(0, 1) * 1.0).swap_dims(0, 1);
            let out = layer(if seed % 2 == 0 { turned } else { x.clone() * 1.0 }, weight.clone(), bias.clone());
            let gradients = (out.clone() * tensor(3)).sum().backward();
            let found = [out.inner(), x.grad(&gradients).unwrap(), weight.grad(&gradients).unwrap()];
            let mut all = vec![self::values(bias.grad(&gradients).unwrap()).await];
            for tensor in found {
                all.push(self::values(tensor).await);
            }
            all
        };
        let (found, expected) = (run(true).await, run(false).await);
        for ((found, expected), what) in found.iter().zip(&expected).zip(["bias", "output", "input", "weight"]) {
            assert_eq!(found.len(), expected.len());
            let scale = expected.iter().fold(1.0f32, |m, v| m.max(v.abs()));
            let tolerance = if exact { 0.0 } else { 2e-5 * scale };
            let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= tolerance, "{what} of {sizes:?} differs by {worst}");
        }
    }
}

/// Logits of `images` rows, up to `most` in magnitude.
fn logits(seed: u64, [images, classes]: [usize; 2], most: f32) -> Tensor<2> {
    let mut rng = Pcg32::seed_from_u64(seed);
    let values = (0..images * classes).map(|_| rng.random_range(-most..most)).collect::<Vec<f32>>();
    Tensor::from_data(TensorData::new(values, [images, classes]), &Device::flex().autodiff())
}

/// Output and gradient, with logits so large that their exponentials overflow, and in another order in memory.
pub async fn the_logarithm_of_softmax_agrees_with_burns(cases: u64) {
    for seed in 0..cases {
        let mut rng = Pcg32::seed_from_u64(5000 + seed);
        let shape = [rng.random_range(1..20), rng.random_range(2..101)];
        let most = [1.0, 10.0, 1000.0][seed as usize % 3];
        let flow = logits(6000 + seed, shape, 1.0);
        let run = async |own: bool| {
            let x = logits(7000 + seed, shape, most).require_grad();
            let turned = if seed % 2 == 0 { x.clone() * 1.0 } else { (x.clone().transpose() * 1.0).transpose() };
            let out = if own { log_softmax(turned) } else { activation::log_softmax(turned, 1) };
            let gradients = (out.clone() * flow.clone()).sum().backward();
            [values(out.inner()).await, values(x.grad(&gradients).unwrap()).await]
        };
        let (found, expected) = (run(true).await, run(false).await);
        for ((found, expected), what) in found.iter().zip(&expected).zip(["output", "gradient"]) {
            let tolerance = if what == "output" { 1e-6 * most.max(1.0) } else { 2e-5 };
            let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(found.len() == expected.len() && worst <= tolerance, "{what} of {shape:?} differs by {worst}");
        }
    }
}

/// A run can continue elsewhere bit for bit only if this holds. The number was computed natively.
pub async fn the_logarithm_of_softmax_has_the_same_bits_everywhere() {
    let x = logits(1, [200, 10], 20.0).require_grad();
    let out = log_softmax(x.clone());
    let gradients = (out.clone() * logits(2, [200, 10], 1.0)).sum().backward();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64; // FNV-1a
    for value in [values(out.inner()).await, values(x.grad(&gradients).unwrap()).await].concat() {
        for byte in value.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    assert_eq!(hash, 0xdde1_61d2_17b1_e666, "{hash:#x}");
}

/// NaN and infinities come out where Burn has them. This holds for the output only: in the gradients, Burn multiplies an
/// infinity by the zeros of windows that pass nothing on, and gets NaN where no gradient flows.
pub async fn non_finite_values_come_out_where_burn_has_them(cases: u64) {
    let mut telling = 0;
    for seed in 0..cases {
        let mut rng = Pcg32::seed_from_u64(2000 + seed);
        let dims = dims(&mut rng, &FUSED.0, &FUSED.1);
        let mut case = Case::new(dims, || f32::from(rng.random_range(0i8..=3)) - 1.5);
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let at = rng.random_range(0..case.x.len());
            case.x[at] = value;
        }
        let (found, expected) = (case.run(Kernels::Fused).await, case.run(Kernels::Stock).await);
        let mut odd = 0;
        for (f, e) in found[0].iter().zip(&expected[0]) {
            let same = f == e || (f.is_nan() && e.is_nan());
            assert!(same, "{dims:?}: {f}, Burn has {e}");
            odd += usize::from(!e.is_finite());
        }
        telling += u64::from(odd > 0);
    }
    // A value in a border that no window covers tells nothing.
    assert!(telling > cases * 3 / 4, "only {telling} of {cases} cases prove something");
}

/// A window whose values are all zero or less passes no gradient on; one whose four values are equal passes it to the first.
pub async fn dead_windows_and_ties_behave_as_in_burn() {
    for inputs in [1, 4] {
        let dims = Dims { images: 2, height: 7, width: 6, inputs, outputs: 8 };
        let mut case = Case::new(dims, || 1.0);
        case.assert_same(0.0).await;
        let [out, input, ..] = case.run(Kernels::Fused).await;
        assert!(out.iter().all(|&v| v == (9 * inputs + 1) as f32));
        assert!(input[0] == 8.0 && input[5] == 0.0, "the first of four equals wins, nothing goes further: {input:?}");
        case.bias.fill(-1000.0);
        case.assert_same(0.0).await;
        assert!(case.run(Kernels::Fused).await.as_flattened_sum() == 0.0);
    }
}

trait FlattenedSum {
    fn as_flattened_sum(&self) -> f32;
}

impl FlattenedSum for [Vec<f32>; 4] {
    fn as_flattened_sum(&self) -> f32 {
        self.iter().flatten().map(|v| v.abs()).sum()
    }
}

/// Nothing is left of what the output's buffers held before.
pub fn every_output_is_written() {
    let mut rng = Pcg32::seed_from_u64(9);
    for inputs in FUSED.0 {
        let dims = Dims { images: 5, height: 9, width: 14, inputs, outputs: 24 };
        let case = Case::new(dims, || rng.random_range(-1.0..1.0));
        let Output { values, winners } = forward(&case.x, &case.weight, &case.bias, dims);
        let mut poisoned = Output { values: vec![f32::NAN; values.len()], winners: vec![77; winners.len()] };
        forward_into(&case.x, &case.weight, &case.bias, dims, &mut poisoned);
        assert!(poisoned.values == values && poisoned.winners == winners);
        assert_eq!(values.len(), 5 * 3 * 6 * 24);
    }
}
