//! The network: two convolution blocks and two dense layers, 225,034 parameters.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    nn::Linear,
    tensor::{Device, Gradients, Tensor, TensorData, activation::relu},
};
use inkling_core::{
    parameters::{SHAPES, Weights},
    settings::Kernels,
};
use inkling_kernels::{conv_block, stock_conv_block};

/// Units of the first dense layer. Dropout applies to them.
pub const HIDDEN: usize = 128;

/// Weights `[out, in, 3, 3]` and bias `[out]` of a convolution.
#[derive(Module, Debug)]
struct Convolution {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

impl Convolution {
    /// Convolution, ReLU and max-pool 2x2 as one operation.
    fn block(&self, x: Tensor<4>, kernels: Kernels) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        match kernels {
            Kernels::Fused => conv_block(x, weight, bias),
            Kernels::Stock => stock_conv_block(x, weight, bias),
        }
    }
}

/// The convolutional network: images `[N, 1, 28, 28]` in `[0, 1]` to logits `[N, 10]`.
#[derive(Module, Debug)]
pub struct Cnn {
    conv1: Convolution,
    conv2: Convolution,
    dense1: Linear,
    dense2: Linear,
    #[module(skip)]
    kernels: Kernels,
}

impl Cnn {
    /// Logits of `images`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.dense2.forward(self.features(images)) // [N, 10]
    }

    /// Logits of `images` during training. `dropout` `[N, 128]` multiplies the hidden units; a 0 drops the unit.
    pub fn forward_dropping(&self, images: Tensor<4>, dropout: Tensor<2>) -> Tensor<2> {
        self.dense2.forward(self.features(images) * dropout) // [N, 10]
    }

    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.conv1.block(images, self.kernels); // [N, 32, 13, 13]
        let x = self.conv2.block(x, self.kernels); // [N, 64, 5, 5]
        self.hidden(x)
    }

    fn hidden(&self, x: Tensor<4>) -> Tensor<2> {
        relu(self.dense1.forward(x.flatten(1, 3))) // [N, 128]
    }

    /// Outputs of both blocks for `images`, `[N, 32, 13, 13]` and `[N, 64, 5, 5]`, and the logits. Uses Burn's own
    /// operations, which also provide the gradient with respect to the images.
    pub fn trace(&self, images: Tensor<4>) -> ([Tensor<4>; 2], Tensor<2>) {
        let first = self.conv1.block(images, Kernels::Stock);
        let second = self.conv2.block(first.clone(), Kernels::Stock);
        let logits = self.dense2.forward(self.hidden(second.clone()));
        ([first, second], logits)
    }

    /// The network with these weights on `device`.
    pub fn new(weights: Weights, kernels: Kernels, device: &Device) -> Self {
        let flat = weights.0.concat();
        Cnn::from_flat(flat, kernels, device)
    }

    /// The network from flat weights in the order of [`SHAPES`]:
    /// [`PARAMETERS`](inkling_core::parameters::PARAMETERS) values.
    pub fn from_flat(flat: Vec<f32>, kernels: Kernels, device: &Device) -> Self {
        let len = flat.len();
        let mut rest = Rest { flat: Tensor::from_data(TensorData::new(flat, [len]), device), next: 0 };
        Cnn {
            conv1: Convolution { weight: rest.param([32, 1, 3, 3]), bias: rest.param([32]) },
            conv2: Convolution { weight: rest.param([64, 32, 3, 3]), bias: rest.param([64]) },
            dense1: Linear { weight: rest.param([1600, 128]), bias: Some(rest.param([128])) },
            dense2: Linear { weight: rest.param([128, 10]), bias: Some(rest.param([10])) },
            kernels,
        }
    }

    /// The gradient of each parameter, flat, in the order of [`SHAPES`].
    pub fn gradients(&self, gradients: &Gradients) -> Vec<Tensor<1>> {
        self.collect(Some(gradients))
    }

    /// Each parameter, flat, in the order of [`SHAPES`].
    pub fn parameters(&self) -> Vec<Tensor<1>> {
        self.collect(None)
    }

    /// The network after `change` is applied to each parameter, flat, in the order of [`SHAPES`].
    pub fn map_parameters(self, change: impl FnMut(Tensor<1>) -> Tensor<1>) -> Self {
        self.map(&mut Change(change))
    }

    fn collect(&self, gradients: Option<&Gradients>) -> Vec<Tensor<1>> {
        let mut collect = Collect { gradients, out: Vec::new() };
        self.visit(&mut collect);
        collect.out
    }
}

/// A flat tensor that is consumed from the front.
struct Rest {
    flat: Tensor<1>,
    next: usize,
}

impl Rest {
    /// The next values as a parameter of this shape.
    fn param<const D: usize>(&mut self, shape: [usize; D]) -> Param<Tensor<D>> {
        let from = self.next;
        self.next += shape.iter().product::<usize>();
        Param::from_tensor(self.flat.clone().slice(from..self.next).reshape(shape))
    }
}

struct Collect<'a> {
    gradients: Option<&'a Gradients>,
    out: Vec<Tensor<1>>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = match self.gradients {
            Some(gradients) => param.val().grad(gradients),
            None => Some(param.val().inner()),
        };
        self.out.extend(value.map(|value| value.flatten(0, D - 1)));
    }
}

struct Change<F>(F);

impl<F: FnMut(Tensor<1>) -> Tensor<1>> ModuleMapper for Change<F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|old| {
            let shape = old.dims();
            Tensor::from_inner((self.0)(old.inner().flatten(0, D - 1)).reshape(shape)).require_grad()
        })
    }
}

/// Splits [`PARAMETERS`](inkling_core::parameters::PARAMETERS) values into one flat tensor per parameter, in the order
/// of [`SHAPES`].
pub fn split(mut flat: &[f32], device: &Device) -> Vec<Tensor<1>> {
    let mut part = |shape: &[usize]| {
        let (part, rest) = flat.split_at(shape.iter().product());
        flat = rest;
        Tensor::from_data(TensorData::new(part.to_vec(), [part.len()]), device)
    };
    SHAPES.iter().map(|(_, shape, _)| part(shape)).collect()
}
