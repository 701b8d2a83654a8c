//! Waiting in the browser. A worker waits for a macrotask, so that messages are delivered, and never for an animation
//! frame, so that a hidden tab continues to train; only drawing waits for frames.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;

/// Calls `then` at the next frame. A hidden tab gets no frame until it is shown again.
pub fn next_frame(then: impl FnOnce() + 'static) {
    if let Some(window) = web_sys::window() {
        let _ = window.request_animation_frame(Closure::once_into_js(then).unchecked_ref());
    }
}

/// Calls `then` once after `milliseconds`.
pub fn after(milliseconds: i32, then: impl FnOnce() + 'static) {
    let then = Closure::once_into_js(then);
    let _ = set_timeout(then.unchecked_ref(), milliseconds);
}

/// Waits at most `milliseconds` for `promise`, then returns an error message.
pub async fn within(milliseconds: i32, promise: Promise) -> Result<JsValue, JsValue> {
    let mut timer = JsValue::UNDEFINED;
    let late = Promise::new(&mut |_, reject| {
        let words = JsValue::from_str(&format!("no response for {} s", milliseconds / 1000));
        let then: JsValue = reject.bind1(&JsValue::NULL, &words).into();
        timer = set_timeout(then.unchecked_ref(), milliseconds).unwrap_or_default();
    });
    let result = JsFuture::from(Promise::race(&js_sys::Array::of2(&promise, &late))).await;
    // Hundreds of replies may arrive every second; without this, their timers would pile up.
    let _ = call("clearTimeout", &[timer]);
    result
}

/// `setTimeout`, on a page or in a worker.
fn set_timeout(then: &Function, milliseconds: i32) -> Result<JsValue, JsValue> {
    call("setTimeout", &[then.into(), milliseconds.into()])
}

/// Calls a global function.
fn call(name: &str, arguments: &[JsValue]) -> Result<JsValue, JsValue> {
    let global = js_sys::global();
    let function: Function = Reflect::get(&global, &name.into())?.dyn_into()?;
    function.apply(&global, &arguments.iter().collect())
}

/// The message of a thrown value.
pub fn error_message(error: &JsValue) -> String {
    if let Some(error) = error.dyn_ref::<js_sys::Error>() {
        return String::from(error.message());
    }
    error.as_string().unwrap_or_else(|| format!("{error:?}"))
}
