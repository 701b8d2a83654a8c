//! A kernel of 3x3 by Winograd's F(2x2, 3x3): 16 products for a tile of 2x2 outputs instead of 36, in all three passes.

use super::{Bordered, Dims, add_products, interleave};
use crate::{
    lanes::{BLOCK, LANES, Lanes, Products, halves, store},
    products::{ROWS, multiply_rows},
    winograd::{FREQUENCIES, TAPS, pack_weights, transform_output, transform_tile},
};

/// Whether these sizes suit it: whole registers of channels on both sides, for the gradients change their roles.
pub(super) fn suits(dims: Dims) -> bool {
    dims.kernel == 3 && dims.inputs.is_multiple_of(LANES) && dims.outputs.is_multiple_of(LANES)
}

/// Rows and columns of tiles of an output image.
fn grid(dims: Dims) -> [usize; 2] {
    dims.output().map(|side| side.div_ceil(2))
}

/// Tiles of an output image, filled up to whole groups of [`ROWS`].
fn tiles(dims: Dims) -> usize {
    let [rows, columns] = grid(dims);
    (rows * columns).next_multiple_of(ROWS)
}

/// B'dB of the 4x4 pixels under each tile of the image `x`: `[frequency][tile][I]`.
#[inline(always)]
fn transform_image<P: Products>(x: &[f32], dims: Dims, out: &mut [f32]) {
    let ([_, columns], tiles, lanes) = (grid(dims), tiles(dims), dims.inputs / LANES);
    let (row, out) = (dims.bordered_row(), out.as_chunks_mut::<LANES>().0);
    for tile in 0..grid(dims).iter().product() {
        let at = tile / columns * 2 * row + tile % columns * 2 * dims.inputs;
        let rows: [&[[f32; LANES]]; 4] =
            std::array::from_fn(|number| x[at + number * row..][..4 * dims.inputs].as_chunks().0);
        for lane in 0..lanes {
            let mut pixels = [[Lanes::<P>::splat(0.0); 4]; 4];
            for (pixels, row) in pixels.iter_mut().zip(rows) {
                for (column, pixel) in pixels.iter_mut().enumerate() {
                    *pixel = Lanes::load(&row[column * lanes + lane]);
                }
            }
            transform_tile(&mut pixels);
            for (frequency, value) in pixels.as_flattened().iter().enumerate() {
                value.store(&mut out[(frequency * tiles + tile) * lanes + lane]);
            }
        }
    }
}

pub(super) struct Winograd {
    dims: Dims,
    /// `[block][frequency][I][8]`, with zeros for outputs that fill up the last block.
    weight: Vec<[f32; BLOCK]>,
    /// `[frequency][tile][I]`: the image.
    image: Vec<f32>,
    /// `[frequency][tile][8]`: the products of one block.
    products: Vec<[f32; BLOCK]>,
}

impl Winograd {
    pub(super) fn new(dims: Dims, weight: impl Fn(usize, usize, usize, usize) -> f32) -> Self {
        let Dims { inputs, outputs, .. } = dims;
        let weight = pack_weights(inputs, outputs, |output, input, tap| weight(output, input, tap / 3, tap % 3));
        let image = vec![0.0; FREQUENCIES * tiles(dims) * inputs];
        Winograd { dims, weight, image, products: vec![[0.0; BLOCK]; FREQUENCIES * tiles(dims)] }
    }

    /// Takes the image `x`.
    #[inline(always)]
    pub(super) fn transform<P: Products>(&mut self, x: &[f32]) {
        transform_image::<P>(x, self.dims, &mut self.image);
    }

    /// The sums of all pixels of the image for the outputs of `block`, which begin with `start`.
    #[inline(always)]
    pub(super) fn block<P: Products>(&mut self, block: usize, start: &[f32; BLOCK], sums: &mut [[f32; BLOCK]]) {
        let (inputs, tiles) = (self.dims.inputs, tiles(self.dims));
        let weight = self.weight[block * FREQUENCIES * inputs..].chunks_exact(inputs);
        let frequencies =
            self.products.chunks_exact_mut(tiles).zip(self.image.chunks_exact(tiles * inputs)).zip(weight);
        for ((products, image), weight) in frequencies {
            let groups = products.as_chunks_mut::<ROWS>().0.iter_mut().zip(image.chunks_exact(ROWS * inputs));
            for (products, rows) in groups {
                let own = multiply_rows::<P>(std::array::from_fn(|row| &rows[row * inputs..][..inputs]), weight);
                products.iter_mut().zip(own).for_each(|(product, own)| store(own, product));
            }
        }
        let start = halves::<P>(start);
        let ([rows, columns], [_, across]) = (self.dims.output(), grid(self.dims));
        for tile in 0..grid(self.dims).iter().product() {
            let pixels: [[Lanes<P>; 4]; 2] = std::array::from_fn(|half| {
                let products = |frequency| halves(&self.products[frequency * tiles + tile])[half];
                transform_output(std::array::from_fn(products)).map(|sum| sum + start[half])
            });
            for (place, (low, high)) in pixels[0].into_iter().zip(pixels[1]).enumerate() {
                let (row, column) = (tile / across * 2 + place / 2, tile % across * 2 + place % 2);
                if row < rows && column < columns {
                    store([low, high], &mut sums[row * columns + column]);
                }
            }
        }
    }
}

/// `[O, I, 3, 3]`.
#[inline(always)]
pub(super) fn weight_gradient<P: Products>(x: &Bordered, gradient: &[f32], dims: Dims) -> Vec<f32> {
    let Dims { inputs, outputs, .. } = dims;
    let (pixels, tiles, lanes) = (dims.pixels(), tiles(dims), inputs / LANES);
    let mut image = vec![0.0; FREQUENCIES * tiles * inputs];
    let mut block = vec![[0.0; BLOCK]; pixels];
    let mut transformed = vec![[0.0; BLOCK]; FREQUENCIES * tiles];
    let places: Vec<usize> = (0..tiles).map(|tile| tile * inputs).collect();
    // [block][frequency][I][8]
    let mut sums = vec![[[0.0; BLOCK]; LANES]; outputs.div_ceil(BLOCK) * FREQUENCIES * lanes];
    for (x, gradient) in x.images(dims).zip(gradient.chunks_exact(outputs * pixels)) {
        transform_image::<P>(x, dims, &mut image);
        for (sums, planes) in sums.chunks_exact_mut(FREQUENCIES * lanes).zip(gradient.chunks(BLOCK * pixels)) {
            interleave(planes, &mut block);
            transform_gradient::<P>(&block, dims, &mut transformed);
            for (at, sums) in sums.iter_mut().enumerate() {
                let (frequency, lane) = (at / lanes, at % lanes);
                let (image, rows) = (&image[frequency * tiles * inputs..], &transformed[frequency * tiles..][..tiles]);
                add_products::<P>(&image[lane * LANES..], &places, rows, sums);
            }
        }
    }
    let mut weight = Vec::with_capacity(outputs * inputs * TAPS);
    for (output, input) in (0..outputs).flat_map(|output| (0..inputs).map(move |input| (output, input))) {
        weight.extend(weight_taps(std::array::from_fn(|frequency| {
            sums[(output / BLOCK * FREQUENCIES + frequency) * lanes + input / LANES][input % LANES][output % BLOCK]
        })));
    }
    weight
}

/// AgA' of the 2x2 gradients of each tile: `[frequency][tile][8]`.
#[inline(always)]
fn transform_gradient<P: Products>(block: &[[f32; BLOCK]], dims: Dims, out: &mut [[f32; BLOCK]]) {
    let ([rows, columns], [_, across], tiles) = (dims.output(), grid(dims), tiles(dims));
    let line = |[a, b]: [[Lanes<P>; 2]; 2]| -> [[Lanes<P>; 2]; 4] {
        let zero = Lanes::splat(0.0);
        let both = |combine: fn(Lanes<P>, Lanes<P>) -> Lanes<P>| [combine(a[0], b[0]), combine(a[1], b[1])];
        [a, both(|a, b| a + b), both(|a, b| a - b), b.map(|b| zero - b)]
    };
    for tile in 0..grid(dims).iter().product() {
        let pixel = |row: usize, column: usize| {
            let (row, column) = (tile / across * 2 + row, tile % across * 2 + column);
            let inside = row < rows && column < columns;
            if inside { halves(&block[row * columns + column]) } else { [Lanes::splat(0.0); 2] }
        };
        let down: [[[Lanes<P>; 2]; 4]; 2] = std::array::from_fn(|column| line([pixel(0, column), pixel(1, column)]));
        for row in 0..4 {
            for (column, value) in line([down[0][row], down[1][row]]).into_iter().enumerate() {
                store(value, &mut out[(row * 4 + column) * tiles + tile]);
            }
        }
    }
}

/// G'mG.
fn weight_taps(m: [f32; FREQUENCIES]) -> [f32; TAPS] {
    let line = |m: [f32; 4]| [m[0] + (m[1] + m[2]) * 0.5, (m[1] - m[2]) * 0.5, (m[1] + m[2]) * 0.5 + m[3]];
    let down: [[f32; 3]; 4] =
        std::array::from_fn(|column| line([m[column], m[4 + column], m[8 + column], m[12 + column]]));
    let across: [[f32; 3]; 3] = std::array::from_fn(|row| line(down.map(|column| column[row])));
    std::array::from_fn(|tap| across[tap / 3][tap % 3])
}
