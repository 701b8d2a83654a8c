//! The worker that writes and reads files of weights.

fn main() {
    #[cfg(target_arch = "wasm32")]
    inkling::worker::files::start();
}
