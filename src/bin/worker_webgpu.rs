//! The worker that trains on WebGPU.

fn main() {
    #[cfg(target_arch = "wasm32")]
    inkling::worker::session::start(inkling_train::device::BackendKind::Webgpu);
}
