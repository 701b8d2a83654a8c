//! The classification report as a table.

use crate::{
    metrics::{ClassScore, Report},
    summary::RunSummary,
    web::dom,
};

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
    let row = |name: &str, score: &ClassScore| {
        format!(
            "<tr><th scope=\"row\">{name}</th><td>{:.4}</td><td>{:.4}</td><td>{:.4}</td><td>{}</td></tr>",
            score.precision, score.recall, score.f1, score.support
        )
    };
    let digits: String =
        report.classes.iter().enumerate().map(|(digit, score)| row(&digit.to_string(), score)).collect();
    let accuracy = format!(
        "<tr class=\"rule\"><th scope=\"row\">accuracy</th><td></td><td></td><td>{:.4}</td><td>{}</td></tr>",
        report.accuracy, report.macro_average.support
    );
    digits + &accuracy + &row("macro avg.", &report.macro_average) + &row("weighted avg.", &report.weighted_average)
}
