//! The file worker: it sends one reply to each task and keeps no state.

use std::panic;

use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use super::post::{panic_message, post};
use crate::BUILD;
use inkling_core::protocol::{Envelope, FileEvent, FileTask};
use inkling_formats::weights;

/// Starts listening to the page.
pub fn start() {
    let say = |event| post(&Envelope { run: 0, event });
    panic::set_hook(Box::new(move |info| {
        console_error_panic_hook::hook(info);
        say(FileEvent::Unavailable { reason: panic_message(info) });
    }));
    let listener = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        say(match serde_wasm_bindgen::from_value::<FileTask>(event.data()) {
            Ok(task) => weights::perform(&task),
            Err(error) => FileEvent::Failed(format!("A message could not be decoded: {error}")),
        });
    });
    let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    global.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener.forget(); // it lives as long as the worker
    say(FileEvent::Ready { build: BUILD.into() });
}
