//! Forward with several input channels, by Winograd's minimal filtering.

use super::{Dims, Patches, TAPS, pool};
use crate::{
    lanes::{BLOCK, LANES, Lanes, Products, store},
    products::{ROWS, multiply},
    winograd::{FREQUENCIES, pack_weights, transform_output, transform_tile},
};

/// Images that are computed together, so that their tiles fill whole groups.
pub(super) fn together(dims: Dims) -> usize {
    match dims.windows() % ROWS {
        0 => 1,
        2 => 2,
        _ => ROWS,
    }
}

/// Winograd's F(2x2, 3x3) (Lavin, Gray 2016, "Fast algorithms for convolutional neural networks", section 4.1): a
/// tile's 2x2 outputs are one pool window.
pub(super) struct Winograd {
    dims: Dims,
    patches: Patches,
    /// `[block][frequency][I][8]`.
    weight: Vec<[f32; BLOCK]>,
    /// `[frequency][group][I][4]`: the images' tiles, four to a group.
    tiles: Vec<[f32; ROWS]>,
    /// `[frequency][group][4][8]`: the products of one block.
    products: Vec<[[f32; BLOCK]; ROWS]>,
}

impl Winograd {
    pub(super) fn new(weight: &[f32], dims: Dims) -> Self {
        let groups = together(dims) * dims.windows() / ROWS;
        Winograd {
            dims,
            patches: Patches::new(dims),
            weight: pack_weights(dims.inputs, dims.outputs, |output, input, tap| {
                weight[(output * dims.inputs + input) * TAPS + tap]
            }),
            tiles: vec![[0.0; ROWS]; FREQUENCIES * groups * dims.inputs],
            products: vec![[[0.0; BLOCK]; ROWS]; FREQUENCIES * groups],
        }
    }

    /// Computes as many images as [`together`] says, or fewer.
    #[inline(always)]
    pub(super) fn images<P: Products>(
        &mut self,
        x: &[f32],
        weight: &[f32],
        bias: &[f32],
        values: &mut [f32],
        winners: &mut [u8],
    ) {
        let Dims { inputs, outputs, .. } = self.dims;
        let windows = values.len() / outputs;
        let groups = windows.div_ceil(ROWS);
        self.transform_input::<P>(x, windows);
        for (block, transformed) in self.weight.chunks_exact(FREQUENCIES * inputs).enumerate() {
            let frequencies = self
                .products
                .chunks_exact_mut(groups)
                .zip(self.tiles.chunks_exact(groups * inputs))
                .zip(transformed.chunks_exact(inputs));
            for ((products, tiles), transformed) in frequencies {
                for (products, tiles) in products.iter_mut().zip(tiles.chunks_exact(inputs)) {
                    let sums = multiply::<P>(tiles, transformed);
                    products.iter_mut().zip(sums).for_each(|(product, sum)| store(sum, product));
                }
            }
            let products = self.products.as_flattened();
            for half in 0..2 {
                let channel = block * BLOCK + half * LANES;
                let Some(bias) = bias[channel..].first_chunk::<LANES>() else { return };
                let values = values.chunks_exact_mut(outputs);
                let winners = winners.chunks_exact_mut(outputs);
                for (window, (values, winners)) in values.zip(winners).enumerate() {
                    let products = std::array::from_fn(|frequency| {
                        Lanes::<P>::load(&products[frequency * groups * ROWS + window].as_chunks().0[half])
                    });
                    let mut sums = transform_output(products).map(|sum| sum + Lanes::load(bias));
                    if !(sums[0] + sums[1] + sums[2] + sums[3]).all_finite() {
                        sums = direct(x, weight, bias, self.dims, self.patches_of(window), channel);
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

    /// Offsets of the four patches under a window, which are counted through all images.
    fn patches_of(&self, window: usize) -> [usize; 4] {
        let (image, window) = (window / self.dims.windows(), window % self.dims.windows());
        self.patches.of(window).map(|at| image * self.dims.image() + at)
    }

    /// B'dB of each window's 4x4 pixels. A group's tiles after the last window are that window's again.
    #[inline(always)]
    fn transform_input<P: Products>(&mut self, x: &[f32], windows: usize) {
        let Dims { width, inputs, .. } = self.dims;
        let groups = windows.div_ceil(ROWS);
        for group in 0..groups {
            let corners: [usize; ROWS] =
                std::array::from_fn(|tile| self.patches_of((group * ROWS + tile).min(windows - 1))[0]);
            for channel in (0..inputs).step_by(LANES) {
                // Loops into one array, not `map`: the compiler would copy the tiles about.
                let mut tiles = [[[Lanes::<P>::splat(0.0); 4]; 4]; ROWS];
                for (tile, at) in tiles.iter_mut().zip(corners) {
                    for (row, pixels) in tile.iter_mut().enumerate() {
                        let from = &x[at + row * width * inputs..][..4 * inputs];
                        for (pixel, from) in pixels.iter_mut().zip(from.chunks_exact(inputs)) {
                            *pixel = from[channel..].first_chunk().map_or(Lanes::splat(0.0), Lanes::load);
                        }
                    }
                    transform_tile(tile);
                }
                for frequency in 0..FREQUENCIES {
                    let (row, column) = (frequency / 4, frequency % 4);
                    let channels = Lanes::transposed(std::array::from_fn(|tile| tiles[tile][row][column]));
                    let to = &mut self.tiles[(frequency * groups + group) * inputs + channel..][..LANES];
                    to.iter_mut().zip(channels).for_each(|(to, tiles)| tiles.store(to));
                }
            }
        }
    }
}

/// A window's four sums for [`LANES`] channels without the transform, which would turn an infinity into NaN.
#[cold]
fn direct<P: Products>(
    x: &[f32],
    weight: &[f32],
    bias: &[f32; LANES],
    dims: Dims,
    patches: [usize; 4],
    channel: usize,
) -> [Lanes<P>; 4] {
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
