//! Four floats in one register: SIMD128 on wasm, SSE on x86-64, elsewhere an array that the compiler vectorizes. All perform the same
//! IEEE operations in the same order, so a run gives the same bits on each. The one exception is [`Lanes::add_product`], which
//! rounds once or twice: as the build says, and on x86-64 as [`round_once`] says while the program runs.

#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
mod array;
#[cfg(target_arch = "x86_64")]
mod sse;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(target_arch = "x86_64")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::{
    marker::PhantomData,
    ops::{Add, Div, Mul, Sub},
};

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

/// How [`Lanes::add_product`] is computed.
pub trait Products: Copy {
    /// `sum + a * b`.
    fn add_product(sum: registers::Register, a: registers::Register, b: registers::Register) -> registers::Register;
}

/// The way of this build.
#[derive(Clone, Copy, Debug)]
pub struct Usual;

impl Products for Usual {
    #[inline(always)]
    fn add_product(sum: registers::Register, a: registers::Register, b: registers::Register) -> registers::Register {
        registers::add_product(sum, a, b)
    }
}

/// Fused multiply-adds, which not every x86-64 processor has. Only functions that [`kernel!`] makes use it.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fused;

#[cfg(target_arch = "x86_64")]
impl Products for Fused {
    #[inline(always)]
    fn add_product(sum: registers::Register, a: registers::Register, b: registers::Register) -> registers::Register {
        registers::add_product_fused(sum, a, b)
    }
}

/// Four floats.
#[derive(Clone, Copy, Debug)]
pub struct Lanes<P>(registers::Register, PhantomData<P>);

/// The four results of a comparison.
#[derive(Clone, Copy)]
pub struct Mask(registers::Comparison);

impl<P: Products> Lanes<P> {
    #[inline(always)]
    fn of(register: registers::Register) -> Self {
        Lanes(register, PhantomData)
    }

    /// The same value four times.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Lanes::of(registers::splat(value))
    }

    /// Loads four values.
    #[inline(always)]
    pub fn load(from: &[f32; LANES]) -> Self {
        Lanes::of(registers::load(from))
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
        Lanes::of(registers::sqrt(self.0))
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
        Lanes::of(registers::where_equal(self.0, bytes, byte))
    }

    /// The columns of four rows.
    #[inline(always)]
    pub fn transposed(rows: [Self; LANES]) -> [Self; LANES] {
        registers::transposed(rows.map(|row| row.0)).map(Lanes::of)
    }

    /// Where `self` is greater than `other`, or `self` is NaN.
    #[inline(always)]
    pub fn gt_or_nan(self, other: Self) -> Mask {
        Mask(registers::gt_or_nan(self.0, other.0))
    }

    /// `self + a * b`. The product is rounded first, or only the sum ([`rounds_once`]).
    #[inline(always)]
    pub fn add_product(self, a: Self, b: Self) -> Self {
        Lanes::of(P::add_product(self.0, a.0, b.0))
    }
}

impl Mask {
    /// `yes` where the comparison holds, otherwise `no`.
    #[inline(always)]
    pub fn select<P: Products>(self, yes: Lanes<P>, no: Lanes<P>) -> Lanes<P> {
        Lanes::of(registers::select(self.0, yes.0, no.0))
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl<P: Products> $trait for Lanes<P> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Lanes::of(registers::$method(self.0, other.0))
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
pub(crate) fn halves<P: Products>(block: &[f32; BLOCK]) -> [Lanes<P>; 2] {
    let (halves, _) = block.as_chunks::<LANES>();
    [Lanes::load(&halves[0]), Lanes::load(&halves[1])]
}

/// Writes both registers of a block.
#[inline(always)]
pub(crate) fn store<P: Products>([low, high]: [Lanes<P>; 2], to: &mut [f32; BLOCK]) {
    let (halves, _) = to.as_chunks_mut::<LANES>();
    low.store(&mut halves[0]);
    high.store(&mut halves[1]);
}

/// A function, compiled for each kind of processor: `$generic` with [`Usual`], and on x86-64 once more with AVX2 and [`Fused`]. What
/// `$generic` calls for its products must be inlined into it: elsewhere, a fused multiply-add is a call.
macro_rules! kernel {
    ($(#[$about:meta])* $visible:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $generic:ident) => {
        $(#[$about])*
        $visible fn $name($($argument: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            if $crate::lanes::rounds_once() {
                #[target_feature(enable = "avx2,fma")]
                fn fused($($argument: $type),*) $(-> $result)? {
                    $generic::<$crate::lanes::Fused>($($argument),*)
                }
                // SAFETY: `round_once` asked the processor.
                return unsafe { fused($($argument),*) };
            }
            $generic::<$crate::lanes::Usual>($($argument),*)
        }
    };
}
pub(crate) use kernel;

/// Whether the kernels round once.
#[cfg(target_arch = "x86_64")]
static ONCE: AtomicBool = AtomicBool::new(false);

/// Chooses whether the kernels round the sum of a number and a product only once from now on, in the whole process. Returns whether they do.
///
/// Only x86-64 has the choice, if the processor has fused multiply-adds and AVX2. There, training is faster if they round once; they begin
/// with rounding twice, so that results do not depend on the processor.
pub fn round_once(once: bool) -> bool {
    #[cfg(target_arch = "x86_64")]
    ONCE.store(once && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"), Ordering::Relaxed);
    let _ = once;
    rounds_once()
}

/// Whether [`Lanes::add_product`] rounds only the sum in the kernels, on this processor.
#[cfg(target_arch = "x86_64")]
pub fn rounds_once() -> bool {
    ONCE.load(Ordering::Relaxed)
}

/// Whether [`Lanes::add_product`] rounds only the sum, on this processor.
#[cfg(not(target_arch = "x86_64"))]
pub fn rounds_once() -> bool {
    // The square of this number is 1 + 2^-11 + 2^-24, of which a rounded product loses the last term.
    let number = Lanes::<Usual>::splat(std::hint::black_box(1.0 + 1.0 / 4096.0));
    let rounded = number * number;
    (Lanes::splat(0.0) - rounded).add_product(number, number).to_array()[0] != 0.0
}
