//! The images themselves: by class, or as the network took them. A click on one shows what happens inside.

use web_sys::{Element, Event, HtmlInputElement, HtmlSelectElement, MouseEvent};

use super::{
    inside,
    tiles::{self, Tile},
};
use crate::{
    charts,
    protocol::{Command, Part, Query, Specimen},
    web::{
        dom,
        page::{self, Page},
    },
};

/// Images that are shown at once.
const SHOWN: u32 = 40;

/// What is shown.
#[derive(Default)]
pub struct Look {
    query: Query,
    total: u32,
    specimens: Vec<Specimen>,
    /// Counts the answers, so that one is drawn once.
    answer: u32,
}

/// Listens to the choices, the images and the matrix.
pub fn mount() {
    for id in ["look-part", "look-class", "look-mistakes"] {
        dom::listen(id, "change", |_: Event| page::update(|page| ask(page, chosen())));
    }
    dom::listen("look", "toggle", |_: Event| page::update(again));
    dom::listen("look-back", "click", |_: Event| page::update(|page| turn(page, false)));
    dom::listen("look-on", "click", |_: Event| page::update(|page| turn(page, true)));
    dom::listen("specimens", "click", |event: Event| {
        if let Some(place) = pressed(&event, "place") {
            page::update(|page| open(page, place));
        }
    });
    dom::listen("matrix", "click", |event: MouseEvent| {
        let Some((area, scale)) = dom::sharp_canvas("matrix") else { return };
        let at = |offset: i32| f64::from(offset) * scale;
        let (x, y) = (at(event.offset_x()), at(event.offset_y()));
        let cell = charts::cell_at(x, y, area.width().into(), area.height().into(), scale);
        if let Some((label, predicted)) = cell {
            page::update(|page| show_cell(page, label, predicted));
        }
    });
    dom::listen("matrix-table", "toggle", |_: Event| page::update(|_| {}));
    dom::listen("matrix-cells", "click", |event: Event| {
        if let Some(cell) = pressed(&event, "cell") {
            page::update(|page| show_cell(page, (cell / 10) as u8, (cell % 10) as u8));
        }
    });
}

/// The number that a pressed button carries in `data-` and this name.
pub fn pressed(event: &Event, name: &str) -> Option<usize> {
    use wasm_bindgen::JsCast;
    let target: Element = event.target()?.dyn_into().ok()?;
    let name = format!("data-{name}");
    target.closest(&format!("[{name}]")).ok()??.get_attribute(&name)?.parse().ok()
}

fn chosen() -> Query {
    let word = |id: &str| dom::element::<HtmlSelectElement>(id).map(|select| select.value()).unwrap_or_default();
    let part = Part::ALL.into_iter().find(|part| part.key() == word("look-part")).unwrap_or_default();
    let mistakes = dom::element::<HtmlInputElement>("look-mistakes").is_some_and(|input| input.checked());
    Query { part, label: word("look-class").parse().ok(), mistakes, ..Query::default() }
}

/// The images of one cell of the matrix.
fn show_cell(page: &mut Page, label: u8, predicted: u8) {
    let part = if page.summary.confusion_matrix_of == Some("test") { Part::Test } else { Part::Validation };
    if let Some(select) = dom::element::<HtmlSelectElement>("look-part") {
        select.set_value(part.key());
    }
    if let Some(select) = dom::element::<HtmlSelectElement>("look-class") {
        select.set_value(&label.to_string());
    }
    if let Some(input) = dom::element::<HtmlInputElement>("look-mistakes") {
        input.set_checked(false);
    }
    dom::set_attribute("look", "open", "");
    if let Some(look) = dom::element::<Element>("look") {
        look.scroll_into_view();
    }
    ask(page, Query { part, label: Some(label), predicted: Some(predicted), ..Query::default() });
}

fn ask(page: &mut Page, query: Query) {
    if !page.has_network() {
        return;
    }
    page.look.query = Query { id: page.look.query.id + 1, count: SHOWN, ..query };
    page.send(Command::Browse(page.look.query));
}

fn turn(page: &mut Page, on: bool) {
    let query = page.look.query;
    let from = if on { query.from + SHOWN } else { query.from.saturating_sub(SHOWN) };
    ask(page, Query { from, ..query });
}

/// Asks once more: the network has changed, or the panel was opened.
pub fn again(page: &mut Page) {
    if dom::is_open("look") {
        let query = if page.look.query.id == 0 { chosen() } else { page.look.query };
        ask(page, query);
    }
}

/// The images have come.
pub fn answered(page: &mut Page, id: u32, total: u32, specimens: &[Specimen]) {
    if id == page.look.query.id {
        (page.look.total, page.look.specimens) = (total, specimens.to_vec());
        page.look.answer += 1;
    }
}

fn open(page: &mut Page, place: usize) {
    let Some(specimen) = page.look.specimens.get(place).cloned() else { return };
    dom::set_attribute("inside", "open", "");
    // What it was taken for may change with the next epoch: the explanation says it anew.
    let words = format!("Image {}: a {}", specimen.number, page.class(specimen.label));
    inside::explain(page, specimen.pixels.clone(), words);
    if let Some(inside) = dom::element::<Element>("inside") {
        inside.scroll_into_view();
    }
}

fn words(page: &Page, specimen: &Specimen) -> String {
    let Specimen { number, label, answer, .. } = specimen;
    let class = page.class(*label);
    match answer {
        Some((taken, sure)) if taken == label => format!("Image {number}: a {class}, {:.1} % sure", 100.0 * sure),
        Some((taken, sure)) => {
            format!("Image {number}: a {class} taken for a {}, {:.1} % sure", page.class(*taken), 100.0 * sure)
        }
        None => format!("Image {number}: a {class}"),
    }
}

/// Draws the images.
pub fn draw(page: &Page) {
    let Look { query, total, specimens, answer, .. } = &page.look;
    let known = page.has_network();
    dom::set_hidden("look-empty", known);
    dom::set_hidden("look-panel", !known);
    if !known || !dom::is_open("look") || *answer == 0 {
        return;
    }
    let (from, to) = (query.from + 1, query.from + specimens.len() as u32);
    let of = match (query.label, query.predicted) {
        (Some(label), Some(predicted)) => format!(" of {label} taken for {predicted}, the surest first"),
        (Some(label), None) => format!(" of {label}"),
        _ => String::new(),
    };
    let mistakes = if query.mistakes { " mistakes" } else { " images" };
    let text = match total {
        0 => format!("No{mistakes}{of} in the {} set.", query.part.key()),
        _ => format!(
            "{from} to {to} of {total}{mistakes}{of} in the {} set. Click one to look inside.",
            query.part.key()
        ),
    };
    dom::set_text("look-text", &text);
    dom::set_enabled("look-back", query.from > 0, "look-on");
    dom::set_enabled("look-on", to < *total, "look-back");
    let shown = specimens.iter().map(|specimen| {
        let wrong = specimen.answer.filter(|(taken, _)| *taken != specimen.label);
        let (name, taken) = (page.class(specimen.label), wrong.map(|(taken, _)| page.class(taken)));
        Tile { pixels: &specimen.pixels, name, taken, words: words(page, specimen), dashed: false }
    });
    tiles::draw("specimens", *answer, shown, "look-part");
}
