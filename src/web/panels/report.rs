//! The classification report as a table.

use super::escaped;
use crate::{
    metrics::Report,
    web::{dom, page::Page},
};

/// Draws precision, recall, F1 and support of each digit and the averages, of the newest matrix.
pub fn draw(page: &Page) {
    let Some(body) = dom::element::<web_sys::Element>("report") else { return };
    let html = page.summary.confusion_matrix.map_or_else(String::new, |matrix| rows(&matrix.report(), page));
    dom::set_hidden("report-empty", !html.is_empty());
    dom::set_hidden("report-table", html.is_empty());
    if body.inner_html() != html {
        body.set_inner_html(&html);
    }
}

fn rows(report: &Report, page: &Page) -> String {
    let row = |[name, precision, recall, f1, support]: [String; 5]| {
        let class = if precision.is_empty() { "rule" } else { "" };
        let name = name.parse().map_or(name, |class| escaped(&page.class(class)));
        format!(
            "<tr class=\"{class}\"><th scope=\"row\">{name}</th><td>{precision}</td><td>{recall}</td><td>{f1}</td><td>{support}</td></tr>"
        )
    };
    report.rows().into_iter().map(row).collect()
}
