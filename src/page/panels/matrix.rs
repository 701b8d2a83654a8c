//! The confusion matrix as a heatmap and as a table whose numbers are buttons.

use inkling_core::{
    charts::{self, Theme},
    message,
    metrics::ConfusionMatrix,
    protocol::Part,
    say,
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

/// The attribute of the canvas that says how many classes it shows.
const CLASSES: &str = "data-classes";
/// A cell's number is its row times this, plus its column: more than there are classes.
const ROW: usize = 1000;
/// So many mistakes are named.
const NAMED: usize = 3;

/// Shows the confusion matrix.
#[derive(Default)]
pub struct Matrix {
    /// What the canvas shows: matrix, width and colours. Drawing 100 cells again at each step would be wasteful.
    shown: Option<(ConfusionMatrix, Vec<String>, u32, Theme)>,
}

impl Panel for Matrix {
    fn mount(&mut self, emit: Emit) {
        let show_cell =
            move |label: u8, predicted: u8| emit(Msg::Workbench(WorkbenchMsg::ShowCell { label, predicted }));
        dom::listen("matrix", "click", move |event: MouseEvent| {
            let Some((area, scale)) = dom::sharp_canvas("matrix") else { return };
            let classes = area.get_attribute(CLASSES).and_then(|classes| classes.parse().ok()).unwrap_or(0);
            let at = [event.offset_x(), event.offset_y()].map(|offset| f64::from(offset) * scale);
            let cell = charts::cell_at(at, [area.width(), area.height()], classes, scale);
            if let Some((label, predicted)) = cell {
                show_cell(label, predicted);
            }
        });
        dom::listen("matrix-cells", "click", move |event: Event| {
            if let Some(cell) = dom::pressed(&event, "cell") {
                show_cell((cell / ROW) as u8, (cell % ROW) as u8);
            }
        });
    }

    fn draw(&mut self, model: &Model) {
        let run = &model.run;
        let past = model.epoch.and_then(|epoch| Some((epoch, run.snapshot(epoch)?)));
        let matrix = past.map(|(_, snapshot)| &snapshot.confusion).or(run.confusion_matrix.as_ref()).cloned();
        let matrix = matrix.unwrap_or_else(|| ConfusionMatrix::new(run.data.classes()));
        let right = say!("{} of {} right", matrix.correct(), matrix.total());
        let caption = match (past, run.confusion_matrix_of, run.history.last()) {
            (Some((epoch, _)), ..) => say!("Validation set after epoch {}, by the time machine: {}", epoch, right),
            _ if run.testing => say!("Scoring the test set with the current weights…").into(),
            (None, Some(Part::Test), _) => say!("Test set: {}", right),
            (None, Some(_), Some(epoch)) => say!("Validation set after epoch {}: {}", epoch.epoch, right),
            _ => say!("Appears after the first epoch").into(),
        };
        dom::set_text("matrix-caption", &caption);
        let headline = if matrix.total() == 0 { String::new() } else { percent_of(&matrix) };
        dom::set_text("accuracy-now", &headline);
        dom::set_hidden("matrix-hint", matrix.total() == 0);
        let mistakes = mistakes(model, &matrix);
        let accuracy = percent(matrix.accuracy());
        let label = say!("Confusion matrix, rows true, columns predicted. {}, {}. {}", caption, accuracy, mistakes);
        dom::set_attribute("matrix", "aria-label", &label);
        dom::set_attribute("matrix", CLASSES, &matrix.classes().to_string());
        dom::set_text("matrix-mistakes", &mistakes);
        if model.is_open(Section::Report) {
            let head = |class| text("th", model.class(class)).with("scope", "col");
            let true_class = text("th", say!("true")).with("scope", "col");
            let classes = 0..matrix.classes() as u8;
            show("matrix-head", [element("tr").child(true_class).children(classes.clone().map(head))]);
            show("matrix-cells", classes.map(|label| row(model, &matrix, label)));
        }
        let Some((area, scale)) = dom::drawing_area("matrix") else { return };
        let wanted = (matrix, model.class_names().into_owned(), area.dim_in_pixel().0, theme());
        if self.shown.as_ref() != Some(&wanted) {
            let _ = charts::heatmap(&area, &wanted.0, &wanted.1, &theme(), scale);
            self.shown = Some(wanted);
        }
    }
}

/// The accuracy, with one decimal.
fn percent_of(matrix: &ConfusionMatrix) -> String {
    format!("{:.1}%", 100.0 * matrix.accuracy())
}

fn row(model: &Model, matrix: &ConfusionMatrix, label: u8) -> Element {
    let name = model.class(label);
    let cell = |predicted: u8| match matrix.counts[usize::from(label)][usize::from(predicted)] {
        0 => text("td", "0"),
        count => {
            let images = count_of(count as usize, [message!("{} image"), message!("{} images")]);
            let words = say!("{} of {} predicted as {}", images, name, model.class(predicted));
            let button = text("button", count.to_string())
                .with("type", "button")
                .with("data-cell", (ROW * usize::from(label) + usize::from(predicted)).to_string())
                .with("aria-label", words);
            element("td").child(button)
        }
    };
    element("tr").child(row_head(&name)).children((0..matrix.classes() as u8).map(cell))
}

/// The most frequent mistakes.
fn mistakes(model: &Model, matrix: &ConfusionMatrix) -> String {
    let name = |class: usize| model.class(class as u8);
    let mistake = |&(count, label, predicted): &(u32, usize, usize)| {
        say!("{} mistaken for {} ({})", name(label), name(predicted), count)
    };
    let most: Vec<_> = matrix.mistakes().iter().take(NAMED).map(mistake).collect();
    if most.is_empty() { String::new() } else { say!("Most frequent mistakes: {}.", most.join(", ")) }
}
