//! The offer to open the network that came in the page's link.

use inkling_core::say;
use web_sys::Event;

use super::{Emit, Panel, words::percent};
use crate::page::{
    dom,
    model::Model,
    msg::{ControlMsg, Msg},
};

/// Offers the network in the page's link.
pub struct Linked;

impl Panel for Linked {
    fn mount(&mut self, emit: Emit) {
        dom::listen("open-linked", "click", move |_: Event| emit(Msg::Control(ControlMsg::OpenLinked)));
        dom::listen("forget-linked", "click", move |_: Event| emit(Msg::Control(ControlMsg::ForgetLinked)));
    }

    fn draw(&mut self, model: &Model) {
        dom::set_hidden("linked", model.linked.is_none());
        let Some(linked) = &model.linked else { return };
        let words = say!(
            "This link brings a trained network, which classified {} of its test images correctly.",
            percent(linked.accuracy)
        );
        dom::set_text("linked-text", &words);
        dom::set_enabled("open-linked", model.worker.is_ready() && !model.run.state.is_active(), "forget-linked");
    }
}
