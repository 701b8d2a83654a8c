//! Accuracy and loss over the epochs, and the same numbers as a table.

use super::theme;
use crate::{
    charts::{self, Curve, Metric},
    healing::Incident,
    protocol::EpochRecord,
    summary::RunSummary,
    web::dom,
};

/// Draws both charts and the table of the epochs.
pub fn draw(summary: &RunSummary) {
    draw_one("accuracy", &summary.curves.accuracy, summary, Metric::Accuracy, |epoch| epoch.validation_accuracy);
    draw_one("loss", &summary.curves.loss, summary, Metric::Loss, |epoch| epoch.validation_loss);
    table(&summary.history);
}

fn draw_one(id: &str, train: &[(f64, f64)], summary: &RunSummary, metric: Metric, of: impl Fn(&EpochRecord) -> f64) {
    let validation: Vec<(f64, f64)> = summary.history.iter().map(|epoch| (f64::from(epoch.epoch), of(epoch))).collect();
    let place = |incident: &Incident| f64::from(incident.from) / summary.steps_an_epoch();
    let marks: Vec<f64> = summary.incidents.iter().map(place).collect();
    let curve =
        Curve { train, validation: &validation, marks: &marks, epochs: f64::from(summary.settings.epochs), metric };
    if let Some((area, scale)) = dom::drawing_area(id) {
        // A canvas that can't be drawn on leaves the table.
        let _ = charts::curve(&area, &curve, &theme(), scale);
    }
    let lost = match marks.len() {
        0 => String::new(),
        lost => format!(" A dashed line marks where the run went on after its worker was lost ({lost})."),
    };
    let label = match (train.last(), validation.last()) {
        (Some(train), Some(validation)) => {
            format!(
                "Chart of {id} by epoch: training {:.3}, validation {:.3}. The table below has the numbers.",
                train.1, validation.1
            )
        }
        (Some(train), None) => format!("Chart of {id} by epoch: training {:.1}.", train.1),
        _ => format!("Chart of {id} by epoch, empty until training starts."),
    };
    dom::set_attribute(id, "aria-label", &(label + &lost));
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
