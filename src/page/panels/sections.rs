//! Sections that open and close.

use web_sys::Event;

use super::{Emit, Panel};
use crate::page::{
    dom,
    msg::{Msg, Section},
};

/// Reports which sections are open.
pub struct Sections;

impl Panel for Sections {
    fn mount(&mut self, emit: Emit) {
        for section in Section::ALL {
            let tell = move || emit(Msg::Toggled(section, dom::is_open(section.id())));
            dom::listen(section.id(), "toggle", move |_: Event| tell());
            tell();
        }
    }
}
