//! The worker that trains on WebGPU.

fn main() {
    #[cfg(target_arch = "wasm32")]
    inkling::web::worker::start_webgpu();
}
