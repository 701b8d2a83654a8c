//! What the browser keeps: the last run, which survives a reload, a crash and a closed tab, and what lies beside it.

use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::tasks::words;
use crate::{data::handwriting::Handwriting, shelf::Shelf, summary::SavedRun};

// `www/store.js`
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = inklingStore, js_name = load, catch)]
    async fn load_value() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = save, catch)]
    async fn save_value(run: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = loadBeside, catch)]
    async fn load_beside(name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = saveBeside, catch)]
    async fn save_beside(name: &str, value: &JsValue) -> Result<JsValue, JsValue>;
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
    beside("shelf").await
}

/// Keeps the runs that are side by side. If it can't, they last as long as the page.
pub async fn save_shelf(shelf: &Shelf) {
    let _ = keep_beside("shelf", shelf).await;
}

/// The digits that the visitor drew and named.
pub async fn load_digits() -> Option<Handwriting> {
    beside("digits").await.filter(Handwriting::is_valid)
}

/// Keeps the visitor's digits.
///
/// # Errors
/// As [`save`].
pub async fn save_digits(digits: &Handwriting) -> Result<(), String> {
    keep_beside("digits", digits).await
}

async fn beside<T: DeserializeOwned>(name: &str) -> Option<T> {
    let kept = load_beside(name).await.ok().filter(|kept| !kept.is_undefined())?;
    serde_wasm_bindgen::from_value(kept).ok()
}

async fn keep_beside(name: &str, value: &impl Serialize) -> Result<(), String> {
    let value = value.serialize(&serde_wasm_bindgen::Serializer::new()).map_err(|error| error.to_string())?;
    save_beside(name, &value).await.map(|_| ()).map_err(|error| words(&error).trim_end_matches('.').to_string())
}

/// Forgets the run that is kept. If it can't, the next one replaces it.
pub async fn forget() {
    let _ = forget_value().await;
}
