//! Inkling trains a convolutional network on MNIST inside a browser tab.
//!
//! The way of the data, once down this line and never back up:
//!
//! ```text
//! gzipped IDX --fetch--> bytes --check--> Dataset --batch--> augment --> model --> loss --> gradients --> optimiser
//!                                                                          |
//! page <-- Event -- session <-- metrics <----------------------------------+
//! page --- Command -> session
//! ```
//!
//! | room | what it is for |
//! |---|---|
//! | [`data`] | IDX bytes, sources and checksums, synthetic digits, splits and batches |
//! | [`augment`] | rotation, shifts and zoom as one affine map with bilinear sampling |
//! | [`model`], [`optimizer`], [`train`] | the network; Adam; one step, one evaluation, one prediction |
//! | [`checkpoint`], [`healing`] | a run as plain data, to go on from; what to do when a worker is lost |
//! | [`kernels`] | what Burn lacks or does slowly on the CPU |
//! | [`replicas`] | data-parallel training: tasks, a crew that does them, a team that leads it |
//! | [`device`] | the only file that names a backend |
//! | [`parameters`] | names, shapes and first values of the network's parameters |
//! | [`export`], [`onnx`] | weights as files, and back; the network as an ONNX model |
//! | [`explain`], [`robustness`] | what happens inside the network; accuracy on images that are moved |
//! | [`calibration`], [`compare`], [`shelf`] | whether it is as sure as it is right; runs side by side |
//! | [`metrics`] | confusion matrix, classification report, interval, throughput |
//! | [`session`] | the state machine of a run |
//! | [`protocol`], [`settings`] | what page and session say to each other |
//! | [`summary`] | what the page knows of a run: the fold of its events |
//! | [`sketch`], [`ink`] | strokes to the 28x28 image that MNIST would have made of them |
//! | [`charts`] | curves and heatmaps, generic over plotters' backends |
//! | [`random`] | seeds: one generator for each purpose |
//! | `web` | the browser |
//!
//! What needs Burn exists with the feature `cpu` only, and file formats for weights with `files`: the page's own wasm has
//! none of them.

pub mod augment;
pub mod calibration;
pub mod charts;
pub mod checkpoint;
pub mod compare;
pub mod data;
#[cfg(feature = "cpu")]
pub mod device;
#[cfg(feature = "cpu")]
pub mod explain;
#[cfg(feature = "files")]
pub mod export;
pub mod healing;
pub mod ink;
#[cfg(feature = "cpu")]
pub mod kernels;
pub mod metrics;
#[cfg(feature = "cpu")]
pub mod model;
#[cfg(feature = "files")]
pub mod onnx;
#[cfg(feature = "cpu")]
pub mod optimizer;
pub mod parameters;
pub mod protocol;
pub mod random;
#[cfg(feature = "cpu")]
pub mod replicas;
#[cfg(feature = "cpu")]
pub mod resident;
#[cfg(feature = "cpu")]
pub mod robustness;
#[cfg(feature = "cpu")]
pub mod session;
pub mod settings;
pub mod shelf;
pub mod sketch;
pub mod summary;
#[cfg(feature = "cpu")]
pub mod train;
#[cfg(target_arch = "wasm32")]
pub mod web;

/// Version and source of this build; a page and its worker must agree on it.
pub const BUILD: &str = env!("INKLING_BUILD");
