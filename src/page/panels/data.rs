//! The visitor's own data set: its files, what its pictures become, and the names of its classes.

use inkling_core::{protocol::Look, say, settings::DatasetName};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Event, HtmlInputElement, HtmlSelectElement};

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
        for id in ["own-files", "own-folder"] {
            dom::listen(id, "change", move |_: Event| {
                spawn_local(async move {
                    emit(match files::read_all(id).await {
                        Ok(files) => Msg::Workbench(WorkbenchMsg::UseData(files)),
                        Err(error) => Msg::Warn(say!("The data set was not accepted: {}.", error)),
                    });
                });
            });
        }
        dom::listen("own-keep", "change", move |_: Event| {
            let keep = dom::element::<HtmlInputElement>("own-keep").is_some_and(|input| input.checked());
            emit(Msg::Workbench(WorkbenchMsg::KeepData(keep)));
        });
        let choose = move || emit(Msg::Workbench(WorkbenchMsg::ChooseLook(look())));
        dom::listen("own-look", "change", move |_: Event| choose());
        choose(); // a browser may restore what the visitor chose before
        dom::listen("class-names", "change", move |_: Event| {
            let names = dom::element::<HtmlInputElement>("class-names").map(|input| input.value());
            emit(Msg::Workbench(WorkbenchMsg::NameClasses(names.unwrap_or_default())));
        });
    }

    fn draw(&mut self, model: &Model) {
        let data = model.data.set.as_ref();
        dom::set_hidden("own-keep-row", data.is_none());
        let size = data.map_or(0.0, |data| data.size() as f64 / 1e6);
        dom::set_text("own-keep-text", &say!("Keep these images in this browser ({} MB)", format_args!("{:.1}", size)));
        if let Some(keep) = dom::element::<HtmlInputElement>("own-keep") {
            keep.set_checked(model.data.kept);
        }
        dom::set_hidden("own", model.settings.dataset != DatasetName::Own);
        dom::set_text("own-note", &model.data.note);
    }
}

/// What the visitor wants pictures to become.
fn look() -> Look {
    let chosen = dom::element::<HtmlSelectElement>("own-look").map(|menu| menu.value()).unwrap_or_default();
    let (side, colour) = chosen.split_once(' ').unwrap_or_default();
    side.parse().map_or_else(|_| Look::default(), |side| Look { side, colour: colour == "colour" })
}
