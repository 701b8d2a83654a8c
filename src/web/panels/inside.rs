//! Inside the network: what its blocks make of one image, which pixels the answer hangs on, the filters of the first layer
//! while they change, and the time machine that goes back to an earlier epoch.

use web_sys::{Event, HtmlInputElement};

use super::best;
use crate::{
    data::SIDE,
    protocol::{Command, Explanation},
    web::{
        dom,
        page::{self, Page},
    },
};

/// What is shown.
#[derive(Default)]
pub struct Inside {
    /// Number of the newest question.
    question: u32,
    /// What the image is.
    words: String,
    pixels: Vec<u8>,
    explanation: Option<Explanation>,
}

/// Listens to the button and the slider.
pub fn mount() {
    dom::listen("inside", "toggle", |_: Event| page::update(again));
    dom::listen("explain-sketch", "click", |_: Event| {
        page::update(|page| {
            if let Some(pixels) = page.sketch.image().map(<[u8]>::to_vec) {
                explain(page, pixels, "Your sketch".into());
            }
        });
    });
    dom::listen("machine", "input", |_: Event| {
        page::update(|page| {
            let place = dom::element::<HtmlInputElement>("machine").map_or(0.0, |input| input.value_as_number());
            let epoch = place as u32;
            let last = page.summary.snapshots.len() as u32;
            page.moment = (epoch <= last && epoch > 0).then_some(epoch);
            page.sketch.forget_answer();
            page.ask_again();
        });
    });
}

/// Asks what happens for `pixels`, which are `words`.
pub fn explain(page: &mut Page, pixels: Vec<u8>, words: String) {
    page.inside.question += 1;
    (page.inside.words, page.inside.pixels) = (words, pixels.clone());
    page.send(Command::Explain { id: page.inside.question, pixels });
}

/// Asks once more: the network has changed, or the panel was opened.
pub fn again(page: &mut Page) {
    if dom::is_open("inside") && !page.inside.pixels.is_empty() {
        let (pixels, words) = (page.inside.pixels.clone(), page.inside.words.clone());
        explain(page, pixels, words);
    }
}

/// The explanation has come.
pub fn answered(page: &mut Page, id: u32, explanation: &Explanation) {
    if id == page.inside.question {
        page.inside.explanation = Some(explanation.clone());
    }
}

/// Draws what is known.
pub fn draw(page: &Page) {
    let summary = &page.summary;
    let epochs = summary.snapshots.len() as u32;
    let filters = match page.moment.and_then(|epoch| summary.snapshots.get(epoch as usize - 1)) {
        Some(snapshot) => Some(snapshot.filters.clone()),
        None => summary.filters(),
    };
    let filters = filters.filter(|filters| !filters.is_empty());
    dom::set_hidden("inside-empty", filters.is_some());
    dom::set_hidden("inside-panel", filters.is_none());
    let Some(filters) = filters.filter(|_| dom::is_open("inside")) else { return };
    dom::draw_signed("filters", &filters, 3, 16);
    dom::set_hidden("machine-row", epochs == 0);
    if let Some(machine) = dom::element::<HtmlInputElement>("machine") {
        machine.set_max(&(epochs + 1).to_string());
        let at = page.moment.unwrap_or(epochs + 1);
        machine.set_value(&at.to_string());
        let text = page.moment.map_or("now".into(), |epoch| format!("after epoch {epoch}"));
        let _ = machine.set_attribute("aria-valuetext", &text);
        dom::set_text("machine-text", &text);
    }
    dom::set_enabled("explain-sketch", page.sketch.image().is_some() && page.has_network(), "machine");
    let Inside { words, pixels, explanation, .. } = &page.inside;
    dom::set_hidden("explanation", explanation.is_none());
    let Some(Explanation { steps, logits, probabilities, blocks, saliency }) = explanation else { return };
    let best = best(logits);
    dom::set_text(
        "explanation-text",
        &format!("{words}. The network says {best} ({:.1} %), after {steps} steps.", 100.0 * probabilities[best]),
    );
    dom::draw_shades("explained", pixels, SIDE, 1);
    dom::draw_shades("saliency", &saliency.shades, SIDE, 1);
    dom::draw_shades("block-1", &blocks[0].shades, blocks[0].side as usize, 8);
    dom::draw_shades("block-2", &blocks[1].shades, blocks[1].side as usize, 16);
    let row = |digit: usize| {
        let (logit, probability) = (logits[digit], 100.0 * probabilities[digit]);
        format!("<tr><th scope=row>{digit}</th><td>{logit:.2}</td><td>{probability:.2} %</td></tr>")
    };
    dom::set_html("logits", &(0..10).map(row).collect::<String>());
}
