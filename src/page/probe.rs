//! Decides which worker to load, and why, before anything big is downloaded.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use inkling_core::{say, settings::BackendChoice};

use super::{
    dom, verdict,
    worker::{Adapter, CpuProgram, Pick, Server, Site},
};
use crate::tasks::within;

/// A browser that has not found an adapter after this time counts as having none.
const ADAPTER_TIMEOUT_MS: i32 = 10_000;

/// Picks the worker for the visitor's choice and server, this browser and this site. Returns within [`ADAPTER_TIMEOUT_MS`].
pub async fn pick(choice: BackendChoice, server: &Server) -> Pick {
    if let Some(pick) = Pick::without_adapter(choice, &site(), server) {
        return pick;
    }
    let adapter = adapter().await;
    let verdict = adapter.as_ref().ok().and_then(|adapter| verdict::recall(&adapter.name));
    Pick::with_adapter(choice, adapter, verdict)
}

/// The workers that the site has or is building.
fn site() -> Site {
    let meta = dom::document().and_then(|d| d.query_selector("meta[name=inkling-workers]").ok()?);
    let list = |name| meta.as_ref().and_then(|meta| meta.get_attribute(name)).unwrap_or_default();
    Site::of(&list("content"), &list("data-building"))
}

/// The program of the CPU worker for this site and this browser.
pub fn cpu_program() -> CpuProgram {
    /// The smallest module with an instruction of relaxed SIMD, which multiplies and adds three vectors of zeros: () -> v128.
    const MODULE: [u8; 40] = [
        0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253,
        15, 65, 0, 253, 15, 253, 133, 2, 11,
    ];
    let runs = || js_sys::WebAssembly::validate(&js_sys::Uint8Array::from(&MODULE[..])) == Ok(true);
    if site().relaxed && runs() { CpuProgram::Relaxed } else { CpuProgram::Plain }
}

/// The browser's WebGPU adapter, or why there is none that can be used.
async fn adapter() -> Result<Adapter, String> {
    let none = say!("no WebGPU adapter in this browser");
    let get = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let navigator = dom::window().map(|window| window.navigator()).ok_or(none)?;
    let gpu = get(&navigator, "gpu");
    if gpu.is_falsy() {
        return Err(say!("no WebGPU in this browser").into());
    }
    let request: Function = get(&gpu, "requestAdapter").dyn_into().map_err(|_| none)?;
    // The same options as CubeCL's, because a machine may have two adapters.
    let options = js_sys::Object::new();
    let _ = Reflect::set(&options, &"powerPreference".into(), &"high-performance".into());
    let promise: Promise = request.call1(&gpu, &options).and_then(|p| p.dyn_into::<Promise>()).map_err(|_| none)?;
    let adapter = within(ADAPTER_TIMEOUT_MS, promise).await.map_err(|_| none)?;
    if adapter.is_falsy() {
        return Err(none.into());
    }
    let features = get(&adapter, "features");
    let has: Function = get(&features, "has").dyn_into().map_err(|_| none)?;
    let timestamps = has.call1(&features, &"timestamp-query".into()).is_ok_and(|has| has.is_truthy());
    if !timestamps {
        return Err(say!("the WebGPU adapter of this browser lacks timestamp-query, which Burn needs").into());
    }
    let info = get(&adapter, "info");
    let software = get(&adapter, "isFallbackAdapter").is_truthy()
        || get(&info, "isFallbackAdapter").is_truthy()
        || get(&info, "architecture").as_string().is_some_and(|name| name == "swiftshader");
    let parts = ["vendor", "architecture", "device", "description"].map(|part| get(&info, part).as_string());
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    Ok(Adapter { name: parts.join(" ").replace('\n', " "), software })
}
