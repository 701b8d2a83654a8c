//! The worker for files: one answer to each task. It holds nothing.

use std::panic;

use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use crate::{
    BUILD, export,
    protocol::{BackendInfo, Envelope, Event, Filing},
};

/// Listens to the page.
pub fn start() {
    panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        post(Event::Unavailable { reason: info.payload_as_str().unwrap_or("it stopped").into(), faulty: true });
    }));
    let listener = Closure::<dyn Fn(MessageEvent)>::new(|event: MessageEvent| {
        post(match serde_wasm_bindgen::from_value::<Filing>(event.data()) {
            Ok(task) => export::perform(&task),
            Err(error) => Event::Warning(format!("A message was not understood: {error}")),
        });
    });
    scope().set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener.forget(); // it lives as long as the worker
    post(Event::Ready { backend: BackendInfo::default(), build: BUILD.into() });
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

fn post(event: Event) {
    let sent = serde_wasm_bindgen::to_value(&Envelope { run: 0, event }).map_err(JsValue::from);
    // An envelope is plain data; if it could not be sent there would be no way to say so but the console.
    if let Err(error) = sent.and_then(|message| scope().post_message(&message)) {
        wasm_bindgen::throw_val(error);
    }
}
