//! The fused block in a training step, compared with Burn's own operations.

use burn::tensor::{Device, Distribution, Tensor};
use inkling_kernels::{conv_block, stock_conv_block};

fn main() {
    let device = Device::flex().autodiff();
    let images = Tensor::<4>::random([64, 1, 28, 28], Distribution::Default, &device);
    let weight = Tensor::<4>::random([32, 1, 3, 3], Distribution::Normal(0.0, 0.3), &device).require_grad();
    let bias = Tensor::<1>::zeros([32], &device).require_grad();

    let fused = conv_block(images.clone(), weight.clone(), bias.clone());
    let stock = stock_conv_block(images, weight.clone(), bias);
    println!("output {:?}", fused.dims());
    println!("largest difference of an output: {:.1e}", largest(fused.clone().inner() - stock.clone().inner()));

    let (fused, stock) = (fused.sum().backward(), stock.sum().backward());
    if let (Some(fused), Some(stock)) = (weight.grad(&fused), weight.grad(&stock)) {
        let scale = largest(stock.clone());
        println!("largest difference of a gradient, relative to the largest: {:.1e}", largest(fused - stock) / scale);
    }
}

fn largest<const D: usize>(tensor: Tensor<D>) -> f32 {
    tensor.abs().max().into_scalar::<f32>()
}
