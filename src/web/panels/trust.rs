//! How far to trust the network: whether it is as sure as it is right, and how it fares with images that are moved.

use web_sys::Event;

use super::{percent, theme};
use crate::{
    calibration::Calibration,
    charts::{self, Line, OTHERS, Plot},
    protocol::{Command, Motion, Robust},
    web::{
        dom,
        page::{self, Page},
    },
};

/// Canvas, motion, ends of the axis and what is along it.
const MOTIONS: [(&str, Motion, f64, &str); 3] = [
    ("robust-rotation", Motion::Rotation, 90.0, "turned, in degrees"),
    ("robust-shift", Motion::Shift, 0.3, "moved, share of the width"),
    ("robust-zoom", Motion::Zoom, 0.5, "resized: -0.5 is half the size"),
];

/// Listens to the button.
pub fn mount() {
    dom::listen("trust", "toggle", |_: Event| page::update(|_| {}));
    dom::listen("measure", "click", |_: Event| {
        page::update(|page| {
            page.summary.robustness.clear();
            page.summary.robustness_left = u32::MAX;
            page.send(Command::Robustness);
        });
    });
}

/// Draws both.
pub fn draw(page: &Page) {
    let summary = &page.summary;
    let known = page.has_network();
    dom::set_hidden("trust-empty", known);
    dom::set_hidden("trust-panel", !known);
    let measuring = summary.robustness_left > 0;
    dom::set_enabled("measure", known && !measuring, "trust");
    dom::set_text("measure", if measuring { "Measuring…" } else { "Measure it now" });
    if !known || !dom::is_open("trust") {
        return;
    }
    calibration(summary.test.as_ref().map(|test| &test.calibration));
    robustness(page);
}

fn calibration(found: Option<&Calibration>) {
    let Some(found) = found else {
        return dom::set_text("calibration-text", "Comes when the test set is scored.");
    };
    let points: Vec<(f64, f64)> = found.bins.iter().filter_map(|bin| bin.means()).collect();
    let lines = [Line { points, colour: theme().validation }];
    let plot = Plot { lines: &lines, from: 0.0, to: 1.0, along: "how sure it was", diagonal: true };
    if let Some((area, scale)) = dom::drawing_area("calibration") {
        let _ = charts::plot(&area, &plot, &theme(), scale);
    }
    let text = format!(
        "On the test set its confidence is {} off the share that is right, on average (expected calibration error).",
        percent(found.error())
    );
    dom::set_text("calibration-text", &text);
    let row = |bin: &crate::calibration::Bin| {
        bin.means().map(|(sure, right)| {
            format!("<tr><td>{}</td><td>{}</td><td>{}</td></tr>", percent(sure), percent(right), bin.images)
        })
    };
    dom::set_html("calibration-rows", &found.bins.iter().filter_map(row).collect::<String>());
}

fn robustness(page: &Page) {
    let own = &page.summary.robustness;
    dom::set_hidden("robust", own.is_empty());
    if own.is_empty() {
        return;
    }
    let points = |of: &[Robust], motion: Motion| -> Vec<(f64, f64)> {
        of.iter().filter(|point| point.motion == motion).map(|point| (point.amount, point.accuracy)).collect()
    };
    let mut rows = String::new();
    let mut weakest = Vec::new();
    for (id, motion, end, along) in MOTIONS {
        let others = page.shelf.runs.iter().filter(|run| !run.robustness.is_empty() && run.robustness != *own);
        let mut lines: Vec<Line> = others
            .map(|run| Line { points: points(&run.robustness, motion), colour: OTHERS[run.colour % OTHERS.len()] })
            .collect();
        let points = points(own, motion);
        for &(amount, accuracy) in &points {
            rows += &format!("<tr><th scope=row>{along}</th><td>{amount:.2}</td><td>{}</td></tr>", percent(accuracy));
        }
        let worst = points.iter().map(|point| point.1).fold(1.0, f64::min);
        dom::set_attribute(id, "aria-label", &format!("Accuracy on images {along}: {} at worst", percent(worst)));
        let name = along.split([',', ':']).next().unwrap_or_default();
        weakest.push(format!("{} {name}", percent(worst)));
        lines.push(Line { points, colour: theme().train });
        if let Some((area, scale)) = dom::drawing_area(id) {
            let _ = charts::plot(
                &area,
                &Plot { lines: &lines, from: -end, to: end, along, diagonal: false },
                &theme(),
                scale,
            );
        }
    }
    dom::set_html("robust-rows", &rows);
    let still = own.iter().find(|point| point.amount == 0.0).map_or(0.0, |point| point.accuracy);
    let text = match page.summary.robustness_left {
        0 => format!("Right as they are: {}. At worst: {}.", percent(still), weakest.join(", ")),
        _ => "It is being measured…".into(),
    };
    dom::set_text("robust-text", &text);
}
