//! Products of small matrices, in registers.

use crate::lanes::{BLOCK, Lanes, Products, halves};

/// Rows that one pass of the inner loops computes. Two registers each make eight sums; x86-64 has sixteen registers, which leaves no room
/// for many more.
pub(crate) const ROWS: usize = 4;

/// `rows` `[4][n]`, column by column as `[n][4]`, times `columns` `[n][8]`.
#[inline(always)]
pub(crate) fn multiply<P: Products>(rows: &[[f32; ROWS]], columns: &[[f32; BLOCK]]) -> [[Lanes<P>; 2]; ROWS] {
    let mut sums = [[Lanes::splat(0.0); 2]; ROWS];
    for (row, columns) in rows.iter().zip(columns) {
        let [low, high] = halves(columns);
        for (sum, value) in sums.iter_mut().zip(row) {
            let value = Lanes::splat(*value);
            sum[0] = sum[0].add_product(value, low);
            sum[1] = sum[1].add_product(value, high);
        }
    }
    sums
}

/// The same with `rows` one after another.
#[inline(always)]
pub(crate) fn multiply_rows<P: Products>(rows: [&[f32]; ROWS], columns: &[[f32; BLOCK]]) -> [[Lanes<P>; 2]; ROWS] {
    let mut sums = [[Lanes::splat(0.0); 2]; ROWS];
    let [a, b, c, d] = rows;
    for ((((columns, a), b), c), d) in columns.iter().zip(a).zip(b).zip(c).zip(d) {
        let [low, high] = halves(columns);
        for (sum, value) in sums.iter_mut().zip([a, b, c, d]) {
            let value = Lanes::splat(*value);
            sum[0] = sum[0].add_product(value, low);
            sum[1] = sum[1].add_product(value, high);
        }
    }
    sums
}
