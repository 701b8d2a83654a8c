//! The visitor's own data set: its files, and the names of its classes.

use inkling_core::settings::DatasetName;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Event, HtmlInputElement};

use super::{Emit, Panel};
use crate::page::{
    dom, files,
    model::Model,
    msg::{Msg, WorkbenchMsg},
};

/// Lets the visitor choose a data set of their own.
pub struct Data;

impl Panel for Data {
    fn mount(&mut self, emit: Emit) {
        dom::listen("own-files", "change", move |_: Event| {
            spawn_local(async move {
                emit(match files::read_all("own-files").await {
                    Ok(files) => Msg::Workbench(WorkbenchMsg::UseData(files)),
                    Err(error) => Msg::Warn(format!("The data set was not accepted: {error}.")),
                });
            });
        });
        dom::listen("class-names", "change", move |_: Event| {
            let names = dom::element::<HtmlInputElement>("class-names").map(|input| input.value());
            emit(Msg::Workbench(WorkbenchMsg::NameClasses(names.unwrap_or_default())));
        });
    }

    fn draw(&mut self, model: &Model) {
        dom::set_hidden("own", model.settings.dataset != DatasetName::Own);
        dom::set_text("own-note", &model.data_note);
    }
}
