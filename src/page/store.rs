//! What the browser stores: the last run, which survives a reload, a crash and a closed tab, the run history, and the
//! visitor's handwriting.

use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::{
    dom,
    msg::{Record, Unread},
};
use crate::tasks::error_message;
use inkling_core::restore::Restore;

// `www/store.js`
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = inklingStore, js_name = load, catch)]
    async fn load_value(record: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = save, catch)]
    async fn save_value(record: &str, value: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = forget, catch)]
    async fn forget_value(record: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = saveAsFile, catch)]
    async fn save_as_file_value(record: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = owned, catch)]
    async fn owned_value() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingStore, js_name = begin, catch)]
    fn begin_value() -> Result<JsValue, JsValue>;
}

/// The stored record, if there is one.
///
/// # Errors
/// Why it can't be read; then it must not be overwritten.
pub async fn load<T: DeserializeOwned + Restore>(record: Record) -> Result<Option<T>, Unread> {
    let value = load_value(record.key()).await.map_err(|error| Unread::Unreachable(reason(&error)))?;
    if value.is_undefined() {
        return Ok(None);
    }
    restore(value).map(Some).map_err(Unread::Damaged)
}

/// A value from outside, deserialized and checked. Every record comes in through here.
///
/// # Errors
/// What is wrong with it.
pub fn restore<T: DeserializeOwned + Restore>(value: JsValue) -> Result<T, String> {
    let version = js_sys::Reflect::get(&value, &"version".into()).ok().and_then(|version| version.as_f64());
    if let Some(version) = version {
        T::check_version(version as u32).map_err(|damage| damage.to_string())?;
    }
    let restored: T = serde_wasm_bindgen::from_value(value).map_err(|error| error_message(&error.into()))?;
    restored.check().map_err(|damage| damage.to_string())?;
    Ok(restored)
}

/// Stores a record in place of the previous one, completely or not at all.
///
/// # Errors
/// The browser's error message: there is no room, storage is not allowed, or another tab stores its own.
pub async fn save(record: Record, value: &impl Serialize) -> Result<(), String> {
    let value = dom::value(value)?;
    save_value(record.key(), &value).await.map(|_| ()).map_err(|error| reason(&error))
}

/// Deletes a record. If that fails, the next one replaces it.
pub async fn forget(record: Record) {
    let _ = forget_value(record.key()).await;
}

/// Lets the visitor save a record as a file, as it is.
///
/// # Errors
/// The browser's error message.
pub async fn save_as_file(record: Record) -> Result<(), String> {
    save_as_file_value(record.key()).await.map(|_| ()).map_err(|error| reason(&error))
}

/// This tab has read what there is: from now on it may write.
pub fn begin() {
    let _ = begin_value();
}

/// Waits until this tab is the one that writes. While another tab does, that may take hours.
pub async fn owned() {
    let _ = owned_value().await;
}

fn reason(error: &JsValue) -> String {
    error_message(error).trim_end_matches('.').to_string()
}
