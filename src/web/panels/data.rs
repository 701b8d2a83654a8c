//! The visitor's own data set: its files, and the names of its classes.

use wasm_bindgen_futures::spawn_local;
use web_sys::{Event, HtmlInputElement};

use crate::{
    data::source::DatasetName,
    web::{
        dom, files,
        page::{self, Page},
    },
};

/// Listens to both.
pub fn mount() {
    dom::listen("own-files", "change", |_: Event| {
        spawn_local(async {
            let picked = files::read_all("own-files").await;
            page::update(|page| match picked {
                Ok(files) => page.use_data(files),
                Err(error) => page.warn(format!("The data set was not taken: {error}.")),
            });
        });
    });
    dom::listen("class-names", "change", |_: Event| {
        page::update(|page| {
            let names = dom::element::<HtmlInputElement>("class-names").map(|input| input.value()).unwrap_or_default();
            page.classes = names.split(',').map(|name| name.trim().to_string()).take(10).collect();
        });
    });
}

/// The files are good.
pub fn taken(train: u32, test: u32) {
    dom::set_text("own-note", &format!("{train} images to train with, {test} to test with. Press Train."));
}

/// Shows the controls where they have a use.
pub fn draw(page: &Page) {
    dom::set_hidden("own", page.settings.dataset != DatasetName::Own);
}
