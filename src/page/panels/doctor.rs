//! The sketch doctor: what each stage of the preparation does to a sketch and to the prediction, and the nearest
//! training images.

use inkling_core::protocol::Specimen;
use web_sys::Event;

use super::{
    Emit, Panel,
    tiles::canvas,
    words::{best, sure},
};
use crate::page::{
    dom,
    element::{Element, element, row_head, show, text},
    model::Model,
    msg::{Msg, Section, WorkbenchMsg},
    update::PREPARATIONS,
};

/// Examines the sketch.
pub struct Doctor;

impl Panel for Doctor {
    fn mount(&mut self, emit: Emit) {
        dom::listen("examine", "click", move |_: Event| emit(Msg::Workbench(WorkbenchMsg::Examine)));
    }

    fn draw(&mut self, model: &Model) {
        if !model.is_open(Section::Doctor) {
            return;
        }
        dom::set_enabled("examine", model.pad.image().is_some() && model.has_network(), "pad");
        let Some((probabilities, nearest)) = model.doctor.diagnosis.answer() else {
            show("variants", []);
            return show("nearest", []);
        };
        let Some(usual) = probabilities.first() else { return };
        let top = best(usual);
        dom::set_text("doctor-head", &format!("P({})", model.class(top as u8)));
        let rows = probabilities.iter().enumerate().map(|(place, found)| row(model, place, found, usual));
        show("variants", rows);
        show("nearest", nearest.iter().enumerate().map(|(place, specimen)| near(model, place, specimen)));
        let shape = model.run.data.image();
        for (place, image) in model.doctor.images.iter().enumerate() {
            dom::draw_images(&format!("variant-{place}"), image, shape, 1);
        }
        for (place, specimen) in nearest.iter().enumerate() {
            dom::draw_images(&format!("near-{place}"), &specimen.pixels, shape, 1);
        }
    }
}

fn row(model: &Model, place: usize, found: &[f32], usual: &[f32]) -> Element {
    let top = best(usual);
    // In tenths of a percent, without -0.
    let change = (1000.0 * (found[top] - usual[top])).round() / 10.0 + 0.0;
    let change = if place == 0 { String::new() } else { format!("{change:+.1}") };
    let cells = [model.class(best(found) as u8), sure(found[top].into()), change];
    element("tr")
        .child(element("td").child(canvas(format!("variant-{place}"), model.run.data.image())))
        .child(row_head(PREPARATIONS[place].0))
        .children(cells.map(|cell| text("td", cell)))
}

fn near(model: &Model, place: usize, specimen: &Specimen) -> Element {
    let Specimen { number, label, .. } = specimen;
    let canvas = canvas(format!("near-{place}"), model.run.data.image())
        .with("role", "img")
        .with("aria-label", format!("Training image {number}: {}", model.a_class(*label)));
    element("li").child(canvas).text(model.class(*label))
}
