//! Files that Inkling reads and writes.
//!
//! Invariant: any input bytes give a value or a typed error, never a panic.

#[cfg(feature = "files")]
mod archive;
#[cfg(feature = "files")]
pub mod code;
#[cfg(feature = "files")]
mod csv;
pub mod idx;
pub mod mnist;
#[cfg(feature = "files")]
mod npy;
#[cfg(feature = "files")]
pub mod onnx;
#[cfg(feature = "files")]
pub mod own;
#[cfg(feature = "runs")]
pub mod run;
#[cfg(feature = "files")]
pub mod svg;
#[cfg(feature = "files")]
pub mod tasks;
#[cfg(feature = "files")]
mod tensors;
#[cfg(feature = "files")]
pub mod weights;
