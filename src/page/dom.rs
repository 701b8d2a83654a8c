//! Short helpers for the DOM. `index.html` has every element that the panels name; the end-to-end test visits them all.

use inkling_core::{image::Shape, say};
use plotters::{coord::Shift, prelude::*};
use plotters_canvas::CanvasBackend;
use serde::Serialize;
use wasm_bindgen::{Clamped, JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    CanvasRenderingContext2d, Document, Element, Event, HtmlButtonElement, HtmlCanvasElement, HtmlElement,
    HtmlInputElement, ImageData, Location, Window,
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

/// Sets the text of element `id` if it differs: a screen reader announces every change of a live region.
pub fn set_text(id: &str, text: &str) {
    if let Some(element) = element::<Element>(id)
        && element.text_content().as_deref() != Some(text)
    {
        element.set_text_content(Some(text));
    }
}

/// Shows or hides element `id`.
pub fn set_hidden(id: &str, hidden: bool) {
    if let Some(element) = element::<HtmlElement>(id) {
        element.set_hidden(hidden);
    }
}

/// Makes the children of element `id` inert but for the first one, or no longer.
pub fn set_inert_but_for_the_first(id: &str, inert: bool) {
    let Some(children) = element::<Element>(id).map(|parent| parent.children()) else { return };
    for child in (1..children.length()).filter_map(|place| children.item(place)) {
        let _ = child.toggle_attribute_with_force("inert", inert);
    }
}

/// Sets an attribute of element `id`.
pub fn set_attribute(id: &str, name: &str, value: &str) {
    if let Some(element) = element::<Element>(id) {
        let _ = element.set_attribute(name, value);
    }
}

/// Removes an attribute of element `id`.
pub fn remove_attribute(id: &str, name: &str) {
    if let Some(element) = element::<Element>(id) {
        let _ = element.remove_attribute(name);
    }
}

/// Sets the inline style of an element. The site's policy forbids the attribute, but not this.
pub fn set_style(element: &Element, style: &str) {
    if let Some(element) = element.dyn_ref::<HtmlElement>()
        && element.style().css_text() != style
    {
        element.style().set_css_text(style);
    }
}

/// Whether `<details>` `id` is open.
pub fn is_open(id: &str) -> bool {
    element::<Element>(id).is_some_and(|element| element.has_attribute("open"))
}

/// Whether `element` has the focus.
pub fn has_focus(element: &Element) -> bool {
    document().and_then(|document| document.active_element()).is_some_and(|active| active == *element)
}

/// The number in attribute `data-{name}` of the event's target or of the nearest element around it.
pub fn pressed(event: &Event, name: &str) -> Option<usize> {
    attribute(event, name)?.parse().ok()
}

/// Attribute `data-{name}` of the event's target or of the nearest element around it.
pub fn attribute(event: &Event, name: &str) -> Option<String> {
    let target: Element = event.target()?.dyn_into().ok()?;
    let name = format!("data-{name}");
    target.closest(&format!("[{name}]")).ok()??.get_attribute(&name)
}

/// Enables or disables input `id`.
pub fn set_input_enabled(id: &str, enabled: bool) {
    if let Some(input) = element::<HtmlInputElement>(id) {
        input.set_disabled(!enabled);
    }
}

/// Enables or disables button `id`. If the button has the focus when it is disabled, the focus moves to element `next`,
/// so that keyboard users are not sent back to the top of the page.
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

/// Calls `listener` for each `event` of element `id`, as long as the page exists.
pub fn listen<E: JsCast + 'static>(id: &str, event: &str, listener: impl Fn(E) + 'static) {
    if let Some(target) = element::<Element>(id) {
        listen_on(&target, event, listener);
    }
}

/// Calls `listener` for each `event` of `target`, as long as the page exists.
pub fn listen_on<E: JsCast + 'static>(target: &web_sys::EventTarget, event: &str, listener: impl Fn(E) + 'static) {
    listen_boxed(target, event, Box::new(listener));
}

/// Not generic over the listener: there are some seventy, and each copy would add to the page's size.
fn listen_boxed<E: JsCast + 'static>(target: &web_sys::EventTarget, event: &str, listener: Box<dyn Fn(E)>) {
    let closure = Closure::<dyn Fn(Event)>::new(move |event: Event| {
        if let Ok(event) = event.dyn_into() {
            listener(event);
        }
    });
    let _ = target.add_event_listener_with_callback(event, closure.as_ref().unchecked_ref());
    closure.forget();
}

/// Device pixels per CSS pixel, at least 1.
pub fn pixel_ratio() -> f64 {
    window().map_or(1.0, |window| window.device_pixel_ratio()).max(1.0)
}

/// Canvas `id`, resized to its size on screen in device pixels, and the number of device pixels per CSS pixel.
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

/// Canvas `id` as a drawing area for plotters, and the number of device pixels per CSS pixel.
pub fn drawing_area(id: &str) -> Option<(DrawingArea<CanvasBackend, Shift>, f64)> {
    let (canvas, ratio) = sharp_canvas(id)?;
    Some((CanvasBackend::with_canvas_object(canvas)?.into_drawing_area(), ratio))
}

/// Draws consecutive square images of shades from 0 (black) to 255 (white) on canvas `id`, `columns` per row.
pub fn draw_shades(id: &str, shades: &[u8], side: usize, columns: usize) {
    draw_tiles(id, shades.len(), side, columns, |index| [shades[index]; 3]);
}

/// Draws consecutive images of the data set on canvas `id`, `columns` per row.
pub fn draw_images(id: &str, pixels: &[u8], shape: Shape, columns: usize) {
    draw_tiles(id, pixels.len() / shape.channels, shape.side, columns, |index| {
        let (image, pixel) = (index / shape.pixels(), index % shape.pixels());
        colour(&pixels[image * shape.values()..], shape, pixel)
    });
}

/// Draws an image on canvas `id`; `paint` gives each pixel its colour, from its index and its colour in the image.
pub fn draw_painted(id: &str, pixels: &[u8], shape: Shape, paint: impl Fn(usize, [u8; 3]) -> [u8; 3]) {
    draw_tiles(id, shape.pixels(), shape.side, 1, |pixel| paint(pixel, colour(pixels, shape, pixel)));
}

/// The colour of a pixel of an image `[C, H, W]`.
fn colour(image: &[u8], shape: Shape, pixel: usize) -> [u8; 3] {
    let channel = |channel: usize| image[channel * shape.pixels() + pixel];
    if shape.channels == 3 { [0, 1, 2].map(channel) } else { [channel(0); 3] }
}

/// Draws consecutive filters on canvas `id`: of one channel, gray below zero and purple above; of three, in their colours, gray
/// where they are zero.
pub fn draw_filters(id: &str, weights: &[f32], shape: Shape, columns: usize) {
    let largest = weights.iter().fold(1e-9f32, |m, v| m.max(v.abs()));
    draw_tiles(id, weights.len() / shape.channels, shape.side, columns, |index| {
        let (filter, pixel) = (index / shape.pixels(), index % shape.pixels());
        let share = |channel: usize| weights[filter * shape.values() + channel * shape.pixels() + pixel] / largest;
        if shape.channels == 3 {
            return [0, 1, 2].map(|channel| (127.5 + 127.5 * share(channel)) as u8);
        }
        let [r, g, b] = if share(0) < 0.0 { [200.0, 200.0, 200.0] } else { [176.0, 120.0, 255.0] };
        [r, g, b].map(|part: f32| (part * share(0).abs()) as u8)
    });
}

/// Draws square images with a gap of one pixel between them.
fn draw_tiles(id: &str, len: usize, side: usize, columns: usize, colour: impl Fn(usize) -> [u8; 3]) {
    let Some(canvas) = element::<HtmlCanvasElement>(id) else { return };
    let (tile, count) = (side * side, len / (side * side));
    let rows = count.div_ceil(columns).max(1); // without images, one black one
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

/// Whether the visitor's system matches a media query.
pub fn matches_media(query: &str) -> bool {
    window().and_then(|window| window.match_media(query).ok()?).is_some_and(|list| list.matches())
}

/// `value` as a JavaScript value, with byte arrays as `Uint8Array`.
///
/// # Errors
/// The serializer's message.
pub fn value(value: &impl Serialize) -> Result<JsValue, String> {
    value.serialize(&serde_wasm_bindgen::Serializer::new()).map_err(|error| error.to_string())
}

/// `value` as JSON.
pub fn json(value: &impl Serialize) -> String {
    let value = value.serialize(&serde_wasm_bindgen::Serializer::json_compatible());
    value.ok().and_then(|value| js_sys::JSON::stringify(&value).ok()).map(String::from).unwrap_or_default()
}

/// The value of `key` in the fragment of the page's URL, which is sent to no host: `#key=value`.
pub fn fragment(key: &str) -> Option<String> {
    let hash = window()?.location().hash().ok()?;
    Some(hash.strip_prefix('#')?.strip_prefix(key)?.strip_prefix('=')?.to_string())
}

/// The page's address with another query and fragment.
pub fn address(query: &str, fragment: &str) -> String {
    let location = window().map(|window| window.location());
    let part = |get: fn(&Location) -> Result<String, JsValue>| location.as_ref().and_then(|of| get(of).ok());
    let page = [part(Location::origin), part(Location::pathname)].map(Option::unwrap_or_default).concat();
    format!("{page}?{query}#{fragment}")
}

/// Replaces the query in the page's URL, which holds the settings.
pub fn set_address(query: &str) {
    if let Some(history) = window().and_then(|window| window.history().ok()) {
        // The language stays (www/language.js).
        let search = window().and_then(|window| window.location().search().ok()).unwrap_or_default();
        let language = search.trim_start_matches('?').split('&').find(|pair| pair.starts_with("language="));
        let language = language.map(|pair| format!("&{pair}")).unwrap_or_default();
        // So does the server's link. Weights go: they would not fit other layers.
        let hash = window().and_then(|window| window.location().hash().ok());
        let hash = hash.filter(|hash| hash.starts_with("#server=")).unwrap_or_default();
        // A page opened from a file can't change its URL; the run does not need it.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&format!("?{query}{language}{hash}")));
    }
}

/// Copies a text, and says in element `status` whether the browser allowed it.
pub async fn copy(text: &str, status: &str) {
    let Some(window) = window() else { return };
    // Without a secure origin there is no clipboard at all.
    let clipboard = js_sys::Reflect::get(&window.navigator(), &"clipboard".into()).is_ok_and(|c| c.is_object());
    let copied = clipboard && JsFuture::from(window.navigator().clipboard().write_text(text)).await.is_ok();
    set_text(status, if copied { say!("Copied.") } else { say!("The browser does not allow copying here.") });
}

/// Gives element `id` the focus.
pub fn focus(id: &str) {
    if let Some(element) = element::<HtmlElement>(id) {
        let _ = element.focus();
    }
}

/// Gives element `id` the focus without scrolling to it: a sheet is always in view.
pub fn focus_in_place(id: &str) {
    let Some(element) = element::<HtmlElement>(id) else { return };
    let options = js_sys::Object::new();
    let _ = js_sys::Reflect::set(&options, &"preventScroll".into(), &true.into());
    let focus = js_sys::Reflect::get(&element, &"focus".into()).ok().and_then(|focus| focus.dyn_into().ok());
    let _ = focus.map(|focus: js_sys::Function| focus.call1(&element, &options));
}
