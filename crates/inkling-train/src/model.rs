//! The network: the layers of a description, one after another.

use std::{
    iter::{Enumerate, Peekable},
    slice, vec,
};

use burn::{
    module::{Module, ModuleVisitor, Param},
    nn::Linear,
    tensor::{
        Device, Gradients, Tensor, TensorData, activation,
        module::{avg_pool2d, batch_norm, batch_norm_train, conv2d, max_pool2d},
        ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions},
    },
};
use inkling_core::{
    network::{Activation, Conv, Layer, NORM_EPSILON, Network, Pool, Residual, Shape},
    parameters::Follows,
    settings::Kernels,
};
use inkling_kernels::{conv_block, convolution, dense, stock_conv_block};

/// Weights `[out, in, side, side]` and bias `[out]` of a convolution.
#[derive(Module, Debug)]
struct Convolution {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

impl Convolution {
    fn forward(&self, x: Tensor<4>, conv: Conv, kernels: Kernels) -> Tensor<4> {
        let padding = if conv.same { (conv.kernel as usize - 1) / 2 } else { 0 };
        let stride = conv.stride as usize;
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let sums = match kernels {
            Kernels::Fused if stride == 1 => convolution(x, weight, bias, padding),
            _ => {
                let options = ConvOptions::new([stride, stride], [padding, padding], [1, 1], 1);
                conv2d(x, weight, Some(bias), options)
            }
        };
        activate(sums, conv.activation)
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

/// Batch normalization of `C` maps or units: scale and shift `[C]`, and the running mean and variance `[C]` of what comes in.
#[derive(Module, Debug)]
struct Norm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    running_mean: Param<Tensor<1>>,
    running_var: Param<Tensor<1>>,
}

impl Norm {
    /// Normalizes `x` `[N, C, H, W]` with the running statistics.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (mean, variance) = (self.running_mean.val().detach(), self.running_var.val().detach());
        // A file may have a negative variance.
        batch_norm(x, self.weight.val(), self.bias.val(), mean, variance.clamp_min(0.0), NORM_EPSILON)
    }

    /// Normalizes the first `counted` images of `x` `[N, C, H, W]` with their mean and variance, which it also returns, without
    /// autodiff. The rest is padding.
    fn forward_training(&self, x: Tensor<4>, counted: usize) -> (Tensor<4>, [Tensor<1>; 2]) {
        let [n, ..] = x.dims();
        let images = if counted < n { x.clone().slice(0..counted) } else { x.clone() };
        let normal = batch_norm_train(images, self.weight.val(), self.bias.val(), NORM_EPSILON);
        let statistics = [normal.mean.inner(), normal.variance.inner()];
        let padded = if counted < n { Tensor::cat(vec![normal.output, x.slice(counted..n)], 0) } else { normal.output };
        (padded, statistics)
    }
}

/// What has parameters.
#[derive(Module, Debug)]
enum Part {
    Convolution(Convolution),
    Dense(Linear),
    Norm(Norm),
}

/// The network: images `[N, C, H, W]` in `[0, 1]` to logits `[N, classes]`.
#[derive(Module, Debug)]
pub struct Model {
    /// In the order of the layers. The last one gives the logits.
    parts: Vec<Part>,
    /// The parameters of all parts, one after another in the order of [`Network::parameters`], without autodiff: the parts are views of
    /// it.
    #[module(skip)]
    weights: Tensor<1>,
    #[module(skip)]
    network: Network,
    #[module(skip)]
    kernels: Kernels,
}

/// What a training pass needs besides the images.
pub struct Training {
    /// For each dropout layer, a tensor `[N, units]`: its values multiply the units; a 0 drops the unit.
    pub dropout: Vec<Tensor<2>>,
    /// Number of images that count, from the first on; the rest are padding.
    pub counted: usize,
}

impl Model {
    /// Logits of `images`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.walk(None, self.kernels).finish(images, |_| {}).0
    }

    /// Logits of `images` during training; and the mean and variance that each batch norm found in them, `[C]` each, without
    /// autodiff.
    pub fn forward_training(&self, images: Tensor<4>, training: Training) -> (Tensor<2>, Vec<Tensor<1>>) {
        self.walk(Some(training), self.kernels).finish(images, |_| {})
    }

    /// What each layer but the last makes of the images, `[N, C, H, W]`, and the logits. Uses Burn's own operations, which also
    /// provide the gradient with respect to the images.
    pub fn trace(&self, images: Tensor<4>) -> (Vec<Tensor<4>>, Tensor<2>) {
        let mut results = Vec::new();
        let walk = Walk { merges: false, ..self.walk(None, Kernels::Stock) };
        let (logits, _) = walk.finish(images, |result| results.push(result.clone()));
        (results, logits)
    }

    /// Walks through the layers of a training pass, one at a time.
    pub fn walk_training(&self, training: Training) -> Walk<'_> {
        self.walk(Some(training), self.kernels)
    }

    /// Without `training`, nothing is dropped, batch norm uses its running statistics, and finds none.
    fn walk(&self, training: Option<Training>, kernels: Kernels) -> Walk<'_> {
        Walk {
            layers: self.network.layers().iter().enumerate().peekable(),
            parts: self.parts.iter(),
            kernels,
            merges: true,
            counted: training.as_ref().map(|training| training.counted),
            dropout: training.map(|training| training.dropout).unwrap_or_default().into_iter(),
            statistics: Vec::new(),
        }
    }

    /// The network from its weights, one after another in the order of [`Network::parameters`]: [`Network::count`] values.
    pub fn new(network: &Network, weights: Vec<f32>, kernels: Kernels, device: &Device) -> Self {
        let len = weights.len();
        let weights = Tensor::from_data(TensorData::new(weights, [len]), &device.clone().inner());
        Model::with_weights(network, weights, kernels)
    }

    /// The network from its weights on a device, without autodiff, in the same order.
    pub fn with_weights(network: &Network, weights: Tensor<1>, kernels: Kernels) -> Self {
        let mut rest = Rest { flat: weights.clone(), next: 0 };
        let mut model = Model { parts: Vec::new(), weights, network: network.clone(), kernels };
        // A weight comes with its bias, a scale with its shift and two statistics.
        let mut parameters = network.parameters().iter();
        while let Some(parameter) = parameters.next() {
            let (part, others) = match parameter.shape[..] {
                [out, inputs, height, width] => {
                    let (weight, bias) = (rest.param([out, inputs, height, width]), rest.param([out]));
                    (Part::Convolution(Convolution { weight, bias }), 1)
                }
                [inputs, out] => {
                    let (weight, bias) = (rest.param([inputs, out]), Some(rest.param([out])));
                    (Part::Dense(Linear { weight, bias }), 1)
                }
                [channels] => {
                    let [weight, bias, running_mean, running_var] = std::array::from_fn(|_| rest.param([channels]));
                    (Part::Norm(Norm { weight, bias, running_mean, running_var }), 3)
                }
                _ => continue,
            };
            model.parts.push(part);
            parameters.by_ref().take(others).for_each(drop);
        }
        model
    }

    /// The network that it computes.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The gradient of each parameter, flat, in the order of [`Network::parameters`]. It is zero for the statistics of batch norm.
    pub fn gradients(&self, gradients: Gradients) -> Vec<Tensor<1>> {
        let mut collect = Collect { gradients, out: Vec::new() };
        self.visit(&mut collect);
        collect.out
    }

    /// What a training pass changes, for each parameter, flat, in the order of [`Network::parameters`]: its gradient; for the statistics
    /// of batch norm, how far they are from those that the pass `found`, times `share`.
    pub fn changes(&self, gradients: Gradients, found: Vec<Tensor<1>>, share: f64) -> Vec<Tensor<1>> {
        let mut changes = self.gradients(gradients);
        let (mut found, mut from) = (found.into_iter(), 0);
        for (known, change) in self.network.parameters().iter().zip(&mut changes) {
            let to = from + known.len();
            if known.follows == Follows::Batches
                && let Some(found) = found.next()
            {
                *change = (self.weights.clone().slice(from..to) - found) * share;
            }
            from = to;
        }
        changes
    }

    /// Its weights, without autodiff.
    pub fn weights(&self) -> Tensor<1> {
        self.weights.clone()
    }
}

/// A pass through the layers of a network.
pub struct Walk<'a> {
    layers: Peekable<Enumerate<slice::Iter<'a, (Layer, Shape)>>>,
    parts: slice::Iter<'a, Part>,
    kernels: Kernels,
    /// Whether a convolution and the pool after it may be one operation.
    merges: bool,
    counted: Option<usize>,
    dropout: vec::IntoIter<Tensor<2>>,
    statistics: Vec<Tensor<1>>,
}

impl Walk<'_> {
    /// The next layer, and its place.
    pub fn next_layer(&mut self) -> Option<(usize, Layer)> {
        self.layers.next().map(|(place, (layer, _))| (place, *layer))
    }

    /// What `layer`, the one that [`Walk::next_layer`] gave, makes of `x`; with the pool after it, if the two are one operation. Maps are
    /// `[N, C, H, W]`; after a dense layer `[N, units, 1, 1]`.
    pub fn compute(&mut self, layer: Layer, x: Tensor<4>) -> Tensor<4> {
        match layer {
            Layer::Conv(conv) => {
                let Some(Part::Convolution(convolution)) = self.parts.next() else { return x };
                let merges = self.merges && conv.is_block();
                let pool = |(_, (next, _)): &(usize, &(Layer, Shape))| merges && *next == Layer::Pool(Pool::Max);
                match self.layers.next_if(pool) {
                    Some(_) => convolution.block(x, self.kernels),
                    None => convolution.forward(x, conv, self.kernels),
                }
            }
            Layer::Residual(block) => residual(&mut self.parts, x, block, self.kernels),
            Layer::BatchNorm(function) => {
                let Some(Part::Norm(norm)) = self.parts.next() else { return x };
                let normal = match self.counted {
                    Some(counted) => {
                        let (normal, found) = norm.forward_training(x, counted);
                        self.statistics.extend(found);
                        normal
                    }
                    None => norm.forward(x),
                };
                activate(normal, function)
            }
            Layer::Pool(Pool::Max) => max_pool2d(x, MaxPoolOptions::new([2, 2])),
            Layer::Pool(Pool::Average) => avg_pool2d(x, AvgPoolOptions::new([2, 2])),
            Layer::GlobalPool => x.mean_dim(2).mean_dim(3),
            Layer::Dropout(_) => match self.dropout.next() {
                Some(factors) => {
                    let shape = x.dims();
                    x * factors.reshape(shape)
                }
                None => x,
            },
            Layer::Dense(_, function) => {
                let Some(Part::Dense(layer)) = self.parts.next() else { return x };
                activate(dense_layer(layer, x.flatten(1, 3), self.kernels), function).unsqueeze_dims(&[2, 3])
            }
        }
    }

    /// The logits, once all layers have been computed.
    pub fn logits(&mut self, x: Tensor<4>) -> Tensor<2> {
        let flat = x.flatten(1, 3);
        match self.parts.next() {
            Some(Part::Dense(last)) => dense_layer(last, flat, self.kernels),
            _ => flat,
        }
    }

    /// Computes all layers; `see` gets the result of each. Returns the logits, and what batch norm found.
    fn finish(mut self, images: Tensor<4>, mut see: impl FnMut(&Tensor<4>)) -> (Tensor<2>, Vec<Tensor<1>>) {
        let mut x = images;
        while let Some((_, layer)) = self.next_layer() {
            x = self.compute(layer, x);
            see(&x);
        }
        (self.logits(x), self.statistics)
    }
}

/// The result of a residual block, whose convolutions are the next `parts`.
fn residual<'a>(
    parts: &mut impl Iterator<Item = &'a Part>,
    x: Tensor<4>,
    block: Residual,
    kernels: Kernels,
) -> Tensor<4> {
    let mut convolution = |x: Tensor<4>, conv: Conv| match parts.next() {
        Some(Part::Convolution(convolution)) => convolution.forward(x, conv, kernels),
        _ => x,
    };
    let first = block.conv();
    let second = Conv { activation: Activation::None, ..first };
    let inner = convolution(x.clone(), first);
    let inner = convolution(inner, second);
    let [_, channels, ..] = x.dims();
    let shortcut = if channels == block.channels as usize { x } else { convolution(x, Conv { kernel: 1, ..second }) };
    activate(inner + shortcut, block.activation)
}

/// A dense layer without its activation: `x` `[N, inputs]` to `[N, units]`.
fn dense_layer(layer: &Linear, x: Tensor<2>, kernels: Kernels) -> Tensor<2> {
    match (kernels, &layer.bias) {
        (Kernels::Fused, Some(bias)) => dense(x, layer.weight.val(), bias.val()),
        _ => layer.forward(x),
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
        Param::from_tensor(Tensor::from_inner(self.flat.clone().slice(from..self.next).reshape(shape)))
    }
}

struct Collect {
    gradients: Gradients,
    out: Vec<Tensor<1>>,
}

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let found = value.grad_remove(&mut self.gradients).unwrap_or_else(|| value.inner().zeros_like());
        self.out.push(found.flatten(0, D - 1));
    }
}
