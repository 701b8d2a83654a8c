//! Images as buttons with a caption: of the data set, and the visitor's own.

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::escaped;
use crate::{data::SIDE, web::dom};

/// An image that can be pressed.
pub struct Tile<'a> {
    /// `[28, 28]`
    pub pixels: &'a [u8],
    /// Its class.
    pub name: String,
    /// What it was taken for, if that is wrong.
    pub taken: Option<String>,
    /// What a screen reader says of it.
    pub words: String,
    /// Whether it has a dashed frame.
    pub dashed: bool,
}

/// Shows `tiles` in element `id`, each with its place as `data-place`; they are made only if it shows another `version`.
/// The focus stays at its place; if none is left, element `next` gets it.
pub fn draw<'a>(id: &str, version: u32, tiles: impl Iterator<Item = Tile<'a>>, next: &str) {
    let version = version.to_string();
    if dom::attribute(id, "data-version").as_deref() == Some(&version) {
        return;
    }
    dom::set_attribute(id, "data-version", &version);
    let tiles: Vec<Tile> = tiles.collect();
    let active = dom::document().and_then(|document| document.active_element());
    let within = active.filter(|active| active.closest(&format!("#{id}")).is_ok_and(|found| found.is_some()));
    let focused: Option<usize> = within.and_then(|active: Element| active.get_attribute("data-place")?.parse().ok());
    let button = |(place, tile): (usize, &Tile)| {
        let Tile { name, taken, words, dashed, .. } = tile;
        let arrow = taken.as_ref().map(|taken| format!("→{}", escaped(taken))).unwrap_or_default();
        let class = match (taken, dashed) {
            (Some(_), true) => "wrong dashed",
            (Some(_), false) => "wrong",
            (None, true) => "dashed",
            (None, false) => "",
        };
        // What is seen is what its name begins with.
        let caption = format!("{}{arrow}", escaped(name));
        format!(
            "<button type=button id={id}-{place}-button data-place={place} class=\"{class}\" aria-label=\"{caption}, {}\"><canvas id={id}-{place} width={SIDE} height={SIDE}></canvas><span aria-hidden=true>{caption}</span></button>",
            escaped(words)
        )
    };
    dom::set_html(id, &tiles.iter().enumerate().map(button).collect::<String>());
    for (place, tile) in tiles.iter().enumerate() {
        dom::draw_shades(&format!("{id}-{place}"), tile.pixels, SIDE, 1);
    }
    let Some(place) = focused else { return };
    let there = tiles.len().checked_sub(1).map(|last| format!("{id}-{}-button", place.min(last)));
    if let Some(element) = dom::element::<Element>(there.as_deref().unwrap_or(next)) {
        let _ = element.dyn_ref::<HtmlElement>().map(HtmlElement::focus);
    }
}
