//! Where a training step's time goes, on the CPU.

use inkling_core::{language::translate, message, metrics::Parts, protocol::BackendName};

use super::Panel;
use crate::page::{
    dom,
    element::{element, show, text},
    model::Model,
    msg::Section,
};

/// Shows the parts of this epoch's steps, or of the last epoch's.
pub struct Time;

impl Panel for Time {
    fn draw(&mut self, model: &Model) {
        if !model.is_open(Section::Epochs) {
            return;
        }
        let run = &model.run;
        let now = run.progress.map(|progress| progress.parts).filter(|parts| parts.steps > 0.0);
        let parts = now.or_else(|| run.history.last().map(|epoch| epoch.parts));
        // The CPU only queues a GPU's work, so the time that the work takes is not known here.
        let shown = parts.filter(|_| !run.backend.name.is_some_and(BackendName::is_apart));
        dom::set_hidden("time", shown.is_none());
        let Some(parts) = shown else { return };
        let visible: Vec<(&'static str, f64)> = named(&parts)
            .into_iter()
            .map(|(name, seconds)| (name, 100.0 * seconds / parts.steps))
            .filter(|(_, share)| *share >= 0.5)
            .collect();
        let bar = |(name, share): &(&str, f64)| {
            element("i").with("class", *name).with("style", format!("flex-grow:{share:.1}"))
        };
        let item = |(name, share): &(&'static str, f64)| {
            text("li", format!("{} {share:.0}%", translate(name))).with("class", *name)
        };
        show("time-bar", visible.iter().map(bar));
        show("time-parts", visible.iter().map(item));
    }
}

/// Name and seconds of each part, in the order of a step.
fn named(parts: &Parts) -> [(&'static str, f64); 7] {
    let Parts { augment, forward, backward, update, messages, waiting, steps, .. } = *parts;
    let rest = (steps - augment - forward - backward - update - messages - waiting).max(0.0);
    [
        (message!("images"), augment),
        (message!("forward"), forward),
        (message!("backward"), backward),
        (message!("optimizer"), update),
        (message!("messages"), messages),
        (message!("waiting"), waiting),
        (message!("rest"), rest),
    ]
}
