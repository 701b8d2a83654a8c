//! The file worker: writes and reads weight files, and draws charts as SVG.

fn main() {
    #[cfg(target_arch = "wasm32")]
    inkling::worker::files::start();
}
