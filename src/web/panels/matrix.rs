//! The confusion matrix as a heatmap.

use std::cell::Cell;

use super::{percent, theme};
use crate::{
    charts,
    metrics::ConfusionMatrix,
    web::{dom, page::Page},
};

thread_local! {
    /// What is on the canvas: matrix, width and theme. Drawing 100 cells again at each step would be waste.
    static DRAWN: Cell<Option<(ConfusionMatrix, f64, charts::Theme)>> = const { Cell::new(None) };
}

/// Draws the newest matrix, or that of the epoch that the time machine is at, and says which set it is of.
pub fn draw(page: &Page) {
    let summary = &page.summary;
    let past = page.moment.and_then(|epoch| summary.snapshots.get(epoch as usize - 1));
    let matrix = past.map(|snapshot| snapshot.confusion).or(summary.confusion_matrix).unwrap_or_default();
    let caption = match (summary.confusion_matrix_of, summary.history.last()) {
        _ if past.is_some() => {
            let epoch = page.moment.unwrap_or_default();
            format!(
                "Validation set after epoch {epoch}, by the time machine: {} of {} right",
                matrix.correct(),
                matrix.total()
            )
        }
        _ if summary.testing => "Scoring the test set with the weights of this moment…".into(),
        (Some("test"), _) => format!("Test set: {} of {} right", matrix.correct(), matrix.total()),
        (Some(_), Some(epoch)) => {
            format!("Validation set after epoch {}: {} of {} right", epoch.epoch, matrix.correct(), matrix.total())
        }
        _ => "Comes after the first epoch".into(),
    };
    dom::set_text("matrix-caption", &caption);
    dom::set_hidden("matrix-hint", matrix.total() == 0);
    let label = format!(
        "Confusion matrix, rows true, columns predicted. {caption}, {}. {}",
        percent(matrix.accuracy()),
        worst(&matrix)
    );
    dom::set_attribute("matrix", "aria-label", &label);
    cells(&matrix);
    let Some((area, scale)) = dom::drawing_area("matrix") else { return };
    let key = Some((matrix, f64::from(area.dim_in_pixel().0), theme()));
    if DRAWN.replace(key) != key {
        let _ = charts::heatmap(&area, &matrix, &theme(), scale);
    }
}

/// The same as a table, whose numbers are buttons that show the images.
fn cells(matrix: &ConfusionMatrix) {
    if !dom::is_open("matrix-table") {
        return;
    }
    let cell = |row: usize, column: usize| match matrix.counts[row][column] {
        0 => "<td>0</td>".into(),
        count => format!(
            "<td><button type=button data-cell={} aria-label=\"{count} images of {row} taken for {column}\">{count}</button></td>",
            10 * row + column
        ),
    };
    let row = |row: usize| {
        let cells: String = (0..10).map(|column| cell(row, column)).collect();
        format!("<tr><th scope=row>{row}</th>{cells}</tr>")
    };
    dom::set_html("matrix-cells", &(0..10).map(row).collect::<String>());
}

fn worst(matrix: &ConfusionMatrix) -> String {
    let mistakes = (0..100).filter(|i| i / 10 != i % 10).map(|i| (matrix.counts[i / 10][i % 10], i / 10, i % 10));
    match mistakes.max() {
        Some((count, label, predicted)) if count > 0 => {
            format!("The most frequent mistake: {count} images of {label} taken for {predicted}.")
        }
        _ => String::new(),
    }
}
