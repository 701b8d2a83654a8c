//! Downloads MNIST: tries several sources in order, checks the files, and keeps them in the browser's cache for the
//! next visit.

use std::cell::Cell;

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    AbortController, Cache, DedicatedWorkerGlobalScope, ReadableStreamDefaultReader, RequestInit, Response, Url,
};
use web_time::Instant;

use crate::tasks::{error_message, within};
use inkling_core::{data::Dataset, protocol::Loading};
use inkling_formats::mnist::{FILES, File, SOURCES, assemble};

const CACHE: &str = "inkling-mnist-1";
/// A download that receives less than [`MIN_BYTES`] in this time has failed: a server that sends a byte now and then would
/// take days.
const SILENCE_MS: i32 = 20_000;
const MIN_BYTES: usize = 20_000;
/// The largest file is 47 MB decompressed, which is how some servers send it.
const MAX_BYTES: usize = 64 << 20;
/// The browser's cache counts as broken if it has not answered after this time.
const CACHE_MS: i32 = 5_000;
/// Number of attempts per source before the next source is tried.
const ATTEMPTS: u32 = 2;

/// The data set and a description of its source; or a message that says what went wrong and what to do.
pub async fn mnist(report: impl Fn(Loading)) -> Result<(Dataset, String), String> {
    let total = FILES.iter().map(|file| file.size).sum();
    let received = Cell::new(0);
    let progress = |what: &str| report(Loading { what: what.into(), received: received.get(), total });
    let cache = open_cache().await;
    let mut files: [Vec<u8>; 4] = Default::default();
    let mut origin = "the browser's cache".to_string();
    let mut before = 0;
    for (file, bytes) in FILES.iter().zip(&mut files) {
        received.set(before);
        *bytes = match from_cache(cache.as_ref(), file).await {
            Some(bytes) => bytes,
            None => {
                let advance = |bytes: u64| {
                    // A server may have decompressed the file: then more bytes arrive than expected.
                    received.set(before + bytes.min(file.size));
                    progress(&format!("Fetching {}", file.name));
                };
                let (bytes, source) = from_network(cache.as_ref(), file, advance).await?;
                origin = source;
                bytes
            }
        };
        before += file.size;
        received.set(before);
        progress(&format!("Checked {}", file.name));
    }
    let dataset = assemble(&files).map_err(|error| error.to_string())?;
    Ok((dataset, format!("MNIST, from {origin}")))
}

/// The cache, if the browser has one for this page (it needs a secure origin and some free storage).
async fn open_cache() -> Option<Cache> {
    let caches = scope().caches().ok()?;
    within(CACHE_MS, caches.open(CACHE)).await.ok()?.dyn_into().ok()
}

fn cache_key(file: &File) -> String {
    resolve(&format!("cached/{}", file.name)).unwrap_or_else(|| file.name.into())
}

async fn from_cache(cache: Option<&Cache>, file: &File) -> Option<Vec<u8>> {
    let found = cache?.match_with_str(&cache_key(file));
    let response: Response = within(CACHE_MS, found).await.ok()?.dyn_into().ok()?;
    let buffer = within(CACHE_MS, response.array_buffer().ok()?).await.ok()?;
    // A cached file can be damaged too; then it is downloaded again.
    file.stored(&Uint8Array::new(&buffer).to_vec()).ok()
}

async fn from_network(cache: Option<&Cache>, file: &File, advance: impl Fn(u64)) -> Result<(Vec<u8>, String), String> {
    let mut failures = Vec::new();
    for source in SOURCES {
        let Some(url) = resolve(&format!("{source}{}", file.name)) else { continue };
        let host = Url::new(&url).map_or_else(|_| source.into(), |url| url.host());
        for attempt in 1..=ATTEMPTS {
            // The page gives up on a worker that is silent for a minute and a half.
            advance(0);
            let failure = match download(&url, &advance).await {
                Ok(raw) => match file.verify(&raw) {
                    Ok(bytes) => {
                        keep(cache, file, &raw).await;
                        return Ok((bytes, host));
                    }
                    Err(error) => error.to_string(),
                },
                Err(Failure::Absent(status)) => {
                    failures.push(format!("{host} returned {status}"));
                    break; // retrying would not help
                }
                Err(Failure::Network(error)) => error,
            };
            if attempt == ATTEMPTS {
                failures.push(format!("{host}: {failure}"));
            }
        }
    }
    Err(format!(
        "MNIST could not be fetched ({}). Check the connection and train again, \
         or choose the synthetic digits, which need no connection.",
        failures.join("; ")
    ))
}

async fn keep(cache: Option<&Cache>, file: &File, raw: &[u8]) {
    let Some(cache) = cache else { return };
    let array = Uint8Array::from(raw);
    if let Ok(response) = Response::new_with_opt_js_u8_array(Some(&array)) {
        // If the cache has no room, the next visit downloads the file again; nothing else is lost.
        let _ = within(CACHE_MS, cache.put_with_str(&cache_key(file), &response)).await;
    }
}

enum Failure {
    Absent(u16),
    Network(String),
}

impl From<JsValue> for Failure {
    fn from(error: JsValue) -> Self {
        Failure::Network(error_message(&error))
    }
}

/// The bytes at `url`. When this fails, the request is aborted, so that a late response costs nothing.
async fn download(url: &str, advance: &impl Fn(u64)) -> Result<Vec<u8>, Failure> {
    let abort = AbortController::new()?;
    let bytes = receive(url, &abort, advance).await;
    if bytes.is_err() {
        abort.abort();
    }
    bytes
}

async fn receive(url: &str, abort: &AbortController, advance: &impl Fn(u64)) -> Result<Vec<u8>, Failure> {
    let response: Response = match early(url).await {
        Some(response) => response,
        None => {
            let options = RequestInit::new();
            options.set_signal(Some(&abort.signal()));
            within(SILENCE_MS, scope().fetch_with_str_and_init(url, &options)).await?.dyn_into()?
        }
    };
    if !response.ok() {
        let status = response.status();
        let busy = status >= 500 || status == 408 || status == 429;
        return Err(if busy { Failure::Network(format!("returned {status}")) } else { Failure::Absent(status) });
    }
    let body = response.body().ok_or_else(|| Failure::Network("the response has no body".into()))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let bytes = read(&reader, advance).await;
    if bytes.is_err() {
        // A response that the loader requested is not bound to `abort`. There is nobody to tell if cancelling fails.
        let _ = reader.cancel();
    }
    bytes
}

async fn read(reader: &ReadableStreamDefaultReader, advance: &impl Fn(u64)) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let (mut since, mut before) = (Instant::now(), 0);
    loop {
        let chunk = within(SILENCE_MS, reader.read()).await?;
        let field = |name: &str| js_sys::Reflect::get(&chunk, &name.into());
        if field("done")?.is_truthy() {
            return Ok(bytes);
        }
        let part = Uint8Array::new(&field("value")?);
        let start = bytes.len();
        if start + part.length() as usize > MAX_BYTES {
            return Err(Failure::Network(format!("sent more than {} MiB", MAX_BYTES >> 20)));
        }
        bytes.resize(start + part.length() as usize, 0);
        part.copy_to(&mut bytes[start..]);
        advance(bytes.len() as u64);
        if since.elapsed().as_millis() >= SILENCE_MS as u128 {
            if bytes.len() - before < MIN_BYTES {
                return Err(Failure::Network(format!(
                    "sent only {} bytes in {} s",
                    bytes.len() - before,
                    SILENCE_MS / 1000
                )));
            }
            (since, before) = (Instant::now(), bytes.len());
        }
    }
}

/// Takes the response that `worker-loader.js` requested while the program was loading, if it did; only once per `url`.
async fn early(url: &str) -> Option<Response> {
    let waiting = js_sys::Reflect::get(&scope(), &"inklingEarly".into()).ok()?;
    let promise: js_sys::Promise = js_sys::Reflect::get(&waiting, &url.into()).ok()?.dyn_into().ok()?;
    let _ = js_sys::Reflect::set(&waiting, &url.into(), &JsValue::UNDEFINED);
    within(SILENCE_MS, promise).await.ok()?.dyn_into().ok()
}

/// `path` as a URL, relative to the worker's script, which is in the same directory as the page.
fn resolve(path: &str) -> Option<String> {
    Url::new_with_base(path, &scope().location().href()).ok().map(|url| url.href())
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}
