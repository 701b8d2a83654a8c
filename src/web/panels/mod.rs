//! The panels of the page: one file each. A panel draws what the page knows, and sends commands.

pub mod controls;
mod curves;
pub mod data;
pub mod doctor;
pub mod files;
pub mod hand;
pub mod inside;
pub mod look;
mod matrix;
mod preview;
mod report;
pub mod resume;
pub mod runs;
pub mod sketch;
mod status;
pub mod summary;
mod tiles;
mod time;
pub mod trust;

use super::{dom, page::Page};
use crate::charts::Theme;

/// Draws all panels.
pub fn draw(page: &Page) {
    status::draw(page);
    time::draw(&page.summary);
    controls::draw(page);
    data::draw(page);
    preview::draw(page);
    curves::draw(page);
    matrix::draw(page);
    report::draw(page);
    files::draw(page);
    resume::draw(page);
    sketch::draw(page);
    doctor::draw(page);
    hand::draw(page);
    look::draw(page);
    inside::draw(page);
    trust::draw(page);
    runs::draw(page);
}

/// Listens to what has controls of its own.
pub fn mount() {
    sketch::mount();
    summary::mount();
    files::mount();
    resume::mount();
    data::mount();
    doctor::mount();
    hand::mount();
    look::mount();
    inside::mount();
    trust::mount();
    runs::mount();
}

/// The colours of the charts under the visitor's colour scheme.
fn theme() -> Theme {
    if dom::matches_media("(prefers-color-scheme: dark)") { Theme::DARK } else { Theme::LIGHT }
}

/// The class with the largest value.
fn best(values: &[f32]) -> usize {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0)
}

/// What a visitor typed, as text of an element or an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// So many of so many, as a share.
fn share((right, of): (u32, u32)) -> f64 {
    f64::from(right) / f64::from(of.max(1))
}

/// `0.98765` as `98.77 %`.
fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// Seconds as words: `42 s`, `3 min 20 s`, `1 h 5 min`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}
