//! The network: the layers of a description, one after another.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    nn::Linear,
    tensor::{
        Device, Gradients, Tensor, TensorData, activation,
        module::{avg_pool2d, conv2d, max_pool2d},
        ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions},
    },
};
use inkling_core::{
    network::{Activation, Conv, Layer, Network, Pool},
    settings::Kernels,
};
use inkling_kernels::{conv_block, stock_conv_block};

/// Weights `[out, in, side, side]` and bias `[out]` of a convolution.
#[derive(Module, Debug)]
struct Convolution {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

impl Convolution {
    fn forward(&self, x: Tensor<4>, conv: Conv) -> Tensor<4> {
        let padding = if conv.same { (conv.kernel as usize - 1) / 2 } else { 0 };
        let stride = conv.stride as usize;
        let options = ConvOptions::new([stride, stride], [padding, padding], [1, 1], 1);
        activate(conv2d(x, self.weight.val(), Some(self.bias.val()), options), conv.activation)
    }

    /// Convolution, ReLU and max-pool 2x2 as one operation.
    fn block(&self, x: Tensor<4>, kernels: Kernels) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        match kernels {
            Kernels::Fused => conv_block(x, weight, bias),
            Kernels::Stock => stock_conv_block(x, weight, bias),
        }
    }
}

/// The network: images `[N, C, H, W]` in `[0, 1]` to logits `[N, classes]`.
#[derive(Module, Debug)]
pub struct Model {
    convolutions: Vec<Convolution>,
    /// The last one gives the logits.
    dense: Vec<Linear>,
    #[module(skip)]
    network: Network,
    #[module(skip)]
    kernels: Kernels,
}

impl Model {
    /// Logits of `images`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.run(images, Vec::new(), self.kernels, |_| {})
    }

    /// Logits of `images` during training. There is a tensor `[N, units]` for each dropout layer: its values multiply the units;
    /// a 0 drops the unit.
    pub fn forward_dropping(&self, images: Tensor<4>, dropout: Vec<Tensor<2>>) -> Tensor<2> {
        self.run(images, dropout, self.kernels, |_| {})
    }

    /// The maps of each convolution, as in [`Network::maps`], and the logits. Uses Burn's own operations, which also
    /// provide the gradient with respect to the images.
    pub fn trace(&self, images: Tensor<4>) -> (Vec<Tensor<4>>, Tensor<2>) {
        let mut maps = Vec::new();
        let logits = self.run(images, Vec::new(), Kernels::Stock, |map| maps.push(map.clone()));
        (maps, logits)
    }

    /// Runs the layers; `see` gets the maps of each convolution.
    fn run(
        &self,
        images: Tensor<4>,
        dropout: Vec<Tensor<2>>,
        kernels: Kernels,
        mut see: impl FnMut(&Tensor<4>),
    ) -> Tensor<2> {
        let (mut convolutions, mut dense) = (self.convolutions.iter(), self.dense.iter());
        let mut dropout = dropout.into_iter();
        let mut layers = self.network.layers().iter().map(|(layer, _)| *layer).peekable();
        let mut x = images; // [N, C, H, W]; after a dense layer [N, units, 1, 1]
        while let Some(layer) = layers.next() {
            x = match layer {
                Layer::Conv(conv) => {
                    let Some(convolution) = convolutions.next() else { continue };
                    let pool = layers.next_if(|next| matches!(next, Layer::Pool(_)));
                    let maps = match pool {
                        Some(Layer::Pool(Pool::Max)) if conv.is_block() => convolution.block(x, kernels),
                        Some(Layer::Pool(kind)) => pooled(convolution.forward(x, conv), kind),
                        _ => convolution.forward(x, conv),
                    };
                    see(&maps);
                    maps
                }
                Layer::Pool(kind) => pooled(x, kind),
                Layer::GlobalPool => x.mean_dim(2).mean_dim(3),
                Layer::Dropout(_) => match dropout.next() {
                    Some(factors) => {
                        let shape = x.dims();
                        x * factors.reshape(shape)
                    }
                    None => x,
                },
                Layer::Dense(_, function) => {
                    let Some(layer) = dense.next() else { continue };
                    activate(layer.forward(x.flatten::<2>(1, 3)), function).unsqueeze_dims(&[2, 3])
                }
            };
        }
        let flat = x.flatten(1, 3);
        match dense.next() {
            Some(last) => last.forward(flat),
            None => flat,
        }
    }

    /// The network from its weights, one after another in the order of [`Network::parameters`]: [`Network::count`] values.
    pub fn new(network: &Network, weights: Vec<f32>, kernels: Kernels, device: &Device) -> Self {
        let len = weights.len();
        let mut rest = Rest { flat: Tensor::from_data(TensorData::new(weights, [len]), device), next: 0 };
        let mut model = Model { convolutions: Vec::new(), dense: Vec::new(), network: network.clone(), kernels };
        // A weight and its bias alternate.
        for parameter in network.parameters() {
            match parameter.shape[..] {
                [out, inputs, height, width] => {
                    let (weight, bias) = (rest.param([out, inputs, height, width]), rest.param([out]));
                    model.convolutions.push(Convolution { weight, bias });
                }
                [inputs, out] => {
                    let (weight, bias) = (rest.param([inputs, out]), Some(rest.param([out])));
                    model.dense.push(Linear { weight, bias });
                }
                _ => {}
            }
        }
        model
    }

    /// The network that it computes.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The gradient of each parameter, flat, in the order of [`Network::parameters`].
    pub fn gradients(&self, gradients: &Gradients) -> Vec<Tensor<1>> {
        self.collect(Some(gradients))
    }

    /// Each parameter, flat, in the order of [`Network::parameters`].
    pub fn parameters(&self) -> Vec<Tensor<1>> {
        self.collect(None)
    }

    /// The network after `change` is applied to each parameter, flat, in the order of [`Network::parameters`].
    pub fn map_parameters(self, change: impl FnMut(Tensor<1>) -> Tensor<1>) -> Self {
        self.map(&mut Change(change))
    }

    fn collect(&self, gradients: Option<&Gradients>) -> Vec<Tensor<1>> {
        let mut collect = Collect { gradients, out: Vec::new() };
        self.visit(&mut collect);
        collect.out
    }
}

fn pooled(x: Tensor<4>, kind: Pool) -> Tensor<4> {
    match kind {
        Pool::Max => max_pool2d(x, MaxPoolOptions::new([2, 2])),
        Pool::Average => avg_pool2d(x, AvgPoolOptions::new([2, 2])),
    }
}

fn activate<const D: usize>(x: Tensor<D>, function: Activation) -> Tensor<D> {
    match function {
        Activation::Relu => activation::relu(x),
        Activation::LeakyRelu => activation::leaky_relu(x, 0.01),
        Activation::Gelu => activation::gelu(x),
        Activation::Silu => activation::silu(x),
        Activation::Tanh => activation::tanh(x),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::None => x,
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

/// Splits the values of one list, [`Network::count`] of them, into one flat tensor per parameter.
pub fn split(network: &Network, mut flat: &[f32], device: &Device) -> Vec<Tensor<1>> {
    let mut part = |len| {
        let (part, rest) = flat.split_at(len);
        flat = rest;
        Tensor::from_data(TensorData::new(part.to_vec(), [part.len()]), device)
    };
    network.parameters().iter().map(|parameter| part(parameter.len())).collect()
}
