//! Accuracy and loss over the epochs, with those of earlier runs, and the same numbers as a table.

use plotters::style::RGBColor;

use super::theme;
use crate::{
    charts::{self, Curve, Metric, OTHERS},
    healing::Incident,
    protocol::EpochRecord,
    web::{dom, page::Page},
};

/// Draws both charts and the table of the epochs.
pub fn draw(page: &Page) {
    draw_one("accuracy", page, Metric::Accuracy);
    draw_one("loss", page, Metric::Loss);
    table(&page.summary.history);
}

/// Calls `draw` with the curve of `metric`.
pub fn with_curve<T>(page: &Page, metric: Metric, draw: impl FnOnce(&Curve) -> T) -> T {
    let summary = &page.summary;
    let of = |epoch: &EpochRecord| match metric {
        Metric::Accuracy => epoch.validation_accuracy,
        Metric::Loss => epoch.validation_loss,
    };
    let points = |history: &[EpochRecord]| -> Vec<(f64, f64)> {
        history.iter().map(|epoch| (f64::from(epoch.epoch), of(epoch))).collect()
    };
    let validation = points(&summary.history);
    let place = |step: u32| f64::from(step) / summary.steps_an_epoch();
    let marks: Vec<f64> = summary.incidents.iter().map(|incident: &Incident| place(incident.from)).collect();
    let changes: Vec<f64> = summary.adjustments.iter().map(|&(step, _)| place(step)).collect();
    // The run that has just ended stands on the shelf as well.
    let others = page.shelf.runs.iter().filter(|run| run.history != summary.history);
    let others: Vec<(RGBColor, Vec<(f64, f64)>)> =
        others.map(|run| (OTHERS[run.colour % OTHERS.len()], points(&run.history))).collect();
    let longest = others.iter().filter_map(|other| other.1.last()).map(|point| point.0).fold(1.0, f64::max);
    draw(&Curve {
        train: match metric {
            Metric::Accuracy => &summary.curves.accuracy,
            Metric::Loss => &summary.curves.loss,
        },
        validation: &validation,
        marks: &marks,
        changes: &changes,
        others: &others,
        epochs: f64::from(summary.settings.epochs).max(longest),
        metric,
    })
}

fn draw_one(id: &str, page: &Page, metric: Metric) {
    with_curve(page, metric, |curve| {
        if let Some((area, scale)) = dom::drawing_area(id) {
            // A canvas that can't be drawn on leaves the table.
            let _ = charts::curve(&area, curve, &theme(), scale);
        }
        let lost = match curve.marks.len() {
            0 => String::new(),
            lost => format!(" A dashed line marks where the run went on after its worker was lost ({lost})."),
        };
        let changed = match curve.changes.len() {
            0 => String::new(),
            changed => format!(" A dotted line marks where settings were changed ({changed})."),
        };
        let others = match curve.others.len() {
            0 => String::new(),
            others => format!(" Thinner lines are the validations of {others} earlier runs."),
        };
        let label = match (curve.train.last(), curve.validation.last()) {
            (Some(train), Some(validation)) => format!(
                "Chart of {id} by epoch: training {:.3}, validation {:.3}. The table below has the numbers.",
                train.1, validation.1
            ),
            (Some(train), None) => format!("Chart of {id} by epoch: training {:.1}.", train.1),
            _ => format!("Chart of {id} by epoch, empty until training starts."),
        };
        dom::set_attribute(id, "aria-label", &(label + &lost + &changed + &others));
    });
}

fn table(history: &[EpochRecord]) {
    let Some(body) = dom::element::<web_sys::Element>("history") else { return };
    if body.child_element_count() as usize == history.len() {
        return;
    }
    let row = |epoch: &EpochRecord| {
        format!(
            "<tr><th scope=row>{}</th><td>{:.4}</td><td>{:.4}</td><td>{:.4}</td><td>{:.4}</td><td>{:.0}</td><td>{:.1}</td></tr>",
            epoch.epoch,
            epoch.train_loss,
            epoch.train_accuracy,
            epoch.validation_loss,
            epoch.validation_accuracy,
            epoch.images_per_second,
            epoch.seconds
        )
    };
    body.set_inner_html(&history.iter().map(row).collect::<String>());
}
