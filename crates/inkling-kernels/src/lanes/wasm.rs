//! SIMD128 of WebAssembly.

pub(super) use core::arch::wasm32::{
    f32x4_add as add, f32x4_div as div, f32x4_mul as mul, f32x4_splat as splat, f32x4_sqrt as sqrt, f32x4_sub as sub,
};
use core::arch::wasm32::{
    f32x4_gt, f32x4_ne, i16x8_narrow_i32x4, i32x4_extract_lane, i32x4_shuffle, u8x16_narrow_i16x8,
    u16x8_extend_low_u8x16, u32x4_eq, u32x4_extend_low_u16x8, u32x4_splat, v128, v128_and, v128_any_true,
    v128_bitselect, v128_load, v128_load32_zero, v128_or, v128_store,
};

use super::LANES;

pub(super) type Register = v128;
/// All bits are set where a comparison holds.
pub(super) type Comparison = v128;

#[inline(always)]
pub(super) fn load(from: &[f32; LANES]) -> Register {
    // SAFETY: the reference is valid for 16 bytes, and the instruction requires no alignment.
    unsafe { v128_load(from.as_ptr().cast()) }
}

#[inline(always)]
pub(super) fn store(register: Register, to: &mut [f32; LANES]) {
    // SAFETY: as in `load`, and the reference is exclusive.
    unsafe { v128_store(to.as_mut_ptr().cast(), register) }
}

#[inline(always)]
pub(super) fn add_product(sum: Register, a: Register, b: Register) -> Register {
    #[cfg(target_feature = "relaxed-simd")]
    return core::arch::wasm32::f32x4_relaxed_madd(a, b, sum);
    #[cfg(not(target_feature = "relaxed-simd"))]
    return add(sum, mul(a, b));
}

#[inline(always)]
pub(super) fn all_finite(register: Register) -> bool {
    let zero = sub(register, register);
    !v128_any_true(f32x4_ne(zero, zero))
}

#[inline(always)]
pub(super) fn bits_as_bytes(register: Register) -> [u8; LANES] {
    let narrow = i16x8_narrow_i32x4(register, register);
    i32x4_extract_lane::<0>(u8x16_narrow_i16x8(narrow, narrow)).to_le_bytes()
}

#[inline(always)]
pub(super) fn where_equal(register: Register, bytes: &[u8; LANES], byte: u8) -> Register {
    // SAFETY: as in `load`, for four bytes.
    let wide = u32x4_extend_low_u16x8(u16x8_extend_low_u8x16(unsafe { v128_load32_zero(bytes.as_ptr().cast()) }));
    v128_and(register, u32x4_eq(wide, u32x4_splat(u32::from(byte))))
}

#[inline(always)]
pub(super) fn transposed([a, b, c, d]: [Register; LANES]) -> [Register; LANES] {
    let (ab_low, ab_high) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
    let (cd_low, cd_high) = (i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
    [
        i32x4_shuffle::<0, 1, 4, 5>(ab_low, cd_low),
        i32x4_shuffle::<2, 3, 6, 7>(ab_low, cd_low),
        i32x4_shuffle::<0, 1, 4, 5>(ab_high, cd_high),
        i32x4_shuffle::<2, 3, 6, 7>(ab_high, cd_high),
    ]
}

#[inline(always)]
pub(super) fn gt_or_nan(a: Register, b: Register) -> Comparison {
    v128_or(f32x4_gt(a, b), f32x4_ne(a, a))
}

#[inline(always)]
pub(super) fn select(comparison: Comparison, yes: Register, no: Register) -> Register {
    v128_bitselect(yes, no, comparison)
}
