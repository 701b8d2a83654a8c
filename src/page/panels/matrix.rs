//! The confusion matrix as a heatmap and as a table whose numbers are buttons.

use inkling_core::{
    charts::{self, Theme},
    metrics::ConfusionMatrix,
    protocol::Part,
};
use web_sys::{Event, MouseEvent};

use super::{
    Emit, Panel,
    chart::theme,
    words::{count as count_of, percent},
};
use crate::page::{
    dom,
    element::{Element, element, row_head, show, text},
    model::Model,
    msg::{Msg, Section, WorkbenchMsg},
};

/// Shows the confusion matrix.
#[derive(Default)]
pub struct Matrix {
    /// What the canvas shows: matrix, width and colours. Drawing 100 cells again at each step would be wasteful.
    shown: Option<(ConfusionMatrix, u32, Theme)>,
}

impl Panel for Matrix {
    fn mount(&mut self, emit: Emit) {
        let show_cell =
            move |label: u8, predicted: u8| emit(Msg::Workbench(WorkbenchMsg::ShowCell { label, predicted }));
        dom::listen("matrix", "click", move |event: MouseEvent| {
            let Some((area, scale)) = dom::sharp_canvas("matrix") else { return };
            let at = |offset: i32| f64::from(offset) * scale;
            let (x, y) = (at(event.offset_x()), at(event.offset_y()));
            let cell = charts::cell_at(x, y, area.width().into(), area.height().into(), scale);
            if let Some((label, predicted)) = cell {
                show_cell(label, predicted);
            }
        });
        dom::listen("matrix-cells", "click", move |event: Event| {
            if let Some(cell) = dom::pressed(&event, "cell") {
                show_cell((cell / 10) as u8, (cell % 10) as u8);
            }
        });
    }

    fn draw(&mut self, model: &Model) {
        let run = &model.run;
        let past = model.epoch.and_then(|epoch| Some((epoch, run.snapshots.get(epoch as usize - 1)?)));
        let matrix = past.map(|(_, snapshot)| snapshot.confusion).or(run.confusion_matrix).unwrap_or_default();
        let right = format!("{} of {} right", matrix.correct(), matrix.total());
        let caption = match (past, run.confusion_matrix_of, run.history.last()) {
            (Some((epoch, _)), ..) => format!("Validation set after epoch {epoch}, by the time machine: {right}"),
            _ if run.testing => "Scoring the test set with the current weights…".into(),
            (None, Some(Part::Test), _) => format!("Test set: {right}"),
            (None, Some(_), Some(epoch)) => format!("Validation set after epoch {}: {right}", epoch.epoch),
            _ => "Appears after the first epoch".into(),
        };
        dom::set_text("matrix-caption", &caption);
        dom::set_hidden("matrix-hint", matrix.total() == 0);
        let label = format!(
            "Confusion matrix, rows true, columns predicted. {caption}, {}. {}",
            percent(matrix.accuracy()),
            worst(&matrix)
        );
        dom::set_attribute("matrix", "aria-label", &label);
        if model.is_open(Section::MatrixTable) {
            show("matrix-cells", (0..10).map(|label| row(&matrix, label)));
        }
        let Some((area, scale)) = dom::drawing_area("matrix") else { return };
        let wanted = Some((matrix, area.dim_in_pixel().0, theme()));
        if self.shown != wanted {
            let _ = charts::heatmap(&area, &matrix, &theme(), scale);
            self.shown = wanted;
        }
    }
}

fn row(matrix: &ConfusionMatrix, label: usize) -> Element {
    let cell = |predicted: usize| match matrix.counts[label][predicted] {
        0 => text("td", "0"),
        count => element("td").child(
            text("button", count.to_string())
                .with("type", "button")
                .with("data-cell", (10 * label + predicted).to_string())
                .with(
                    "aria-label",
                    format!("{} of {label} predicted as {predicted}", count_of(count as usize, "image")),
                ),
        ),
    };
    element("tr").child(row_head(label.to_string())).children((0..10).map(cell))
}

fn worst(matrix: &ConfusionMatrix) -> String {
    let mistakes = (0..100).filter(|i| i / 10 != i % 10).map(|i| (matrix.counts[i / 10][i % 10], i / 10, i % 10));
    match mistakes.max() {
        Some((count, label, predicted)) if count > 0 => {
            let images = count_of(count as usize, "image");
            format!("The most frequent mistake: {images} of {label} predicted as {predicted}.")
        }
        _ => String::new(),
    }
}
