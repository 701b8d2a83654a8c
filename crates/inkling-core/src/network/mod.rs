//! A network as a list of layers: its text, the shapes inside it, and its parameters.
//!
//! [`Layers`] is what the text says. A [`Network`] exists only if the layers fit a data set: every layer has room, and the whole
//! is small enough for a tab.

mod edit;
mod parse;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

pub use crate::image::{DataShape, Shape};
use crate::parameters::{Initial, Parameter};
pub use edit::{Edit, LayerSize, Outline};
pub use parse::NetworkError;

/// Maximum number of layers.
pub const MAX_LAYERS: usize = 32;
/// Maximum number of parameters. With Adam's two moments, a checkpoint of that size takes 24 MB.
pub const MAX_PARAMETERS: usize = 2_000_000;
/// Maximum number of values that the layers compute for one image. Training keeps them for the whole batch: 200 MB for 256
/// images.
pub const MAX_ACTIVATIONS: usize = 200_000;

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
pub const READY_MADE: [ReadyMade; 7] = [
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

    /// Whether it is ReLU or like it, so that He's initial weights suit the layer before it.
    fn is_rectifier(self) -> bool {
        matches!(self, Activation::Relu | Activation::LeakyRelu | Activation::Gelu | Activation::Silu)
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
    dense: usize,
}

impl Builder {
    fn new(data: DataShape) -> Self {
        let plan = Plan { data, layers: Vec::new(), parameters: Vec::new(), count: 0, multiply_adds: 0 };
        Builder { shape: data.image(), plan, activations: 0, convolutions: 0, dense: 0 }
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
            Layer::Conv(_) | Layer::Pool(_) | Layer::GlobalPool if is_flat => {
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
                self.convolutions += 1;
                let name = format!("conv{}", self.convolutions);
                let taps = kernel * kernel;
                let fans = [channels * taps, next.channels * taps];
                let weight = vec![next.channels, channels, kernel, kernel];
                self.weights(name, weight, fans, conv.activation.is_rectifier(), next.channels);
                // In 64 bits: on wasm32, the product may be too large before the size is checked.
                self.plan.multiply_adds += fans[0] as u64 * next.values() as u64;
                next
            }
            Layer::Dense(units, activation) => self.dense(units as usize, activation.is_rectifier()),
        };
        self.activations += self.shape.values();
        self.plan.layers.push((layer, self.shape));
        self.check_size()
    }

    fn dense(&mut self, units: usize, rectifier: bool) -> Shape {
        self.dense += 1;
        let values = self.shape.values();
        self.weights(format!("dense{}", self.dense), vec![values, units], [values, units], rectifier, units);
        self.plan.multiply_adds += (values * units) as u64;
        Shape { channels: units, side: 1 }
    }

    fn weights(&mut self, name: String, shape: Vec<usize>, [fan_in, fan_out]: [usize; 2], he: bool, biases: usize) {
        let fan = if he { fan_in } else { fan_in + fan_out };
        let initial = Initial::Uniform((6.0 / fan as f32).sqrt());
        let weight = Parameter { name: format!("{name}.weight"), shape, initial };
        let bias = Parameter { name: format!("{name}.bias"), shape: vec![biases], initial: Initial::Zero };
        self.plan.count += weight.len() + bias.len();
        self.plan.parameters.extend([weight, bias]);
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
        self.shape = self.dense(self.plan.data.classes(), false);
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

    /// Shapes of the maps that an explanation shows: after each convolution, or after the pooling that follows it.
    pub fn maps(&self) -> impl Iterator<Item = Shape> {
        let layers = self.layers();
        layers.iter().enumerate().filter_map(|(at, (layer, shape))| match (layer, layers.get(at + 1)) {
            (Layer::Conv(_), Some((Layer::Pool(_), pooled))) => Some(*pooled),
            (Layer::Conv(_), _) => Some(*shape),
            _ => None,
        })
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
        builder.shape = builder.dense(DataShape::DIGITS.classes(), false);
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
        let with = |f: &mut fmt::Formatter<'_>, activation: &Activation| {
            let name = Activation::NAMES.iter().find(|(known, _)| known == activation);
            match name {
                Some((other, name)) if *other != Activation::Relu => write!(f, " {name}"),
                _ => Ok(()),
            }
        };
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
