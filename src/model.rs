//! The network: two convolution blocks and two dense layers, 225,034 parameters.

use burn::{
    module::{Module, ModuleVisitor, Param},
    nn::Linear,
    optim::GradientsParams,
    tensor::{Device, Gradients, Tensor, TensorData, activation::relu},
};
use rand::RngExt;

use crate::{
    kernels::{Kernels, conv_block},
    random::{Purpose, generator},
};

/// Units of the first dense layer, some of which training drops.
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
        conv_block(x, self.weight.val(), self.bias.val(), kernels)
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

    /// Logits of `images` in training: `dropout` `[N, 128]` multiplies the hidden units, with 0 where one is dropped.
    pub fn forward_dropping(&self, images: Tensor<4>, dropout: Tensor<2>) -> Tensor<2> {
        self.dense2.forward(self.features(images) * dropout) // [N, 10]
    }

    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.conv1.block(images, self.kernels); // [N, 32, 13, 13]
        let x = self.conv2.block(x, self.kernels); // [N, 64, 5, 5]
        relu(self.dense1.forward(x.flatten(1, 3))) // [N, 128]
    }

    /// The network with these weights on `device`.
    pub fn new(weights: Weights, kernels: Kernels, device: &Device) -> Self {
        let [conv1_w, conv1_b, conv2_w, conv2_b, dense1_w, dense1_b, dense2_w, dense2_b] = weights.0;
        let conv = |weight: Vec<f32>, bias: Vec<f32>, shape: [usize; 4]| Convolution {
            weight: param(weight, shape, device),
            bias: param(bias, [shape[0]], device),
        };
        let dense = |weight: Vec<f32>, bias: Vec<f32>, shape: [usize; 2]| Linear {
            weight: param(weight, shape, device),
            bias: Some(param(bias, [shape[1]], device)),
        };
        Cnn {
            conv1: conv(conv1_w, conv1_b, [32, 1, 3, 3]),
            conv2: conv(conv2_w, conv2_b, [64, 32, 3, 3]),
            dense1: dense(dense1_w, dense1_b, [1600, 128]),
            dense2: dense(dense2_w, dense2_b, [128, 10]),
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

    /// Gradients for an optimiser from all of them in one row, in the order of [`SHAPES`].
    pub fn gradients_from(&self, flat: Vec<f32>) -> GradientsParams {
        let len = flat.len();
        let flat = Tensor::from_data(TensorData::new(flat, [len]), &self.dense2.weight.device().inner());
        let mut spread = Spread { flat, next: 0, out: GradientsParams::new() };
        self.visit(&mut spread);
        spread.out
    }

    fn collect(&self, gradients: Option<&Gradients>) -> Vec<Tensor<1>> {
        let mut collect = Collect { gradients, out: Vec::new() };
        self.visit(&mut collect);
        collect.out
    }
}

fn param<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
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

struct Spread {
    flat: Tensor<1>,
    next: usize,
    out: GradientsParams,
}

impl ModuleVisitor for Spread {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.shape();
        let from = self.next;
        self.next += shape.num_elements();
        self.out.register::<D>(param.id, self.flat.clone().slice(from..self.next).reshape(shape));
    }
}

/// Name, shape and fan-in and fan-out (0 for a bias) of each parameter. Convolution weights are
/// `[out, in, height, width]`, dense weights `[in, out]`.
pub const SHAPES: [(&str, &[usize], [usize; 2]); 8] = [
    ("conv1.weight", &[32, 1, 3, 3], [9, 288]),
    ("conv1.bias", &[32], [0, 0]),
    ("conv2.weight", &[64, 32, 3, 3], [288, 576]),
    ("conv2.bias", &[64], [0, 0]),
    ("dense1.weight", &[1600, 128], [1600, 128]),
    ("dense1.bias", &[128], [0, 0]),
    ("dense2.weight", &[128, 10], [128, 10]),
    ("dense2.bias", &[10], [0, 0]),
];

/// Parameters in all.
pub const PARAMETERS: usize = 225_034;

/// The values of all parameters, in the order and the shapes of [`SHAPES`], row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights(pub [Vec<f32>; 8]);

impl Weights {
    /// From all of them in one row, [`PARAMETERS`] long.
    pub fn from_flat(mut flat: &[f32]) -> Self {
        Weights(SHAPES.map(|(_, shape, _)| {
            let (values, rest) = flat.split_at(shape.iter().product::<usize>().min(flat.len()));
            flat = rest;
            values.to_vec()
        }))
    }

    /// Initial weights by `seed`, the same on every backend: He uniform before a ReLU (He et al. 2015,
    /// limit `sqrt(6 / fan_in)`), Glorot uniform before the softmax (Glorot, Bengio 2010, limit
    /// `sqrt(6 / (fan_in + fan_out))`), biases zero.
    pub fn random(seed: u32) -> Self {
        Weights(std::array::from_fn(|index| {
            let (name, shape, [fan_in, fan_out]) = SHAPES[index];
            let len = shape.iter().product();
            if fan_in == 0 {
                return vec![0.0; len];
            }
            let fan = if name == "dense2.weight" { fan_in + fan_out } else { fan_in };
            let limit = (6.0 / fan as f32).sqrt();
            let mut rng = generator(seed, Purpose::Weights, index as u64, 0);
            (0..len).map(|_| rng.random_range(-limit..limit)).collect()
        }))
    }
}
