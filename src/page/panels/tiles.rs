//! Images as buttons with a caption.

use inkling_core::image::Shape;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use crate::page::{
    dom,
    element::{element, show, text},
};

/// An image that can be pressed.
#[derive(Clone, PartialEq)]
pub struct Tile {
    /// `[C, H, W]`
    pub pixels: Vec<u8>,
    /// Shape of the image.
    pub shape: Shape,
    /// Its class.
    pub name: String,
    /// What it was predicted as, if that is wrong.
    pub mistake: Option<String>,
    /// Its description for screen readers.
    pub words: String,
    /// Whether it has a dashed frame.
    pub dashed: bool,
}

/// Images in one element.
#[derive(Default)]
pub struct Tiles {
    shown: Vec<Tile>,
}

impl Tiles {
    /// Shows `tiles` in element `id`, each with its place as `data-place`. If the focused tile is gone, the last one
    /// gets the focus, or else element `next`.
    pub fn draw(&mut self, id: &str, tiles: Vec<Tile>, next: &str) {
        if self.shown == tiles {
            return;
        }
        let selector = format!("#{id}");
        let active = || dom::document().and_then(|document| document.active_element());
        let focused = || active().is_some_and(|active| active.closest(&selector).is_ok_and(|found| found.is_some()));
        let had_focus = focused();
        show(id, tiles.iter().enumerate().map(|(place, tile)| button(id, place, tile)));
        // Long names need wider tiles, up to a point.
        let longest = tiles.iter().map(|tile| tile.name.chars().count()).max().unwrap_or(0).min(12);
        if let Some(element) = dom::element::<Element>(id) {
            dom::set_style(&element, &format!("--letters: {longest}"));
        }
        for (place, tile) in tiles.iter().enumerate() {
            dom::draw_images(&format!("{id}-{place}"), &tile.pixels, tile.shape, 1);
        }
        if had_focus && !focused() {
            let last = tiles.len().checked_sub(1).map(|last| format!("{id}-{last}-button"));
            if let Some(element) = dom::element::<Element>(last.as_deref().unwrap_or(next)) {
                let _ = element.dyn_ref::<HtmlElement>().map(HtmlElement::focus);
            }
        }
        self.shown = tiles;
    }
}

/// An empty canvas with a pixel for each of an image's.
pub fn canvas(id: String, shape: Shape) -> crate::page::element::Element {
    let side = shape.side.to_string();
    element("canvas").with("id", id).with("width", &side).with("height", &side)
}

fn button(id: &str, place: usize, tile: &Tile) -> crate::page::element::Element {
    let Tile { name, mistake, words, dashed, .. } = tile;
    let arrow = mistake.as_ref().map(|mistake| format!("→{mistake}")).unwrap_or_default();
    let class = match (mistake, dashed) {
        (Some(_), true) => "wrong dashed",
        (Some(_), false) => "wrong",
        (None, true) => "dashed",
        (None, false) => "",
    };
    // The accessible name begins with the visible text.
    let caption = format!("{name}{arrow}");
    let canvas = canvas(format!("{id}-{place}"), tile.shape);
    element("button")
        .with("type", "button")
        .with("id", format!("{id}-{place}-button"))
        .with("data-place", place.to_string())
        .with("class", class)
        .with("aria-label", format!("{caption}, {words}"))
        .child(canvas)
        .child(text("span", caption).with("aria-hidden", "true"))
}
