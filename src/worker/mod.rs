//! The workers: a session driven by the page's messages, replicas as nested workers, downloads, and the file
//! worker.

#[cfg(feature = "cpu")]
mod download;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "cpu")]
mod macrotask;
mod post;
#[cfg(feature = "cpu")]
mod replicas;
#[cfg(feature = "remote")]
mod server;
#[cfg(feature = "cpu")]
pub mod session;
