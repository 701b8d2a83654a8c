//! Which worker to fetch, and why: decided before anything big is downloaded.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::{dom, tasks::within};
use crate::settings::BackendChoice;

/// A browser that has not found an adapter by then is taken to have none.
const ADAPTER_WITHIN_MS: i32 = 10_000;

/// A worker that the site offers, and why it is the one to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The backend: never `Auto`.
    pub backend: BackendChoice,
    /// Why, as the page shows it.
    pub reason: String,
}

impl Pick {
    /// The CPU, because of `reason`.
    pub fn cpu(reason: impl Into<String>) -> Self {
        Pick { backend: BackendChoice::Cpu, reason: reason.into() }
    }

    /// Name of the worker's files.
    pub fn worker(&self) -> &'static str {
        match self.backend {
            BackendChoice::Webgpu | BackendChoice::Auto => "worker_webgpu",
            BackendChoice::Cpu => "worker_cpu",
            BackendChoice::Ndarray => "worker_ndarray",
        }
    }
}

/// The worker for what the visitor chose, on this browser and this site.
pub async fn pick(choice: BackendChoice) -> Pick {
    match choice {
        BackendChoice::Cpu => return Pick::cpu("you chose the CPU"),
        BackendChoice::Ndarray if offered("ndarray") => {
            return Pick { backend: choice, reason: "you chose burn-ndarray".into() };
        }
        BackendChoice::Ndarray => return Pick::cpu("this site was built without burn-ndarray"),
        BackendChoice::Webgpu | BackendChoice::Auto if !offered("webgpu") => {
            return Pick::cpu("this site was built without the WebGPU worker");
        }
        BackendChoice::Webgpu | BackendChoice::Auto => {}
    }
    match adapter().await {
        Err(reason) => Pick::cpu(reason),
        Ok(adapter) if adapter.software && choice == BackendChoice::Auto => {
            Pick::cpu("the only WebGPU adapter here is software, which is slower than the CPU worker")
        }
        Ok(_) if choice == BackendChoice::Auto => {
            Pick { backend: BackendChoice::Webgpu, reason: "a WebGPU adapter was found".into() }
        }
        Ok(_) => Pick { backend: BackendChoice::Webgpu, reason: "you chose WebGPU".into() },
    }
}

/// Whether the site offers the worker of this backend: `index.html` says so.
fn offered(backend: &str) -> bool {
    let meta = dom::document().and_then(|d| d.query_selector("meta[name=inkling-workers]").ok()?);
    meta.and_then(|meta| meta.get_attribute("content")).is_some_and(|list| list.split(' ').any(|w| w == backend))
}

struct Adapter {
    software: bool,
}

/// The browser's adapter, or why there is none to compute with.
async fn adapter() -> Result<Adapter, String> {
    const NONE: &str = "no WebGPU adapter in this browser";
    let get = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let navigator = dom::window().map(|window| window.navigator()).ok_or(NONE)?;
    let gpu = get(&navigator, "gpu");
    if gpu.is_falsy() {
        return Err("no WebGPU in this browser".into());
    }
    let request: Function = get(&gpu, "requestAdapter").dyn_into().map_err(|_| NONE)?;
    let promise: Promise = request.call0(&gpu).and_then(|p| p.dyn_into::<Promise>()).map_err(|_| NONE)?;
    let adapter = within(ADAPTER_WITHIN_MS, promise).await.map_err(|_| NONE)?;
    if adapter.is_falsy() {
        return Err(NONE.into());
    }
    let features = get(&adapter, "features");
    let has: Function = get(&features, "has").dyn_into().map_err(|_| NONE)?;
    let timestamps = has.call1(&features, &"timestamp-query".into()).is_ok_and(|has| has.is_truthy());
    if !timestamps {
        return Err("the WebGPU adapter of this browser lacks timestamp-query, which Burn needs".into());
    }
    let info = get(&adapter, "info");
    let software = get(&adapter, "isFallbackAdapter").is_truthy()
        || get(&info, "isFallbackAdapter").is_truthy()
        || get(&info, "architecture").as_string().is_some_and(|name| name == "swiftshader");
    Ok(Adapter { software })
}
