//! The answer: what the network makes of the current image.

use inkling_core::say;

use super::{
    Panel,
    words::{argmax, sure},
};
use crate::page::{
    dom,
    element::{element, show, text},
    model::{
        Model,
        picture::{Current, Input},
    },
};

/// The most classes for which each has a bar.
const ALL_BARS: usize = 10;
/// Of more, the most probable have one.
const BEST_BARS: usize = 5;

/// Shows the answer.
pub struct Answer;

impl Panel for Answer {
    fn draw(&mut self, model: &Model) {
        draw_verdict(model);
        draw_bars(model, model.current_answer());
    }

    fn shows_predictions(&self) -> bool {
        true
    }
}

/// The answer in a few words, and whether it is right, if that is known.
fn draw_verdict(model: &Model) {
    let found = model.current_answer();
    let top = found.map(argmax);
    let answer = top.map_or("–".into(), |top| model.class(top as u8));
    dom::set_text("answer", &answer);
    let share = found.zip(top).map(|(found, top)| sure(found[top].into()));
    dom::set_text("answer-share", &share.unwrap_or_default());
    let label = model.current().and_then(Current::specimen).map(|specimen| specimen.label);
    let (words, kind) = match (label, top) {
        (Some(label), Some(top)) if usize::from(label) == top => (say!("✓ right").into(), "right"),
        (Some(label), Some(_)) => (say!("✗ it is {}", model.a_class(label)), "wrong"),
        _ => (String::new(), ""),
    };
    dom::set_text("answer-verdict", &words);
    dom::set_attribute("answer-verdict", "data-kind", kind);
    let untrained = model.run.progress.is_none_or(|progress| progress.step == 0) && !model.run.imported;
    let of = match model.current() {
        Some(Current::Sketch(_)) => say!("for your sketch"),
        Some(Current::Image(_)) if model.picture.input == Input::Pad && model.target().is_ok() => {
            say!("for an image of the data set, until you draw")
        }
        Some(Current::Image(_)) => say!("for this image of the data set"),
        Some(Current::Example(_)) => say!("for an example"),
        None => "",
    };
    // The blocks and an image of the data set are always about the present.
    let past = model.epoch.filter(|_| matches!(model.current(), Some(Current::Sketch(_))));
    let words = match (found, untrained) {
        (Some(_), _) if let Some(epoch) = past => say!("{}, after epoch {}", of, epoch),
        (Some(_), true) => say!("{}: a guess, because the network has learned nothing yet", of),
        (Some(_), false) => of.into(),
        (None, _) => say!("No answer yet.").into(),
    };
    dom::set_text("answer-of", &words);
}

/// A bar for each class; of more than ten, for the most probable ones.
fn draw_bars(model: &Model, probabilities: Option<&[f32]>) {
    let mut classes: Vec<usize> = (0..model.run.data.classes()).collect();
    if classes.len() > ALL_BARS {
        if let Some(found) = probabilities {
            let of = |class: usize| found.get(class).copied().unwrap_or_default();
            classes.sort_by(|&a, &b| of(b).total_cmp(&of(a)));
        }
        classes.truncate(BEST_BARS);
    }
    let bar = |(place, class): (usize, usize)| {
        let probability = probabilities.map_or(0.0, |found| found.get(class).copied().unwrap_or_default());
        let words = if probabilities.is_some() { sure(probability.into()) } else { "–".into() };
        element("li")
            .with("id", format!("bar-{place}"))
            .with("style", format!("--p:{probability:.4}"))
            .child(text("b", model.class(class as u8)))
            .child(element("i"))
            .child(text("span", words).with("id", format!("bar-{place}-value")))
    };
    let long = model.class_names().iter().any(|name| name.chars().count() > 2);
    dom::set_attribute("bars", "class", if long { "bars named" } else { "bars" });
    show("bars", classes.into_iter().enumerate().map(bar));
}
