//! Waiting by macrotask: messages arrive between two units of work, and a hidden tab continues.

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
