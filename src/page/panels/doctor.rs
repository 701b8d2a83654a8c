//! Why the network answers as it does: the pixels that matter most, the training images that are nearest, and, for a sketch, what
//! each stage of its preparation does.

use inkling_core::{language::say, message, protocol::Specimen, say};
use web_sys::Event;

use super::{
    Emit, Panel,
    tiles::canvas,
    words::{self, best, sure},
};
use crate::page::{
    dom,
    element::{Element, element, row_head, show, text},
    model::Model,
    msg::{Msg, Section, WorkbenchMsg},
    update::PREPARATIONS,
};

/// Says why.
pub struct Doctor;

impl Panel for Doctor {
    fn mount(&mut self, emit: Emit) {
        dom::listen("examine", "click", move |_: Event| emit(Msg::Workbench(WorkbenchMsg::Examine)));
    }

    fn draw(&mut self, model: &Model) {
        if !model.is_open(Section::Doctor) {
            return;
        }
        dom::set_enabled("examine", model.current().is_some() && model.has_network(), "doctor-sheet");
        draw_pixels(model);
        let found = model.doctor.diagnosis.answer();
        let (probabilities, nearest) = found.map_or((&[][..], &[][..]), |(found, near)| (&found[..], &near[..]));
        dom::set_hidden("variants-part", probabilities.len() < PREPARATIONS.len());
        let rows = |usual: &Vec<f32>| -> Vec<Element> {
            probabilities
                .iter()
                .zip(0..PREPARATIONS.len())
                .map(|(found, place)| row(model, place, found, usual))
                .collect()
        };
        show("variants", probabilities.first().map(rows).unwrap_or_default());
        if let Some(usual) = probabilities.first() {
            dom::set_text("doctor-head", &format!("P({})", model.class(best(usual) as u8)));
        }
        show("nearest", nearest.iter().enumerate().map(|(place, specimen)| near(model, place, specimen)));
        dom::set_text("nearest-text", &nearest_words(model, nearest));
        let shape = model.run.data.image();
        for (place, image) in model.doctor.images.iter().enumerate() {
            dom::draw_images(&format!("variant-{place}"), image, shape, 1);
        }
        for (place, specimen) in nearest.iter().enumerate() {
            dom::draw_images(&format!("near-{place}"), &specimen.pixels, shape, 1);
        }
    }
}

/// The image, the pixels that matter, and the two most probable classes.
fn draw_pixels(model: &Model) {
    let current = model.current();
    let answer = model.current_answer();
    let explanation = model.inside.explanation.answer().filter(|_| answer.is_some());
    if let (Some(current), Some(explanation)) = (current, explanation) {
        dom::draw_images("why-image", current.pixels(), model.run.data.image(), 1);
        dom::draw_shades("why-saliency", &explanation.saliency.shades, explanation.saliency.side as usize, 1);
    }
    let words = match (current, answer) {
        (Some(current), Some(answer)) => {
            let is = current.specimen().map(|specimen| say!("This is {}. ", model.a_class(specimen.label)));
            format!("{}{}", is.unwrap_or_default(), rivals(model, answer))
        }
        (Some(_), None) => say!("Asking the network about this image…").into(),
        (None, _) => say!("Draw something, or press an image of the batch.").into(),
    };
    dom::set_text("why-text", &words);
}

/// What the network hesitates between.
fn rivals(model: &Model, answer: &[f32]) -> String {
    let top = best(answer);
    let mut others = answer.to_vec();
    others[top] = f32::NEG_INFINITY;
    let second = best(&others);
    say!(
        "The network says {} ({}); next comes {} ({}). The bright pixels are those that change its answer most.",
        model.class(top as u8),
        sure(answer[top].into()),
        model.class(second as u8),
        sure(answer[second].into())
    )
}

/// Which classes the nearest training images have.
fn nearest_words(model: &Model, nearest: &[Specimen]) -> String {
    if nearest.is_empty() {
        return say!("Train a network to see the training images that look most like it.").into();
    }
    let mut counts: Vec<(usize, u8)> = Vec::new();
    for specimen in nearest {
        match counts.iter_mut().find(|(_, label)| *label == specimen.label) {
            Some((count, _)) => *count += 1,
            None => counts.push((1, specimen.label)),
        }
    }
    counts.sort_by_key(|&(count, _)| std::cmp::Reverse(count));
    let parts: Vec<String> = counts
        .iter()
        .map(|(count, label)| {
            format!("{} ({})", model.class(*label), words::count(*count, [message!("{} image"), message!("{} images")]))
        })
        .collect();
    say!(
        "The {} training images that look most like it, pixel by pixel, by class: {}.",
        nearest.len(),
        parts.join(", ")
    )
}

fn row(model: &Model, place: usize, found: &[f32], usual: &[f32]) -> Element {
    let top = best(usual);
    // In tenths of a percent, without -0.
    let change = (1000.0 * (found[top] - usual[top])).round() / 10.0 + 0.0;
    let change = if place == 0 { String::new() } else { format!("{change:+.1}") };
    let cells = [model.class(best(found) as u8), sure(found[top].into()), change];
    element("tr")
        .child(element("td").child(canvas(format!("variant-{place}"), model.run.data.image())))
        .child(row_head(say(PREPARATIONS[place].0)))
        .children(cells.map(|cell| text("td", cell)))
}

fn near(model: &Model, place: usize, specimen: &Specimen) -> Element {
    let Specimen { number, label, .. } = specimen;
    let canvas = canvas(format!("near-{place}"), model.run.data.image())
        .with("role", "img")
        .with("aria-label", say!("Training image {}: {}", number, model.a_class(*label)));
    element("li").child(canvas).text(model.class(*label))
}
