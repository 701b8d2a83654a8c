//! How far to trust the network: whether its confidence matches its accuracy, and how it copes with images that are
//! moved.

use inkling_core::{
    calibration::{Bin, Calibration},
    charts::{self, Line, OTHERS, Plot},
    language::translate,
    message,
    protocol::{Motion, RobustnessPoint},
    say,
};
use web_sys::Event;

use super::{Emit, Panel, chart::theme, words::percent};
use crate::page::{
    dom,
    element::{Element, element, row_head, show, text},
    model::Model,
    msg::{Msg, Section, WorkbenchMsg},
};

/// Canvas, motion, its name, ends of the axis and its label.
const MOTIONS: [(&str, Motion, &str, f64, &str); 3] = [
    ("robust-rotation", Motion::Rotation, message!("rotated"), 90.0, message!("rotated, in degrees")),
    ("robust-shift", Motion::Shift, message!("shifted"), 0.3, message!("shifted, as a share of the width")),
    ("robust-zoom", Motion::Zoom, message!("resized"), 0.5, message!("resized: -0.5 is half the size")),
];

/// Shows calibration and robustness.
pub struct Trust;

impl Panel for Trust {
    fn mount(&mut self, emit: Emit) {
        dom::listen("measure", "click", move |_: Event| emit(Msg::Workbench(WorkbenchMsg::MeasureRobustness)));
    }

    fn draw(&mut self, model: &Model) {
        let known = model.has_network();
        dom::set_hidden("trust-empty", known);
        dom::set_hidden("trust-panel", !known);
        let measuring = model.run.robustness_left > 0;
        dom::set_enabled("measure", known && !measuring, "trust");
        dom::set_text("measure", if measuring { say!("Measuring…") } else { say!("Measure it now") });
        if !known || !model.is_open(Section::Trust) {
            return;
        }
        draw_calibration(model.run.test.as_ref().map(|test| &test.calibration));
        dom::set_hidden("robust", model.run.robustness.is_empty());
        if !model.run.robustness.is_empty() {
            draw_robustness(model);
        }
    }
}

fn draw_calibration(found: Option<&Calibration>) {
    let Some(found) = found else {
        return dom::set_text("calibration-text", say!("Appears when the test set is scored."));
    };
    let points: Vec<(f64, f64)> = found.bins.iter().filter_map(|bin| bin.means()).collect();
    let lines = [Line { points, colour: theme().validation }];
    let plot = Plot { lines: &lines, from: 0.0, to: 1.0, along: say!("confidence"), diagonal: true };
    if let Some((area, scale)) = dom::drawing_area("calibration") {
        let _ = charts::plot(&area, &plot, &theme(), scale);
    }
    let words = say!(
        "On the test set its confidence differs from its accuracy by {} on average (expected calibration error).",
        percent(found.error())
    );
    dom::set_text("calibration-text", &words);
    let row = |bin: &Bin| {
        let (confidence, right) = bin.means()?;
        let cells = [percent(confidence), percent(right), bin.images.to_string()];
        Some(element("tr").children(cells.map(|cell| text("td", cell))))
    };
    show("calibration-rows", found.bins.iter().filter_map(row));
}

fn draw_robustness(model: &Model) {
    let own = &model.run.robustness;
    let mut rows = Vec::new();
    let mut weakest = Vec::new();
    for (id, motion, name, end, along) in MOTIONS {
        let (name, along) = (translate(name), translate(along));
        let points = points(own, motion);
        rows.extend(points.iter().map(|&(amount, accuracy)| row(along, amount, accuracy)));
        let worst = points.iter().map(|point| point.1).fold(1.0, f64::min);
        dom::set_attribute(id, "aria-label", &say!("Accuracy on {} images: {} at worst", name, percent(worst)));
        weakest.push(format!("{} {name}", percent(worst)));
        let mut lines = earlier_lines(model, motion);
        lines.push(Line { points, colour: theme().train });
        if let Some((area, scale)) = dom::drawing_area(id) {
            let plot = Plot { lines: &lines, from: -end, to: end, along, diagonal: false };
            let _ = charts::plot(&area, &plot, &theme(), scale);
        }
    }
    show("robust-rows", rows);
    let still = own.iter().find(|point| point.amount == 0.0).map_or(0.0, |point| point.accuracy);
    let words = match model.run.robustness_left {
        0 => say!("Accuracy on unchanged images: {}. At worst: {}.", percent(still), weakest.join(", ")),
        _ => say!("Measuring…").into(),
    };
    dom::set_text("robust-text", &words);
}

fn points(of: &[RobustnessPoint], motion: Motion) -> Vec<(f64, f64)> {
    of.iter().filter(|point| point.motion == motion).map(|point| (point.amount, point.accuracy)).collect()
}

/// The same for earlier runs.
fn earlier_lines(model: &Model, motion: Motion) -> Vec<Line> {
    let own = &model.run.robustness;
    let earlier = model.history.runs.iter().filter(|run| !run.robustness.is_empty() && run.robustness != *own);
    earlier
        .map(|run| Line { points: points(&run.robustness, motion), colour: OTHERS[run.colour % OTHERS.len()] })
        .collect()
}

fn row(along: &str, amount: f64, accuracy: f64) -> Element {
    let cells = [format!("{amount:.2}"), percent(accuracy)];
    element("tr").child(row_head(along)).children(cells.map(|cell| text("td", cell)))
}
