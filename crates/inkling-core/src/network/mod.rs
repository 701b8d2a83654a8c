//! A network as a list of layers: its text, the shapes inside it, and its parameters.
//!
//! [`Layers`] is what the text says. A [`Network`] exists only if the layers fit a data set: every layer has room, and the whole
//! is small enough for a tab.

mod edit;
mod parse;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

pub use crate::image::{DataShape, Shape};
use crate::parameters::{Follows, Initial, Parameter};
pub use edit::{Edit, LayerSize, Outline};
pub use parse::NetworkError;

/// Maximum number of layers.
pub const MAX_LAYERS: usize = 32;
/// Maximum number of parameters. With Adam's two moments, a checkpoint of that size takes 24 MB.
pub const MAX_PARAMETERS: usize = 2_000_000;
/// Maximum number of values that the layers compute for one image. Training keeps them for the whole batch: 200 MB for 256
/// images.
pub const MAX_ACTIVATIONS: usize = 200_000;

/// What batch norm adds to a variance before its root, as in PyTorch.
pub const NORM_EPSILON: f64 = 1e-5;

/// A network to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyMade {
    /// Its name in the menu.
    pub name: &'static str,
    /// Its description.
    pub text: &'static str,
    /// What it teaches.
    pub lesson: &'static str,
}

/// The networks to start from.
pub const READY_MADE: [ReadyMade; 8] = [
    ReadyMade {
        name: "Convolutional (the default)",
        text: "conv 32, pool, conv 64, pool, dense 128, dropout 0.3",
        lesson: "Two convolutions look for small patterns, then for patterns of patterns: the network of many Keras tutorials.",
    },
    ReadyMade {
        name: "Softmax regression",
        text: "none",
        lesson: "Without a hidden layer, each pixel votes for or against each class. How far does that go?",
    },
    ReadyMade {
        name: "Perceptron",
        text: "dense 128",
        lesson: "One hidden layer sees all pixels at once, and learns nothing that it could use in another place of the image.",
    },
    ReadyMade {
        name: "LeNet-5",
        text: "conv 6 5x5 same tanh, avgpool, conv 16 5x5 tanh, avgpool, dense 120 tanh, dense 84 tanh",
        lesson: "LeCun's network of 1998, with tanh and average pooling: a quarter of the parameters of the default.",
    },
    ReadyMade {
        name: "Tiny",
        text: "conv 16, pool, conv 24, pool",
        lesson: "Fewer than 10,000 parameters, and no hidden dense layer: how little is enough?",
    },
    ReadyMade {
        name: "Fully convolutional",
        text: "conv 16 same, pool, conv 32 same, pool, conv 64, globalpool",
        lesson: "The mean of each map decides: whether a pattern is there counts, not where.",
    },
    ReadyMade {
        name: "Deeper",
        text: "conv 16 same, conv 16 same, pool, conv 32 same, conv 32 same, pool, conv 64, dense 64, dropout 0.3",
        lesson: "More layers with small filters see larger patterns. It takes longer, because it runs on Burn's own operations.",
    },
    ReadyMade {
        name: "Residual",
        text: "conv 16 none, batchnorm relu, pool, residual 32, pool, residual 48, globalpool",
        lesson: "Batch norm keeps the values in range, and a shortcut lets the gradient pass by two convolutions: what made networks of a hundred layers trainable.",
    },
];

/// One layer. The last one is not in the list: it is dense, with a unit per class and no activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layer {
    /// Convolution and activation.
    Conv(Conv),
    /// Pooling of 2x2 squares.
    Pool(Pool),
    /// The mean of each map.
    GlobalPool,
    /// Batch normalization of each map or unit, and the function after it (Ioffe, Szegedy 2015).
    BatchNorm(Activation),
    /// A residual block: two convolutions and a shortcut past them.
    Residual(Residual),
    /// Drops units at random during training: this share of them.
    Dropout(f64),
    /// Dense layer: its number of units, and the function after it.
    Dense(u32, Activation),
}

/// A convolution and the activation after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Number of filters.
    pub channels: u32,
    /// Rows and columns of a filter: 1, 3, 5 or 7.
    pub kernel: u32,
    /// Whether zeros around the image keep its size.
    pub same: bool,
    /// 1, or 2 to halve the size.
    pub stride: u32,
    /// The function after it.
    pub activation: Activation,
}

impl Conv {
    /// Whether it may be one operation with the max-pool after it: 3x3, valid, stride 1, ReLU.
    pub fn is_block(self) -> bool {
        let Conv { kernel, same, stride, activation, .. } = self;
        (kernel, same, stride, activation) == (3, false, 1, Activation::Relu)
    }
}

/// Two convolutions, 3x3 and same, with a shortcut past them (He et al. 2016): `f(c(f(c(x))) + x)`, where `c` is a convolution
/// and `f` the function. If the number of maps changes, a 1x1 convolution brings `x` to the new number. The second convolution
/// starts at zero, so an untrained block is its shortcut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Residual {
    /// Number of filters of each convolution.
    pub channels: u32,
    /// The function after the first convolution and after the sum.
    pub activation: Activation,
}

impl Residual {
    /// The first convolution; the second one has no function of its own.
    pub fn conv(self) -> Conv {
        Conv { channels: self.channels, kernel: 3, same: true, stride: 1, activation: self.activation }
    }
}

/// How a 2x2 square becomes one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The largest.
    Max,
    /// The mean.
    Average,
}

/// The function after a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x`, or `0.01 x` below zero.
    LeakyRelu,
    /// `x Φ(x)` (Hendrycks, Gimpel 2016).
    Gelu,
    /// `x σ(x)` (Elfwing et al. 2017).
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x`.
    None,
}

impl Activation {
    /// All of them, with their names in a description.
    pub const NAMES: [(Activation, &'static str); 7] = [
        (Activation::Relu, "relu"),
        (Activation::LeakyRelu, "leaky"),
        (Activation::Gelu, "gelu"),
        (Activation::Silu, "silu"),
        (Activation::Tanh, "tanh"),
        (Activation::Sigmoid, "sigmoid"),
        (Activation::None, "none"),
    ];

    /// The initial weights that suit the layer before it.
    fn scale(self) -> Scale {
        match self {
            Activation::Relu | Activation::LeakyRelu | Activation::Gelu | Activation::Silu => Scale::He,
            Activation::Tanh | Activation::Sigmoid | Activation::None => Scale::Glorot,
        }
    }
}

/// How large a layer's initial weights are.
#[derive(Clone, Copy)]
enum Scale {
    /// He uniform (He et al. 2015): up to `sqrt(6 / fan_in)`, either way. Suits rectifiers.
    He,
    /// Glorot uniform (Glorot, Bengio 2010): up to `sqrt(6 / (fan_in + fan_out))`.
    Glorot,
    Zero,
}

impl Scale {
    fn of(self, [fan_in, fan_out]: [usize; 2]) -> Initial {
        let fan = match self {
            Scale::He => fan_in,
            Scale::Glorot => fan_in + fan_out,
            Scale::Zero => return Initial::Zero,
        };
        Initial::Uniform((6.0 / fan as f32).sqrt())
    }
}

/// The layers that a text describes, whatever the images. The last one is not in the list: it is dense, with a unit for each
/// class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Layers(Arc<Vec<Layer>>);

impl Layers {
    /// The network of these layers for a data set.
    ///
    /// # Errors
    /// [`NetworkError`], which names the layer that does not fit and says what would work.
    pub fn fit(&self, data: DataShape) -> Result<Network, NetworkError> {
        let mut builder = Builder::new(data);
        for (at, layer) in self.0.iter().enumerate() {
            let wrong = |problem| NetworkError::Layer { number: at + 1, layer: layer.to_string(), problem };
            builder.push(*layer).map_err(wrong)?;
        }
        builder.finish().map_err(|problem| NetworkError::Whole(format!("{problem}, the last layer")))
    }
}

impl Default for Layers {
    /// The network of the Keras script that Inkling replaces.
    fn default() -> Self {
        let conv =
            |channels| Layer::Conv(Conv { channels, kernel: 3, same: false, stride: 1, activation: Activation::Relu });
        let pool = Layer::Pool(Pool::Max);
        let layers = [conv(32), pool, conv(64), pool, Layer::Dense(128, Activation::Relu), Layer::Dropout(0.3)];
        Layers(Arc::new(layers.into()))
    }
}

/// A network that fits a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Described", into = "Described")]
pub struct Network(Arc<Plan>);

/// A network as it is sent: what it is made from.
#[derive(Serialize, Deserialize)]
struct Described {
    layers: Layers,
    data: DataShape,
}

#[derive(Debug, PartialEq)]
struct Plan {
    data: DataShape,
    /// Each layer and the shape after it; the last dense layer is not among them.
    layers: Vec<(Layer, Shape)>,
    parameters: Vec<Parameter>,
    count: usize,
    multiply_adds: u64,
}

/// What follows when layers are put one after another.
struct Builder {
    shape: Shape,
    plan: Plan,
    activations: usize,
    convolutions: usize,
    norms: usize,
    dense: usize,
}

impl Builder {
    fn new(data: DataShape) -> Self {
        let plan = Plan { data, layers: Vec::new(), parameters: Vec::new(), count: 0, multiply_adds: 0 };
        Builder { shape: data.image(), plan, activations: 0, convolutions: 0, norms: 0, dense: 0 }
    }

    /// Adds a layer.
    ///
    /// # Errors
    /// What is wrong with it at this place, as the end of a sentence.
    fn push(&mut self, layer: Layer) -> Result<(), String> {
        let Shape { channels, side } = self.shape;
        let is_flat = self.dense > 0;
        self.shape = match layer {
            Layer::Dropout(_) => self.shape,
            Layer::Conv(_) | Layer::Residual(_) | Layer::Pool(_) | Layer::GlobalPool if is_flat => {
                return Err("there is no image after a dense layer; put it before".into());
            }
            Layer::Pool(_) if side < 2 => return Err("the image is 1x1 here: there is nothing left to pool".into()),
            Layer::Pool(_) => Shape { channels, side: side / 2 },
            Layer::GlobalPool => Shape { channels, side: 1 },
            Layer::Conv(conv) => {
                let Conv { kernel, stride, same, .. } = conv;
                let (kernel, stride) = (kernel as usize, stride as usize);
                if !same && kernel > side {
                    return Err(format!(
                        "the image is {side}x{side} here: no room for a {kernel}x{kernel} convolution; write \"same\""
                    ));
                }
                let padded = if same { side + kernel - 1 } else { side };
                let next = Shape { channels: conv.channels as usize, side: (padded - kernel) / stride + 1 };
                self.convolution(channels, next, kernel, conv.activation.scale());
                next
            }
            Layer::Residual(block) => {
                let next = Shape { channels: block.channels as usize, side };
                self.convolution(channels, next, 3, block.activation.scale());
                self.convolution(next.channels, next, 3, Scale::Zero);
                if channels != next.channels {
                    self.convolution(channels, next, 1, Scale::Glorot);
                }
                self.activations += next.values(); // between the two convolutions
                next
            }
            Layer::BatchNorm(_) => {
                self.norm(channels);
                self.activations += self.shape.values(); // before the shift and the function
                self.shape
            }
            Layer::Dense(units, activation) => self.dense(units as usize, activation.scale()),
        };
        self.activations += self.shape.values();
        self.plan.layers.push((layer, self.shape));
        self.check_size()
    }

    /// A convolution from `channels` maps to the shape `next`.
    fn convolution(&mut self, channels: usize, next: Shape, kernel: usize, scale: Scale) {
        self.convolutions += 1;
        let name = format!("conv{}", self.convolutions);
        let taps = kernel * kernel;
        let fans = [channels * taps, next.channels * taps];
        self.weights(&name, vec![next.channels, channels, kernel, kernel], scale.of(fans), next.channels);
        // In 64 bits: on wasm32, the product may be too large before the size is checked.
        self.plan.multiply_adds += fans[0] as u64 * next.values() as u64;
    }

    fn dense(&mut self, units: usize, scale: Scale) -> Shape {
        self.dense += 1;
        let values = self.shape.values();
        self.weights(&format!("dense{}", self.dense), vec![values, units], scale.of([values, units]), units);
        self.plan.multiply_adds += (values * units) as u64;
        Shape { channels: units, side: 1 }
    }

    fn weights(&mut self, name: &str, shape: Vec<usize>, initial: Initial, biases: usize) {
        self.parameter(name, "weight", shape, initial, Follows::Gradient);
        self.parameter(name, "bias", vec![biases], Initial::Zero, Follows::Gradient);
    }

    /// Batch norm of so many maps or units.
    fn norm(&mut self, channels: usize) {
        self.norms += 1;
        let name = format!("norm{}", self.norms);
        self.weights(&name, vec![channels], Initial::One, channels);
        self.parameter(&name, "running_mean", vec![channels], Initial::Zero, Follows::Batches);
        self.parameter(&name, "running_var", vec![channels], Initial::One, Follows::Batches);
        self.plan.multiply_adds += self.shape.values() as u64;
    }

    fn parameter(&mut self, layer: &str, name: &str, shape: Vec<usize>, initial: Initial, follows: Follows) {
        let parameter = Parameter { name: format!("{layer}.{name}"), shape, initial, follows };
        self.plan.count += parameter.len();
        self.plan.parameters.push(parameter);
    }

    fn check_size(&self) -> Result<(), String> {
        let (parameters, activations) = (self.plan.count, self.activations);
        if parameters > MAX_PARAMETERS {
            return Err(format!(
                "with it, the network has {parameters} parameters; a tab has room for {MAX_PARAMETERS}"
            ));
        }
        if activations > MAX_ACTIVATIONS {
            return Err(format!(
                "with it, the network computes {activations} values for each image; a tab has room for {MAX_ACTIVATIONS}"
            ));
        }
        Ok(())
    }

    /// The network, with the last dense layer.
    fn finish(mut self) -> Result<Network, String> {
        self.shape = self.dense(self.plan.data.classes(), Scale::Glorot);
        self.check_size()?;
        Ok(Network(Arc::new(self.plan)))
    }
}

impl Network {
    /// The data set that it fits.
    pub fn data(&self) -> DataShape {
        self.0.data
    }

    /// Its layers and the shape after each; the last dense layer is not among them.
    pub fn layers(&self) -> &[(Layer, Shape)] {
        &self.0.layers
    }

    /// Its parameters, in the order of the layers.
    pub fn parameters(&self) -> &[Parameter] {
        &self.0.parameters
    }

    /// Number of its parameters.
    pub fn count(&self) -> usize {
        self.0.count
    }

    /// Multiplications, each with an addition, for one image.
    pub fn multiply_adds(&self) -> u64 {
        self.0.multiply_adds
    }

    /// Number and shape of the filters that look at the image itself: those of a convolution in the first place.
    pub fn filters(&self) -> Option<(usize, Shape)> {
        let shape = |kernel| Shape { channels: self.data().image().channels, side: kernel as usize };
        match self.0.layers.first() {
            Some((Layer::Conv(conv), _)) => Some((conv.channels as usize, shape(conv.kernel))),
            _ => None,
        }
    }

    /// Number of weights in these filters.
    pub fn filter_weights(&self) -> usize {
        self.filters().map_or(0, |(count, shape)| count * shape.values())
    }

    /// Places of the layers whose maps an explanation shows: each convolution and residual block, or rather the batch norm
    /// and then the pool that follow it.
    pub fn map_places(&self) -> impl Iterator<Item = usize> {
        let layers = self.layers();
        let is = |at: usize, wanted: fn(&Layer) -> bool| layers.get(at).is_some_and(|(layer, _)| wanted(layer));
        layers.iter().enumerate().filter(|(_, (layer, _))| matches!(layer, Layer::Conv(_) | Layer::Residual(_))).map(
            move |(at, _)| {
                let normed = at + usize::from(is(at + 1, |layer| matches!(layer, Layer::BatchNorm(_))));
                normed + usize::from(is(normed + 1, |layer| matches!(layer, Layer::Pool(_))))
            },
        )
    }

    /// Shapes of the maps at [`Network::map_places`].
    pub fn maps(&self) -> impl Iterator<Item = Shape> {
        self.map_places().map(|at| self.layers()[at].1)
    }

    /// Number of units of each dropout layer, and the share that it drops.
    pub fn dropouts(&self) -> impl Iterator<Item = (usize, f64)> {
        self.layers().iter().filter_map(|(layer, shape)| match layer {
            Layer::Dropout(share) => Some((shape.values(), *share)),
            _ => None,
        })
    }

    /// The shapes inside it and its size, as a sentence for the page.
    pub fn sentence(&self) -> String {
        let first = self.data().image();
        let last = Shape { channels: self.data().classes(), side: 1 };
        let dropout = |layer: &Layer| matches!(layer, Layer::Dropout(_));
        let inside = self.layers().iter().filter(|(layer, _)| !dropout(layer)).map(|(_, shape)| *shape);
        let shapes: Vec<_> =
            std::iter::once(first).chain(inside).chain([last]).map(|shape| shape.to_string()).collect();
        let (count, multiply_adds) = (grouped(self.count() as u64), grouped(self.multiply_adds()));
        format!("{}. {count} parameters, {multiply_adds} multiply-adds for an image.", shapes.join(" → "))
    }
}

impl Default for Network {
    /// [`Layers::default`] for ten digits, with 225,034 parameters.
    fn default() -> Self {
        let mut builder = Builder::new(DataShape::DIGITS);
        for layer in Layers::default().0.iter() {
            // A test makes sure that every layer fits.
            let _ = builder.push(*layer);
        }
        builder.shape = builder.dense(DataShape::DIGITS.classes(), Scale::Glorot);
        Network(Arc::new(builder.plan))
    }
}

/// A number with a comma before every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unless = |f: &mut fmt::Formatter<'_>, usual: Activation, activation: &Activation| {
            let name = Activation::NAMES.iter().find(|(known, _)| known == activation);
            match name {
                Some((other, name)) if *other != usual => write!(f, " {name}"),
                _ => Ok(()),
            }
        };
        let with = |f: &mut fmt::Formatter<'_>, activation| unless(f, Activation::Relu, activation);
        match self {
            Layer::Conv(Conv { channels, kernel, same, stride, activation }) => {
                write!(f, "conv {channels}")?;
                if *kernel != 3 {
                    write!(f, " {kernel}x{kernel}")?;
                }
                if *same {
                    f.write_str(" same")?;
                }
                if *stride != 1 {
                    write!(f, " stride {stride}")?;
                }
                with(f, activation)
            }
            Layer::Pool(Pool::Max) => f.write_str("pool"),
            Layer::Pool(Pool::Average) => f.write_str("avgpool"),
            Layer::GlobalPool => f.write_str("globalpool"),
            Layer::BatchNorm(activation) => {
                f.write_str("batchnorm")?;
                unless(f, Activation::None, activation)
            }
            Layer::Residual(Residual { channels, activation }) => {
                write!(f, "residual {channels}")?;
                with(f, activation)
            }
            Layer::Dropout(share) => write!(f, "dropout {share}"),
            Layer::Dense(units, activation) => {
                write!(f, "dense {units}")?;
                with(f, activation)
            }
        }
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_layers(f, self.0.iter())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_layers(f, self.layers().iter().map(|(layer, _)| layer))
    }
}

fn write_layers<'a>(f: &mut fmt::Formatter<'_>, layers: impl Iterator<Item = &'a Layer>) -> fmt::Result {
    let mut layers = layers.peekable();
    if layers.peek().is_none() {
        return f.write_str("none");
    }
    for (at, layer) in layers.enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        write!(f, "{comma}{layer}")?;
    }
    Ok(())
}

impl TryFrom<Described> for Network {
    type Error = NetworkError;

    fn try_from(Described { layers, data }: Described) -> Result<Self, NetworkError> {
        layers.fit(data)
    }
}

impl From<Network> for Described {
    fn from(network: Network) -> Described {
        let layers = network.layers().iter().map(|(layer, _)| *layer).collect();
        Described { layers: Layers(Arc::new(layers)), data: network.data() }
    }
}
