//! Files that Inkling reads and writes.
//!
//! Invariant: any input bytes give a value or a typed error, never a panic.

pub mod idx;
pub mod mnist;
#[cfg(feature = "weights")]
pub mod onnx;
pub mod pairs;
#[cfg(feature = "weights")]
pub mod svg;
#[cfg(feature = "weights")]
mod tensors;
#[cfg(feature = "weights")]
pub mod weights;
