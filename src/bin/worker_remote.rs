//! The worker that trains on a server.

fn main() {
    #[cfg(target_arch = "wasm32")]
    inkling::worker::session::start_on_server();
}
