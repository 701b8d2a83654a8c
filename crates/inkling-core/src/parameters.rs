//! The network's parameters as plain numbers: names, shapes and initial values.

use rand::RngExt;

use crate::random::{Purpose, generator};

/// Name, shape, and fan-in and fan-out (0 for a bias) of each parameter. Convolution weights are
/// `[out, in, height, width]`, dense weights `[in, out]`.
pub const SHAPES: [(&str, &[usize], [usize; 2]); 8] = [
    ("conv1.weight", &[32, 1, 3, 3], [9, 288]),
    ("conv1.bias", &[32], [0, 0]),
    ("conv2.weight", &[64, 32, 3, 3], [288, 576]),
    ("conv2.bias", &[64], [0, 0]),
    ("dense1.weight", &[1600, 128], [1600, 128]),
    ("dense1.bias", &[128], [0, 0]),
    ("dense2.weight", &[128, 10], [128, 10]),
    ("dense2.bias", &[10], [0, 0]),
];

/// Total number of parameters.
pub const PARAMETERS: usize = 225_034;

/// The values of all parameters, in the order and the shapes of [`SHAPES`], row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights(pub [Vec<f32>; 8]);

impl Weights {
    /// Initial weights for `seed`, the same on every backend: He uniform before a ReLU (He et al. 2015,
    /// limit `sqrt(6 / fan_in)`), Glorot uniform before the softmax (Glorot, Bengio 2010, limit
    /// `sqrt(6 / (fan_in + fan_out))`), biases zero.
    pub fn random(seed: u32) -> Self {
        Weights(std::array::from_fn(|index| {
            let (name, shape, [fan_in, fan_out]) = SHAPES[index];
            let len = shape.iter().product();
            if fan_in == 0 {
                return vec![0.0; len];
            }
            let fan = if name == "dense2.weight" { fan_in + fan_out } else { fan_in };
            let limit = (6.0 / fan as f32).sqrt();
            let mut rng = generator(seed, Purpose::Weights, index as u64, 0);
            (0..len).map(|_| rng.random_range(-limit..limit)).collect()
        }))
    }
}
