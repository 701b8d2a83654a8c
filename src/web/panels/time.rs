//! Where a training step's time goes, on the CPU.

use crate::{metrics::Parts, summary::RunSummary, web::dom};

/// Name and seconds of each part, in the order of a step.
fn named(parts: &Parts) -> [(&'static str, f64); 7] {
    let Parts { augment, forward, backward, update, messages, waiting, steps, .. } = *parts;
    let rest = (steps - augment - forward - backward - update - messages - waiting).max(0.0);
    [
        ("images", augment),
        ("forward", forward),
        ("backward", backward),
        ("optimiser", update),
        ("messages", messages),
        ("waiting", waiting),
        ("rest", rest),
    ]
}

/// Draws the parts of this epoch's steps, or of the last one's.
pub fn draw(summary: &RunSummary) {
    let now = summary.progress.map(|progress| progress.parts).filter(|parts| parts.steps > 0.0);
    let parts = now.or_else(|| summary.history.last().map(|epoch| epoch.parts));
    // A GPU is only asked to do a part; how long it takes is not known here.
    let shown = parts.filter(|_| summary.backend.name != "webgpu");
    dom::set_hidden("time", shown.is_none());
    let Some(parts) = shown else { return };
    let share = |seconds: f64| 100.0 * seconds / parts.steps;
    let visible = || named(&parts).into_iter().map(|(name, seconds)| (name, share(seconds))).filter(|(_, s)| *s >= 0.5);
    let bar: String =
        visible().map(|(name, share)| format!("<i class={name} style=\"flex-grow:{share:.1}\"></i>")).collect();
    let list: String = visible().map(|(name, share)| format!("<li class={name}>{name} {share:.0} %</li>")).collect();
    dom::set_html("time-bar", &bar);
    dom::set_html("time-parts", &list);
}
