//! The page's side of the link to a worker: receives its messages as events and its errors as text.

use inkling_core::say;

use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions};

use super::msg::FromWorker;
use crate::{BUILD, tasks::error_message};

// `www/offline.js`
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = inklingOffline, js_name = keep, catch)]
    fn keep_for_offline(workers: Vec<String>, build: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingOffline, js_name = renew, catch)]
    fn renew_page(build: &str) -> Result<JsValue, JsValue>;
}

/// Asks the browser to keep the programs of the worker at `address` and of worker `other` for offline visits. If the
/// browser can't, nothing happens.
pub fn keep(address: &str, other: &str) {
    let worker = address.split('&').next().unwrap_or_default();
    let _ = keep_for_offline([worker, other].map(String::from).to_vec(), BUILD);
}

/// Loads the page again from the network; at most once for this build.
pub fn renew() {
    let _ = renew_page(BUILD);
}

/// A worker. Dropping the link terminates it.
pub struct Link {
    worker: Worker,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_error: Closure<dyn Fn(ErrorEvent)>,
}

impl Link {
    /// Starts this build's worker at `address` (its program, then `&` and further parameters), with this name. `receive` gets
    /// all its messages and errors.
    ///
    /// # Errors
    /// The browser's error message if it can't start the worker.
    pub fn open<M: DeserializeOwned>(
        address: &str,
        name: &str,
        receive: impl Fn(FromWorker<M>) + Clone + 'static,
    ) -> Result<Self, String> {
        let options = WorkerOptions::new();
        options.set_name(name);
        let address = format!("worker-loader.js?worker={address}&build={BUILD}");
        let worker = Worker::new_with_options(&address, &options).map_err(|e| error_message(&e))?;
        let hear = receive.clone();
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            hear(match serde_wasm_bindgen::from_value(event.data()) {
                Ok(message) => FromWorker::Message(Box::new(message)),
                Err(error) => {
                    FromWorker::Failed(say!("the page could not decode a message from the worker ({})", error))
                }
            });
        });
        let on_error = Closure::<dyn Fn(ErrorEvent)>::new(move |event: ErrorEvent| {
            // If the script does not load, the event has no message.
            let message = js_sys::Reflect::get(&event, &"message".into()).ok().and_then(|m| m.as_string());
            receive(FromWorker::Failed(
                message.unwrap_or_else(|| say!("the worker's script could not be loaded").into()),
            ));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Link { worker, _on_message: on_message, _on_error: on_error })
    }

    /// Sends a message to the worker.
    ///
    /// # Errors
    /// The browser's error message if the message can't be sent.
    pub fn send(&self, message: &impl Serialize) -> Result<(), String> {
        let message = serde_wasm_bindgen::to_value(message).map_err(|error| error.to_string())?;
        self.worker.post_message(&message).map_err(|error: JsValue| error_message(&error))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}
