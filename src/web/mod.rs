//! The browser: the worker's loop, fetching and caching, and the page with one file for each of its panels.

#[cfg(feature = "cpu")]
mod crew;
mod dom;
#[cfg(feature = "cpu")]
mod fetch;
#[cfg(feature = "files")]
pub mod file_worker;
mod files;
mod filing;
mod link;
pub mod page;
mod panels;
mod probe;
mod store;
mod tasks;
mod verdict;
#[cfg(feature = "cpu")]
pub mod worker;
