//! The last run, kept by the browser: it survives a reload, a crash and a closed tab.

use serde::Serialize;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::tasks::words;
use crate::{shelf::Shelf, summary::SavedRun};

// `www/store.js`
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = inklingStore, js_name = load, catch)]
    async fn load_value() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = save, catch)]
    async fn save_value(run: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = loadShelf, catch)]
    async fn load_shelf_value() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = saveShelf, catch)]
    async fn save_shelf_value(shelf: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = forget, catch)]
    async fn forget_value() -> Result<JsValue, JsValue>;
}

/// The run that was kept, if this page can go on with it.
pub async fn load() -> Option<SavedRun> {
    let kept = load_value().await.ok().filter(|kept| !kept.is_undefined())?;
    let run: SavedRun = serde_wasm_bindgen::from_value(kept).ok()?;
    run.is_readable().then_some(run)
}

/// Keeps `run` in place of the one before, as a whole or not at all.
///
/// # Errors
/// The browser's words: no room, not allowed, or another tab keeps its run.
pub async fn save(run: &SavedRun) -> Result<(), String> {
    let serializer = serde_wasm_bindgen::Serializer::new();
    let value = run.serialize(&serializer).map_err(|error| error.to_string())?;
    save_value(&value).await.map(|_| ()).map_err(|error| words(&error))
}

/// The runs that were put side by side.
pub async fn load_shelf() -> Option<Shelf> {
    let kept = load_shelf_value().await.ok().filter(|kept| !kept.is_undefined())?;
    serde_wasm_bindgen::from_value(kept).ok()
}

/// Keeps the runs that are side by side. If it can't, they last as long as the page.
pub async fn save_shelf(shelf: &Shelf) {
    if let Ok(value) = shelf.serialize(&serde_wasm_bindgen::Serializer::new()) {
        let _ = save_shelf_value(&value).await;
    }
}

/// Forgets the run that is kept. If it can't, the next one replaces it.
pub async fn forget() {
    let _ = forget_value().await;
}
