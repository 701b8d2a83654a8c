//! The visitor's own digits: drawn and labelled, read by the current network, and taught to it.

use inkling_core::{
    data::{CLASSES, IMAGE, Shape},
    message,
    protocol::Knowledge,
    say,
};
use web_sys::{Event, HtmlProgressElement};

use super::{
    Button, Emit, Panel,
    tiles::{Tile, Tiles},
    words::{count, percent, share},
};
use crate::page::{
    dom,
    element::{Element, element, row_head, show, text},
    model::{Model, digits::MIN_TO_TEACH},
    msg::{Msg, Section, WorkbenchMsg},
};

/// Shows and teaches the visitor's own digits.
#[derive(Default)]
pub struct Handwriting {
    tiles: Tiles,
}

impl Panel for Handwriting {
    fn mount(&mut self, emit: Emit) {
        let buttons: [Button<WorkbenchMsg>; 4] = [
            ("forget-digits", || WorkbenchMsg::RemoveDigits),
            ("bring-back", || WorkbenchMsg::RestoreDigits),
            ("teach", || WorkbenchMsg::Teach),
            ("take-back", || WorkbenchMsg::TakeBack),
        ];
        for (id, msg) in buttons {
            dom::listen(id, "click", move |_: Event| emit(Msg::Workbench(msg())));
        }
        dom::listen("names", "click", move |event: Event| {
            if let Some(label) = dom::pressed(&event, "label") {
                emit(Msg::Workbench(WorkbenchMsg::KeepDigit(label as u8)));
            }
        });
        dom::listen("own-digits", "click", move |event: Event| {
            if let Some(place) = dom::pressed(&event, "place") {
                emit(Msg::Workbench(WorkbenchMsg::RemoveDigit(place)));
            }
        });
    }

    fn draw(&mut self, model: &Model) {
        if !model.is_open(Section::Handwriting) {
            return;
        }
        let digits = &model.digits.kept;
        for class in 0..CLASSES {
            let id = format!("name-{class}");
            dom::set_text(&id, &digit(model, class as u8));
            dom::set_enabled(&id, model.pad.image().is_some() && model.sees_digits(), "pad");
        }
        let tuning = model.run.fine_tuning;
        dom::set_text("take-back", if tuning.is_some() { say!("Stop teaching") } else { say!("Undo teaching") });
        dom::set_enabled("take-back", tuning.is_some() || model.run.can_take_back, "teach");
        let ready = model.has_network() && model.sees_digits() && !model.run.state.is_active() && tuning.is_none();
        dom::set_enabled("teach", digits.len() >= MIN_TO_TEACH && ready, "take-back");
        dom::set_enabled("forget-digits", !digits.is_empty(), "pad");
        dom::set_hidden("bring-back", model.digits.removed.is_none());
        dom::set_hidden("own-hint", digits.is_empty());
        dom::set_text("hand-text", &sentence(model));
        dom::set_hidden("teaching", tuning.is_none());
        if let (Some((step, steps)), Some(bar)) = (tuning, dom::element::<HtmlProgressElement>("teaching")) {
            bar.set_max(f64::from(steps));
            bar.set_value(f64::from(step));
        }
        dom::set_hidden("hand-table", model.run.fine_tuned.is_none());
        if let Some([before, after]) = model.run.fine_tuned {
            show("hand-rows", rows(before, after));
        }
        self.tiles.draw("own-digits", tiles(model), "pad");
    }
}

/// What to do next. It stays the same while the network learns, so that a screen reader does not keep talking.
fn sentence(model: &Model) -> String {
    if model.run.fine_tuning.is_some() {
        return say!("The network is tested, learns your digits, and is tested again.").into();
    }
    if !model.sees_digits() {
        return say!("This network sees other images. Your digits are kept for networks that see ten classes of 28 by 28 gray pixels.").into();
    }
    let digits = model.digits.kept.len();
    let next = match MIN_TO_TEACH.saturating_sub(digits) {
        0 if !model.has_network() => say!(" Train a network to see how well it reads them.").into(),
        0 if model.run.state.is_active() => say!(" You can teach it when the run is over.").into(),
        0 => String::new(),
        missing => say!(" {} more, and you can teach it.", missing),
    };
    match (digits, model.digits.right()) {
        (0, _) => say!("None yet. Digits that you label are kept in this browser. They leave it only for a server that trains for you.").into(),
        (digits, Some(right)) => say!(
            "It reads {} of your {} correctly.{}",
            right,
            count(digits, [message!("{} digit"), message!("{} digits")]),
            next
        ),
        (digits, None) => format!("{}.{next}", count(digits, [message!("{} digit"), message!("{} digits")])),
    }
}

fn rows(before: Knowledge, after: Knowledge) -> [Element; 3] {
    let row = |name: &str, before: (u32, u32), after: (u32, u32)| {
        let words = |known: (u32, u32)| if known.1 == 0 { "–".into() } else { percent(share(known)) };
        let cells = [after.1.to_string(), words(before), words(after)];
        element("tr").child(row_head(name)).children(cells.map(|cell| text("td", cell)))
    };
    [
        row(say!("yours, taught"), before.own, after.own),
        row(say!("yours, set aside"), before.aside, after.aside),
        row(say!("test set"), before.test, after.test),
    ]
}

/// The name of a digit. A network that sees other images has names for other classes.
fn digit(model: &Model, label: u8) -> String {
    if model.sees_digits() { model.class(label) } else { label.to_string() }
}

fn tiles(model: &Model) -> Vec<Tile> {
    let digits = &model.digits.kept;
    let tile = |(place, &label): (usize, &u8)| {
        let mistake = model.digits.mistake(place).map(|class| model.class(class));
        let misread = if mistake.is_some() { say!("misread, ") } else { "" };
        let dashed = digits.is_aside(place);
        let aside = if dashed { say!("set aside, ") } else { "" };
        Tile {
            pixels: digits.pixels[place * IMAGE..][..IMAGE].to_vec(),
            shape: Shape::MNIST,
            name: digit(model, label),
            mistake,
            words: say!("{}{}remove it", misread, aside),
            dashed,
        }
    };
    digits.labels.iter().enumerate().map(tile).collect()
}
