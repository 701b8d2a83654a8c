//! Operations that Burn lacks or runs slowly. Each is a Burn backend extension, hand-written for burn-flex; elsewhere, it is composed
//! of Burn's own operations.

#![allow(deprecated)] // names burn-ndarray, see `device.rs`

pub mod adam;
pub mod conv_block;
pub mod convolution;
pub mod dense;
mod flex;
pub mod lanes;
#[cfg(any(feature = "cuda", feature = "ndarray", feature = "remote", feature = "webgpu"))]
mod patches;
mod products;
mod softmax;
mod winograd;

#[cfg(any(feature = "cuda", feature = "ndarray", feature = "remote", feature = "webgpu"))]
use burn::backend::{Autodiff, autodiff::checkpoint::strategy::CheckpointStrategy};
use burn::{
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
    tensor::{
        Tensor,
        activation::relu,
        module,
        ops::{ConvOptions, MaxPoolOptions},
    },
};

/// Convolution of `x` `[N, I, H, W]` with `weight` `[O, I, 3, 3]` (stride 1, no padding), plus `bias` `[O]`, ReLU and
/// max-pool 2x2 as one differentiable operation: `[N, O, (H - 2) / 2, (W - 2) / 2]`.
pub fn conv_block(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::conv_block(x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()))
}

/// The same as [`conv_block()`], but with Burn's own operations.
pub fn stock_conv_block(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let sums = module::conv2d(x, weight, Some(bias), ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
    module::max_pool2d(relu(sums), MaxPoolOptions::new([2, 2]))
}

/// Convolution of `x` `[N, I, H, W]` with `weight` `[O, I, k, k]` (stride 1, `padding` rows and columns of zeros), plus `bias` `[O]`:
/// `[N, O, H + 2 padding + 1 - k, W + 2 padding + 1 - k]`.
pub fn convolution(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, padding: usize) -> Tensor<4> {
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::convolution(x, weight, bias, padding))
}

/// `x` `[N, I]` times `weight` `[I, O]` plus `bias` `[O]`: `[N, O]`.
pub fn dense(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::dense(x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()))
}

/// The logarithm of softmax over the classes of `logits` `[N, classes]`.
pub fn log_softmax(logits: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::log_softmax_rows(logits.into_dispatch()))
}

/// The operations of this crate, for each backend.
#[backend_extension(
    Flex,
    Autodiff,
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "cuda", feature = "webgpu")),
    Remote: cfg(feature = "remote")
)]
pub trait KernelBackend: Backend {
    /// See [`conv_block()`].
    fn conv_block(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::<Self>(x, weight, bias)
    }

    /// See [`convolution()`].
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        padding: usize,
    ) -> FloatTensor<Self> {
        plain::<Self>(x, weight, bias, padding)
    }

    /// See [`dense()`].
    fn dense(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        linear::<Self>(x, weight, bias)
    }

    /// See [`log_softmax()`].
    fn log_softmax_rows(logits: FloatTensor<Self>) -> FloatTensor<Self> {
        logarithms::<Self>(logits)
    }
}

fn plain<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    padding: usize,
) -> FloatTensor<B> {
    B::conv2d(x, weight, Some(bias), options(padding))
}

fn linear<B: Backend>(x: FloatTensor<B>, weight: FloatTensor<B>, bias: FloatTensor<B>) -> FloatTensor<B> {
    B::linear(x, weight, Some(bias))
}

fn logarithms<B: Backend>(logits: FloatTensor<B>) -> FloatTensor<B> {
    B::log_softmax(logits, 1)
}

fn options(padding: usize) -> ConvOptions<2> {
    ConvOptions::new([1, 1], [padding, padding], [1, 1], 1)
}

fn composed<B: KernelBackend>(x: FloatTensor<B>, weight: FloatTensor<B>, bias: FloatTensor<B>) -> FloatTensor<B> {
    // The pool and ReLU commute. In this order, ReLU reads and writes a quarter as much.
    B::relu(B::max_pool2d(B::convolution(x, weight, bias, 0), [2, 2], [2, 2], [0, 0], [1, 1], false))
}

/// Burn's operations, with the gradients of `patches.rs`.
#[cfg(any(feature = "cuda", feature = "ndarray", feature = "remote", feature = "webgpu"))]
macro_rules! with_patches {
    ($backend:ident) => {
        impl KernelBackend for burn::backend::$backend {}
        impl<C: CheckpointStrategy> KernelBackend for Autodiff<burn::backend::$backend, C> {
            fn convolution(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                padding: usize,
            ) -> FloatTensor<Self> {
                patches::convolution::<burn::backend::$backend, C>(x, weight, bias, padding)
            }
        }
    };
}

#[cfg(feature = "ndarray")]
with_patches!(NdArray);
#[cfg(any(feature = "cuda", feature = "webgpu"))]
with_patches!(Cube);
#[cfg(feature = "remote")]
with_patches!(Remote);
