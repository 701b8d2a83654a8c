//! Four floats in one register: SIMD128 on wasm, SSE on x86-64, elsewhere an array that the compiler vectorizes. All perform the same
//! IEEE operations in the same order, so a run gives the same bits on each. The one exception is [`Lanes::add_product`], which
//! rounds once or twice, as the build says.

#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
mod array;
#[cfg(target_arch = "x86_64")]
mod sse;
#[cfg(target_arch = "wasm32")]
mod wasm;

use std::ops::{Add, Div, Mul, Sub};

#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
use array as registers;
#[cfg(target_arch = "x86_64")]
use sse as registers;
#[cfg(target_arch = "wasm32")]
use wasm as registers;

/// Number of floats in a register.
pub const LANES: usize = 4;
/// Output channels that one pass of the inner loops computes: two registers.
pub(crate) const BLOCK: usize = 2 * LANES;

/// Four floats.
#[derive(Clone, Copy, Debug)]
pub struct Lanes(registers::Register);

/// The four results of a comparison.
#[derive(Clone, Copy)]
pub struct Mask(registers::Comparison);

impl Lanes {
    /// The same value four times.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Lanes(registers::splat(value))
    }

    /// Loads four values.
    #[inline(always)]
    pub fn load(from: &[f32; LANES]) -> Self {
        Lanes(registers::load(from))
    }

    /// Writes the four values.
    #[inline(always)]
    pub fn store(self, to: &mut [f32; LANES]) {
        registers::store(self.0, to);
    }

    /// The four values.
    #[inline(always)]
    pub fn to_array(self) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        self.store(&mut out);
        out
    }

    /// Square roots.
    #[inline(always)]
    pub fn sqrt(self) -> Self {
        Lanes(registers::sqrt(self.0))
    }

    /// Whether no value is infinite or NaN.
    #[inline(always)]
    pub fn all_finite(self) -> bool {
        registers::all_finite(self.0)
    }

    /// The bits of each value as an integer, which must be from 0 to 255.
    #[inline(always)]
    pub fn bits_as_bytes(self) -> [u8; LANES] {
        registers::bits_as_bytes(self.0)
    }

    /// The values whose byte equals `byte`, and zeros elsewhere.
    #[inline(always)]
    pub fn where_equal(self, bytes: &[u8; LANES], byte: u8) -> Self {
        Lanes(registers::where_equal(self.0, bytes, byte))
    }

    /// The columns of four rows.
    #[inline(always)]
    pub fn transposed(rows: [Self; LANES]) -> [Self; LANES] {
        registers::transposed(rows.map(|row| row.0)).map(Lanes)
    }

    /// Where `self` is greater than `other`, or `self` is NaN.
    #[inline(always)]
    pub fn gt_or_nan(self, other: Self) -> Mask {
        Mask(registers::gt_or_nan(self.0, other.0))
    }

    /// `self + a * b`. In a build with relaxed SIMD, the processor may round only the sum ([`rounds_once`]), and in a native build for
    /// processors with fused multiply-adds it does; otherwise the product is rounded first.
    #[inline(always)]
    pub fn add_product(self, a: Self, b: Self) -> Self {
        Lanes(registers::add_product(self.0, a.0, b.0))
    }
}

impl Mask {
    /// `yes` where the comparison holds, otherwise `no`.
    #[inline(always)]
    pub fn select(self, yes: Lanes, no: Lanes) -> Lanes {
        Lanes(registers::select(self.0, yes.0, no.0))
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl $trait for Lanes {
            type Output = Lanes;
            #[inline(always)]
            fn $method(self, other: Lanes) -> Lanes {
                Lanes(registers::$method(self.0, other.0))
            }
        }
    };
}

operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

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
