//! The images of the data set: by class, or as the network predicted them.

use inkling_core::{
    protocol::{Part, Query, Specimen},
    say,
};
use web_sys::{Event, HtmlInputElement, HtmlSelectElement};

use super::{
    Emit, Panel,
    tiles::{Tile, Tiles},
};
use crate::page::{
    dom,
    element::{show, text},
    model::Model,
    msg::{Msg, Section, WorkbenchMsg},
};

/// Shows images and mistakes.
#[derive(Default)]
pub struct Images {
    tiles: Tiles,
    /// What the menus show: they follow the model when it asks for other images.
    chosen: Option<Query>,
}

impl Panel for Images {
    fn mount(&mut self, emit: Emit) {
        let tell = move |msg: WorkbenchMsg| emit(Msg::Workbench(msg));
        for id in ["look-part", "look-class", "look-mistakes"] {
            dom::listen(id, "change", move |_: Event| tell(WorkbenchMsg::Browse(choices())));
        }
        dom::listen("look-back", "click", move |_: Event| tell(WorkbenchMsg::Turn { forward: false }));
        dom::listen("look-on", "click", move |_: Event| tell(WorkbenchMsg::Turn { forward: true }));
        dom::listen("specimens", "click", move |event: Event| {
            if let Some(place) = dom::pressed(&event, "place") {
                tell(WorkbenchMsg::Inspect(place));
            }
        });
    }

    fn draw(&mut self, model: &Model) {
        let known = model.has_network();
        dom::set_hidden("look-empty", known);
        dom::set_hidden("look-panel", !known);
        if !known || !model.is_open(Section::Images) {
            return;
        }
        let classes = (0..model.run.data.classes() as u8).map(|class| (class.to_string(), model.class(class)));
        let option = |(value, name): (String, String)| text("option", name).with("value", value);
        show("look-class", [(String::new(), say!("all").to_string())].into_iter().chain(classes).map(option));
        let query = model.browse.query;
        if self.chosen.replace(query) != Some(query) {
            show_choices(query);
        }
        let nothing = (Vec::new(), 0);
        let answer = model.browse.found.answer();
        let (specimens, total) = answer.unwrap_or(&nothing);
        let to = query.from + specimens.len() as u32;
        dom::set_text("look-text", &answer.map(|_| sentence(model, query, to, *total)).unwrap_or_default());
        dom::set_enabled("look-back", query.from > 0, "look-on");
        dom::set_enabled("look-on", to < *total, "look-back");
        self.tiles.draw("specimens", specimens.iter().map(|specimen| tile(model, specimen)).collect(), "look-part");
    }
}

/// What the visitor has chosen.
fn choices() -> Query {
    let word = |id: &str| dom::element::<HtmlSelectElement>(id).map(|select| select.value()).unwrap_or_default();
    let part = Part::ALL.into_iter().find(|part| part.key() == word("look-part")).unwrap_or_default();
    let mistakes = dom::element::<HtmlInputElement>("look-mistakes").is_some_and(|input| input.checked());
    Query { part, label: word("look-class").parse().ok(), mistakes, ..Query::default() }
}

fn show_choices(query: Query) {
    let choose = |id: &str, value: &str| {
        if let Some(select) = dom::element::<HtmlSelectElement>(id) {
            select.set_value(value);
        }
    };
    choose("look-part", query.part.key());
    choose("look-class", &query.label.map(|label| label.to_string()).unwrap_or_default());
    if let Some(input) = dom::element::<HtmlInputElement>("look-mistakes") {
        let off_diagonal = query.predicted.is_some() && query.predicted != query.label;
        input.set_checked(query.mistakes || off_diagonal);
    }
}

fn sentence(model: &Model, query: Query, to: u32, total: u32) -> String {
    let of = match (query.label, query.predicted) {
        (Some(label), Some(predicted)) => {
            say!(" of {} predicted as {}", model.class(label), model.class(predicted))
        }
        (Some(label), None) => say!(" of {}", model.class(label)),
        _ => String::new(),
    };
    let what = if query.mistakes { say!(" mistakes") } else { say!(" images") };
    let part = match query.part {
        Part::Train => say!("training"),
        Part::Validation => say!("validation"),
        Part::Test => say!("test"),
    };
    let order = if query.mistakes || query.predicted.is_some() { say!(", the most confident first") } else { "" };
    match total {
        0 => say!("No{}{} in the {} set.", what, of, part),
        _ => say!(
            "{} to {} of {}{}{} in the {} set{}. Press one to see why.",
            query.from + 1,
            to,
            total,
            what,
            of,
            part,
            order
        ),
    }
}

fn tile(model: &Model, specimen: &Specimen) -> Tile {
    let Specimen { number, label, answer, pixels } = specimen;
    let class = model.class(*label);
    let article = model.a_class(*label);
    let words = match answer {
        Some((predicted, confidence)) if predicted == label => {
            say!("Image {}: {}, {}% confident", number, article, format_args!("{:.1}", 100.0 * confidence))
        }
        Some((predicted, confidence)) => say!(
            "Image {}: {} predicted as {}, {}% confident",
            number,
            article,
            model.class(*predicted),
            format_args!("{:.1}", 100.0 * confidence)
        ),
        None => say!("Image {}: {}", number, article),
    };
    let mistake = answer.filter(|(predicted, _)| predicted != label).map(|(predicted, _)| model.class(predicted));
    let shape = model.run.data.image();
    Tile { pixels: pixels.clone(), shape, name: class, mistake, words, dashed: false }
}
