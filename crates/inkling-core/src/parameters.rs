//! A network's parameters as plain numbers: names, shapes and initial values.

use rand::RngExt;

use crate::random::{Purpose, generator};

/// One tensor that training changes, or a statistic that it keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name, as in `conv1.weight`.
    pub name: String,
    /// Convolution weights are `[out, in, height, width]`, dense weights `[in, out]`.
    pub shape: Vec<usize>,
    /// How its first values are drawn.
    pub initial: Initial,
    /// What changes it.
    pub follows: Follows,
}

/// What changes a parameter in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// The optimizer, by its gradient.
    Gradient,
    /// The mean or the variance of the batches: it goes a step towards that of each.
    Batches,
}

/// How the first values of a parameter are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// Zeros.
    Zero,
    /// Ones.
    One,
    /// Uniformly up to this limit, either way.
    Uniform(f32),
}

impl Parameter {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The initial values of `parameters` for `seed`, one after another, row-major: the same on every backend.
pub fn random_weights(parameters: &[Parameter], seed: u32) -> Vec<f32> {
    let mut weights = Vec::with_capacity(parameters.iter().map(Parameter::len).sum());
    for (index, parameter) in parameters.iter().enumerate() {
        match parameter.initial {
            Initial::Zero => weights.resize(weights.len() + parameter.len(), 0.0),
            Initial::One => weights.resize(weights.len() + parameter.len(), 1.0),
            Initial::Uniform(limit) => {
                let mut rng = generator(seed, Purpose::Weights, index as u64, 0);
                weights.extend((0..parameter.len()).map(|_| rng.random_range(-limit..limit)));
            }
        }
    }
    weights
}
