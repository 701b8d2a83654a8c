//! The WebAssembly crate of Inkling: the page and its workers. ARCHITECTURE.md has the plan of the house.

pub mod page;
#[cfg(target_arch = "wasm32")]
mod tasks;
#[cfg(all(target_arch = "wasm32", any(feature = "cpu", feature = "files")))]
pub mod worker;

/// Version and content of this build. A page and its worker must have the same.
pub const BUILD: &str = env!("INKLING_BUILD");
