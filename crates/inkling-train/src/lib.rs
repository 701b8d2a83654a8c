//! The network, one training step, replicas, devices and the session that a worker runs.
//!
//! Invariant: nothing here depends on a browser. Training, recovery and resuming are tested natively.

pub mod batch;
pub mod device;
#[cfg(feature = "devices")]
pub mod devices;
pub mod evaluated;
pub mod explain;
pub mod feed;
pub mod layer_times;
pub mod model;
pub mod optimizer;
pub mod pass;
pub mod read;
pub mod replicas;
pub mod resident;
pub mod schedule;
pub mod session;
pub mod trainer;
