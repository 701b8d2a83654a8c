//! The worker that trains on burn-ndarray.

fn main() {
    #[cfg(target_arch = "wasm32")]
    inkling::web::worker::start(inkling::device::BackendKind::Ndarray);
}
