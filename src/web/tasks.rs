//! Waiting in the browser. A worker waits by macrotask, so that messages are heard, and never by animation frame, so that
//! a hidden tab goes on; only drawing waits for frames.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;

/// Calls `then` with the next frame; a hidden tab has none until it is shown again.
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

/// Waits for `promise` at most `milliseconds`; then an error in words.
pub async fn within(milliseconds: i32, promise: Promise) -> Result<JsValue, JsValue> {
    let late = Promise::new(&mut |_, reject| {
        let words = JsValue::from_str(&format!("no answer for {} s", milliseconds / 1000));
        let then: JsValue = reject.bind1(&JsValue::NULL, &words).into();
        let _ = set_timeout(then.unchecked_ref(), milliseconds);
    });
    JsFuture::from(Promise::race(&js_sys::Array::of2(&promise, &late))).await
}

/// The timer of a page and of a worker alike.
fn set_timeout(then: &Function, milliseconds: i32) -> Result<JsValue, JsValue> {
    let global = js_sys::global();
    let timer: Function = Reflect::get(&global, &"setTimeout".into())?.dyn_into()?;
    timer.call2(&global, then, &milliseconds.into())
}

/// What a thrown value says.
pub fn words(error: &JsValue) -> String {
    if let Some(error) = error.dyn_ref::<js_sys::Error>() {
        return String::from(error.message());
    }
    error.as_string().unwrap_or_else(|| format!("{error:?}"))
}

#[cfg(feature = "cpu")]
pub use in_worker::Macrotask;

#[cfg(feature = "cpu")]
mod in_worker {
    use js_sys::Promise;
    use wasm_bindgen::JsValue;
    use wasm_bindgen_futures::JsFuture;
    use web_sys::MessageChannel;

    /// Lets every message that has arrived be heard before the caller goes on.
    pub struct Macrotask(MessageChannel);

    impl Macrotask {
        /// A channel to oneself.
        pub fn new() -> Result<Self, JsValue> {
            MessageChannel::new().map(Macrotask)
        }

        /// Goes to the back of the queue of tasks.
        pub async fn pass(&self) -> Result<(), JsValue> {
            let next = Promise::new(&mut |resolve, _| self.0.port1().set_onmessage(Some(&resolve)));
            self.0.port2().post_message(&JsValue::NULL)?;
            JsFuture::from(next).await.map(|_| ())
        }
    }
}

/// What a panic says, without the place in the source: that is in the console.
#[cfg(any(feature = "cpu", feature = "files"))]
pub fn panic_words(info: &std::panic::PanicHookInfo) -> String {
    info.payload_as_str().unwrap_or("the program stopped").trim_end().to_string()
}

/// Says `envelope` to the page, from a worker.
#[cfg(any(feature = "cpu", feature = "files"))]
pub fn post(envelope: &crate::protocol::Envelope) {
    let global: web_sys::DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let message = serde_wasm_bindgen::to_value(envelope).map_err(JsValue::from);
    // An envelope is plain data; if it could not be sent there would be no way to say so but the console.
    if let Err(error) = message.and_then(|message| global.post_message(&message)) {
        wasm_bindgen::throw_val(error);
    }
}
