//! Code that the weight file formats share: the named tensors of the network, and errors for files that do not match
//! them.

use inkling_core::parameters::{PARAMETERS, SHAPES};
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

/// Splits `weights` into parameters, in the order of [`SHAPES`].
pub(crate) fn parts(weights: &[f32]) -> impl Iterator<Item = (&'static str, &'static [usize], &[f32])> {
    let mut rest = weights;
    SHAPES.iter().map(move |(name, shape, _)| {
        let (values, more) = rest.split_at(shape.iter().product());
        rest = more;
        (*name, *shape, values)
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
    pub(crate) fn shape(self, name: &str, shape: &[usize]) -> Vec<usize> {
        let mut shape = shape.to_vec();
        if self == Order::PyTorch && name.starts_with("dense") && name.ends_with(".weight") {
            shape.reverse();
        }
        shape
    }
}

/// Collects the parameters from a file that contains the tensors `names`; `find` looks up one of them.
pub(crate) fn gather(
    names: Vec<String>,
    find: impl Fn(&str) -> Option<Found>,
    order: Order,
) -> Result<Vec<f32>, WeightsError> {
    let (mut weights, mut wrong) = (Vec::with_capacity(PARAMETERS), Vec::new());
    for (name, here, _) in SHAPES {
        let there = order.shape(name, here);
        match find(name) {
            None => wrong.push(format!("{name} is missing")),
            Some(Found { shape, values: Some(values), .. }) if shape == there => {
                weights.extend(if there == here { values } else { transposed(&values, [there[0], there[1]]) });
            }
            Some(Found { kind, shape, .. }) => {
                wrong.push(format!("{name} is {kind} {shape:?} instead of F32 {there:?}"));
            }
        }
    }
    let unknown = names.iter().filter(|name| !SHAPES.iter().any(|shape| shape.0 == name.as_str()));
    wrong.extend(unknown.map(|name| format!("{name} is not one of its tensors")));
    if wrong.is_empty() { Ok(weights) } else { Err(WeightsError::Mismatch(wrong)) }
}

/// Transposes a row-major matrix `[a, b]` to `[b, a]`.
pub(crate) fn transposed(values: &[f32], [a, b]: [usize; 2]) -> Vec<f32> {
    (0..b).flat_map(|column| (0..a).map(move |row| values[row * b + column])).collect()
}
