//! Watches the server that computes. Burn's client notices only after half a minute that a server has gone, because its connection might
//! come back by another way; the relay's answer to a ping says it within seconds.

use inkling_core::{
    protocol::{Envelope, Event},
    remote::ServerLink,
};
use inkling_train::device::DeviceError;
use js_sys::Promise;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, Response};

use super::post::post;
use crate::tasks::{after, error_message, within};

/// A relay that has not answered a ping after this long has missed it.
const PATIENCE_MS: i32 = 3_000;
/// Time between two pings.
const PAUSE_MS: i32 = 1_000;
/// A server that has missed this many pings in a row is gone.
const MISSED: u32 = 2;

/// Whether the relay answers.
///
/// # Errors
/// [`DeviceError::NoServer`] with the reason.
pub async fn check(link: &ServerLink) -> Result<(), DeviceError> {
    let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    // The path is the relay's own (iroh-relay, `RELAY_PROBE_PATH`).
    let answer = within(PATIENCE_MS, global.fetch_with_str(&format!("{}/ping", link.relay()))).await;
    let checked = answer.and_then(|response| match response.dyn_into::<Response>() {
        Ok(response) if !response.ok() => Err(format!("it returned {}", response.status()).into()),
        _ => Ok(()),
    });
    checked.map_err(|error: JsValue| DeviceError::NoServer {
        host: link.host().into(),
        reason: format!(
            "it does not answer ({}); start `inkling serve` there, and open the link that it prints",
            error_message(&error)
        ),
    })
}

/// From now on, tells the page when the server has gone.
pub fn watch(link: ServerLink) {
    spawn_local(async move {
        let mut missed = 0;
        while missed < MISSED {
            pause().await;
            missed = if check(&link).await.is_ok() { 0 } else { missed + 1 };
        }
        let reason = format!("the server at {} does not answer any more", link.host());
        post(&Envelope { run: 0, event: Event::Unavailable { reason, faulty: false } });
    });
}

async fn pause() {
    let pause = Promise::new(&mut |resolve, _| after(PAUSE_MS, move || drop(resolve.call0(&resolve))));
    let _ = within(10 * PAUSE_MS, pause).await;
}
