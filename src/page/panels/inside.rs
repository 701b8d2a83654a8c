//! Inside the network: what its blocks make of one image, which pixels matter, the filters of the first layer, and the
//! time machine that goes back to an earlier epoch.

use inkling_core::{data::SIDE, protocol::Explanation};
use web_sys::{Event, HtmlInputElement};

use super::{
    Emit, Panel,
    words::{best, count},
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
        let filters = match model.epoch.and_then(|epoch| run.snapshots.get(epoch as usize - 1)) {
            Some(snapshot) => Some(snapshot.filters.clone()),
            None => run.filters(),
        };
        let filters = filters.filter(|filters| !filters.is_empty());
        dom::set_hidden("inside-empty", filters.is_some());
        dom::set_hidden("inside-panel", filters.is_none());
        let Some(filters) = filters.filter(|_| model.is_open(Section::Inside)) else { return };
        dom::draw_signed("filters", &filters, 3, 16);
        draw_time_machine(model);
        dom::set_enabled("explain-sketch", model.pad.image().is_some() && model.has_network(), "machine");
        let explanation = model.inside.explanation.answer();
        dom::set_hidden("explanation", explanation.is_none());
        if let Some(explanation) = explanation {
            draw_explanation(&model.inside.caption, &model.inside.pixels, explanation);
        }
    }
}

fn draw_time_machine(model: &Model) {
    let epochs = model.run.snapshots.len() as u32;
    dom::set_hidden("machine-row", epochs == 0);
    if let Some(machine) = dom::element::<HtmlInputElement>("machine") {
        machine.set_max(&(epochs + 1).to_string());
        machine.set_value(&model.epoch.unwrap_or(epochs + 1).to_string());
        let words = model.epoch.map_or("now".into(), |epoch| format!("after epoch {epoch}"));
        let _ = machine.set_attribute("aria-valuetext", &words);
        dom::set_text("machine-text", &words);
    }
}

fn draw_explanation(caption: &str, pixels: &[u8], explanation: &Explanation) {
    let Explanation { steps, logits, probabilities, blocks, saliency } = explanation;
    let best = best(logits);
    let sure = 100.0 * probabilities[best];
    dom::set_text(
        "explanation-text",
        &format!("{caption}. The network says {best} ({sure:.1} %), after {}.", count(*steps as usize, "step")),
    );
    dom::draw_shades("explained", pixels, SIDE, 1);
    dom::draw_shades("saliency", &saliency.shades, SIDE, 1);
    dom::draw_shades("block-1", &blocks[0].shades, blocks[0].side as usize, 8);
    dom::draw_shades("block-2", &blocks[1].shades, blocks[1].side as usize, 16);
    let row = |(digit, (logit, probability)): (usize, (&f32, &f32))| {
        let cells = [format!("{logit:.2}"), format!("{:.2} %", 100.0 * probability)];
        element("tr").child(row_head(digit.to_string())).children(cells.map(|cell| text("td", cell)))
    };
    show("logits", logits.iter().zip(probabilities).enumerate().map(row));
}
