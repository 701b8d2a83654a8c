//! The page's side of the link: one worker, its messages as events, its errors as sentences.

use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use web_sys::{ErrorEvent, MessageEvent, Worker};

use super::{filing, tasks::words};
use crate::{BUILD, protocol::Envelope};

/// What comes from a worker.
pub enum Incoming {
    /// A message of its session.
    Envelope(Box<Envelope>),
    /// It can't go on: its script did not load, or it trapped.
    Broken(String),
}

// `www/offline.js`
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = inklingOffline, js_name = keep, catch)]
    fn keep_for_offline(files: Vec<String>, build: &str) -> Result<JsValue, JsValue>;
}

/// Has the browser keep the files of worker `name` and of the one for files, for a visit without a network; it may not be able to.
pub fn keep(name: &str) {
    let binary = name.split('&').next().unwrap_or_default();
    let programs =
        [binary, filing::WORKER].into_iter().flat_map(|name| [format!("{name}.js"), format!("{name}_bg.wasm")]);
    let files = ["worker-loader.js".to_string()].into_iter().chain(programs);
    let _ = keep_for_offline(files.map(|file| format!("{file}?build={BUILD}")).collect(), BUILD);
}

/// A worker. Dropping the link ends it.
pub struct Link {
    worker: Worker,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_error: Closure<dyn Fn(ErrorEvent)>,
}

impl Link {
    /// Starts the worker `name` of this build (with what else its address is to say); `receive` hears all that it says.
    ///
    /// # Errors
    /// What the browser says if it allows no worker.
    pub fn open(name: &str, receive: impl Fn(Incoming) + Clone + 'static) -> Result<Self, String> {
        let worker = Worker::new(&format!("worker-loader.js?worker={name}&build={BUILD}")).map_err(|e| words(&e))?;
        let hear = receive.clone();
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            hear(match serde_wasm_bindgen::from_value(event.data()) {
                Ok(envelope) => Incoming::Envelope(Box::new(envelope)),
                Err(error) => {
                    Incoming::Broken(format!("the worker said something that this page does not understand ({error})"))
                }
            });
        });
        let on_error = Closure::<dyn Fn(ErrorEvent)>::new(move |event: ErrorEvent| {
            // A script that does not load gives an event without a message.
            let message = js_sys::Reflect::get(&event, &"message".into()).ok().and_then(|m| m.as_string());
            receive(Incoming::Broken(message.unwrap_or_else(|| "the worker's script could not be loaded".into())));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Link { worker, _on_message: on_message, _on_error: on_error })
    }

    /// Sends a message that the worker knows.
    ///
    /// # Errors
    /// What the browser says if the message can't be sent.
    pub fn send(&self, message: &impl Serialize) -> Result<(), String> {
        let message = serde_wasm_bindgen::to_value(message).map_err(|error| error.to_string())?;
        self.worker.post_message(&message).map_err(|error: JsValue| words(&error))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}
