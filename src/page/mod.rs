//! The page: a pure core and a thin shell.
//!
//! `update` turns a message and the model into effects; `app` performs effects and draws. All decisions are made in
//! the public modules other than `app`, which do not depend on a browser and are tested natively.

pub mod effect;
pub mod model;
pub mod msg;
pub mod supervisor;
pub mod update;
pub mod worker;

#[cfg(target_arch = "wasm32")]
pub mod app;
#[cfg(target_arch = "wasm32")]
mod camera;
#[cfg(target_arch = "wasm32")]
mod dom;
#[cfg(target_arch = "wasm32")]
mod element;
#[cfg(target_arch = "wasm32")]
mod files;
#[cfg(target_arch = "wasm32")]
pub mod language;
#[cfg(target_arch = "wasm32")]
mod link;
#[cfg(target_arch = "wasm32")]
pub mod panels;
#[cfg(target_arch = "wasm32")]
mod probe;
#[cfg(target_arch = "wasm32")]
mod store;
#[cfg(target_arch = "wasm32")]
mod verdict;
