//! What a worker sends to the page.

use std::panic::PanicHookInfo;

use inkling_core::protocol::Envelope;
use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

/// Sends `envelope` to the page.
pub fn post<E: Serialize>(envelope: &Envelope<E>) {
    let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let message = serde_wasm_bindgen::to_value(envelope).map_err(JsValue::from);
    // An envelope is plain data. If it can't be sent, throwing is the only way left to report that.
    if let Err(error) = message.and_then(|message| global.post_message(&message)) {
        wasm_bindgen::throw_val(error);
    }
}

/// The message of a panic, without its location in the source, which is in the console.
pub fn panic_message(info: &PanicHookInfo) -> String {
    info.payload_as_str().unwrap_or("the program stopped").trim_end().to_string()
}
