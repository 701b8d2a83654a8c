//! The page's language: English, or the one whose table `www/language.js` fetches.

use inkling_core::language::set_table;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::app::{self, FetchInspectors};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_name = inklingTable)]
    static TABLE: JsValue;
}

/// Starts the page, once its language is known.
pub fn start(fetch_inspectors: FetchInspectors) {
    let table = TABLE.with(JsValue::clone);
    if table.is_undefined() {
        return app::start(fetch_inspectors);
    }
    spawn_local(async move {
        // A table that can't be read leaves the page in English.
        let table = JsFuture::from(js_sys::Promise::from(table)).await.ok();
        set_table(table.and_then(|table| serde_wasm_bindgen::from_value(table).ok()).unwrap_or_default());
        app::start(fetch_inspectors);
    });
}
