//! Opens and saves files with `www/files.js`.

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::{dom, store};
use crate::tasks::error_message;
use inkling_core::{data::NamedFile, lesson::Lesson, summary::SavedRun};

#[wasm_bindgen]
extern "C" {
    /// Lets the browser save bytes as a file.
    #[wasm_bindgen(js_namespace = inklingFiles, js_name = save)]
    pub fn save(name: &str, bytes: &[u8]);
    /// Lets the browser save canvas `id` as a PNG file.
    #[wasm_bindgen(js_namespace = inklingFiles, js_name = savePng)]
    pub fn save_png(name: &str, id: &str);
    #[wasm_bindgen(js_namespace = inklingFiles, js_name = read, catch)]
    async fn read_value(id: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingFiles, js_name = readAll, catch)]
    async fn read_all_value(id: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingFiles, js_name = saveRun, catch)]
    async fn save_run_value(name: &str, run: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingFiles, js_name = openRun, catch)]
    async fn open_run_value(bytes: &[u8]) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingFiles, js_name = lesson, catch)]
    async fn lesson_value(name: &str) -> Result<JsValue, JsValue>;
}

/// The file that the visitor picked in input `id`, if any.
///
/// # Errors
/// The browser's error message.
pub async fn read(id: &str) -> Result<Option<Vec<u8>>, String> {
    let value = read_value(id).await.map_err(|error| error_message(&error))?;
    Ok((!value.is_undefined()).then(|| js_sys::Uint8Array::new(&value).to_vec()))
}

/// All files that the visitor picked in input `id`.
///
/// # Errors
/// The browser's error message.
pub async fn read_all(id: &str) -> Result<Vec<NamedFile>, String> {
    let value = read_all_value(id).await.map_err(|error| error_message(&error))?;
    serde_wasm_bindgen::from_value(value).map_err(|error| error.to_string())
}

/// Lets the browser save a whole run as a file, after checking that the file reads back as it was written.
///
/// # Errors
/// A message that says what went wrong.
pub async fn save_run(name: &str, run: &SavedRun) -> Result<(), String> {
    save_run_value(name, &dom::value(run)?).await.map(|_| ()).map_err(|error| error_message(&error))
}

/// The run in a file that [`save_run`] made.
///
/// # Errors
/// A message that says what is wrong with the file.
pub async fn open_run(bytes: &[u8]) -> Result<SavedRun, String> {
    let value = open_run_value(bytes).await.map_err(|error| error_message(&error))?;
    store::restore(value)
}

/// The lesson of this name, which comes with the page.
///
/// # Errors
/// The lesson is missing, is damaged, or did not arrive.
pub async fn lesson(name: &str) -> Result<Lesson, String> {
    let value = lesson_value(name).await.map_err(|error| error_message(&error))?;
    store::restore(value)
}
