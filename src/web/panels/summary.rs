//! The run as JSON in `#run-summary`, for people and programs that want the numbers.

use std::cell::RefCell;

use serde::Serialize;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::Event;

use crate::web::{dom, page::Page};

thread_local! {
    static WRITTEN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Listens to the button that copies the JSON.
pub fn mount() {
    dom::listen("copy-summary", "click", |_: Event| spawn_local(copy()));
}

/// Writes the JSON, if it is another: also in a hidden tab, so not with the drawing.
pub fn write(page: &Page) {
    // `</` would end the element that it stands in.
    let json = json(&page.summary).replace("</", "<\\/");
    WRITTEN.with_borrow_mut(|written| {
        if *written != json {
            dom::set_text("run-summary", &json);
            *written = json;
        }
    });
}

/// `value` as JSON.
pub fn json(value: &impl Serialize) -> String {
    let value = value.serialize(&serde_wasm_bindgen::Serializer::json_compatible());
    value.ok().and_then(|value| js_sys::JSON::stringify(&value).ok()).map(String::from).unwrap_or_default()
}

async fn copy() {
    let json = WRITTEN.with_borrow(String::clone);
    let Some(window) = dom::window() else { return };
    // Without a secure origin there is no clipboard at all.
    let clipboard = js_sys::Reflect::get(&window.navigator(), &"clipboard".into()).is_ok_and(|c| c.is_object());
    let copied = clipboard && JsFuture::from(window.navigator().clipboard().write_text(&json)).await.is_ok();
    dom::set_text("copied", if copied { "Copied." } else { "The browser does not allow copying here." });
}
