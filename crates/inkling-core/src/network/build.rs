//! From layers to a network: shapes, parameters and limits.

use std::sync::Arc;

use super::{Activation, Conv, DataShape, Layer, MAX_ACTIVATIONS, MAX_PARAMETERS, Network, Plan, Shape};
use crate::parameters::{Follows, Initial, Parameter};

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
    /// What suits the layer before this function.
    fn before(function: Activation) -> Self {
        match function {
            Activation::Relu | Activation::LeakyRelu | Activation::Gelu | Activation::Silu => Scale::He,
            Activation::Tanh | Activation::Sigmoid | Activation::None => Scale::Glorot,
        }
    }

    fn of(self, [fan_in, fan_out]: [usize; 2]) -> Initial {
        let fan = match self {
            Scale::He => fan_in,
            Scale::Glorot => fan_in + fan_out,
            Scale::Zero => return Initial::Zero,
        };
        Initial::Uniform((6.0 / fan as f32).sqrt())
    }
}

/// What follows when layers are put one after another.
pub(super) struct Builder {
    /// The shape after the last layer.
    pub shape: Shape,
    pub plan: Plan,
    activations: usize,
    convolutions: usize,
    norms: usize,
    dense: usize,
}

impl Builder {
    pub fn new(data: DataShape) -> Self {
        let plan =
            Plan { data, layers: Vec::new(), parameters: Vec::new(), ends: Vec::new(), count: 0, multiply_adds: 0 };
        Builder { shape: data.image(), plan, activations: 0, convolutions: 0, norms: 0, dense: 0 }
    }

    /// Adds a layer.
    ///
    /// # Errors
    /// What is wrong with it at this place, as the end of a sentence.
    pub fn push(&mut self, layer: Layer) -> Result<(), String> {
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
                self.convolution(channels, next, kernel, Scale::before(conv.activation));
                next
            }
            Layer::Residual(block) => {
                let next = Shape { channels: block.channels as usize, side };
                self.convolution(channels, next, 3, Scale::before(block.activation));
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
            Layer::Dense(units, activation) => self.dense(units as usize, Scale::before(activation)),
        };
        self.activations += self.shape.values();
        self.plan.layers.push((layer, self.shape));
        self.plan.ends.push(self.plan.parameters.len());
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

    /// Batch norm of `channels` maps or units.
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

    /// Adds the last layer: dense, with a unit for each class.
    ///
    /// # Errors
    /// What is wrong with the whole, as a sentence without its end.
    pub fn push_last(&mut self) -> Result<(), String> {
        self.shape = self.dense(self.plan.data.classes(), Scale::Glorot);
        self.plan.ends.push(self.plan.parameters.len());
        self.check_size()
    }

    /// The network of these layers.
    pub fn finish(self) -> Network {
        Network(Arc::new(self.plan))
    }
}
