//! Sections that open and close.

use web_sys::{Event, KeyboardEvent};

use super::{Emit, Panel};
use crate::page::{
    dom,
    msg::{Msg, Section},
};

/// Reports which section is open, and closes it with Escape or its own button.
pub struct Sections;

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
}
