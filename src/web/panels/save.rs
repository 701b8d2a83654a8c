//! What the visitor can keep: the weights, and the history as a table.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast;
use web_sys::{Blob, Event, HtmlAnchorElement, Url};

use crate::{
    protocol::{Command, RunState},
    web::{
        dom,
        page::{self, Page},
    },
};

/// Listens to the buttons.
pub fn mount() {
    // The file comes as an answer: the worker has the weights.
    dom::listen("save-weights", "click", |_: Event| page::update(|page| page.send(Command::SaveWeights)));
    dom::listen("save-history", "click", |_: Event| {
        page::update(|page| download("inkling-history.csv", page.summary.history_csv().as_bytes()));
    });
}

/// Enables what can be saved.
pub fn draw(page: &Page) {
    let summary = &page.summary;
    let trained = summary.progress.is_some_and(|progress| progress.step > 0) && summary.state != RunState::Failed;
    dom::set_enabled("save-weights", trained && page.worker_note().is_none(), "train");
    dom::set_enabled("save-history", !summary.history.is_empty(), "train");
}

/// The weights have come.
pub fn weights(page: &Page, file: &[u8]) {
    let step = page.summary.progress.map_or(0, |progress| progress.step);
    download(&format!("inkling-step-{step}.safetensors"), file);
}

/// Lets the browser save `bytes` as a file.
fn download(name: &str, bytes: &[u8]) {
    let Ok(blob) = Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes))) else { return };
    let Ok(url) = Url::create_object_url_with_blob(&blob) else { return };
    let link = dom::document().and_then(|document| document.create_element("a").ok());
    if let Some(link) = link.and_then(|link| link.dyn_into::<HtmlAnchorElement>().ok()) {
        link.set_href(&url);
        link.set_download(name);
        link.click();
    }
    let _ = Url::revoke_object_url(&url);
}
