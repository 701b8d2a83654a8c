//! The classification report as a table.

use inkling_core::metrics::Report as Scores;

use super::Panel;
use crate::page::{
    dom,
    element::{Element, element, row_head, show, text},
    model::Model,
    msg::Section,
};

/// Shows precision, recall, F1 and support of each class, and their averages.
pub struct Report;

impl Panel for Report {
    fn draw(&mut self, model: &Model) {
        if !model.is_open(Section::Report) {
            return;
        }
        let report = model.run.confusion_matrix.as_ref().map(|matrix| matrix.report());
        dom::set_hidden("report-empty", report.is_some());
        dom::set_hidden("report-table", report.is_none());
        show("report", report.map_or_else(Vec::new, |report| rows(&report, model)));
    }
}

fn rows(report: &Scores, model: &Model) -> Vec<Element> {
    let row = |[name, precision, recall, f1, support]: [String; 5]| {
        let class = if precision.is_empty() { "rule" } else { "" };
        let cells = [precision, recall, f1, support].map(|cell| text("td", cell));
        element("tr").with("class", class).child(row_head(name)).children(cells)
    };
    report.rows(|class| model.class(class)).into_iter().map(row).collect()
}
