//! Short words for the DOM. `index.html` has every element that the panels name; the end-to-end test meets them all.

use plotters::{coord::Shift, prelude::*};
use plotters_canvas::CanvasBackend;
use wasm_bindgen::{Clamped, JsCast, closure::Closure};
use web_sys::{
    CanvasRenderingContext2d, Document, Element, Event, HtmlButtonElement, HtmlCanvasElement, HtmlElement,
    HtmlInputElement, ImageData, Window,
};

/// The window.
pub fn window() -> Option<Window> {
    web_sys::window()
}

/// The document.
pub fn document() -> Option<Document> {
    window()?.document()
}

/// The element `id`, as a `T`.
pub fn element<T: JsCast>(id: &str) -> Option<T> {
    document()?.get_element_by_id(id)?.dyn_into().ok()
}

/// Sets the text of element `id`, if it is another: a live region speaks at every change.
pub fn set_text(id: &str, text: &str) {
    if let Some(element) = element::<Element>(id)
        && element.text_content().as_deref() != Some(text)
    {
        element.set_text_content(Some(text));
    }
}

/// Puts `html`, which is ours, into element `id`, if it is another.
pub fn set_html(id: &str, html: &str) {
    if let Some(element) = element::<Element>(id)
        && element.inner_html() != html
    {
        element.set_inner_html(html);
    }
}

/// Shows or hides element `id`.
pub fn set_hidden(id: &str, hidden: bool) {
    if let Some(element) = element::<HtmlElement>(id) {
        element.set_hidden(hidden);
    }
}

/// Sets an attribute of element `id`.
pub fn set_attribute(id: &str, name: &str, value: &str) {
    if let Some(element) = element::<Element>(id) {
        let _ = element.set_attribute(name, value);
    }
}

/// An attribute of element `id`, if it has it.
pub fn attribute(id: &str, name: &str) -> Option<String> {
    element::<Element>(id)?.get_attribute(name)
}

/// Whether the visitor has opened `<details>` `id`: what is closed is not drawn.
pub fn is_open(id: &str) -> bool {
    attribute(id, "open").is_some()
}

/// Enables or disables input `id`.
pub fn set_input_enabled(id: &str, enabled: bool) {
    if let Some(input) = element::<HtmlInputElement>(id) {
        input.set_disabled(!enabled);
    }
}

/// Enables or disables button `id`. If it has the focus and loses it so, element `next` gets it: a keyboard must not be
/// thrown back to the top of the page.
pub fn set_enabled(id: &str, enabled: bool, next: &str) {
    let Some(button) = element::<HtmlButtonElement>(id) else { return };
    if button.disabled() != enabled {
        return;
    }
    let focused = document().and_then(|d| d.active_element()).is_some_and(|active| active.id() == id);
    button.set_disabled(!enabled);
    if let (true, false, Some(next)) = (focused, enabled, element::<HtmlElement>(next)) {
        let _ = next.focus();
    }
}

/// Calls `listener` at each `event` of element `id`, as long as the page lives.
pub fn listen<E: JsCast + 'static>(id: &str, event: &str, listener: impl Fn(E) + 'static) {
    if let Some(target) = element::<Element>(id) {
        listen_on(&target, event, listener);
    }
}

/// Calls `listener` at each `event` of `target`, as long as the page lives.
pub fn listen_on<E: JsCast + 'static>(target: &web_sys::EventTarget, event: &str, listener: impl Fn(E) + 'static) {
    let closure = Closure::<dyn Fn(Event)>::new(move |event: Event| {
        if let Ok(event) = event.dyn_into() {
            listener(event);
        }
    });
    let _ = target.add_event_listener_with_callback(event, closure.as_ref().unchecked_ref());
    closure.forget();
}

/// Device pixels of a CSS pixel.
pub fn pixel_ratio() -> f64 {
    window().map_or(1.0, |window| window.device_pixel_ratio()).max(1.0)
}

/// Canvas `id` with as many pixels as the screen shows of it, and the number of them in a CSS pixel.
pub fn sharp_canvas(id: &str) -> Option<(HtmlCanvasElement, f64)> {
    let canvas: HtmlCanvasElement = element(id)?;
    let (ratio, rect) = (pixel_ratio(), canvas.get_bounding_client_rect());
    let pixels = |css: f64| (css * ratio).round() as u32;
    let (width, height) = (pixels(rect.width()), pixels(rect.height()));
    if width == 0 || height == 0 {
        return None; // not laid out
    }
    if (canvas.width(), canvas.height()) != (width, height) {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    Some((canvas, ratio))
}

/// Canvas `id` for plotters.
pub fn drawing_area(id: &str) -> Option<(DrawingArea<CanvasBackend, Shift>, f64)> {
    let (canvas, ratio) = sharp_canvas(id)?;
    Some((CanvasBackend::with_canvas_object(canvas)?.into_drawing_area(), ratio))
}

/// Square images of 0 (black) to 255 (white) one after another, in rows of `columns` on canvas `id`.
pub fn draw_shades(id: &str, shades: &[u8], side: usize, columns: usize) {
    draw_tiles(id, shades.len(), side, columns, |index| [shades[index]; 3]);
}

/// Square images of numbers, blue below zero and orange above.
pub fn draw_signed(id: &str, values: &[f32], side: usize, columns: usize) {
    let largest = values.iter().fold(1e-9f32, |m, v| m.max(v.abs()));
    draw_tiles(id, values.len(), side, columns, |index| {
        let share = values[index] / largest;
        let [r, g, b] = if share < 0.0 { [37.0, 120.0, 255.0] } else { [245.0, 150.0, 40.0] };
        [r, g, b].map(|part: f32| (part * share.abs()) as u8)
    });
}

/// One pixel lies between two images.
fn draw_tiles(id: &str, len: usize, side: usize, columns: usize, colour: impl Fn(usize) -> [u8; 3]) {
    let Some(canvas) = element::<HtmlCanvasElement>(id) else { return };
    let (tile, count) = (side * side, len / (side * side));
    let rows = count.div_ceil(columns);
    let (width, height) = (columns * (side + 1) - 1, rows * (side + 1) - 1);
    let mut pixels = vec![0u8; 4 * width * height];
    for index in 0..count * tile {
        let (image, y, x) = (index / tile, index % tile / side, index % side);
        let (row, column) = (image / columns * (side + 1) + y, image % columns * (side + 1) + x);
        let at = 4 * (row * width + column);
        pixels[at..at + 3].copy_from_slice(&colour(index));
        pixels[at + 3] = 255;
    }
    if (canvas.width(), canvas.height()) != (width as u32, height as u32) {
        canvas.set_width(width as u32);
        canvas.set_height(height as u32);
    }
    let data = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), width as u32, height as u32);
    if let (Some(context), Ok(data)) = (context(&canvas), data) {
        let _ = context.put_image_data(&data, 0.0, 0.0);
    }
}

/// The 2D context of a canvas.
pub fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok()??.dyn_into().ok()
}

/// Whether the visitor's system asks for a media feature.
pub fn matches_media(query: &str) -> bool {
    window().and_then(|window| window.match_media(query).ok()?).is_some_and(|list| list.matches())
}
