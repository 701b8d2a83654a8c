//! The offer to resume the run that the browser kept, and the offer to save what can't be read.

use inkling_core::say;

use std::{cell::Cell, rc::Rc};

use web_sys::Event;

use super::{Emit, Panel};
use crate::page::{
    dom,
    model::Model,
    msg::{ControlMsg, Msg, Record, Unread},
};

/// Offers what the browser has kept.
#[derive(Default)]
pub struct Offer {
    /// The record that can't be read, while it is shown.
    unreadable: Rc<Cell<Option<Record>>>,
}

impl Panel for Offer {
    fn mount(&mut self, emit: Emit) {
        dom::listen("resume-run", "click", move |_: Event| emit(Msg::Control(ControlMsg::ResumeKept)));
        dom::listen("forget-run", "click", move |_: Event| emit(Msg::Control(ControlMsg::ForgetKept)));
        let answer = |id: &str, msg: fn(Record) -> ControlMsg| {
            let shown = self.unreadable.clone();
            dom::listen(id, "click", move |_: Event| {
                if let Some(record) = shown.get() {
                    emit(Msg::Control(msg(record)));
                }
            });
        };
        answer("save-unreadable", ControlMsg::SaveUnreadable);
        answer("discard-unreadable", ControlMsg::ForgetUnreadable);
    }

    fn draw(&mut self, model: &Model) {
        dom::set_hidden("offer", model.kept.is_none());
        if let Some(kept) = &model.kept {
            dom::set_text("offer-text", &kept.run.sentence());
            dom::set_enabled("resume-run", !model.run.state.is_active(), "forget-run");
        }
        let damaged = model.unread.iter().find_map(|(record, unread)| match unread {
            Unread::Damaged(reason) => Some((*record, reason)),
            Unread::Unreachable(_) => None,
        });
        self.unreadable.set(damaged.map(|(record, _)| record));
        dom::set_hidden("unreadable", damaged.is_none());
        if let Some((record, reason)) = damaged {
            let what = if record == Record::Run { say!("a run") } else { record.title() };
            let words = say!(
                "This browser has kept {}, but this page can't read the record: {}. It is not overwritten.",
                what,
                reason
            );
            dom::set_text("unreadable-text", &words);
        }
    }
}
