//! SSE2 of x86-64, which every such processor has; and fused multiply-adds for those that have them.
//!
//! SAFETY of every block here: SSE2 is in the build's target features, and see [`add_product_fused`].

use core::arch::x86_64::*;

use super::LANES;

pub(super) type Register = __m128;
/// All bits are set where a comparison holds.
pub(super) type Comparison = __m128;

/// Functions that are one expression of instructions.
macro_rules! instructions {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty { $body:expr })*) => {
        $(
            #[inline(always)]
            pub(super) fn $name($($argument: $type),*) -> $result {
                // SAFETY: see the head of the file; references are valid for 16 bytes, and no instruction requires alignment.
                unsafe { $body }
            }
        )*
    };
}

instructions! {
    splat(value: f32) -> Register { _mm_set1_ps(value) }
    load(from: &[f32; LANES]) -> Register { _mm_loadu_ps(from.as_ptr()) }
    store(register: Register, to: &mut [f32; LANES]) -> () { _mm_storeu_ps(to.as_mut_ptr(), register) }
    add(a: Register, b: Register) -> Register { _mm_add_ps(a, b) }
    sub(a: Register, b: Register) -> Register { _mm_sub_ps(a, b) }
    mul(a: Register, b: Register) -> Register { _mm_mul_ps(a, b) }
    div(a: Register, b: Register) -> Register { _mm_div_ps(a, b) }
    sqrt(register: Register) -> Register { _mm_sqrt_ps(register) }
    gt_or_nan(a: Register, b: Register) -> Comparison { _mm_or_ps(_mm_cmpgt_ps(a, b), _mm_cmpunord_ps(a, a)) }
    add_product(sum: Register, a: Register, b: Register) -> Register { _mm_add_ps(sum, _mm_mul_ps(a, b)) }
    select(comparison: Comparison, yes: Register, no: Register) -> Register {
        _mm_or_ps(_mm_and_ps(comparison, yes), _mm_andnot_ps(comparison, no))
    }
}

/// `sum + a * b`, rounded once.
#[inline(always)]
pub(super) fn add_product_fused(sum: Register, a: Register, b: Register) -> Register {
    // SAFETY: only the functions of `kernel!` get here, on a processor that has the instruction.
    unsafe { _mm_fmadd_ps(a, b, sum) }
}

#[inline(always)]
pub(super) fn all_finite(register: Register) -> bool {
    let zero = sub(register, register);
    // SAFETY: see the head of the file.
    unsafe { _mm_movemask_ps(_mm_cmpunord_ps(zero, zero)) == 0 }
}

#[inline(always)]
pub(super) fn bits_as_bytes(register: Register) -> [u8; LANES] {
    // SAFETY: see the head of the file.
    let bytes = unsafe {
        let bits = _mm_castps_si128(register);
        let narrow = _mm_packs_epi32(bits, bits);
        _mm_cvtsi128_si32(_mm_packus_epi16(narrow, narrow))
    };
    bytes.to_le_bytes()
}

#[inline(always)]
pub(super) fn where_equal(register: Register, bytes: &[u8; LANES], byte: u8) -> Register {
    // SAFETY: see the head of the file.
    unsafe {
        let (bytes, zero) = (_mm_cvtsi32_si128(i32::from_le_bytes(*bytes)), _mm_setzero_si128());
        let wide = _mm_unpacklo_epi16(_mm_unpacklo_epi8(bytes, zero), zero);
        _mm_and_ps(register, _mm_castsi128_ps(_mm_cmpeq_epi32(wide, _mm_set1_epi32(i32::from(byte)))))
    }
}

#[inline(always)]
pub(super) fn transposed([a, b, c, d]: [Register; LANES]) -> [Register; LANES] {
    // SAFETY: see the head of the file.
    unsafe {
        let (ab_low, ab_high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
        [
            _mm_movelh_ps(ab_low, cd_low),
            _mm_movehl_ps(cd_low, ab_low),
            _mm_movelh_ps(ab_high, cd_high),
            _mm_movehl_ps(cd_high, ab_high),
        ]
    }
}
