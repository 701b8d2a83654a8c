//! The offer to resume the run that the browser kept.

use web_sys::Event;

use super::{Emit, Panel};
use crate::page::{
    dom,
    model::Model,
    msg::{ControlMsg, Msg},
};

/// Offers the kept run.
pub struct Offer;

impl Panel for Offer {
    fn mount(&mut self, emit: Emit) {
        dom::listen("resume-run", "click", move |_: Event| emit(Msg::Control(ControlMsg::ResumeKept)));
        dom::listen("forget-run", "click", move |_: Event| emit(Msg::Control(ControlMsg::ForgetKept)));
    }

    fn draw(&mut self, model: &Model) {
        dom::set_hidden("offer", model.kept.is_none());
        if let Some(kept) = &model.kept {
            dom::set_text("offer-text", &kept.sentence());
            dom::set_enabled("resume-run", !model.run.state.is_active(), "forget-run");
        }
    }
}
