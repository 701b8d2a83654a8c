//! Forward with one input channel.

use super::{Dims, Patches, TAPS, pool};
use crate::lanes::{BLOCK, LANES, Lanes, halves};

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
    pub(super) fn image(&self, x: &[f32], bias: &[f32], values: &mut [f32], winners: &mut [u8]) {
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
                let bias = bias.each_ref().map(Lanes::load);
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
