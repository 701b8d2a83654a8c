//! Operations that Burn lacks or runs slowly. Each is a Burn backend extension, hand-written for burn-flex and composed
//! of Burn's own operations elsewhere.

#![allow(deprecated)] // names burn-ndarray, see `device.rs`

pub mod adam;
pub mod conv_block;
#[cfg(any(feature = "ndarray", feature = "webgpu"))]
mod convolution;
pub mod lanes;

use std::borrow::Cow;

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        flex::{FlexTensor, Layout},
        tensor::FloatTensor,
    },
    tensor::{
        DType, Tensor, TensorData,
        activation::relu,
        module,
        ops::{ConvOptions, MaxPoolOptions},
    },
};
use conv_block::{Dims, Strided};

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

/// The operations of this crate, for each backend.
#[backend_extension(
    Flex,
    Autodiff,
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "webgpu")
)]
pub trait KernelBackend: Backend {
    /// See [`conv_block()`].
    fn conv_block(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::<Self>(x, weight, bias)
    }
}

fn composed<B: Backend>(x: FloatTensor<B>, weight: FloatTensor<B>, bias: FloatTensor<B>) -> FloatTensor<B> {
    relu_and_pool::<B>(B::conv2d(x, weight, Some(bias), ConvOptions::new([1, 1], [0, 0], [1, 1], 1)))
}

fn relu_and_pool<B: Backend>(sums: FloatTensor<B>) -> FloatTensor<B> {
    B::max_pool2d(B::relu(sums), [2, 2], [2, 2], [0, 0], [1, 1], false)
}

#[cfg(feature = "ndarray")]
mod ndarray {
    use super::{Autodiff, CheckpointStrategy, FloatTensor, KernelBackend, convolution::convolution, relu_and_pool};
    use burn::backend::NdArray;

    impl KernelBackend for NdArray {}
    impl<C: CheckpointStrategy> KernelBackend for Autodiff<NdArray, C> {
        fn conv_block(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
            relu_and_pool::<Self>(convolution::<NdArray, C>(x, weight, bias))
        }
    }
}

#[cfg(feature = "webgpu")]
mod webgpu {
    use super::{Autodiff, CheckpointStrategy, FloatTensor, KernelBackend, convolution::convolution, relu_and_pool};
    use burn::backend::Cube;

    impl KernelBackend for Cube {}
    impl<C: CheckpointStrategy> KernelBackend for Autodiff<Cube, C> {
        fn conv_block(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
            relu_and_pool::<Self>(convolution::<Cube, C>(x, weight, bias))
        }
    }
}

impl KernelBackend for Flex {
    fn conv_block(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        match fused(&x, &weight) {
            Some(dims) => {
                let output = conv_block::forward(&nhwc(&x), &contiguous(&weight), &contiguous(&bias), dims);
                from_nhwc(output.values, pooled_shape(dims))
            }
            None => composed::<Flex>(x, weight, bias),
        }
    }
}

impl<C: CheckpointStrategy> KernelBackend for Autodiff<Flex, C> {
    fn conv_block(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let Some(dims) = fused(x.primitive(), weight.primitive()) else {
            return composed::<Self>(x, weight, bias);
        };
        let nodes = [x.node(), weight.node(), bias.node()];
        match ConvBlockBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
                let output = conv_block::forward(&nhwc(&x), &contiguous(&weight), &contiguous(&bias), dims);
                let values = from_nhwc(output.values, pooled_shape(dims));
                prep.finish(ConvBlockState { x, weight, winners: output.winners, dims }, values)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(Flex::conv_block(x.into_primitive(), weight.into_primitive(), bias.into_primitive()))
            }
        }
    }
}

#[derive(Debug)]
struct ConvBlockBackward;

#[derive(Clone, Debug)]
struct ConvBlockState {
    x: FlexTensor,
    weight: FlexTensor,
    winners: Vec<u8>,
    dims: Dims,
}

impl Backward<Flex, 3> for ConvBlockBackward {
    type State = ConvBlockState;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, weight_node, bias_node] = ops.parents;
        let ConvBlockState { x, weight, winners, dims } = ops.state;
        let gradient = gradients.consume::<Flex>(&ops.node);
        let gradient = if strides(&gradient).is_some() { gradient } else { gradient.to_contiguous() };
        let Some(strides) = strides(&gradient) else { return };
        let values = &gradient.storage::<f32>()[gradient.layout().start_offset()..];
        let found = conv_block::backward(
            &nhwc(&x),
            &contiguous(&weight),
            &winners,
            Strided { values, strides },
            dims,
            x_node.is_some(),
        );
        if let (Some(node), Some(input)) = (x_node, found.input) {
            gradients.register::<Flex>(node.id, from_nhwc(input, [dims.images, dims.inputs, dims.height, dims.width]));
        }
        if let Some(node) = weight_node {
            let data = TensorData::new(found.weight, [dims.outputs, dims.inputs, 3, 3]);
            gradients.register::<Flex>(node.id, FlexTensor::from_data(data));
        }
        if let Some(node) = bias_node {
            gradients.register::<Flex>(node.id, FlexTensor::from_data(TensorData::new(found.bias, [dims.outputs])));
        }
    }
}

/// The dimensions of the call, if the fused kernels support it.
fn fused(x: &FlexTensor, weight: &FlexTensor) -> Option<Dims> {
    let shape = |tensor: &FlexTensor| <[usize; 4]>::try_from(tensor.layout().shape().as_slice()).ok();
    let ([images, inputs, height, width], [outputs, weight_inputs, 3, 3]) = (shape(x)?, shape(weight)?) else {
        return None;
    };
    let dims = Dims { images, height, width, inputs, outputs };
    let floats = x.dtype() == DType::F32 && weight.dtype() == DType::F32;
    (floats && weight_inputs == inputs && dims.supported()).then_some(dims)
}

fn pooled_shape(dims: Dims) -> [usize; 4] {
    let [rows, columns] = dims.pooled();
    [dims.images, dims.outputs, rows, columns]
}

/// Strides of a tensor of rank 4, if none is negative.
fn strides(tensor: &FlexTensor) -> Option<[usize; 4]> {
    let strides: Vec<usize> =
        tensor.layout().strides().iter().map(|&stride| usize::try_from(stride)).collect::<Result<_, _>>().ok()?;
    strides.try_into().ok()
}

/// The values of a `[N, C, H, W]` tensor in `[N, H, W, C]` order: borrowed if they are already in that order, as the
/// previous block leaves them.
fn nhwc(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    let shape = tensor.layout().shape();
    let [n, c, h, w] = [shape[0], shape[1], shape[2], shape[3]];
    let len = n * c * h * w;
    let wanted = [h * w * c, 1, w * c, c];
    let lies_so = strides(tensor).is_some_and(|strides| {
        strides.iter().zip(wanted).zip([n, c, h, w]).all(|((&stride, wanted), size)| size == 1 || stride == wanted)
    });
    if lies_so {
        let from = tensor.layout().start_offset();
        return Cow::Borrowed(&tensor.storage::<f32>()[from..from + len]);
    }
    let contiguous = contiguous(tensor);
    let mut out = vec![0.0; len];
    for (image, out) in contiguous.chunks_exact(c * h * w).zip(out.chunks_exact_mut(c * h * w)) {
        for (channel, plane) in image.chunks_exact(h * w).enumerate() {
            for (pixel, value) in plane.iter().enumerate() {
                out[pixel * c + channel] = *value;
            }
        }
    }
    Cow::Owned(out)
}

/// Values in `[N, H, W, C]` order as a tensor of `shape` `[N, C, H, W]`.
fn from_nhwc(values: Vec<f32>, shape: [usize; 4]) -> FlexTensor {
    let [n, c, h, w] = shape;
    let layout = Layout::new([n, c, h, w].into(), [h * w * c, 1, w * c, c].map(|s| s as isize).to_vec(), 0);
    FlexTensor::from_data(TensorData::new(values, [n * c * h * w])).with_layout(layout)
}

/// The values in row-major order: borrowed if they are already in that order.
fn contiguous(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    if tensor.is_contiguous() {
        let from = tensor.layout().start_offset();
        let len = tensor.layout().num_elements();
        return Cow::Borrowed(&tensor.storage::<f32>()[from..from + len]);
    }
    Cow::Owned(tensor.to_contiguous().storage::<f32>().to_vec())
}
