//! The program chooses whether the kernels round once or twice. This test has its own file because the choice applies to the whole process.

use burn::tensor::{Device, Distribution, Tensor};
use inkling_kernels::{
    conv_block, convolution, dense,
    lanes::{round_once, rounds_once},
};

/// Outputs and gradients of every kernel with products, for the same numbers.
fn all_kernels() -> Vec<f32> {
    let device = Device::flex().autodiff();
    device.seed(7);
    let random =
        |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device).require_grad();
    let zeros = |len: usize| Tensor::<1>::zeros([len], &device).require_grad();
    let mut found = Vec::new();
    let mut keep = |data: burn::tensor::TensorData| found.extend(data.iter::<f32>());
    // One input channel; several by Winograd's way; and a kernel that is neither.
    for (inputs, outputs, kernel) in [(1, 8, 3), (4, 8, 3), (3, 5, 5)] {
        let (x, weight, bias) =
            (random([2, inputs, 12, 12]), random([outputs, inputs, kernel, kernel]), zeros(outputs));
        let output = match kernel {
            3 => conv_block(x.clone(), weight.clone(), bias.clone()),
            _ => convolution(x.clone(), weight.clone(), bias.clone(), 2),
        };
        let gradients = (output.clone() * output.clone()).sum().backward();
        [Some(output.inner()), x.grad(&gradients), weight.grad(&gradients)]
            .into_iter()
            .flatten()
            .for_each(|t| keep(t.into_data()));
    }
    let (x, weight, bias) = (random([1, 1, 5, 30]), random([1, 1, 30, 9]), zeros(9));
    let output = dense(x.clone().reshape([5, 30]), weight.clone().reshape([30, 9]), bias);
    let gradients = (output.clone() * output.clone()).sum().backward();
    keep(output.inner().into_data());
    [x.grad(&gradients), weight.grad(&gradients)].into_iter().flatten().for_each(|t| keep(t.into_data()));
    found
}

#[test]
fn both_roundings_agree_within_rounding_and_each_gives_its_own_bits_again() {
    let first = rounds_once();
    let twice = (!round_once(false)).then(all_kernels);
    let once = round_once(true).then(all_kernels);
    println!("this processor rounds {} first, twice: {}, once: {}", first, twice.is_some(), once.is_some());
    let (Some(twice), Some(once)) = (twice, once) else {
        eprintln!("SKIPPED: this processor has no choice of rounding");
        return;
    };
    assert!(!first, "a program begins with rounding twice");
    let largest = twice.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let difference = twice.iter().zip(&once).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference > 0.0 && difference < 1e-5 * largest, "{difference} of {largest}");
    assert!(round_once(true) && all_kernels() == once);
    assert!(!round_once(false) && all_kernels() == twice);
}
