//! The worker that trains on burn-flex.

fn main() {
    #[cfg(target_arch = "wasm32")]
    inkling::web::worker::start(inkling::device::BackendKind::Cpu);
}
