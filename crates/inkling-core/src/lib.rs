//! Code that Inkling's page and workers share: images and data sets, augmentation, settings, the protocol, metrics,
//! charts and the run history.
//!
//! Invariant: nothing here depends on Burn or a browser. The page links this crate, and stays small because of this.

pub mod augment;
pub mod calibration;
pub mod charts;
pub mod checkpoint;
pub mod compare;
pub mod data;
pub mod healing;
pub mod history;
pub mod image;
pub mod ink;
pub mod language;
pub mod lesson;
pub mod metrics;
pub mod network;
pub mod occlusion;
mod packed;
pub mod parameters;
pub mod protocol;
pub mod random;
pub mod remote;
pub mod restore;
pub mod robustness;
pub mod settings;
pub mod share;
pub mod sketch;
pub mod summary;
pub mod survey;
