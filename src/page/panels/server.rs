//! Asks whether data may leave the tab, before a server trains for it.

use std::{cell::RefCell, rc::Rc};

use inkling_core::{language::translate, protocol::BackendName, remote::ServerLink, say, settings::BackendChoice};
use web_sys::{Event, HtmlInputElement};

use super::{Emit, Panel};
use crate::page::{
    dom,
    model::Model,
    msg::{ControlMsg, Msg},
    worker::Server,
};

/// Asks for the server and for the visitor's consent.
#[derive(Default)]
pub struct ServerOffer {
    /// The server that the visitor is asked about.
    shown: Rc<RefCell<Option<ServerLink>>>,
}

impl Panel for ServerOffer {
    fn mount(&mut self, emit: Emit) {
        let shown = self.shown.clone();
        dom::listen("server-allow", "click", move |_: Event| {
            if let Some(link) = shown.borrow().clone() {
                emit(Msg::Control(ControlMsg::AllowServer(link)));
            }
        });
        dom::listen("server-decline", "click", move |_: Event| emit(Msg::Control(ControlMsg::StayInTab)));
        dom::listen("server-link", "change", move |_: Event| {
            if let Some(input) = dom::element::<HtmlInputElement>("server-link") {
                emit(Msg::Control(ControlMsg::NameServer(input.value())));
            }
        });
    }

    fn draw(&mut self, model: &Model) {
        let asks = model.settings.backend == BackendChoice::Remote;
        let words = match &model.server {
            _ if !asks => None,
            Server::Unknown => {
                Some(say!("To train on a server, open the link that `inkling serve` prints there, or paste it.").into())
            }
            Server::Refused(error) => Some(translate(&error.to_string()).to_string()),
            Server::Offered(link) => Some(say!(
                "Train on the server {} through {}? The images, the network, and all that you draw, label, open or photograph for it are sent there: they leave this tab.",
                link.short_id(),
                link.host()
            )),
            // It could not be used. It is tried again for the next run.
            Server::Allowed(_) if model.worker.is_ready() && model.run.backend.name == Some(BackendName::Cpu) => {
                Some(say!(
                    "This tab trains: {}. Train again to try the server again, or paste another link.",
                    model.run.backend.reason
                ))
            }
            Server::Allowed(_) => None,
        };
        let offered = match &model.server {
            Server::Offered(link) => Some(link.clone()),
            _ => None,
        };
        dom::set_hidden("server", words.is_none());
        dom::set_hidden("server-allow", offered.is_none());
        dom::set_hidden("server-link", offered.is_some());
        dom::set_text("server-text", words.as_deref().unwrap_or_default());
        *self.shown.borrow_mut() = offered;
    }
}
