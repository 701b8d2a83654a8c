//! The offer to go on with the run that the browser has kept.

use web_sys::Event;

use crate::web::{
    dom,
    page::{self, Page},
};

/// Listens to the two buttons.
pub fn mount() {
    dom::listen("resume-run", "click", |_: Event| page::update(Page::resume));
    dom::listen("forget-run", "click", |_: Event| page::update(Page::forget));
}

/// Shows the offer while there is one and nothing else is going on.
pub fn draw(page: &Page) {
    dom::set_hidden("offer", page.kept.is_none());
    if let Some(kept) = &page.kept {
        dom::set_text("offer-text", &kept.sentence());
        dom::set_enabled("resume-run", !page.summary.state.is_active(), "forget-run");
    }
}
