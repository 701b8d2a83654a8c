//! A network as a list of layers: its text, the shapes inside it, and its parameters.
//!
//! [`Layers`] is what the text says. A [`Network`] exists only if the layers fit a data set: every layer has room, and the whole
//! is small enough for a tab.

mod blocks;
mod build;
mod edit;
mod filters;
mod layer;
mod parse;
mod ready_made;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

pub use crate::image::{DataShape, Shape};
use crate::{parameters::Parameter, say};
pub use blocks::Block;
use build::Builder;
pub use edit::{Edit, LayerSize, Outline};
pub use filters::Filters;
pub use layer::{Activation, Conv, Layer, Pool, Residual};
pub use parse::NetworkError;
pub use ready_made::{READY_MADE, ReadyMade};

/// Maximum number of layers.
pub const MAX_LAYERS: usize = 32;
/// Maximum number of parameters. With Adam's two moments, a checkpoint of that size takes 24 MB.
pub const MAX_PARAMETERS: usize = 2_000_000;
/// Maximum number of values that the layers compute for one image. Training keeps them for the whole batch: 200 MB for 256
/// images.
pub const MAX_ACTIVATIONS: usize = 200_000;

/// What batch norm adds to a variance before its root, as in PyTorch.
pub const NORM_EPSILON: f64 = 1e-5;

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
        builder.push_last().map_err(|problem| NetworkError::Whole(format!("{problem}, the last layer")))?;
        Ok(builder.finish())
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
    /// Number of parameters up to each layer, the last one included.
    ends: Vec<usize>,
    count: usize,
    multiply_adds: u64,
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

    /// The parameters of the layer at `place`; the last layer is at the place after all in [`Network::layers`].
    pub fn parameters_of(&self, place: usize) -> &[Parameter] {
        let Plan { parameters, ends, .. } = &*self.0;
        let from = place.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
        ends.get(place).map_or(&[], |&end| &parameters[from..end])
    }

    /// Number of its parameters.
    pub fn count(&self) -> usize {
        self.0.count
    }

    /// Multiplications, each with an addition, for one image.
    pub fn multiply_adds(&self) -> u64 {
        self.0.multiply_adds
    }

    /// Number of weights in the filters of a convolution that looks at the image itself: those that are kept after each epoch.
    pub fn kept_filters(&self) -> usize {
        let first = self.filters(0).filter(|_| matches!(self.layers().first(), Some((Layer::Conv(_), _))));
        first.map_or(0, |filters| filters.end())
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
        say!("{}. {} parameters, {} multiply-adds for an image.", shapes.join(" → "), count, multiply_adds)
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
        let _ = builder.push_last();
        builder.finish()
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
