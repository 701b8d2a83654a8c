//! The visitor's own digits: drawn and named, read by the network of this moment, and taught to it.

use std::mem;

use wasm_bindgen_futures::spawn_local;
use web_sys::{Event, HtmlProgressElement};

use super::{
    look::pressed,
    percent, share,
    tiles::{self, Tile},
};
use crate::{
    data::{CLASSES, IMAGE, handwriting::Handwriting},
    protocol::{Command, Knowledge},
    web::{
        dom,
        page::{self, Page},
        store,
    },
};

/// Fewer digits teach more harm than good.
const LEAST: usize = 5;

/// What is shown.
#[derive(Default)]
pub struct Hand {
    digits: Handwriting,
    /// The digits before some were removed.
    before: Option<Handwriting>,
    /// Number of the newest question.
    question: u32,
    /// What the network takes the digits for, once it is known.
    answers: Vec<u8>,
    /// Counts what changes the images, so that they are made anew only then.
    changes: u32,
}

impl Hand {
    /// There is another network, or there are other digits: what was said counts no more.
    pub fn forget_answers(&mut self) {
        self.question += 1;
        self.changes += 1;
        self.answers.clear();
    }
}

/// Listens to the panel.
pub fn mount() {
    dom::listen("hand", "toggle", |_: Event| page::update(again));
    dom::listen("names", "click", |event: Event| {
        if let Some(label) = pressed(&event, "label") {
            page::update(|page| keep(page, label as u8));
        }
    });
    dom::listen("own-digits", "click", |event: Event| {
        if let Some(place) = pressed(&event, "place") {
            page::update(|page| {
                page.hand.before = Some(page.hand.digits.clone());
                page.hand.digits.remove(place);
                changed(page);
            });
        }
    });
    dom::listen("forget-digits", "click", |_: Event| {
        page::update(|page| {
            page.hand.before = Some(mem::take(&mut page.hand.digits));
            changed(page);
        });
    });
    dom::listen("bring-back", "click", |_: Event| {
        page::update(|page| {
            if let Some(before) = page.hand.before.take() {
                page.hand.digits = before;
                changed(page);
            }
        });
    });
    dom::listen("teach", "click", |_: Event| {
        page::update(|page| page.send(Command::FineTune(page.hand.digits.clone())));
    });
    dom::listen("take-back", "click", |_: Event| page::update(|page| page.send(Command::TakeBack)));
}

/// The digits that an earlier visit left.
pub fn found(page: &mut Page, digits: Handwriting) {
    page.hand.digits = digits;
    page.hand.forget_answers();
    again(page);
}

/// What is on the pad is a digit of class `label`; the next one can be drawn.
fn keep(page: &mut Page, label: u8) {
    let Some(image) = page.sketch.image().map(<[u8]>::to_vec) else { return };
    if page.hand.digits.add(&image, label) {
        page.hand.before = None;
        page.sketch.clear();
        changed(page);
    } else {
        page.warn(format!("More than {} digits are not kept. Forget some first.", Handwriting::MOST));
    }
}

fn changed(page: &mut Page) {
    page.hand.forget_answers();
    let digits = page.hand.digits.clone();
    spawn_local(async move {
        if let Err(error) = store::save_digits(&digits).await {
            page::update(|page| page.warn_once(format!("A reload would lose your digits: {error}.")));
        }
    });
    again(page);
}

/// Asks once more: the network or the digits have changed, or the panel was opened.
pub fn again(page: &mut Page) {
    if dom::is_open("hand") && page.has_network() && !page.hand.digits.is_empty() {
        page.hand.question += 1;
        page.send(Command::Read { id: page.hand.question, digits: page.hand.digits.clone() });
    }
}

/// The answer has come.
pub fn answered(page: &mut Page, id: u32, answers: &[(u8, f32)]) {
    let answers: Vec<u8> = answers.iter().map(|answer| answer.0).collect();
    if id == page.hand.question && page.hand.answers != answers {
        page.hand.answers = answers;
        page.hand.changes += 1;
    }
}

/// Draws the digits and what is known of them.
pub fn draw(page: &Page) {
    if !dom::is_open("hand") {
        return;
    }
    let digits = &page.hand.digits;
    for class in 0..CLASSES {
        let id = format!("name-{class}");
        dom::set_text(&id, &page.class(class as u8));
        dom::set_enabled(&id, page.sketch.image().is_some(), "pad");
    }
    let tuning = page.summary.fine_tuning;
    dom::set_text("take-back", if tuning.is_some() { "Stop teaching" } else { "Take it back" });
    dom::set_enabled("take-back", tuning.is_some() || page.summary.can_take_back, "teach");
    let over = !page.summary.state.is_active();
    dom::set_enabled("teach", digits.len() >= LEAST && page.has_network() && over && tuning.is_none(), "take-back");
    dom::set_enabled("forget-digits", !digits.is_empty(), "pad");
    dom::set_hidden("bring-back", page.hand.before.is_none());
    dom::set_hidden("own-hint", digits.is_empty());
    dom::set_text("hand-text", &sentence(page));
    dom::set_hidden("teaching", tuning.is_none());
    if let (Some((step, steps)), Some(bar)) = (tuning, dom::element::<HtmlProgressElement>("teaching")) {
        bar.set_max(f64::from(steps));
        bar.set_value(f64::from(step));
    }
    dom::set_hidden("hand-table", page.summary.fine_tuned.is_none());
    if let Some([before, after]) = page.summary.fine_tuned {
        dom::set_html("hand-rows", &rows(before, after));
    }
    draw_digits(page);
}

/// It stays the same while it learns, so that a screen reader is not kept talking.
fn sentence(page: &Page) -> String {
    let Hand { digits, answers, .. } = &page.hand;
    if page.summary.fine_tuning.is_some() {
        return "It is tested, learns your digits, and is tested again.".into();
    }
    let next = match LEAST.saturating_sub(digits.len()) {
        0 if !page.has_network() => " Train a network to see how well it reads them.",
        0 if page.summary.state.is_active() => " You can teach it once the run is over.",
        0 => "",
        missing => &format!(" {missing} more, and you can teach it."),
    };
    match (digits.len(), answers.len()) {
        (0, _) => "None yet. Digits that you name are kept in this browser and never leave it.".into(),
        (len, known) if known == len => {
            let right = answers.iter().zip(&digits.labels).filter(|(answer, label)| answer == label).count();
            format!("It reads {right} of your {len} digits right.{next}")
        }
        (1, _) => format!("1 digit.{next}"),
        (len, _) => format!("{len} digits.{next}"),
    }
}

fn rows(before: Knowledge, after: Knowledge) -> String {
    let row = |name: &str, before: (u32, u32), after: (u32, u32)| {
        let words = |known: (u32, u32)| if known.1 == 0 { "–".into() } else { percent(share(known)) };
        let (images, before, after) = (after.1, words(before), words(after));
        format!("<tr><th scope=\"row\">{name}</th><td>{images}</td><td>{before}</td><td>{after}</td></tr>")
    };
    row("yours, taught", before.own, after.own)
        + &row("yours, put aside", before.aside, after.aside)
        + &row("test set", before.test, after.test)
}

fn draw_digits(page: &Page) {
    let Hand { digits, answers, changes, .. } = &page.hand;
    let tile = |(place, &label): (usize, &u8)| {
        let taken = answers.get(place).filter(|answer| **answer != label).map(|answer| page.class(*answer));
        let wrong = if taken.is_some() { "read wrong, " } else { "" };
        let dashed = digits.is_aside(place);
        let aside = if dashed { "put aside, " } else { "" };
        let words = format!("{wrong}{aside}remove it");
        Tile { pixels: &digits.pixels[place * IMAGE..][..IMAGE], name: page.class(label), taken, words, dashed }
    };
    tiles::draw("own-digits", *changes, digits.labels.iter().enumerate().map(tile), "pad");
}
