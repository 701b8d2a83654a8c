//! Which worker to fetch, and why: decided before anything big is downloaded.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::{
    dom,
    tasks::within,
    verdict::{self, Verdict},
};
use crate::{protocol::Check, settings::BackendChoice};

/// A browser that has not found an adapter by then is taken to have none.
const ADAPTER_WITHIN_MS: i32 = 10_000;

/// A worker that the site offers, and why it is the one to take.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    /// The backend: never `Auto`.
    pub backend: BackendChoice,
    /// Why, as the page shows it.
    pub reason: String,
    /// For WebGPU.
    pub gpu: Gpu,
}

/// How a WebGPU worker is to be started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gpu {
    /// The adapter, in the browser's words.
    pub adapter: String,
    /// Without fused kernels: they did not work.
    pub unfused: bool,
    /// The self-test that it passed on an earlier visit.
    pub check: Option<Check>,
}

impl Pick {
    /// The CPU, because of `reason`.
    pub fn cpu(reason: impl Into<String>) -> Self {
        Pick { backend: BackendChoice::Cpu, reason: reason.into(), gpu: Gpu::default() }
    }

    /// Address of the worker.
    pub fn worker(&self) -> String {
        match self.backend {
            BackendChoice::Webgpu | BackendChoice::Auto => {
                let fusion = if self.gpu.unfused { "&fusion=off" } else { "" };
                let checked = if self.gpu.check.is_some() { "&checked=1" } else { "" };
                format!("worker_webgpu{fusion}{checked}")
            }
            BackendChoice::Cpu => "worker_cpu".into(),
            BackendChoice::Ndarray => "worker_ndarray".into(),
        }
    }

    /// What to try when this one does not work, for `reason`.
    pub fn safer(&self, reason: &str) -> Self {
        match self.backend {
            BackendChoice::Webgpu if !self.gpu.unfused => {
                let gpu = Gpu { unfused: true, check: None, ..self.gpu.clone() };
                Pick { reason: format!("{}, without fused kernels: {reason}", self.reason), gpu, ..self.clone() }
            }
            _ => Pick::cpu(reason),
        }
    }
}

/// The worker for what the visitor chose, on this browser and this site.
pub async fn pick(choice: BackendChoice) -> Pick {
    let plain = |reason: &str| Pick { backend: choice, reason: reason.into(), gpu: Gpu::default() };
    match choice {
        BackendChoice::Cpu => return Pick::cpu("you chose the CPU"),
        BackendChoice::Ndarray if offered("ndarray") => return plain("you chose burn-ndarray"),
        BackendChoice::Ndarray => return Pick::cpu("this site was built without burn-ndarray"),
        BackendChoice::Webgpu | BackendChoice::Auto if !offered("webgpu") => {
            return Pick::cpu("this site was built without the WebGPU worker");
        }
        BackendChoice::Webgpu | BackendChoice::Auto => {}
    }
    let adapter = match adapter().await {
        Err(reason) => return Pick::cpu(reason),
        Ok(adapter) => adapter,
    };
    let automatic = choice == BackendChoice::Auto;
    if adapter.software && automatic {
        return Pick::cpu("the only WebGPU adapter here is software, which is slower than the CPU worker");
    }
    let check = match verdict::recall(&adapter.name) {
        Some(Verdict::Failed(reason)) if automatic => return Pick::cpu(format!("on an earlier visit, {reason}")),
        Some(Verdict::Passed(check)) => Some(check),
        // Who asks for WebGPU gets it tested again.
        _ => None,
    };
    let unfused = check.as_ref().is_some_and(|check| !check.fusion);
    let reason = if automatic { "a WebGPU adapter was found" } else { "you chose WebGPU" };
    Pick { backend: BackendChoice::Webgpu, reason: reason.into(), gpu: Gpu { adapter: adapter.name, unfused, check } }
}

/// Whether the site offers the worker of this backend: `index.html` says so.
fn offered(backend: &str) -> bool {
    let meta = dom::document().and_then(|d| d.query_selector("meta[name=inkling-workers]").ok()?);
    meta.and_then(|meta| meta.get_attribute("content")).is_some_and(|list| list.split(' ').any(|w| w == backend))
}

struct Adapter {
    /// Vendor, architecture, device and description, as far as the browser tells them.
    name: String,
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
    // As CubeCL will ask: a machine may have two.
    let options = js_sys::Object::new();
    let _ = Reflect::set(&options, &"powerPreference".into(), &"high-performance".into());
    let promise: Promise = request.call1(&gpu, &options).and_then(|p| p.dyn_into::<Promise>()).map_err(|_| NONE)?;
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
    let parts = ["vendor", "architecture", "device", "description"].map(|part| get(&info, part).as_string());
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    Ok(Adapter { name: parts.join(" ").replace('\n', " "), software })
}
