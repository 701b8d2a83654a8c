//! The run as JSON in `#run-summary`, for people and programs that want the numbers.

use std::{cell::RefCell, rc::Rc};

use inkling_core::summary::RunSummary;
use serde::Serialize;
use wasm_bindgen_futures::spawn_local;
use web_sys::Event;

use super::{Emit, Panel};
use crate::{
    BUILD,
    page::{dom, model::Model},
};

/// Writes the run as JSON.
#[derive(Default)]
pub struct Summary {
    written: Rc<RefCell<String>>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    run: &'a RunSummary,
    build: &'static str,
}

impl Panel for Summary {
    fn mount(&mut self, _: Emit) {
        let written = self.written.clone();
        dom::listen("copy-summary", "click", move |_: Event| {
            let json = written.borrow().clone();
            spawn_local(async move { dom::copy(&json, "copied").await });
        });
    }

    /// Also done in a hidden tab, so it is not part of drawing.
    fn note(&mut self, model: &Model) {
        let json = dom::json(&Document { run: &model.run, build: BUILD });
        if *self.written.borrow() != json {
            dom::set_text("run-summary", &json);
            *self.written.borrow_mut() = json;
        }
    }
}
