//! One input channel: forward, and the gradients of weights and bias.

use super::{Dims, Patches, Strided, TAPS, pool};
use crate::lanes::{BLOCK, LANES, Lanes, Products, halves};

/// The block for images of one channel.
pub(super) struct Single {
    dims: Dims,
    patches: Patches,
    /// `[block][tap][8]`.
    weight: Vec<[[f32; BLOCK]; TAPS]>,
}

impl Single {
    /// For `weight` `[O, 1, 3, 3]`.
    pub(super) fn new(weight: &[f32], dims: Dims) -> Self {
        let (taps, _) = weight.as_chunks::<TAPS>();
        let blocks = taps.as_chunks::<BLOCK>().0;
        let transposed = |block: &[[f32; TAPS]; BLOCK]| {
            std::array::from_fn(|tap| std::array::from_fn(|channel| block[channel][tap]))
        };
        Single { dims, patches: Patches::new(dims), weight: blocks.iter().map(transposed).collect() }
    }

    /// One image. Each block of channels keeps a window's four sums in eight registers.
    #[inline(always)]
    pub(super) fn image<P: Products>(&self, x: &[f32], bias: &[f32], values: &mut [f32], winners: &mut [u8]) {
        let values = values.chunks_exact_mut(self.dims.outputs);
        let winners = winners.chunks_exact_mut(self.dims.outputs);
        for ((&[at, ..], values), winners) in self.patches.0.iter().zip(values).zip(winners) {
            let mut patch = [[0.0; 4]; 4];
            for (row, pixels) in patch.iter_mut().enumerate() {
                pixels.copy_from_slice(&x[at + row * self.dims.width..][..4]);
            }
            let values = values.as_chunks_mut::<LANES>().0.as_chunks_mut::<2>().0;
            let winners = winners.as_chunks_mut::<LANES>().0.as_chunks_mut::<2>().0;
            let bias = bias.as_chunks::<LANES>().0.as_chunks::<2>().0;
            for (((values, winners), bias), weight) in values.iter_mut().zip(winners).zip(bias).zip(&self.weight) {
                let bias = bias.each_ref().map(Lanes::<P>::load);
                let mut sums = [bias; 4];
                for (tap, weight) in weight.iter().enumerate() {
                    let [low, high] = halves(weight);
                    for (position, sum) in sums.iter_mut().enumerate() {
                        let pixel = Lanes::splat(patch[tap / 3 + position / 2][tap % 3 + position % 2]);
                        sum[0] = sum[0].add_product(pixel, low);
                        sum[1] = sum[1].add_product(pixel, high);
                    }
                }
                for half in 0..2 {
                    pool(sums.map(|sum| sum[half]), &mut values[half], &mut winners[half]);
                }
            }
        }
    }
}

/// Adds the gradients of weights `[O, 3, 3]` and bias `[O]`.
///
/// Only the winner of a window's four positions contributes. With one input channel there is so little arithmetic that computing all four
/// positions for four output channels at a time, with zeros for the losers, beats a list of the winners (docs/performance.md).
#[inline(always)]
pub(super) fn gradients<P: Products>(
    x: &[f32],
    winners: &[u8],
    gradient: Strided,
    dims: Dims,
    weight: &mut [f32],
    bias: &mut [f32],
) {
    let patches = Patches::new(dims);
    let columns = dims.pooled()[1];
    let images = x.chunks_exact(dims.image()).zip(winners.chunks_exact(dims.pooled_image()));
    for (image, (x, winners)) in images.enumerate() {
        let gradient = gradient.of_image(image);
        let [_, channel_stride, row_stride, column_stride] = gradient.strides;
        for channel in (0..dims.outputs).step_by(LANES) {
            let mut sums = [Lanes::<P>::splat(0.0); TAPS];
            let mut total = Lanes::splat(0.0);
            let mut windows = winners.chunks_exact(dims.outputs);
            for (row, patches) in patches.0.chunks_exact(columns).enumerate() {
                let mut at = channel * channel_stride + row * row_stride;
                for (&[corner, ..], winners) in patches.iter().zip(&mut windows) {
                    let values = four(&gradient.values[at..], channel_stride);
                    let winners = &winners[channel..].as_chunks().0[0];
                    let flows: [Lanes<P>; 4] =
                        std::array::from_fn(|position| values.where_equal(winners, position as u8));
                    total = total + (flows[0] + flows[1]) + (flows[2] + flows[3]);
                    add_window(&x[corner..], dims.width, flows, &mut sums);
                    at += column_stride;
                }
            }
            let rows = weight[channel * TAPS..][..LANES * TAPS].as_chunks_mut::<TAPS>().0;
            for (tap, sum) in sums.into_iter().enumerate() {
                for (row, sum) in rows.iter_mut().zip(sum.to_array()) {
                    row[tap] += sum;
                }
            }
            for (bias, sum) in bias[channel..].iter_mut().zip(total.to_array()) {
                *bias += sum;
            }
        }
    }
}

/// The values of four channels.
#[inline(always)]
fn four<P: Products>(values: &[f32], stride: usize) -> Lanes<P> {
    match values.first_chunk() {
        Some(values) if stride == 1 => Lanes::load(values),
        _ => Lanes::load(&std::array::from_fn(|channel| values[channel * stride])),
    }
}

/// Adds the products of a window's pixels, from its first one on, and what flows through its four positions.
#[inline(always)]
fn add_window<P: Products>(x: &[f32], width: usize, flows: [Lanes<P>; 4], sums: &mut [Lanes<P>; TAPS]) {
    for row in 0..4 {
        let pixels = &x[row * width..][..4];
        for (column, &pixel) in pixels.iter().enumerate() {
            let pixel = Lanes::splat(pixel);
            for (position, flow) in flows.into_iter().enumerate() {
                let (down, right) = (row.wrapping_sub(position / 2), column.wrapping_sub(position % 2));
                if down < 3 && right < 3 {
                    let sum = &mut sums[3 * down + right];
                    *sum = sum.add_product(pixel, flow);
                }
            }
        }
    }
}
