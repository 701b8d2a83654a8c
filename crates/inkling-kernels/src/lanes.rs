//! Four floats in one register: SIMD128 on wasm, elsewhere an array that the compiler vectorizes. Both perform the same
//! IEEE operations in the same order, so the array stands in for the instructions natively. The one exception is
//! [`Lanes::add_product`], which rounds once or twice, as the build says.

#[cfg(target_arch = "wasm32")]
use core::arch::wasm32::{
    f32x4_add, f32x4_div, f32x4_gt, f32x4_mul, f32x4_ne, f32x4_splat, f32x4_sqrt, f32x4_sub, i16x8_narrow_i32x4,
    i32x4_extract_lane, i32x4_shuffle, u8x16_narrow_i16x8, u16x8_extend_low_u8x16, u32x4_eq, u32x4_extend_low_u16x8,
    u32x4_splat, v128, v128_and, v128_any_true, v128_bitselect, v128_load, v128_load32_zero, v128_or, v128_store,
};
use std::ops::{Add, Div, Mul, Sub};

/// Number of floats in a register.
pub const LANES: usize = 4;
/// Output channels that one pass of the inner loops computes: two registers.
pub(crate) const BLOCK: usize = 2 * LANES;

#[cfg(target_arch = "wasm32")]
type Register = v128;
#[cfg(not(target_arch = "wasm32"))]
type Register = [f32; LANES];

/// Four floats.
#[derive(Clone, Copy, Debug)]
pub struct Lanes(Register);

/// The four results of a comparison.
#[derive(Clone, Copy)]
pub struct Mask(#[cfg(target_arch = "wasm32")] v128, #[cfg(not(target_arch = "wasm32"))] [bool; LANES]);

#[cfg(target_arch = "wasm32")]
impl Lanes {
    /// The same value four times.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Lanes(f32x4_splat(value))
    }

    /// Loads four values.
    #[inline(always)]
    pub fn load(from: &[f32; LANES]) -> Self {
        // SAFETY: the reference is valid for 16 bytes, and the instruction requires no alignment.
        Lanes(unsafe { v128_load(from.as_ptr().cast()) })
    }

    /// Writes the four values.
    #[inline(always)]
    pub fn store(self, to: &mut [f32; LANES]) {
        // SAFETY: as in `load`, and the reference is exclusive.
        unsafe { v128_store(to.as_mut_ptr().cast(), self.0) }
    }

    /// Square roots.
    #[inline(always)]
    pub fn sqrt(self) -> Self {
        Lanes(f32x4_sqrt(self.0))
    }

    /// Whether no value is infinite or NaN.
    #[inline(always)]
    pub fn all_finite(self) -> bool {
        let zero = f32x4_sub(self.0, self.0);
        !v128_any_true(f32x4_ne(zero, zero))
    }

    /// The bits of each value as an integer, which must be from 0 to 255.
    #[inline(always)]
    pub fn bits_as_bytes(self) -> [u8; LANES] {
        let narrow = i16x8_narrow_i32x4(self.0, self.0);
        i32x4_extract_lane::<0>(u8x16_narrow_i16x8(narrow, narrow)).to_le_bytes()
    }

    /// The values whose byte equals `byte`, and zeros elsewhere.
    #[inline(always)]
    pub fn where_equal(self, bytes: &[u8; LANES], byte: u8) -> Self {
        // SAFETY: as in `load`, for four bytes.
        let wide = u32x4_extend_low_u16x8(u16x8_extend_low_u8x16(unsafe { v128_load32_zero(bytes.as_ptr().cast()) }));
        Lanes(v128_and(self.0, u32x4_eq(wide, u32x4_splat(u32::from(byte)))))
    }

    /// The columns of four rows.
    #[inline(always)]
    pub fn transposed([a, b, c, d]: [Self; LANES]) -> [Self; LANES] {
        let (ab_low, ab_high) = (i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0), i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0));
        let (cd_low, cd_high) = (i32x4_shuffle::<0, 4, 1, 5>(c.0, d.0), i32x4_shuffle::<2, 6, 3, 7>(c.0, d.0));
        [
            Lanes(i32x4_shuffle::<0, 1, 4, 5>(ab_low, cd_low)),
            Lanes(i32x4_shuffle::<2, 3, 6, 7>(ab_low, cd_low)),
            Lanes(i32x4_shuffle::<0, 1, 4, 5>(ab_high, cd_high)),
            Lanes(i32x4_shuffle::<2, 3, 6, 7>(ab_high, cd_high)),
        ]
    }

    /// Where `self` is greater than `other`, or `self` is NaN.
    #[inline(always)]
    pub fn gt_or_nan(self, other: Self) -> Mask {
        Mask(v128_or(f32x4_gt(self.0, other.0), f32x4_ne(self.0, self.0)))
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Lanes {
    /// The same value four times.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Lanes([value; LANES])
    }

    /// Loads four values.
    #[inline(always)]
    pub fn load(from: &[f32; LANES]) -> Self {
        Lanes(*from)
    }

    /// Writes the four values.
    #[inline(always)]
    pub fn store(self, to: &mut [f32; LANES]) {
        *to = self.0;
    }

    /// Square roots.
    #[inline(always)]
    pub fn sqrt(self) -> Self {
        Lanes(self.0.map(f32::sqrt))
    }

    /// Whether no value is infinite or NaN.
    #[inline(always)]
    pub fn all_finite(self) -> bool {
        self.0.iter().all(|value| value.is_finite())
    }

    /// The bits of each value as an integer, which must be from 0 to 255.
    #[inline(always)]
    pub fn bits_as_bytes(self) -> [u8; LANES] {
        self.0.map(|value| value.to_bits() as u8)
    }

    /// The values whose byte equals `byte`, and zeros elsewhere.
    #[inline(always)]
    pub fn where_equal(self, bytes: &[u8; LANES], byte: u8) -> Self {
        Lanes(std::array::from_fn(|lane| if bytes[lane] == byte { self.0[lane] } else { 0.0 }))
    }

    /// The columns of four rows.
    #[inline(always)]
    pub fn transposed(rows: [Self; LANES]) -> [Self; LANES] {
        std::array::from_fn(|column| Lanes(rows.map(|row| row.0[column])))
    }

    /// Where `self` is greater than `other`, or `self` is NaN.
    #[inline(always)]
    pub fn gt_or_nan(self, other: Self) -> Mask {
        Mask(std::array::from_fn(|i| self.0[i] > other.0[i] || self.0[i].is_nan()))
    }
}

impl Lanes {
    /// The four values.
    #[inline(always)]
    pub fn to_array(self) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        self.store(&mut out);
        out
    }

    /// `self + a * b`. In a build with relaxed SIMD, the processor may round only the sum ([`rounds_once`]), and in a native build for
    /// processors with fused multiply-adds it does; otherwise the product is rounded first.
    #[inline(always)]
    pub fn add_product(self, a: Self, b: Self) -> Self {
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        return Lanes(core::arch::wasm32::f32x4_relaxed_madd(a.0, b.0, self.0));
        #[cfg(any(target_feature = "fma", target_arch = "aarch64"))]
        return Lanes(std::array::from_fn(|lane| a.0[lane].mul_add(b.0[lane], self.0[lane])));
        #[cfg(not(any(
            all(target_arch = "wasm32", target_feature = "relaxed-simd"),
            target_feature = "fma",
            target_arch = "aarch64"
        )))]
        return self + a * b;
    }
}

impl Mask {
    /// `yes` where the comparison holds, otherwise `no`.
    #[inline(always)]
    pub fn select(self, yes: Lanes, no: Lanes) -> Lanes {
        #[cfg(target_arch = "wasm32")]
        return Lanes(v128_bitselect(yes.0, no.0, self.0));
        #[cfg(not(target_arch = "wasm32"))]
        return Lanes(std::array::from_fn(|i| if self.0[i] { yes.0[i] } else { no.0[i] }));
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $instruction:ident, $operator:tt) => {
        impl $trait for Lanes {
            type Output = Lanes;
            #[inline(always)]
            fn $method(self, other: Lanes) -> Lanes {
                #[cfg(target_arch = "wasm32")]
                return Lanes($instruction(self.0, other.0));
                #[cfg(not(target_arch = "wasm32"))]
                return Lanes(std::array::from_fn(|i| self.0[i] $operator other.0[i]));
            }
        }
    };
}

operator!(Add, add, f32x4_add, +);
operator!(Sub, sub, f32x4_sub, -);
operator!(Mul, mul, f32x4_mul, *);
operator!(Div, div, f32x4_div, /);

/// Loads both registers of a block.
#[inline(always)]
pub(crate) fn halves(block: &[f32; BLOCK]) -> [Lanes; 2] {
    let (halves, _) = block.as_chunks::<LANES>();
    [Lanes::load(&halves[0]), Lanes::load(&halves[1])]
}

/// Writes both registers of a block.
#[inline(always)]
pub(crate) fn store([low, high]: [Lanes; 2], to: &mut [f32; BLOCK]) {
    let (halves, _) = to.as_chunks_mut::<LANES>();
    low.store(&mut halves[0]);
    high.store(&mut halves[1]);
}

/// Whether [`Lanes::add_product`] rounds only the sum, on this processor.
pub fn rounds_once() -> bool {
    // The square of this number is 1 + 2^-11 + 2^-24, of which a rounded product loses the last term.
    let number = Lanes::splat(std::hint::black_box(1.0 + 1.0 / 4096.0));
    let rounded = number * number;
    (Lanes::splat(0.0) - rounded).add_product(number, number).to_array()[0] != 0.0
}
