//! The page: mounts the panels and starts a worker.

fn main() {
    #[cfg(target_arch = "wasm32")]
    inkling::web::page::start();
}
