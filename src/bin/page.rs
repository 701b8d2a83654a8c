//! The page. scripts/split makes two programs of it: what a visitor needs at once, and the inspectors.

#[cfg(target_arch = "wasm32")]
mod programs {
    use inkling::page::{language, panels};
    use wasm_split_helpers::{SplitLoaderError, wasm_split};

    type Panels = Vec<Box<dyn panels::Panel>>;

    #[wasm_split(inspectors, fallible)]
    fn inspectors() -> Result<Panels, SplitLoaderError> {
        Ok(panels::inspectors())
    }

    pub fn start() {
        language::start(|| Box::pin(async { inspectors().await.ok() }));
    }
}

fn main() {
    #[cfg(target_arch = "wasm32")]
    programs::start();
}
