//! Convolution 3x3 (no padding, stride 1), bias, ReLU and max-pool 2x2 (stride 2) in one pass, forward and backward.
//!
//! Only what the pool keeps is ever stored: for each pool window and channel, the largest value and which of the
//! window's four positions it came from (the winner). Gradients flow only through winners above zero, so the backward
//! pass adds a few rows for each winner instead of computing two dense convolutions; with one input channel, zeros for
//! the other positions are faster than following the winners.
//!
//! Images are `[N, H, W, C]`, weights as Burn has them, `[O, I, 3, 3]`.

mod backward;
mod single;
mod winograd;

use crate::{
    lanes::{BLOCK, LANES, Lanes, Products, kernel},
    winograd::TAPS,
};
pub use backward::{Gradients, Strided, backward};
use single::Single;
use winograd::Winograd;

/// Winner of a window that passes nothing on: all four values are zero or less.
pub const NONE: u8 = u8::MAX;

/// Sizes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// Images.
    pub images: usize,
    /// Rows of an input image.
    pub height: usize,
    /// Columns of an input image.
    pub width: usize,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
}

impl Dims {
    /// Whether these kernels support the call; otherwise, the composed operations do.
    pub fn supported(&self) -> bool {
        (self.inputs == 1 || self.inputs.is_multiple_of(LANES))
            && self.outputs.is_multiple_of(BLOCK)
            && self.outputs > 0
            && self.height >= 4
            && self.width >= 4
    }

    /// Rows and columns of the pooled output.
    pub fn pooled(&self) -> [usize; 2] {
        [(self.height - 2) / 2, (self.width - 2) / 2]
    }

    fn windows(&self) -> usize {
        let [rows, columns] = self.pooled();
        rows * columns
    }

    /// Number of floats in an input image.
    fn image(&self) -> usize {
        self.height * self.width * self.inputs
    }

    /// Number of floats in an output image.
    fn pooled_image(&self) -> usize {
        self.windows() * self.outputs
    }
}

/// Offsets in an input image of the four patches under each pool window.
struct Patches(Vec<[usize; 4]>);

impl Patches {
    fn new(dims: Dims) -> Self {
        let [rows, columns] = dims.pooled();
        let corner = |row: usize, column: usize| (row * dims.width + column) * dims.inputs;
        let window = |row, column| std::array::from_fn(|at| corner(2 * row + at / 2, 2 * column + at % 2));
        Patches((0..rows * columns).map(|i| window(i / columns, i % columns)).collect())
    }

    #[inline(always)]
    fn of(&self, window: usize) -> [usize; 4] {
        self.0[window]
    }
}

/// What [`forward`] computes.
pub struct Output {
    /// `[N, H', W', O]`: the largest value of each window, at least zero; NaN if one of the four is NaN.
    pub values: Vec<f32>,
    /// `[N, H', W', O]`: its position in the window, 0 to 3, row by row; the first of equal values; [`NONE`] if it is
    /// zero.
    pub winners: Vec<u8>,
}

/// The block's output for `x` `[N, H, W, I]`, `weight` `[O, I, 3, 3]` and `bias` `[O]`.
pub fn forward(x: &[f32], weight: &[f32], bias: &[f32], dims: Dims) -> Output {
    let len = dims.images * dims.pooled_image();
    let mut output = Output { values: vec![0.0; len], winners: vec![NONE; len] };
    forward_into(x, weight, bias, dims, &mut output);
    output
}

kernel! {
    /// [`forward`] into buffers of the right length, whatever they contain.
    pub fn forward_into(x: &[f32], weight: &[f32], bias: &[f32], dims: Dims, output: &mut Output) = forward_into_with
}

#[inline(always)]
fn forward_into_with<P: Products>(x: &[f32], weight: &[f32], bias: &[f32], dims: Dims, output: &mut Output) {
    let single = dims.inputs == 1;
    let together = if single { 1 } else { winograd::together(dims) };
    let images = x
        .chunks(together * dims.image())
        .zip(output.values.chunks_mut(together * dims.pooled_image()))
        .zip(output.winners.chunks_mut(together * dims.pooled_image()));
    if single {
        let single = Single::new(weight, dims);
        for ((x, values), winners) in images {
            single.image::<P>(x, bias, values, winners);
        }
    } else {
        let mut winograd = Winograd::new(weight, dims);
        for ((x, values), winners) in images {
            winograd.images::<P>(x, weight, bias, values, winners);
        }
    }
}

/// ReLU and pool: the largest of a window's four values for [`LANES`] channels, and its position. As in Burn, the first
/// of equal values wins, and a NaN wins over all numbers.
#[inline(always)]
fn pool<P: Products>(window: [Lanes<P>; 4], values: &mut [f32; LANES], winners: &mut [u8; LANES]) {
    let zero = Lanes::splat(0.0);
    // Positions are stored as the bits of floats, which are only moved, never computed with.
    let position = |position: u8| Lanes::<P>::splat(f32::from_bits(u32::from(position)));
    let mut best = zero;
    let mut winner = position(NONE);
    for (value, index) in window.into_iter().zip(0..) {
        // `best` is at least zero, so a value that beats it is above zero. A NaN beats every number, and only another
        // NaN beats it.
        let wins = value.gt_or_nan(best);
        best = wins.select(value, best);
        winner = wins.select(position(index), winner);
    }
    best.store(values);
    *winners = winner.bits_as_bytes();
}
