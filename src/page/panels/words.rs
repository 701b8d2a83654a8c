//! Numbers as the page writes them.

pub use inkling_core::metrics::argmax;
use inkling_core::{language::fill, say};

/// `0.98765` as `98.77%`.
pub fn percent(share: f64) -> String {
    format!("{:.2}%", 100.0 * share)
}

/// A probability, without false precision: `97.3%`, `>99.9%`.
pub fn sure(probability: f64) -> String {
    match 100.0 * probability {
        percent if percent >= 99.95 => ">99.9%".into(),
        percent if percent < 0.05 => "<0.1%".into(),
        percent => format!("{percent:.1}%"),
    }
}

/// One number out of another, as a share.
pub fn share((right, of): (u32, u32)) -> f64 {
    f64::from(right) / f64::from(of.max(1))
}

/// Seconds as words: `42 s`, `3 min 20 s`, `1 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => say!("{} s", s),
        (0, m, s) => say!("{} min {} s", m, s),
        (h, m, _) => say!("{} h {} min", h, m),
    }
}

/// `1 epoch`, `2 epochs`: one of them, or many.
pub fn count(number: usize, [one, many]: [&'static str; 2]) -> String {
    fill(if number == 1 { one } else { many }, &[&number])
}
