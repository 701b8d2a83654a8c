//! Inside the network: what its blocks make of one image, which pixels matter, the filters of the first layer, and the
//! time machine that goes back to an earlier epoch.

use inkling_core::protocol::{Explanation, Maps};
use web_sys::{Event, HtmlInputElement};

use super::{
    Emit, Panel,
    words::{self, best, count},
};
use crate::page::{
    dom,
    element::{element, row_head, show, text},
    model::Model,
    msg::{Msg, Section, WorkbenchMsg},
};

/// Shows the inside of the network.
pub struct Inside;

impl Panel for Inside {
    fn mount(&mut self, emit: Emit) {
        dom::listen("explain-sketch", "click", move |_: Event| emit(Msg::Workbench(WorkbenchMsg::ExplainSketch)));
        dom::listen("machine", "input", move |_: Event| {
            let place = dom::element::<HtmlInputElement>("machine").map_or(0.0, |input| input.value_as_number());
            emit(Msg::Workbench(WorkbenchMsg::TimeMachine(place as u32)));
        });
    }

    fn draw(&mut self, model: &Model) {
        let run = &model.run;
        let filters = match model.epoch.and_then(|epoch| run.snapshot(epoch)) {
            Some(snapshot) => Some(snapshot.filters.clone()),
            None => run.filters(),
        };
        let filters = filters.filter(|filters| !filters.is_empty());
        // A network without filters has something to explain as well.
        let exists = run.checkpoint.is_some();
        dom::set_hidden("inside-empty", exists);
        dom::set_hidden("inside-panel", !exists);
        if !exists || !model.is_open(Section::Inside) {
            return;
        }
        dom::set_hidden("filters-part", filters.is_none());
        if let (Some(filters), Some((count, shape))) = (filters, run.network().and_then(|net| net.filters())) {
            let side = shape.side;
            let colours = if shape.channels == 3 { "in their colours" } else { "orange above zero, blue below" };
            let what = format!("The {count} filters of the first convolution, {side} by {side} each: {colours}");
            dom::set_attribute("filters", "aria-label", &what);
            dom::draw_filters("filters", &filters, shape, 16);
        }
        draw_time_machine(model);
        dom::set_enabled("explain-sketch", model.pad.image().is_some() && model.has_network(), "machine");
        let explanation = model.inside.explanation.answer();
        dom::set_hidden("explanation", explanation.is_none());
        if let Some(explanation) = explanation {
            draw_explanation(model, explanation);
        }
    }
}

fn draw_time_machine(model: &Model) {
    let epochs = model.run.snapshots.last().map_or(0, |snapshot| snapshot.epoch);
    dom::set_hidden("machine-row", epochs == 0);
    if let Some(machine) = dom::element::<HtmlInputElement>("machine") {
        machine.set_max(&(epochs + 1).to_string());
        machine.set_value(&model.epoch.unwrap_or(epochs + 1).to_string());
        let words = model.epoch.map_or("now".into(), |epoch| format!("after epoch {epoch}"));
        let _ = machine.set_attribute("aria-valuetext", &words);
        dom::set_text("machine-text", &words);
    }
}

/// Draws the maps of each convolution on its own canvas.
fn draw_maps(blocks: &[Maps]) {
    let part = |(at, maps): (usize, &Maps)| {
        let (number, side) = (at + 1, maps.side);
        let count = maps.shades.len() / (side * side).max(1) as usize;
        let title = format!("Convolution {number}: {} of {side} by {side}", words::count(count, "map"));
        let canvas = element("canvas")
            .with("id", map_id(number))
            .with("class", "tiles-canvas")
            .with("role", "img")
            .with("aria-label", format!("Activations of convolution {number}"));
        element("div").child(text("h3", title)).child(canvas)
    };
    show("maps", blocks.iter().enumerate().map(part));
    for (at, maps) in blocks.iter().enumerate() {
        let columns = if maps.side > 8 { 8 } else { 16 };
        dom::draw_shades(&map_id(at + 1), &maps.shades, maps.side as usize, columns);
    }
}

fn map_id(number: usize) -> String {
    format!("maps-{number}")
}

fn draw_explanation(model: &Model, explanation: &Explanation) {
    let (caption, pixels) = (&model.inside.caption, &model.inside.pixels);
    let Explanation { steps, logits, probabilities, blocks, saliency } = explanation;
    let best = best(logits);
    let sure = 100.0 * probabilities[best];
    dom::set_text(
        "explanation-text",
        &format!(
            "{caption}. The network says {} ({sure:.1} %), after {}.",
            model.class(best as u8),
            count(*steps as usize, "step")
        ),
    );
    dom::draw_images("explained", pixels, model.run.data.image(), 1);
    dom::draw_shades("saliency", &saliency.shades, saliency.side as usize, 1);
    draw_maps(blocks);
    let row = |(class, (logit, probability)): (usize, (&f32, &f32))| {
        let cells = [format!("{logit:.2}"), format!("{:.2} %", 100.0 * probability)];
        element("tr").child(row_head(model.class(class as u8))).children(cells.map(|cell| text("td", cell)))
    };
    show("logits", logits.iter().zip(probabilities).enumerate().map(row));
}
