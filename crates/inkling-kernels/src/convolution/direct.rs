//! Any kernel: a sum over the rows of a patch.

use super::{Bordered, Dims, add, add_products, interleave};
use crate::{
    lanes::{BLOCK, LANES, Products, halves, store},
    products::{ROWS, multiply_rows},
};

/// Where the patch of each output pixel begins in an image with its border; the last is repeated to fill up the last rows.
fn patches(dims: Dims) -> Vec<usize> {
    let ([rows, columns], inputs) = (dims.output(), dims.inputs);
    let at = |pixel: usize| pixel / columns * dims.bordered_row() + pixel % columns * inputs;
    (0..dims.pixels().next_multiple_of(ROWS)).map(|pixel| at(pixel.min(rows * columns - 1))).collect()
}

/// Floats of a row of a patch.
fn patch_row(dims: Dims) -> usize {
    dims.kernel * dims.inputs
}

pub(super) struct Direct {
    dims: Dims,
    patches: Vec<usize>,
    /// `[block][row of the kernel][column of the kernel, I][8]`, with zeros for outputs that fill up the last block.
    weight: Vec<[f32; BLOCK]>,
}

impl Direct {
    pub(super) fn new(dims: Dims, weight: impl Fn(usize, usize, usize, usize) -> f32) -> Self {
        let Dims { inputs, outputs, kernel, .. } = dims;
        let block = kernel * patch_row(dims);
        let mut packed = vec![[0.0; BLOCK]; outputs.div_ceil(BLOCK) * block];
        for output in 0..outputs {
            for (at, weights) in packed[output / BLOCK * block..][..block].iter_mut().enumerate() {
                let (tap, input) = (at / inputs, at % inputs);
                weights[output % BLOCK] = weight(output, input, tap / kernel, tap % kernel);
            }
        }
        Direct { dims, patches: patches(dims), weight: packed }
    }

    /// The sums of all pixels of the image `x` for the outputs of `block`, which begin with `start`.
    #[inline(always)]
    pub(super) fn block<P: Products>(&self, x: &[f32], block: usize, start: &[f32; BLOCK], sums: &mut [[f32; BLOCK]]) {
        let (length, row) = (patch_row(self.dims), self.dims.bordered_row());
        let size = self.dims.kernel * length;
        let weight = &self.weight[block * size..][..size];
        for (sums, at) in sums.as_chunks_mut::<ROWS>().0.iter_mut().zip(self.patches.as_chunks::<ROWS>().0) {
            let mut own = [halves::<P>(start); ROWS];
            for (number, weight) in weight.chunks_exact(length).enumerate() {
                let row = multiply_rows(at.map(|at| &x[at + number * row..][..length]), weight);
                own.iter_mut().zip(row).for_each(|(own, row)| *own = add(*own, row));
            }
            sums.iter_mut().zip(own).for_each(|(sum, own)| store(own, sum));
        }
    }
}

/// `[O, I, k, k]`.
#[inline(always)]
pub(super) fn weight_gradient<P: Products>(x: &Bordered, gradient: &[f32], dims: Dims) -> Vec<f32> {
    let Dims { inputs, outputs, kernel, .. } = dims;
    let (pixels, row, patches) = (dims.pixels(), dims.bordered_row(), patches(dims));
    let groups = patch_row(dims).div_ceil(LANES);
    // [block][row of the kernel][column of the kernel, I][8]
    let mut sums = vec![[[0.0; BLOCK]; LANES]; outputs.div_ceil(BLOCK) * kernel * groups];
    let mut block = vec![[0.0; BLOCK]; pixels];
    for (x, gradient) in x.images(dims).zip(gradient.chunks_exact(outputs * pixels)) {
        for (sums, planes) in sums.chunks_exact_mut(kernel * groups).zip(gradient.chunks(BLOCK * pixels)) {
            interleave(planes, &mut block);
            for (at, sums) in sums.iter_mut().enumerate() {
                add_products::<P>(&x[at / groups * row + at % groups * LANES..], &patches, &block, sums);
            }
        }
    }
    let mut weight = Vec::with_capacity(outputs * inputs * kernel * kernel);
    for output in 0..outputs {
        let rows = &sums[output / BLOCK * kernel * groups..];
        for (input, tap) in (0..inputs).flat_map(|input| (0..kernel * kernel).map(move |tap| (input, tap))) {
            let at = tap % kernel * inputs + input;
            weight.push(rows[tap / kernel * groups + at / LANES][at % LANES][output % BLOCK]);
        }
    }
    weight
}
