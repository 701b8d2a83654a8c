//! The sketch doctor: what each stage of the preparation does to a sketch and to the answer, and the training images that
//! are most like it.

use web_sys::Event;

use super::best;
use crate::{
    data::SIDE,
    protocol::{Command, Specimen},
    sketch::Preparation,
    web::{
        dom,
        page::{self, Page},
    },
};

/// Name and preparation of each variant of a sketch; the first is what the network is given.
const VARIANTS: [(&str, Preparation); 4] = [
    ("as the network sees it", Preparation { fit: true, centre: true, smooth: true }),
    ("not scaled to 20 by 20", Preparation { fit: false, centre: true, smooth: true }),
    ("not centred by its mass", Preparation { fit: true, centre: false, smooth: true }),
    ("not smoothed", Preparation { fit: true, centre: true, smooth: false }),
];

/// What is shown.
#[derive(Default)]
pub struct Doctor {
    question: u32,
    images: Vec<Vec<u8>>,
    probabilities: Vec<Vec<f32>>,
    nearest: Vec<Specimen>,
}

/// Listens to the panel.
pub fn mount() {
    dom::listen("doctor", "toggle", |_: Event| page::update(ask));
    dom::listen("examine", "click", |_: Event| page::update(ask));
}

/// Asks about the sketch as it is now.
fn ask(page: &mut Page) {
    if !dom::is_open("doctor") || !page.has_network() {
        return;
    }
    let images: Option<Vec<_>> =
        VARIANTS.iter().map(|(_, preparation)| page.sketch.sketch().prepared(*preparation)).collect();
    let Some(images) = images else { return };
    page.doctor.question += 1;
    let (id, pixels) = (page.doctor.question, images.concat());
    page.doctor.images = images;
    page.send(Command::Diagnose { id, pixels });
}

/// The answer has come.
pub fn answered(page: &mut Page, id: u32, probabilities: &[Vec<f32>], nearest: &[Specimen]) {
    if id == page.doctor.question {
        (page.doctor.probabilities, page.doctor.nearest) = (probabilities.to_vec(), nearest.to_vec());
    }
}

/// Draws the variants and the nearest images.
pub fn draw(page: &Page) {
    if !dom::is_open("doctor") {
        return;
    }
    let Doctor { images, probabilities, nearest, .. } = &page.doctor;
    dom::set_enabled("examine", page.sketch.image().is_some() && page.has_network(), "pad");
    let Some(usual) = probabilities.first() else { return };
    let digit = best(usual);
    let row = |(place, found): (usize, &Vec<f32>)| {
        // In tenths, and no -0.
        let change = (1000.0 * (found[digit] - usual[digit])).round() / 10.0 + 0.0;
        let change = if place == 0 { String::new() } else { format!("{change:+.1}") };
        format!(
            "<tr><td><canvas id=variant-{place} width={SIDE} height={SIDE}></canvas></td><th scope=row>{}</th><td>{}</td><td>{:.1} %</td><td>{change}</td></tr>",
            VARIANTS[place].0,
            best(found),
            100.0 * found[digit]
        )
    };
    dom::set_text("doctor-head", &format!("P({digit})"));
    let rows: String = probabilities.iter().enumerate().map(row).collect();
    let near = |(place, specimen): (usize, &Specimen)| {
        let Specimen { number, label, .. } = specimen;
        format!(
            "<li><canvas id=near-{place} width={SIDE} height={SIDE} role=img aria-label=\"Training image {number}, a {label}\"></canvas>{label}</li>"
        )
    };
    dom::set_html("nearest", &nearest.iter().enumerate().map(near).collect::<String>());
    dom::set_html("variants", &rows);
    for (place, image) in images.iter().enumerate() {
        dom::draw_shades(&format!("variant-{place}"), image, SIDE, 1);
    }
    for (place, specimen) in nearest.iter().enumerate() {
        dom::draw_shades(&format!("near-{place}"), &specimen.pixels, SIDE, 1);
    }
}
