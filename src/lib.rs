//! The WebAssembly crate of Inkling: the page and its workers. ARCHITECTURE.md is a map of the code.

pub mod page;
#[cfg(target_arch = "wasm32")]
mod tasks;
#[cfg(all(target_arch = "wasm32", any(feature = "cpu", feature = "files")))]
pub mod worker;

/// Version and content hash of this build. A page and its workers must have the same build.
pub const BUILD: &str = env!("INKLING_BUILD");
