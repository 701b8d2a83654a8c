//! Which backend computes.

use std::{num::NonZero, thread};

use inkling_core::{checkpoint::Rounding, protocol::Envelope, settings::BackendChoice};
use inkling_train::{
    device::{self, Backend, BackendKind},
    replicas::{NoReplicas, Threads},
    session::Session,
};
use pollster::block_on;

use crate::error::CliError;

/// Opens the backend that `choice` asks for. `auto` is a GPU where this build has WebGPU and an adapter passes the self-test, and
/// otherwise the CPU, with the fastest kernels that the processor can run.
pub fn open(choice: BackendChoice) -> Result<Backend, CliError> {
    match choice {
        BackendChoice::Cpu => cpu(Rounding::Once),
        BackendChoice::Webgpu => gpu(),
        BackendChoice::Ndarray => ndarray(),
        BackendChoice::Remote => Err(CliError::Usage("only the page trains on a server".into())),
        BackendChoice::Auto => match gpu() {
            Ok(backend) => Ok(backend),
            Err(CliError::Device(error)) => {
                eprintln!("inkling: no GPU can be used ({error}), so the CPU computes");
                open(BackendChoice::Cpu)
            }
            Err(_) => open(BackendChoice::Cpu), // this build has no WebGPU
        },
    }
}

/// The CPU, with kernels that round as `rounding` says, if this processor can.
pub fn cpu(rounding: Rounding) -> Result<Backend, CliError> {
    device::round(rounding);
    Ok(block_on(Backend::open(BackendKind::Cpu))?)
}

#[cfg(feature = "webgpu")]
fn gpu() -> Result<Backend, CliError> {
    use inkling_core::{image::DataShape, settings::Settings};
    let backend = block_on(Backend::open(BackendKind::Webgpu))?;
    let net = Settings::default().network(DataShape::DIGITS)?;
    block_on(backend.self_test(&net))?;
    Ok(backend)
}

#[cfg(not(feature = "webgpu"))]
fn gpu() -> Result<Backend, CliError> {
    Err(without("webgpu"))
}

#[cfg(feature = "ndarray")]
fn ndarray() -> Result<Backend, CliError> {
    Ok(block_on(Backend::open(BackendKind::Ndarray))?)
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Backend, CliError> {
    Err(without("ndarray"))
}

#[cfg(not(all(feature = "webgpu", feature = "ndarray")))]
fn without(feature: &str) -> CliError {
    CliError::Usage(format!(
        "this inkling was built without {feature}; `cargo install --locked --path crates/inkling-cli --features {feature}` builds it with it"
    ))
}

/// A session on `backend` that reports through `emit`. On the CPU, threads share each batch: there is room for one per core, and for at
/// least `workers`.
pub fn session(backend: Backend, workers: usize, emit: impl FnMut(Envelope) + 'static) -> Session {
    if backend.rounding().is_some() {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = Threads::with_most(backend.device.clone(), cores.max(workers));
        Session::new(backend, threads, emit)
    } else {
        Session::new(backend, NoReplicas, emit)
    }
}
