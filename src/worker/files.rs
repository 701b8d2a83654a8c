//! The file worker: it sends one reply to each task and keeps no state.

use std::panic;

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use super::post::{panic_message, post};
use crate::{BUILD, tasks::error_message};
use inkling_core::protocol::{Envelope, FileEvent, FileTask, Look};
use inkling_formats::{
    own::Picture,
    tasks::{Host, perform},
};

// `www/worker-loader.js`
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = inklingDecode, catch)]
    async fn decode(bytes: &[u8], side: u32) -> Result<JsValue, JsValue>;
}

fn say(event: FileEvent) {
    post(&Envelope { run: 0, event });
}

/// Starts listening to the page.
pub fn start() {
    panic::set_hook(Box::new(move |info| {
        console_error_panic_hook::hook(info);
        say(FileEvent::Unavailable { reason: panic_message(info) });
    }));
    let listener =
        Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            match serde_wasm_bindgen::from_value::<FileTask>(event.data()) {
                Ok(task) => spawn_local(async move { say(perform(task, &Decoder).await) }),
                Err(error) => say(FileEvent::Failed(format!("A message could not be decoded: {error}"))),
            }
        });
    let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    global.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener.forget(); // it lives as long as the worker
    say(FileEvent::Ready { build: BUILD.into() });
}

/// The browser's own decoders.
struct Decoder;

impl Host for Decoder {
    async fn decode(&self, picture: &Picture, look: Look) -> Result<Vec<u8>, String> {
        let pixels = decode(&picture.file.bytes, look.side).await.map_err(|error| error_message(&error))?;
        Ok(look.shape().of_rgba(&Uint8Array::new(&pixels).to_vec()))
    }

    fn report(&self, event: FileEvent) {
        say(event);
    }
}
