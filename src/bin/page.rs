//! The page.

fn main() {
    #[cfg(target_arch = "wasm32")]
    inkling::page::language::start();
}
