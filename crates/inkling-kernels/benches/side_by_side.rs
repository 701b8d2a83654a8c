//! The fused convolution block and Burn's own operations, in turn: `cargo bench -p inkling-kernels`.
//!
//! Both run in every round, so that a slow moment of the machine hits both; the medians of the rounds are printed.

use std::{hint::black_box, time::Instant};

use burn::tensor::{Device, Distribution, Tensor};
use inkling_kernels::{conv_block, stock_conv_block};

const BATCH: usize = 64;
const ROUNDS: usize = 15;

type Block = fn(Tensor<4>, Tensor<4>, Tensor<1>) -> Tensor<4>;

fn main() {
    println!("forward and backward, batch {BATCH}, medians of {ROUNDS} rounds");
    for [inputs, outputs, side] in [[1, 32, 28], [32, 64, 13]] {
        let mut milliseconds = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (block, times) in [conv_block as Block, stock_conv_block].into_iter().zip(&mut milliseconds) {
                times.push(time(block, inputs, outputs, side));
            }
        }
        let [fused, stock] = milliseconds.map(median);
        println!(
            "{inputs:>2} to {outputs} channels, {side}x{side}: fused {fused:.2} ms, Burn's own {stock:.2} ms, {:.1} times as fast",
            stock / fused
        );
    }
}

fn time(block: Block, inputs: usize, outputs: usize, side: usize) -> f64 {
    let device = Device::flex().autodiff();
    let x = Tensor::<4>::random([BATCH, inputs, side, side], Distribution::Default, &device);
    let weight = Tensor::<4>::random([outputs, inputs, 3, 3], Distribution::Normal(0.0, 0.1), &device).require_grad();
    let bias = Tensor::<1>::zeros([outputs], &device).require_grad();
    let start = Instant::now();
    let gradients = block(x.require_grad(), weight.clone(), bias).sum().backward();
    black_box(weight.grad(&gradients).map(Tensor::into_data));
    start.elapsed().as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
