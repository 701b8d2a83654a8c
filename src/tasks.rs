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
    let late = Promise::new(&mut |_, reject| {
        let words = JsValue::from_str(&format!("no response for {} s", milliseconds / 1000));
        let then: JsValue = reject.bind1(&JsValue::NULL, &words).into();
        let _ = set_timeout(then.unchecked_ref(), milliseconds);
    });
    JsFuture::from(Promise::race(&js_sys::Array::of2(&promise, &late))).await
}

/// `setTimeout`, on a page or in a worker.
fn set_timeout(then: &Function, milliseconds: i32) -> Result<JsValue, JsValue> {
    let global = js_sys::global();
    let timer: Function = Reflect::get(&global, &"setTimeout".into())?.dyn_into()?;
    timer.call2(&global, then, &milliseconds.into())
}

/// The message of a thrown value.
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

    /// Lets every message that has arrived be delivered before the caller continues.
    pub struct Macrotask(MessageChannel);

    impl Macrotask {
        /// Opens a channel from this thread to itself.
        pub fn new() -> Result<Self, JsValue> {
            MessageChannel::new().map(Macrotask)
        }

        /// Yields to the back of the task queue.
        pub async fn pass(&self) -> Result<(), JsValue> {
            let next = Promise::new(&mut |resolve, _| self.0.port1().set_onmessage(Some(&resolve)));
            self.0.port2().post_message(&JsValue::NULL)?;
            JsFuture::from(next).await.map(|_| ())
        }
    }
}

/// The message of a panic, without its location in the source, which is in the console.
#[cfg(any(feature = "cpu", feature = "files"))]
pub fn panic_words(info: &std::panic::PanicHookInfo) -> String {
    info.payload_as_str().unwrap_or("the program stopped").trim_end().to_string()
}

/// Sends `envelope` from a worker to the page.
#[cfg(any(feature = "cpu", feature = "files"))]
pub fn post<E: serde::Serialize>(envelope: &inkling_core::protocol::Envelope<E>) {
    let global: web_sys::DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let message = serde_wasm_bindgen::to_value(envelope).map_err(JsValue::from);
    // An envelope is plain data. If it can't be sent, throwing is the only way left to report that.
    if let Err(error) = message.and_then(|message| global.post_message(&message)) {
        wasm_bindgen::throw_val(error);
    }
}
