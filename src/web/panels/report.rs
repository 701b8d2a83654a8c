//! The classification report as a table.

use crate::{metrics::Report, summary::RunSummary, web::dom};

/// Draws precision, recall, F1 and support of each digit and the averages, of the newest matrix.
pub fn draw(summary: &RunSummary) {
    let Some(body) = dom::element::<web_sys::Element>("report") else { return };
    let html = summary.confusion_matrix.map_or_else(String::new, |matrix| rows(&matrix.report()));
    dom::set_hidden("report-empty", !html.is_empty());
    dom::set_hidden("report-table", html.is_empty());
    if body.inner_html() != html {
        body.set_inner_html(&html);
    }
}

fn rows(report: &Report) -> String {
    let row = |(name, shares, f1, support): (String, Option<[f64; 2]>, f64, u32)| {
        let class = if shares.is_none() { "rule" } else { "" };
        let [precision, recall] =
            shares.map_or_else(Default::default, |shares| shares.map(|share| format!("{share:.4}")));
        format!(
            "<tr class=\"{class}\"><th scope=\"row\">{name}</th><td>{precision}</td><td>{recall}</td><td>{f1:.4}</td><td>{support}</td></tr>"
        )
    };
    report.rows().into_iter().map(row).collect()
}
