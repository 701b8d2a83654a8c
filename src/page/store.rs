//! What the browser stores: the last run, which survives a reload, a crash and a closed tab, the run history, and the
//! visitor's handwriting.

use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::tasks::error_message;
use inkling_core::{data::handwriting::Handwriting, history::RunHistory, summary::SavedRun};

// `www/store.js`
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = inklingStore, js_name = load, catch)]
    async fn load_value() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = save, catch)]
    async fn save_value(run: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = loadRecord, catch)]
    async fn load_record(name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = saveRecord, catch)]
    async fn save_record(name: &str, value: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = forget, catch)]
    async fn forget_value() -> Result<JsValue, JsValue>;
}

/// The stored run, if this page can resume it.
pub async fn load_run() -> Option<SavedRun> {
    let kept = load_value().await.ok().filter(|kept| !kept.is_undefined())?;
    let run: SavedRun = serde_wasm_bindgen::from_value(kept).ok()?;
    run.is_readable().then_some(run)
}

/// Stores `run` in place of the previous one, completely or not at all.
///
/// # Errors
/// The browser's error message: there is no room, storage is not allowed, or another tab stores its run.
pub async fn save_run(run: &SavedRun) -> Result<(), String> {
    let serializer = serde_wasm_bindgen::Serializer::new();
    let value = run.serialize(&serializer).map_err(|error| error.to_string())?;
    save_value(&value).await.map(|_| ()).map_err(|error| error_message(&error))
}

/// The stored run history.
pub async fn load_history() -> Option<RunHistory> {
    record("shelf").await
}

/// Stores the run history. If that fails, the history lasts as long as the page.
pub async fn save_history(history: &RunHistory) {
    let _ = keep_record("shelf", history).await;
}

/// The stored digits that the visitor drew and labelled.
pub async fn load_handwriting() -> Option<Handwriting> {
    record("digits").await.filter(Handwriting::is_valid)
}

/// Stores the visitor's digits.
///
/// # Errors
/// The same as for [`save_run`].
pub async fn save_handwriting(digits: &Handwriting) -> Result<(), String> {
    keep_record("digits", digits).await
}

async fn record<T: DeserializeOwned>(name: &str) -> Option<T> {
    let kept = load_record(name).await.ok().filter(|kept| !kept.is_undefined())?;
    serde_wasm_bindgen::from_value(kept).ok()
}

async fn keep_record(name: &str, value: &impl Serialize) -> Result<(), String> {
    let value = value.serialize(&serde_wasm_bindgen::Serializer::new()).map_err(|error| error.to_string())?;
    save_record(name, &value).await.map(|_| ()).map_err(|error| error_message(&error).trim_end_matches('.').to_string())
}

/// Deletes the stored run. If that fails, the next run replaces it.
pub async fn forget_run() {
    let _ = forget_value().await;
}
