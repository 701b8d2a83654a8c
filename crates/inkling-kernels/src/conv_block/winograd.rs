//! Forward with several input channels, by Winograd's minimal filtering.

use super::{Dims, Patches, TAPS, pool};
use crate::{
    lanes::{BLOCK, LANES, Lanes, halves, store},
    winograd::{FREQUENCIES, transform_output, transform_tile, transform_weight},
};

/// Tiles that the inner loop of the products keeps in registers: 5 x 2 sums, 2 weights, 1 value.
const TILES: usize = 5;

/// Four input channels of a group of tiles, so that all reads of four rounds of the inner loop are at fixed offsets.
type TileLanes = [[f32; LANES]; TILES];

/// Winograd's F(2x2, 3x3) (Lavin, Gray 2016, "Fast algorithms for convolutional neural networks", section 4.1): a
/// tile's 2x2 outputs are one pool window.
pub(super) struct Winograd {
    dims: Dims,
    patches: Patches,
    /// Groups of tiles of an image, the last padded with zeros.
    groups: usize,
    /// `[block][frequency][I / 4][4][8]`.
    weight: Vec<[[f32; BLOCK]; LANES]>,
    /// `[frequency][group][I / 4]`: the image's tiles.
    tiles: Vec<TileLanes>,
    /// `[frequency][group * 5][8]`: the products of one block.
    products: Vec<[f32; BLOCK]>,
}

impl Winograd {
    pub(super) fn new(weight: &[f32], dims: Dims) -> Self {
        let (lanes, groups) = (dims.inputs / LANES, dims.windows().div_ceil(TILES));
        let mut transformed = vec![[[0.0; BLOCK]; LANES]; dims.outputs / BLOCK * FREQUENCIES * lanes];
        for (index, taps) in weight.as_chunks::<TAPS>().0.iter().enumerate() {
            let (output, input) = (index / dims.inputs, index % dims.inputs);
            for (frequency, value) in transform_weight(taps).into_iter().enumerate() {
                let row = (output / BLOCK * FREQUENCIES + frequency) * lanes + input / LANES;
                transformed[row][input % LANES][output % BLOCK] = value;
            }
        }
        Winograd {
            dims,
            patches: Patches::new(dims),
            groups,
            weight: transformed,
            tiles: vec![[[0.0; LANES]; TILES]; FREQUENCIES * groups * lanes],
            products: vec![[0.0; BLOCK]; FREQUENCIES * groups * TILES],
        }
    }

    pub(super) fn image(&mut self, x: &[f32], weight: &[f32], bias: &[f32], values: &mut [f32], winners: &mut [u8]) {
        let Dims { inputs, outputs, .. } = self.dims;
        let lanes = inputs / LANES;
        let padded = self.groups * TILES;
        self.transform_input(x);
        for (block, transformed) in self.weight.chunks_exact(FREQUENCIES * lanes).enumerate() {
            let frequencies = self
                .products
                .chunks_exact_mut(padded)
                .zip(self.tiles.chunks_exact(self.groups * lanes))
                .zip(transformed.chunks_exact(lanes));
            for ((products, tiles), transformed) in frequencies {
                for (products, tiles) in products.as_chunks_mut().0.iter_mut().zip(tiles.chunks_exact(lanes)) {
                    multiply(tiles, transformed, products);
                }
            }
            for half in 0..2 {
                let channel = block * BLOCK + half * LANES;
                let Some(bias) = bias[channel..].first_chunk::<LANES>() else { return };
                let values = values.chunks_exact_mut(outputs);
                let winners = winners.chunks_exact_mut(outputs);
                for (window, (values, winners)) in values.zip(winners).enumerate() {
                    let products = std::array::from_fn(|frequency| {
                        Lanes::load(&self.products[frequency * padded + window].as_chunks().0[half])
                    });
                    let mut sums = transform_output(products).map(|sum| sum + Lanes::load(bias));
                    if !(sums[0] + sums[1] + sums[2] + sums[3]).all_finite() {
                        sums = direct(x, weight, bias, self.dims, self.patches.of(window), channel);
                    }
                    if let (Some(values), Some(winners)) =
                        (values[channel..].first_chunk_mut(), winners[channel..].first_chunk_mut())
                    {
                        pool(sums, values, winners);
                    }
                }
            }
        }
    }

    /// B'dB of each window's 4x4 pixels.
    fn transform_input(&mut self, x: &[f32]) {
        let Dims { width, inputs, .. } = self.dims;
        let lanes = inputs / LANES;
        for window in 0..self.dims.windows() {
            let at = self.patches.of(window)[0];
            let rows: [_; 4] = std::array::from_fn(|row| {
                let pixels = &x[at + row * width * inputs..][..4 * inputs];
                let mut pixels = pixels.chunks_exact(inputs);
                std::array::from_fn::<_, 4, _>(|_| &pixels.next().unwrap_or_default().as_chunks::<LANES>().0[..lanes])
            });
            let (group, tile) = (window / TILES, window % TILES);
            for lane in 0..lanes {
                let mut pixels = [[Lanes::splat(0.0); 4]; 4];
                for (pixels, row) in pixels.iter_mut().zip(&rows) {
                    for (pixel, from) in pixels.iter_mut().zip(row) {
                        *pixel = Lanes::load(&from[lane]);
                    }
                }
                let across = transform_tile(pixels);
                for (frequency, value) in across.as_flattened().iter().enumerate() {
                    value.store(&mut self.tiles[(frequency * self.groups + group) * lanes + lane][tile]);
                }
            }
        }
    }
}

/// `products = tiles x weight` for `tiles` `[5][I]` and `weight` `[I][8]`.
#[inline(always)]
fn multiply(tiles: &[TileLanes], weight: &[[[f32; BLOCK]; LANES]], products: &mut [[f32; BLOCK]; TILES]) {
    let mut sums = [[Lanes::splat(0.0); 2]; TILES];
    for (tiles, weight) in tiles.iter().zip(weight) {
        for (lane, weight) in weight.iter().enumerate() {
            let [low, high] = halves(weight);
            for (sum, tile) in sums.iter_mut().zip(tiles) {
                let value = Lanes::splat(tile[lane]);
                sum[0] = sum[0].add_product(value, low);
                sum[1] = sum[1].add_product(value, high);
            }
        }
    }
    products.iter_mut().zip(sums).for_each(|(product, sum)| store(sum, product));
}

/// A window's four sums for [`LANES`] channels without the transform, which would turn an infinity into NaN.
#[cold]
fn direct(
    x: &[f32],
    weight: &[f32],
    bias: &[f32; LANES],
    dims: Dims,
    patches: [usize; 4],
    channel: usize,
) -> [Lanes; 4] {
    patches.map(|at| {
        let sums: [f32; LANES] = std::array::from_fn(|lane| {
            let weight = &weight[(channel + lane) * dims.inputs * TAPS..];
            let mut sum = bias[lane];
            for (tap, input) in (0..TAPS).flat_map(|tap| (0..dims.inputs).map(move |input| (tap, input))) {
                let pixel = x[at + (tap / 3 * dims.width + tap % 3) * dims.inputs + input];
                sum += pixel * weight[input * TAPS + tap];
            }
            sum
        });
        Lanes::load(&sums)
    })
}
