//! The worker that trains on WebGPU.

fn main() {
    #[cfg(target_arch = "wasm32")]
    inkling::worker::session::start_webgpu();
}
