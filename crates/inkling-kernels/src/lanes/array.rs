//! Arrays that the compiler vectorizes, for every other processor.

use std::array::from_fn;

use super::LANES;

pub(super) type Register = [f32; LANES];
pub(super) type Comparison = [bool; LANES];

#[inline(always)]
pub(super) fn splat(value: f32) -> Register {
    [value; LANES]
}

#[inline(always)]
pub(super) fn load(from: &[f32; LANES]) -> Register {
    *from
}

#[inline(always)]
pub(super) fn store(register: Register, to: &mut [f32; LANES]) {
    *to = register;
}

#[inline(always)]
pub(super) fn add(a: Register, b: Register) -> Register {
    from_fn(|lane| a[lane] + b[lane])
}

#[inline(always)]
pub(super) fn sub(a: Register, b: Register) -> Register {
    from_fn(|lane| a[lane] - b[lane])
}

#[inline(always)]
pub(super) fn mul(a: Register, b: Register) -> Register {
    from_fn(|lane| a[lane] * b[lane])
}

#[inline(always)]
pub(super) fn div(a: Register, b: Register) -> Register {
    from_fn(|lane| a[lane] / b[lane])
}

#[inline(always)]
pub(super) fn sqrt(register: Register) -> Register {
    register.map(f32::sqrt)
}

#[inline(always)]
pub(super) fn add_product(sum: Register, a: Register, b: Register) -> Register {
    // Every such processor has the fused instruction; elsewhere it might be a call.
    #[cfg(target_arch = "aarch64")]
    return from_fn(|lane| a[lane].mul_add(b[lane], sum[lane]));
    #[cfg(not(target_arch = "aarch64"))]
    return add(sum, mul(a, b));
}

#[inline(always)]
pub(super) fn all_finite(register: Register) -> bool {
    register.iter().all(|value| value.is_finite())
}

#[inline(always)]
pub(super) fn bits_as_bytes(register: Register) -> [u8; LANES] {
    register.map(|value| value.to_bits() as u8)
}

#[inline(always)]
pub(super) fn where_equal(register: Register, bytes: &[u8; LANES], byte: u8) -> Register {
    from_fn(|lane| if bytes[lane] == byte { register[lane] } else { 0.0 })
}

#[inline(always)]
pub(super) fn transposed(rows: [Register; LANES]) -> [Register; LANES] {
    from_fn(|column| rows.map(|row| row[column]))
}

#[inline(always)]
pub(super) fn gt_or_nan(a: Register, b: Register) -> Comparison {
    from_fn(|lane| a[lane] > b[lane] || a[lane].is_nan())
}

#[inline(always)]
pub(super) fn select(comparison: Comparison, yes: Register, no: Register) -> Register {
    from_fn(|lane| if comparison[lane] { yes[lane] } else { no[lane] })
}
