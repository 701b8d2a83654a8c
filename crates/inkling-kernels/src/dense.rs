//! A dense layer in CPU memory: forward, weight gradient and input gradient.
//!
//! The input gradient needs no packed copy of the weights.

use crate::{
    lanes::{BLOCK, LANES, Lanes, Products, Usual, halves, kernel, store},
    products::{ROWS, multiply},
};

/// Inputs that one round of the forward pass takes: the weights of a block, 5 KB, then stay in the first-level cache for all images.
const DEPTH: usize = 160;

/// Sizes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// Images.
    pub images: usize,
    /// Values of an image that come in.
    pub inputs: usize,
    /// Values of an image that go out.
    pub outputs: usize,
}

impl Dims {
    /// Whether no size is zero.
    pub fn supported(&self) -> bool {
        self.images > 0 && self.inputs > 0 && self.outputs > 0
    }
}

kernel! {
    /// `x` `[N, I]` times `weight` `[I, O]` plus `bias` `[O]`: `[N, O]`.
    pub fn forward(x: &[f32], weight: &[f32], bias: &[f32], dims: Dims) -> Vec<f32> = forward_with
}

#[inline(always)]
fn forward_with<P: Products>(x: &[f32], weight: &[f32], bias: &[f32], dims: Dims) -> Vec<f32> {
    let Dims { images, inputs, outputs } = dims;
    let mut out = bias.repeat(images);
    let (mut block, mut groups) = (Vec::new(), vec![Vec::new(); images.div_ceil(ROWS)]);
    for from in (0..inputs).step_by(DEPTH) {
        let to = inputs.min(from + DEPTH);
        for (group, rows) in groups.iter_mut().enumerate() {
            // Rows after the last are the last again, and dropped.
            let row = |row: usize| &x[(group * ROWS + row).min(images - 1) * inputs..][from..to];
            interleave(std::array::from_fn(row), rows);
        }
        for column in (0..outputs).step_by(BLOCK) {
            pack(&weight[from * outputs..to * outputs], outputs, column, &mut block);
            for (rows, out) in groups.iter().zip(out.chunks_mut(ROWS * outputs)) {
                for (out, sums) in out.chunks_exact_mut(outputs).zip(multiply::<P>(rows, &block)) {
                    add(&mut out[column..], sums);
                }
            }
        }
    }
    out
}

kernel! {
    /// The gradient at the input, `[N, I]`, from the output's `gradient` `[N, O]`.
    pub fn input_gradient(gradient: &[f32], weight: &[f32], dims: Dims) -> Vec<f32> = input_gradient_with
}

#[inline(always)]
fn input_gradient_with<P: Products>(gradient: &[f32], weight: &[f32], dims: Dims) -> Vec<f32> {
    let Dims { images, inputs, outputs } = dims;
    let mut out = vec![0.0; images * inputs];
    for first in (0..inputs).step_by(LANES) {
        let weights = std::array::from_fn(|at| {
            let input = (first + at).min(inputs - 1);
            &weight[input * outputs..][..outputs]
        });
        for image in (0..images).step_by(2) {
            let pair = [image, (image + 1).min(images - 1)];
            let sums = dot::<P>(pair.map(|image| &gradient[image * outputs..][..outputs]), weights);
            for (image, sums) in pair.into_iter().zip(sums) {
                let to = &mut out[image * inputs + first..(image + 1) * inputs];
                match to.first_chunk_mut() {
                    Some(to) => sums.store(to),
                    None => to.iter_mut().zip(sums.to_array()).for_each(|(to, sum)| *to = sum),
                }
            }
        }
    }
    out
}

kernel! {
    /// The gradients at the weights, `[I, O]`, and at the bias, `[O]`, from the output's `gradient` `[N, O]`.
    pub fn weight_gradient(x: &[f32], gradient: &[f32], dims: Dims) -> (Vec<f32>, Vec<f32>) = weight_gradient_with
}

#[inline(always)]
fn weight_gradient_with<P: Products>(x: &[f32], gradient: &[f32], dims: Dims) -> (Vec<f32>, Vec<f32>) {
    let Dims { inputs, outputs, .. } = dims;
    let mut weight = vec![0.0; inputs * outputs];
    let blocks: Vec<_> = (0..outputs)
        .step_by(BLOCK)
        .map(|column| {
            let mut block = Vec::new();
            pack(gradient, outputs, column, &mut block);
            block
        })
        .collect();
    let mut columns = Vec::new();
    for (first, out) in weight.chunks_mut(ROWS * outputs).enumerate() {
        pack(x, inputs, first * ROWS, &mut columns);
        for (block, column) in blocks.iter().zip((0..outputs).step_by(BLOCK)) {
            for (out, sums) in out.chunks_exact_mut(outputs).zip(multiply::<P>(&columns, block)) {
                set(&mut out[column..], sums);
            }
        }
    }
    let mut bias = vec![0.0; outputs];
    for gradient in gradient.chunks_exact(outputs) {
        bias.iter_mut().zip(gradient).for_each(|(bias, gradient)| *bias += gradient);
    }
    (weight, bias)
}

/// Copies up to `W` columns of a matrix with rows of length `row`, from column `first` on. If fewer are left, zeros follow.
#[inline(always)]
fn pack<const W: usize>(matrix: &[f32], row: usize, first: usize, out: &mut Vec<[f32; W]>) {
    out.clear();
    out.extend(matrix.chunks_exact(row).map(|row| match row[first..].first_chunk() {
        Some(columns) => *columns,
        None => std::array::from_fn(|at| row.get(first + at).copied().unwrap_or(0.0)),
    }));
}

/// The values of four rows, column by column.
#[inline(always)]
fn interleave(rows: [&[f32]; ROWS], out: &mut Vec<[f32; ROWS]>) {
    let [a, b, c, d] = rows.map(<[f32]>::as_chunks::<LANES>);
    out.clear();
    for (((a, b), c), d) in a.0.iter().zip(b.0).zip(c.0).zip(d.0) {
        out.extend(Lanes::<Usual>::transposed([a, b, c, d].map(Lanes::load)).map(Lanes::to_array));
    }
    out.extend((0..a.1.len()).map(|at| [a.1[at], b.1[at], c.1[at], d.1[at]]));
}

/// Dot products of each of two rows with each of four: `[2][4]`.
#[inline(always)]
fn dot<P: Products>(rows: [&[f32]; 2], others: [&[f32]; LANES]) -> [Lanes<P>; 2] {
    let mut sums = [[Lanes::splat(0.0); LANES]; 2];
    let ([a, b], [c, d, e, f]) = (rows.map(<[f32]>::as_chunks::<LANES>), others.map(<[f32]>::as_chunks::<LANES>));
    for (((((a, b), c), d), e), f) in a.0.iter().zip(b.0).zip(c.0).zip(d.0).zip(e.0).zip(f.0) {
        let (a, b) = (Lanes::load(a), Lanes::load(b));
        for (at, other) in [c, d, e, f].into_iter().enumerate() {
            let other = Lanes::load(other);
            sums[0][at] = sums[0][at].add_product(a, other);
            sums[1][at] = sums[1][at].add_product(b, other);
        }
    }
    let mut results = sums.map(|sums| {
        let [a, b, c, d] = Lanes::transposed(sums);
        (a + b) + (c + d)
    });
    // What is left of the rows.
    for at in 0..a.1.len() {
        let others = Lanes::load(&[c.1[at], d.1[at], e.1[at], f.1[at]]);
        results[0] = results[0].add_product(Lanes::splat(a.1[at]), others);
        results[1] = results[1].add_product(Lanes::splat(b.1[at]), others);
    }
    results
}

/// Adds the sums to the values of a row, as many as it has.
#[inline(always)]
fn add<P: Products>(to: &mut [f32], sums: [Lanes<P>; 2]) {
    match to.first_chunk_mut::<BLOCK>() {
        Some(to) => {
            let [low, high] = halves(to);
            store([low + sums[0], high + sums[1]], to);
        }
        None => to.iter_mut().zip(sums.map(Lanes::to_array).as_flattened()).for_each(|(to, sum)| *to += sum),
    }
}

/// Writes the sums to a row, as many as it has room for.
#[inline(always)]
fn set<P: Products>(to: &mut [f32], sums: [Lanes<P>; 2]) {
    match to.first_chunk_mut::<BLOCK>() {
        Some(to) => store(sums, to),
        None => to.iter_mut().zip(sums.map(Lanes::to_array).as_flattened()).for_each(|(to, sum)| *to = *sum),
    }
}
