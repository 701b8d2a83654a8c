//! The self-test's verdict on this browser's WebGPU adapter, stored for the next visit with the same adapter and build.

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use inkling_core::protocol::Check;

use super::{dom, worker::Verdict};
use crate::BUILD;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = localStorage, js_name = getItem, catch)]
    fn get_item(key: &str) -> Result<Option<String>, JsValue>;
    #[wasm_bindgen(js_namespace = localStorage, js_name = setItem, catch)]
    fn set_item(key: &str, value: &str) -> Result<(), JsValue>;
}

/// Two sites on one origin keep a verdict each.
fn key() -> String {
    let path = dom::window().and_then(|window| window.location().pathname().ok()).unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("inkling {folder}/ webgpu verdict")
}

/// The stored verdict on `adapter`, if this build made it.
pub fn recall(adapter: &str) -> Option<Verdict> {
    let kept = get_item(&key()).ok()??;
    let lines: Vec<&str> = kept.split('\n').collect();
    match lines[..] {
        [build, of_adapter, ..] if build != BUILD || of_adapter != adapter => None,
        [_, _, "failed", reason] => Some(Verdict::Failed(reason.into())),
        [_, _, "passed", difference, tolerance, of] => Some(Verdict::Passed(Check {
            largest_difference: difference.parse().ok()?,
            of: of.into(),
            tolerance: tolerance.parse().ok()?,
            earlier: true,
        })),
        _ => None,
    }
}

/// Stores `verdict`. If the browser can't store it, the next visit tests again.
pub fn keep(adapter: &str, verdict: &Verdict) {
    let lines = match verdict {
        Verdict::Failed(reason) => format!("failed\n{}", reason.replace('\n', " ")),
        Verdict::Passed(Check { largest_difference, tolerance, of, .. }) => {
            format!("passed\n{largest_difference}\n{tolerance}\n{of}")
        }
    };
    let _ = set_item(&key(), &format!("{BUILD}\n{adapter}\n{lines}"));
}
