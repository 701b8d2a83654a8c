//! The operations on burn-flex.

use std::{borrow::Cow, sync::Arc};

use burn::{
    backend::{
        Autodiff, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        flex::{FlexTensor, Layout},
        tensor::FloatTensor,
    },
    tensor::{DType, TensorData},
};

use crate::{
    KernelBackend, composed,
    conv_block::{self, Dims, Strided},
    convolution::{self, Bordered},
    dense, linear, logarithms, plain, softmax,
};

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

    fn convolution(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, padding: usize) -> FlexTensor {
        match sizes(&x, &weight, padding) {
            Some(dims) => convolve(&Bordered::new(&contiguous(&x), dims), &weight, &bias, dims),
            None => plain::<Flex>(x, weight, bias, padding),
        }
    }

    fn dense(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        match dense_dims(&x, &weight) {
            Some(dims) => {
                let values = dense::forward(&contiguous(&x), &contiguous(&weight), &contiguous(&bias), dims);
                tensor(values, &[dims.images, dims.outputs])
            }
            None => linear::<Flex>(x, weight, bias),
        }
    }

    fn log_softmax_rows(logits: FlexTensor) -> FlexTensor {
        match classes(&logits) {
            Some(count) => {
                tensor(softmax::log_softmax(&contiguous(&logits), count), logits.layout().shape().as_slice())
            }
            None => logarithms::<Flex>(logits),
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

    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        padding: usize,
    ) -> FloatTensor<Self> {
        let Some(dims) = sizes(x.primitive(), weight.primitive(), padding) else {
            return plain::<Self>(x, weight, bias, padding);
        };
        let nodes = [x.node(), weight.node(), bias.node()];
        let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        match ConvolutionBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let x = Bordered::new(&contiguous(&x), dims);
                let values = convolve(&x, &weight, &bias, dims);
                prep.finish(ConvolutionState { x: Arc::new(x), weight, dims }, values)
            }
            OpsKind::UnTracked(prep) => prep.finish(Flex::convolution(x, weight, bias, padding)),
        }
    }

    fn dense(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let Some(dims) = dense_dims(x.primitive(), weight.primitive()) else {
            return linear::<Self>(x, weight, bias);
        };
        let nodes = [x.node(), weight.node(), bias.node()];
        let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        match DenseBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let values = Flex::dense(x.clone(), weight.clone(), bias);
                prep.finish(DenseState { x, weight, dims }, values)
            }
            OpsKind::UnTracked(prep) => prep.finish(Flex::dense(x, weight, bias)),
        }
    }

    fn log_softmax_rows(logits: FloatTensor<Self>) -> FloatTensor<Self> {
        let Some(classes) = classes(logits.primitive()) else { return logarithms::<Self>(logits) };
        let output = Flex::log_softmax_rows(logits.primitive().clone());
        match LogSoftmaxBackward.prepare::<C>([logits.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((output.clone(), classes), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

/// The number of classes, if these are logits in single precision.
fn classes(logits: &FlexTensor) -> Option<usize> {
    match logits.layout().shape().as_slice() {
        &[_, classes] if logits.dtype() == DType::F32 => Some(classes),
        _ => None,
    }
}

#[derive(Debug)]
struct LogSoftmaxBackward;

impl Backward<Flex, 1> for LogSoftmaxBackward {
    /// The output, and the number of classes.
    type State = (FlexTensor, usize);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [logits] = ops.parents;
        let (output, classes) = ops.state;
        let gradient = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = logits {
            let values = softmax::gradient(&contiguous(&output), &contiguous(&gradient), classes);
            gradients.register::<Flex>(node.id, tensor(values, output.layout().shape().as_slice()));
        }
    }
}

#[derive(Debug)]
struct DenseBackward;

#[derive(Clone, Debug)]
struct DenseState {
    x: FlexTensor,
    weight: FlexTensor,
    dims: dense::Dims,
}

impl Backward<Flex, 3> for DenseBackward {
    type State = DenseState;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, weight_node, bias_node] = ops.parents;
        let DenseState { x, weight, dims } = ops.state;
        let gradient = gradients.consume::<Flex>(&ops.node);
        let gradient = contiguous(&gradient);
        let dense::Dims { images, inputs, outputs } = dims;
        if let Some(node) = x_node {
            let input = dense::input_gradient(&gradient, &contiguous(&weight), dims);
            gradients.register::<Flex>(node.id, tensor(input, &[images, inputs]));
        }
        if weight_node.is_some() || bias_node.is_some() {
            let (weight, bias) = dense::weight_gradient(&contiguous(&x), &gradient, dims);
            if let Some(node) = weight_node {
                gradients.register::<Flex>(node.id, tensor(weight, &[inputs, outputs]));
            }
            if let Some(node) = bias_node {
                gradients.register::<Flex>(node.id, tensor(bias, &[outputs]));
            }
        }
    }
}

/// The dimensions of the dense layer, if its kernel supports it.
fn dense_dims(x: &FlexTensor, weight: &FlexTensor) -> Option<dense::Dims> {
    let (&[images, inputs], &[weight_inputs, outputs]) =
        (x.layout().shape().as_slice(), weight.layout().shape().as_slice())
    else {
        return None;
    };
    let dims = dense::Dims { images, inputs, outputs };
    (floats(x, weight) && weight_inputs == inputs && dims.supported()).then_some(dims)
}

fn floats(x: &FlexTensor, weight: &FlexTensor) -> bool {
    x.dtype() == DType::F32 && weight.dtype() == DType::F32
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

#[derive(Debug)]
struct ConvolutionBackward;

#[derive(Clone, Debug)]
struct ConvolutionState {
    x: Arc<Bordered>,
    weight: FlexTensor,
    dims: convolution::Dims,
}

impl Backward<Flex, 3> for ConvolutionBackward {
    type State = ConvolutionState;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, weight_node, bias_node] = ops.parents;
        let ConvolutionState { x, weight, dims } = ops.state;
        let gradient = gradients.consume::<Flex>(&ops.node);
        let gradient = contiguous(&gradient);
        let convolution::Dims { images, inputs, outputs, height, width, kernel, .. } = dims;
        if let Some(node) = x_node {
            let input = convolution::input_gradient(&gradient, &contiguous(&weight), dims);
            gradients.register::<Flex>(node.id, tensor(input, &[images, inputs, height, width]));
        }
        if weight_node.is_some() || bias_node.is_some() {
            let (weight, bias) = convolution::weight_gradient(&x, &gradient, dims);
            if let Some(node) = weight_node {
                gradients.register::<Flex>(node.id, tensor(weight, &[outputs, inputs, kernel, kernel]));
            }
            if let Some(node) = bias_node {
                gradients.register::<Flex>(node.id, tensor(bias, &[outputs]));
            }
        }
    }
}

fn convolve(x: &Bordered, weight: &FlexTensor, bias: &FlexTensor, dims: convolution::Dims) -> FlexTensor {
    let values = convolution::forward(x, &contiguous(weight), &contiguous(bias), dims);
    let [rows, columns] = dims.output();
    tensor(values, &[dims.images, dims.outputs, rows, columns])
}

/// The dimensions of the convolution, if its kernel supports it.
fn sizes(x: &FlexTensor, weight: &FlexTensor, padding: usize) -> Option<convolution::Dims> {
    let ([images, inputs, height, width], [outputs, weight_inputs, kernel, columns]) = (shape(x)?, shape(weight)?);
    let dims = convolution::Dims { images, inputs, outputs, height, width, kernel, padding };
    (floats(x, weight) && weight_inputs == inputs && columns == kernel && dims.supported()).then_some(dims)
}

fn shape(tensor: &FlexTensor) -> Option<[usize; 4]> {
    tensor.layout().shape().as_slice().try_into().ok()
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
            gradients.register::<Flex>(node.id, tensor(found.weight, &[dims.outputs, dims.inputs, 3, 3]));
        }
        if let Some(node) = bias_node {
            gradients.register::<Flex>(node.id, tensor(found.bias, &[dims.outputs]));
        }
    }
}

/// The dimensions of the call, if the fused kernels support it.
fn fused(x: &FlexTensor, weight: &FlexTensor) -> Option<Dims> {
    let ([images, inputs, height, width], [outputs, weight_inputs, 3, 3]) = (shape(x)?, shape(weight)?) else {
        return None;
    };
    let dims = Dims { images, height, width, inputs, outputs };
    (floats(x, weight) && weight_inputs == inputs && dims.supported()).then_some(dims)
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
