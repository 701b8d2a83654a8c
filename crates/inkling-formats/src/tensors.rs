//! Code that the weight file formats share: the named tensors of the network, and errors for files that do not match
//! them.

use inkling_core::{network::Network, parameters::Parameter};
use thiserror::Error;

/// Why weights could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WeightsError {
    /// The bytes are not a file in this format.
    #[error("this is not a safetensors or burnpack weights file ({0})")]
    Format(String),
    /// Tensors are missing or differ from this network's: one description for each of them.
    #[error("these are not this network's weights: {}", .0.join("; "))]
    Mismatch(Vec<String>),
    /// Some values are NaN or infinite.
    #[error("some of the weights are NaN or infinite")]
    NotFinite,
}

/// Splits the weights of `net` into its parameters.
pub(crate) fn parts<'a>(net: &'a Network, weights: &'a [f32]) -> impl Iterator<Item = (&'a Parameter, &'a [f32])> {
    let mut rest = weights;
    net.parameters().iter().map(move |parameter| {
        let (values, more) = rest.split_at(parameter.len());
        rest = more;
        (parameter, values)
    })
}

/// Converts floats to little-endian bytes.
pub(crate) fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Converts little-endian bytes to floats.
pub(crate) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes))
}

/// A tensor found in a file.
pub(crate) struct Found {
    /// Its element type, as the file names it.
    pub kind: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, if they are 32-bit floats.
    pub values: Option<Vec<f32>>,
}

/// Layout of a file's dense-layer weights.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Order {
    /// `[in, out]`.
    Burn,
    /// `[out, in]`.
    PyTorch,
}

impl Order {
    /// A parameter's shape in the file.
    pub(crate) fn shape(self, parameter: &Parameter) -> Vec<usize> {
        let mut shape = parameter.shape.clone();
        // Only a dense layer's weights have two dimensions.
        if self == Order::PyTorch && shape.len() == 2 {
            shape.reverse();
        }
        shape
    }
}

/// Collects the parameters of `net` from a file that contains the tensors `names`; `find` looks up one of them.
pub(crate) fn gather(
    net: &Network,
    names: Vec<String>,
    find: impl Fn(&str) -> Option<Found>,
    order: Order,
) -> Result<Vec<f32>, WeightsError> {
    let (mut weights, mut wrong) = (Vec::with_capacity(net.count()), Vec::new());
    for parameter in net.parameters() {
        let (name, there) = (&parameter.name, order.shape(parameter));
        match find(name) {
            None => wrong.push(format!("{name} is missing")),
            // ONNX states a tensor's shape beside its values: they may disagree.
            Some(Found { shape, values: Some(values), .. }) if shape == there && values.len() != parameter.len() => {
                wrong.push(format!("{name} has {} values instead of {}", values.len(), parameter.len()));
            }
            Some(Found { shape, values: Some(values), .. }) if shape == there => {
                let turned = there != parameter.shape;
                weights.extend(if turned { transposed(&values, [there[0], there[1]]) } else { values });
            }
            Some(Found { kind, shape, .. }) => {
                wrong.push(format!("{name} is {kind} {shape:?} instead of F32 {there:?}"));
            }
        }
    }
    let unknown = names.iter().filter(|name| !net.parameters().iter().any(|known| known.name == **name));
    wrong.extend(unknown.map(|name| format!("{name} is not one of its tensors")));
    if wrong.is_empty() { Ok(weights) } else { Err(WeightsError::Mismatch(wrong)) }
}

/// Transposes a row-major matrix `[a, b]` to `[b, a]`.
pub(crate) fn transposed(values: &[f32], [a, b]: [usize; 2]) -> Vec<f32> {
    (0..b).flat_map(|column| (0..a).map(move |row| values[row * b + column])).collect()
}
