//! The camera, with `www/camera.js`.

use wasm_bindgen::{JsValue, closure::Closure, prelude::wasm_bindgen};

use crate::tasks::error_message;
use inkling_core::image::Shape;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = inklingCamera, js_name = open, catch)]
    async fn open_stream(lost: &JsValue) -> Result<JsValue, JsValue>;
    /// Turns the camera off.
    #[wasm_bindgen(js_namespace = inklingCamera, js_name = close)]
    pub fn close();
    #[wasm_bindgen(js_namespace = inklingCamera, js_name = picture, catch)]
    async fn picture_value(side: u32) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = inklingCamera, js_name = pixels, catch)]
    fn pixels_value(side: u32) -> Result<Vec<u8>, JsValue>;
}

/// Turns the camera on, once the visitor allows it. `lost` is called if it is taken away later.
///
/// # Errors
/// The browser's error message.
pub async fn open(lost: impl FnOnce() + 'static) -> Result<(), String> {
    let lost = Closure::once_into_js(lost);
    open_stream(&lost).await.map(|_| ()).map_err(|error| error_message(&error))
}

/// A PNG file of the middle square of what the camera sees, `side` by `side` pixels.
///
/// # Errors
/// The browser's error message.
pub async fn picture(side: u32) -> Result<Vec<u8>, String> {
    let value = picture_value(side).await.map_err(|error| error_message(&error))?;
    Ok(js_sys::Uint8Array::new(&value).to_vec())
}

/// The middle square of what the camera sees, as an image of this shape, if it sees something.
pub fn look(shape: Shape) -> Option<Vec<u8>> {
    pixels_value(shape.side as u32).ok().map(|pixels| shape.of_rgba(&pixels))
}
