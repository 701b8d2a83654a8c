//! Asks whether data may leave the tab, before a server trains for it.

use inkling_core::{language::translate, say, settings::BackendChoice};
use web_sys::{Event, HtmlInputElement};

use super::{Emit, Panel};
use crate::page::{
    dom,
    model::Model,
    msg::{ControlMsg, Msg},
    worker::Server,
};

/// Asks for the server and for the visitor's consent.
pub struct ServerOffer;

impl Panel for ServerOffer {
    fn mount(&mut self, emit: Emit) {
        dom::listen("server-allow", "click", move |_: Event| emit(Msg::Control(ControlMsg::AllowServer)));
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
            Server::Allowed(_) => None,
            Server::Unknown => {
                Some(say!("To train on a server, open the link that `inkling serve` prints there, or paste it.").into())
            }
            Server::Refused(error) => Some(translate(&error.to_string()).to_string()),
            Server::Offered(link) => Some(say!(
                "Train on the server {}? The images, the network and what you draw are sent to it: they leave this tab.",
                link.host()
            )),
        };
        let offered = matches!(model.server, Server::Offered(_));
        dom::set_hidden("server", words.is_none());
        dom::set_hidden("server-allow", !offered);
        dom::set_hidden("server-link", offered);
        dom::set_text("server-text", words.as_deref().unwrap_or_default());
    }
}
