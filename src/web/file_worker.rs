//! The worker for files: one answer to each task. It holds nothing.

use std::panic;

use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use super::tasks::{panic_words, post};
use crate::{
    BUILD, export,
    protocol::{BackendInfo, Envelope, Event, Filing},
};

/// Listens to the page.
pub fn start() {
    let say = |event| post(&Envelope { run: 0, event });
    panic::set_hook(Box::new(move |info| {
        console_error_panic_hook::hook(info);
        say(Event::Unavailable { reason: panic_words(info), faulty: true });
    }));
    let listener = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        say(match serde_wasm_bindgen::from_value::<Filing>(event.data()) {
            Ok(task) => export::perform(&task),
            Err(error) => Event::Warning(format!("A message was not understood: {error}")),
        });
    });
    let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    global.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener.forget(); // it lives as long as the worker
    say(Event::Ready { backend: BackendInfo::default(), build: BUILD.into() });
}
