//! Sections that open and close.

use web_sys::{Event, KeyboardEvent};

use super::{Emit, Panel};
use crate::page::{
    dom,
    model::{Inspectors, Model},
    msg::{Msg, Section},
};

/// Reports which section is open, and closes it with Escape or its own button.
#[derive(Default)]
pub struct Sections {
    /// Whether sections were drawn as ready.
    ready: Option<bool>,
}

impl Panel for Sections {
    fn mount(&mut self, emit: Emit) {
        for section in Section::ALL {
            let tell = move || emit(Msg::Toggled(section, dom::is_open(section.id())));
            dom::listen(section.id(), "toggle", move |_: Event| tell());
            tell();
        }
        let Some(document) = dom::document() else { return };
        dom::listen_on(&document, "keydown", move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                emit(Msg::Close);
            }
        });
        dom::listen_on(&document, "click", move |event: Event| {
            if dom::attribute(&event, "close").is_some() {
                emit(Msg::Close);
            }
        });
    }

    /// Until the inspectors listen, a click in a section would be lost. The settings work without them.
    fn draw(&mut self, model: &Model) {
        let ready = model.inspectors == Inspectors::Ready;
        if self.ready.replace(ready) != Some(ready) {
            let sections = Section::ALL.into_iter().filter(|section| *section != Section::Settings);
            sections.for_each(|section| dom::set_inert_but_for_the_first(&format!("{}-sheet", section.id()), !ready));
        }
    }
}
