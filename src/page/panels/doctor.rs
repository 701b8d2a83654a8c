//! Why the network answers as it does: the parts of the image that matter, the training images that are nearest, and, for a sketch,
//! what each stage of its preparation does.

use inkling_core::{
    language::translate,
    occlusion::{Patch, importance},
    protocol::Specimen,
    say,
};

use super::{
    Panel,
    tiles::canvas,
    words::{argmax, sure},
};
use crate::page::{
    dom,
    element::{Element, element, row_head, show, text},
    model::{Diagnosis, Model, picture::Current, score},
    msg::Section,
    update::PREPARATIONS,
};

/// The colour of what matters: weights and what they do are purple everywhere.
const FRAME: [u8; 3] = [176, 120, 255];

/// Says why.
pub struct Doctor;

impl Panel for Doctor {
    fn draw(&mut self, model: &Model) {
        if !model.is_open(Section::Doctor) {
            return;
        }
        let found = model.doctor.diagnosis.answer();
        draw_parts(model, found);
        let nothing = Diagnosis::default();
        let Diagnosis { prepared, nearest, .. } = found.unwrap_or(&nothing);
        dom::set_hidden("variants-part", prepared.len() < PREPARATIONS.len());
        let rows = |usual: &Vec<f32>| -> Vec<Element> {
            let places = prepared.iter().zip(0..PREPARATIONS.len());
            places.map(|(found, place)| row(model, place, found, usual)).collect()
        };
        show("variants", prepared.first().map(rows).unwrap_or_default());
        if let Some(usual) = prepared.first() {
            dom::set_text("doctor-head", &format!("P({})", model.class(argmax(usual) as u8)));
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

/// The image with the parts that matter, the image without the one that matters most, and both answers.
fn draw_parts(model: &Model, found: Option<&Diagnosis>) {
    let shape = model.run.data.image();
    let image = model.doctor.images.first().filter(|image| image.len() == shape.values());
    let label = model.current().and_then(Current::specimen).map(|specimen| specimen.label);
    let known = found.and_then(|found| Some((found, found.prepared.first()?, found.decisive(shape, label)?)));
    dom::set_hidden("why-pictures", image.is_none() || known.is_none());
    let (Some(image), Some((found, usual, (patch, then)))) = (image, known) else {
        let words = match (model.has_network(), model.current()) {
            (false, _) => say!("Train a network first."),
            (true, None) => say!("Draw something, or press an image of the batch."),
            (true, Some(_)) => say!("Asking the network about this image…"),
        };
        return dom::set_text("why-text", words);
    };
    let top = argmax(usual);
    // What erasing costs the answer; or, if the answer is wrong, what it gains the right one: the framed part is purple then, too.
    let without: Vec<f32> = found.without.iter().map(|found| score(found, top, label)).collect();
    let shares = importance(shape, score(usual, top, label), &without);
    let framed = |pixel: usize, colour| if is_frame(patch, pixel, shape.side) { FRAME } else { colour };
    dom::draw_painted("why-parts", image, shape, |pixel, colour| framed(pixel, tinted(colour, shares[pixel])));
    dom::draw_painted("why-without", &patch.erased(image, shape), shape, framed);
    let says = |answer: &[f32]| {
        let class = argmax(answer);
        format!("{}, {}", model.class(class as u8), sure(answer[class].into()))
    };
    dom::set_text("why-answer", &say!("{}; purple: what matters", says(usual)));
    dom::set_text("why-then", &say!("with that part erased: {}", says(then)));
    let is = label.map(|label| say!("This is {}. ", model.a_class(label))).unwrap_or_default();
    dom::set_text("why-text", &format!("{is}{}", reason(model, usual, then)));
}

/// The part that matters most, in words.
fn reason(model: &Model, usual: &[f32], then: &[f32]) -> String {
    let (top, other) = (argmax(usual), argmax(then));
    let [says, instead] = [top, other].map(|class| model.class(class as u8));
    let sure_of = sure(usual[top].into());
    if top == other {
        say!(
            "The network says {} ({}), and no single part changes that: with the most important one erased, it is still {} sure.",
            says,
            sure_of,
            sure(then[top].into())
        )
    } else {
        say!(
            "The network says {} ({}) because of the framed part. With that part erased, it says {} ({}).",
            says,
            sure_of,
            instead,
            sure(then[other].into())
        )
    }
}

/// Whether a pixel lies around the patch: a frame on it would cover where it is cut.
fn is_frame(patch: Patch, pixel: usize, side: usize) -> bool {
    // Shifted by one, because the frame of a patch at the edge lies outside the image.
    let (row, column) = (pixel / side + 1, pixel % side + 1);
    let around = Patch { side: patch.side + 2, ..patch };
    let inside = Patch { row: patch.row + 1, column: patch.column + 1, side: patch.side };
    around.contains(row, column) && !inside.contains(row, column)
}

/// A pixel that matters this much, from 0 to 1: purple, with the ink still lighter than the paper.
fn tinted(colour: [u8; 3], share: f32) -> [u8; 3] {
    let mix = |from: u8, to: u8| f32::from(from) + (f32::from(to) - f32::from(from)) * 0.6 * share;
    [0, 1, 2].map(|channel| mix(colour[channel], FRAME[channel]) as u8)
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
    let parts: Vec<String> =
        counts.iter().map(|(count, label)| say!("{} of class {}", count, model.class(*label))).collect();
    say!("The {} training images most similar to this image, pixel by pixel: {}.", nearest.len(), parts.join(", "))
}

fn row(model: &Model, place: usize, found: &[f32], usual: &[f32]) -> Element {
    let top = argmax(usual);
    // In tenths of a percent, without -0.
    let change = (1000.0 * (found[top] - usual[top])).round() / 10.0 + 0.0;
    let change = if place == 0 { String::new() } else { format!("{change:+.1}") };
    let cells = [model.class(argmax(found) as u8), sure(found[top].into()), change];
    element("tr")
        .child(element("td").child(canvas(format!("variant-{place}"), model.run.data.image())))
        .child(row_head(translate(PREPARATIONS[place].0)))
        .children(cells.map(|cell| text("td", cell)))
}

fn near(model: &Model, place: usize, specimen: &Specimen) -> Element {
    let Specimen { number, label, .. } = specimen;
    let canvas = canvas(format!("near-{place}"), model.run.data.image())
        .with("role", "img")
        .with("aria-label", say!("Training image {}: {}", number, model.a_class(*label)));
    element("li").child(canvas).text(model.class(*label))
}
