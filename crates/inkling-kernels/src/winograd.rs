//! The transforms of Winograd's F(2x2, 3x3) (Lavin, Gray 2016, "Fast algorithms for convolutional neural networks", section 4.1): a tile
//! of 2x2 outputs takes 16 products instead of 36.

use crate::lanes::{BLOCK, Lanes, Products, Usual, halves, store};

/// Weights of one channel pair.
pub(crate) const TAPS: usize = 9;
/// Products of a tile.
pub(crate) const FREQUENCIES: usize = 16;

/// B'dB. (Loops, not `map`: the compiler keeps these in registers.)
#[inline(always)]
pub(crate) fn transform_tile<P: Products>(d: &mut [[Lanes<P>; 4]; 4]) {
    let line = |d: [Lanes<P>; 4]| [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]];
    #[allow(clippy::needless_range_loop)] // a column has no iterator
    for column in 0..4 {
        let down = line([d[0][column], d[1][column], d[2][column], d[3][column]]);
        for (row, value) in down.into_iter().enumerate() {
            d[row][column] = value;
        }
    }
    for row in d {
        *row = line(*row);
    }
}

/// GgG' for the weights of eight outputs.
#[inline(always)]
fn transform_weights(g: &[[f32; BLOCK]; TAPS]) -> [[Lanes<Usual>; 2]; FREQUENCIES] {
    let half = Lanes::splat(0.5);
    let line = |g: [Lanes<Usual>; 3]| [g[0], (g[0] + g[1] + g[2]) * half, (g[0] - g[1] + g[2]) * half, g[2]];
    let of = |side: usize| -> [Lanes<Usual>; FREQUENCIES] {
        let tap = |tap: usize| halves(&g[tap])[side];
        let down: [[Lanes<Usual>; 4]; 3] =
            std::array::from_fn(|column| line([tap(column), tap(3 + column), tap(6 + column)]));
        let across: [[Lanes<Usual>; 4]; 4] =
            std::array::from_fn(|row| line([down[0][row], down[1][row], down[2][row]]));
        std::array::from_fn(|frequency| across[frequency / 4][frequency % 4])
    };
    let [low, high] = [of(0), of(1)];
    std::array::from_fn(|frequency| [low[frequency], high[frequency]])
}

/// GgG' of all weights: `[block][frequency][I][8]`, with zeros for outputs that fill up the last block. `weight(output, input, tap)` is a
/// weight.
pub(crate) fn pack_weights(
    inputs: usize,
    outputs: usize,
    weight: impl Fn(usize, usize, usize) -> f32,
) -> Vec<[f32; BLOCK]> {
    let mut packed = vec![[0.0; BLOCK]; outputs.div_ceil(BLOCK) * FREQUENCIES * inputs];
    for (block, packed) in packed.chunks_exact_mut(FREQUENCIES * inputs).enumerate() {
        for input in 0..inputs {
            let taps = std::array::from_fn(|tap| {
                std::array::from_fn(|lane| match block * BLOCK + lane {
                    output if output < outputs => weight(output, input, tap),
                    _ => 0.0,
                })
            });
            for (frequency, values) in transform_weights(&taps).into_iter().enumerate() {
                store(values, &mut packed[frequency * inputs + input]);
            }
        }
    }
    packed
}

/// A'mA: the window's four sums, row by row.
#[inline(always)]
pub(crate) fn transform_output<P: Products>(m: [Lanes<P>; FREQUENCIES]) -> [Lanes<P>; 4] {
    let line = |m: [Lanes<P>; 4]| [m[0] + m[1] + m[2], m[1] - m[2] - m[3]];
    let down: [[Lanes<P>; 2]; 4] =
        std::array::from_fn(|column| line([m[column], m[4 + column], m[8 + column], m[12 + column]]));
    let [top, bottom] = [0, 1].map(|row| line(down.map(|column| column[row])));
    [top[0], top[1], bottom[0], bottom[1]]
}
