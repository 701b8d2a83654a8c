//! The visitor's own digits: drawn and named, read by the network of this moment, and taught to it.

use wasm_bindgen_futures::spawn_local;
use web_sys::{Event, HtmlProgressElement};

use super::{escaped, look::pressed};
use crate::{
    data::{CLASSES, SIDE, handwriting::Handwriting},
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
    /// Number of the newest question.
    question: u32,
    /// What the network takes the digits for, as far as it is known.
    answers: Vec<(u8, f32)>,
    /// Counts what changes the images, so that they are made anew only then.
    changes: u32,
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
                page.hand.digits.remove(place);
                if place < page.hand.answers.len() {
                    page.hand.answers.remove(place);
                }
                changed(page);
            });
        }
    });
    dom::listen("forget-digits", "click", |_: Event| {
        page::update(|page| {
            (page.hand.digits, page.hand.answers) = Default::default();
            changed(page);
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
    page.hand.changes += 1;
    again(page);
}

/// What is on the pad is a digit of class `label`; the next one can be drawn.
fn keep(page: &mut Page, label: u8) {
    let Some(image) = page.sketch.image().map(<[u8]>::to_vec) else { return };
    if page.hand.digits.add(&image, label) {
        page.sketch.clear();
        changed(page);
    } else {
        page.warn(format!("More than {} digits are not kept. Forget some first.", Handwriting::MOST));
    }
}

fn changed(page: &mut Page) {
    page.hand.changes += 1;
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
    if id == page.hand.question && page.hand.answers != answers {
        page.hand.answers = answers.to_vec();
        page.hand.changes += 1;
    }
}

/// Draws the digits and what is known of them.
pub fn draw(page: &Page) {
    if !dom::is_open("hand") {
        return;
    }
    let Hand { digits, answers, .. } = &page.hand;
    for class in 0..CLASSES {
        let id = format!("name-{class}");
        dom::set_text(&id, &page.class(class as u8));
        dom::set_enabled(&id, page.sketch.image().is_some(), "pad");
    }
    let active = page.summary.state.is_active();
    let tuning = page.summary.fine_tuning;
    let can_teach = digits.len() >= LEAST && page.has_network() && !active && tuning.is_none();
    dom::set_enabled("teach", can_teach, "pad");
    let taught = page.summary.fine_tuned.is_some();
    dom::set_enabled("take-back", taught && tuning.is_none(), "teach");
    dom::set_enabled("forget-digits", !digits.is_empty(), "pad");
    dom::set_text("hand-text", &sentence(page, answers));
    dom::set_hidden("teaching", tuning.is_none());
    if let (Some((step, steps)), Some(bar)) = (tuning, dom::element::<HtmlProgressElement>("teaching")) {
        bar.set_max(f64::from(steps));
        bar.set_value(f64::from(step));
    }
    dom::set_hidden("hand-table", !taught);
    if let Some([before, after]) = page.summary.fine_tuned {
        dom::set_html("hand-rows", &rows(before, after));
    }
    draw_digits(page);
}

fn sentence(page: &Page, answers: &[(u8, f32)]) -> String {
    let digits = &page.hand.digits;
    if let Some((step, steps)) = page.summary.fine_tuning {
        return match step {
            0 => "First it is tested as it is…".into(),
            _ if step == steps => "It is tested again…".into(),
            _ => format!("It learns: step {step} of {steps}."),
        };
    }
    let missing = LEAST.saturating_sub(digits.len());
    let next = match missing {
        0 if !page.has_network() => " Train a network to see how well it reads them.",
        0 if page.summary.state.is_active() => " You can teach it once the run is over.",
        0 => "",
        _ => &format!(" {missing} more, and you can teach it."),
    };
    let right = answers.iter().zip(&digits.labels).filter(|((answer, _), label)| answer == *label).count();
    match (digits.len(), answers.len()) {
        (0, _) => "None yet. Digits that you name are kept in this browser and leave it never.".into(),
        (len, known) if known == len && page.has_network() => {
            format!("It reads {right} of your {len} digits right.{next}")
        }
        (1, _) => format!("1 digit.{next}"),
        (len, _) => format!("{len} digits.{next}"),
    }
}

fn rows(before: Knowledge, after: Knowledge) -> String {
    let row = |name: &str, before: (u32, u32), after: (u32, u32)| {
        let share = |(right, of): (u32, u32)| match of {
            0 => "–".to_string(),
            _ => format!("{:.1} %", 100.0 * f64::from(right) / f64::from(of)),
        };
        format!(
            "<tr><th scope=\"row\">{name}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            after.1,
            share(before),
            share(after)
        )
    };
    row("yours, that teach", before.own, after.own)
        + &row("yours, put aside", before.aside, after.aside)
        + &row("test set", before.test, after.test)
}

fn draw_digits(page: &Page) {
    let Hand { digits, answers, changes, .. } = &page.hand;
    let drawn = changes.to_string();
    if dom::attribute("own-digits", "data-changes").as_deref() == Some(&drawn) {
        return;
    }
    dom::set_attribute("own-digits", "data-changes", &drawn);
    let button = |(place, &label): (usize, &u8)| {
        let name = escaped(&page.class(label));
        let wrong = answers.get(place).filter(|(answer, _)| *answer != label).map(|(answer, _)| page.class(*answer));
        let taken = wrong.as_ref().map(|answer| format!("→{}", escaped(answer))).unwrap_or_default();
        let aside = if Handwriting::is_aside(place) { " aside" } else { "" };
        let words = match (wrong.is_some(), aside.is_empty()) {
            (true, _) => format!("{name}{taken}, read wrong"),
            (false, true) => name.clone(),
            (false, false) => format!("{name}, put aside"),
        };
        format!(
            "<button type=button data-place={place} class=\"{}{aside}\" title=\"Remove it\" aria-label=\"{words}: remove it\"><canvas id=own-{place} width={SIDE} height={SIDE}></canvas><span aria-hidden=true>{name}{taken}</span></button>",
            if wrong.is_some() { "wrong" } else { "" }
        )
    };
    let html: String = digits.labels.iter().enumerate().map(button).collect();
    dom::set_html("own-digits", &html);
    for place in 0..digits.len() {
        dom::draw_shades(&format!("own-{place}"), &digits.pixels[place * SIDE * SIDE..][..SIDE * SIDE], SIDE, 1);
    }
}
