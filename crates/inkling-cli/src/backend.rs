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

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// What the page can have, too.
    Shared(BackendChoice),
    /// An NVIDIA GPU, by Burn's CUDA backend.
    Cuda,
}

impl Choice {
    /// The value of `--backend` for CUDA. The other values are the page's.
    pub const CUDA: &str = "cuda";
}

/// Opens the backend that `choice` asks for. `auto` is the first GPU that passes the self-test, by CUDA or WebGPU, where this build has
/// them, and otherwise the CPU, with the fastest kernels that the processor can run.
pub fn open(choice: Choice) -> Result<Backend, CliError> {
    match choice {
        Choice::Cuda => cuda(),
        Choice::Shared(BackendChoice::Cpu) => cpu(Rounding::Once),
        Choice::Shared(BackendChoice::Webgpu) => webgpu(),
        Choice::Shared(BackendChoice::Ndarray) => ndarray(),
        Choice::Shared(BackendChoice::Remote) => Err(CliError::Usage("only the page trains on a server".into())),
        Choice::Shared(BackendChoice::Auto) => {
            for (name, open) in [("CUDA", cuda as fn() -> _), ("WebGPU", webgpu)] {
                match open() {
                    Ok(backend) if backend.software => {
                        eprintln!("inkling: without {name}: its only adapter is a software one")
                    }
                    Ok(backend) => return Ok(backend),
                    Err(CliError::Device(error)) => eprintln!("inkling: without {name}: {error}"),
                    Err(_) => {} // this build does not have it
                }
            }
            cpu(Rounding::Once)
        }
    }
}

/// The CPU, with kernels that round as `rounding` says, if this processor can.
pub fn cpu(rounding: Rounding) -> Result<Backend, CliError> {
    device::round(rounding);
    Ok(block_on(Backend::open(BackendKind::Cpu))?)
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Backend, CliError> {
    tested(BackendKind::Cuda)
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Backend, CliError> {
    Err(without("cuda"))
}

#[cfg(feature = "webgpu")]
fn webgpu() -> Result<Backend, CliError> {
    tested(BackendKind::Webgpu)
}

#[cfg(not(feature = "webgpu"))]
fn webgpu() -> Result<Backend, CliError> {
    Err(without("webgpu"))
}

/// A GPU, once it has computed what the CPU does.
#[cfg(any(feature = "cuda", feature = "webgpu"))]
fn tested(kind: BackendKind) -> Result<Backend, CliError> {
    use inkling_core::{image::DataShape, settings::Settings};
    use inkling_train::device::DeviceError;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let net = Settings::default().network(DataShape::DIGITS)?;
    // Where a driver refuses something, CubeCL panics. What it leaves behind is dropped.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let backend = block_on(Backend::open(kind))?;
        block_on(backend.self_test(&net))?;
        Ok(backend)
    }));
    opened.unwrap_or(Err(DeviceError::Crashed)).map_err(CliError::Device)
}

#[cfg(feature = "ndarray")]
fn ndarray() -> Result<Backend, CliError> {
    Ok(block_on(Backend::open(BackendKind::Ndarray))?)
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Backend, CliError> {
    Err(without("ndarray"))
}

#[cfg(not(all(feature = "cuda", feature = "webgpu", feature = "ndarray")))]
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
