//! The kinds of layers, and their text.

use std::fmt;

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
    /// The first convolution. The second is the same without the function.
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
