//! Convolution with Burn's forward pass and input gradient, and custom gradients of weights and bias, for devices with many threads.
//!
//! Without autotune, Burn's gradient of a convolution's bias takes one thread per output channel, each of which sums all pixels of all
//! images: 28 of a step's 44 ms at batch 1,024 on an NVIDIA H100. Its weight gradient takes one thread per weight: 288 for the first
//! layer. Here the bias takes a sum per image and channel and then one over the images, and the weights take one matrix product per
//! image, over patches of the input, and a sum. docs/performance.md has the speed of whole steps.

use burn::{
    backend::{
        Autodiff, Backend, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        tensor::FloatTensor,
    },
    tensor::{Slice, TensorData},
};

use crate::{options, plain};

/// Convolution of `x` `[N, I, H, W]` with `weight` `[O, I, h, w]` (stride 1, `padding` rows and columns of zeros) plus `bias` `[O]`.
pub fn convolution<B: Backend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    padding: usize,
) -> FloatTensor<Autodiff<B, C>> {
    let nodes = [x.node(), weight.node(), bias.node()];
    let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
    let sums = plain::<B>(x.clone(), weight.clone(), bias, padding);
    match ConvolutionBackward.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((x, weight, padding), sums),
        OpsKind::UnTracked(prep) => prep.finish(sums),
    }
}

#[derive(Debug)]
struct ConvolutionBackward;

impl<B: Backend> Backward<B, 3> for ConvolutionBackward {
    /// Input, weight, padding.
    type State = (FloatTensor<B>, FloatTensor<B>, usize);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, weight_node, bias_node] = ops.parents;
        let (x, weight, padding) = ops.state;
        let gradient = gradients.consume::<B>(&ops.node);
        let [images, outputs, rows, columns] = gradient.shape().dims();
        let planes = B::float_reshape(gradient.clone(), [images, outputs, rows * columns].into());
        if let Some(node) = bias_node {
            let sums = B::float_sum_dim(B::float_sum_dim(planes.clone(), 2), 0);
            gradients.register::<B>(node.id, B::float_reshape(sums, [outputs].into()));
        }
        if let Some(node) = weight_node {
            let x = bordered::<B>(x.clone(), padding);
            gradients.register::<B>(node.id, weight_gradient::<B>(x, weight.clone(), planes, columns));
        }
        if let Some(node) = x_node {
            gradients.register::<B>(node.id, B::conv2d_x_backward(x, weight, gradient, options(padding)));
        }
    }
}

/// `x` `[N, I, H, W]` with `padding` rows and columns of zeros around each image.
fn bordered<B: Backend>(x: FloatTensor<B>, padding: usize) -> FloatTensor<B> {
    if padding == 0 {
        return x;
    }
    let [images, inputs, height, width] = x.shape().dims();
    let shape = [images, inputs, height + 2 * padding, width + 2 * padding];
    let zeros = B::float_zeros(shape.into(), &x.device(), x.dtype().into());
    let inside = |len: usize| Slice::from(padding..padding + len);
    B::float_slice_assign(zeros, &[Slice::from(0..images), Slice::from(0..inputs), inside(height), inside(width)], x)
}

/// The gradient at `weight`, from the input `x` with its border, and the output's gradient `[N, O, places]` in rows of `columns`.
fn weight_gradient<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    gradient: FloatTensor<B>,
    columns: usize,
) -> FloatTensor<B> {
    let device = x.device();
    let [images, inputs, height, width] = x.shape().dims();
    let [_, _, places] = gradient.shape().dims();
    let shape = weight.shape();
    let [_, _, taps_y, taps_x] = shape.dims();
    let taps = taps_y * taps_x;
    // The index of each patch value in its image: its offset in the patch plus the patch's corner.
    let offset = |at: usize| (at / taps * height + at % taps / taps_x) * width + at % taps_x;
    let corner = |at: usize| at / columns * width + at % columns;
    let ints = |values: Vec<usize>, shape: [usize; 2]| {
        let values = values.into_iter().map(|value| value as i32).collect();
        B::int_from_data(TensorData::new::<i32, _>(values, shape), &device)
    };
    let offsets = ints((0..inputs * taps).map(offset).collect(), [inputs * taps, 1]);
    let corners = ints((0..places).map(corner).collect(), [1, places]);
    let index = B::int_reshape(B::int_add(offsets, corners), [inputs * taps * places].into());
    let flat = B::float_reshape(x, [images, inputs * height * width].into());
    let patches = B::float_reshape(B::float_select(flat, 1, index), [images, inputs * taps, places].into());
    let products = B::float_matmul(gradient, B::float_swap_dims(patches, 1, 2)); // [N, O, I h w]
    B::float_reshape(B::float_sum_dim(products, 0), shape)
}
