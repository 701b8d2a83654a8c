//! Short words for the DOM. `index.html` has every element that the panels name; the end-to-end test meets them all.

use plotters::{coord::Shift, prelude::*};
use plotters_canvas::CanvasBackend;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{
    CanvasRenderingContext2d, Document, Element, Event, HtmlButtonElement, HtmlCanvasElement, HtmlElement, Window,
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

/// The 2D context of a canvas.
pub fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok()??.dyn_into().ok()
}

/// Whether the visitor's system asks for a media feature.
pub fn matches_media(query: &str) -> bool {
    window().and_then(|window| window.match_media(query).ok()?).is_some_and(|list| list.matches())
}
