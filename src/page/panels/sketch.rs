//! The sketch pad: draw a digit or a letter, see it as MNIST would have it, and see what the network makes of it.

use inkling_core::{
    ink::Point,
    message, say,
    settings::DatasetName,
    sketch::{PAD, PEN_RADIUS, Sketch as Strokes, Target},
};
use web_sys::{Element, Event, KeyboardEvent, PointerEvent};

use super::{
    Emit, Panel,
    chart::theme,
    words::{argmax, count, sure},
};
use crate::page::{
    dom,
    model::{
        Model,
        asked::Awaited,
        pad::{Pen, Prediction},
    },
    msg::{Msg, PadMsg, Stroke},
};

/// Shows the sketch pad.
pub struct Sketch;

impl Panel for Sketch {
    fn mount(&mut self, emit: Emit) {
        let tell = move |msg: PadMsg| emit(Msg::Pad(msg));
        dom::listen("pad", "pointerdown", move |event: PointerEvent| {
            if event.button() == 0 {
                event.prevent_default();
                if let Some(pad) = dom::element::<Element>("pad") {
                    let _ = pad.set_pointer_capture(event.pointer_id());
                }
                tell(PadMsg::Down(event.pointer_id(), position(&event)));
            }
        });
        dom::listen("pad", "pointermove", move |event: PointerEvent| {
            // Without a button the pointer only hovers.
            if event.buttons() != 0 {
                tell(PadMsg::Move(event.pointer_id(), position(&event)));
            }
        });
        for end in ["pointerup", "pointercancel"] {
            dom::listen("pad", end, move |event: PointerEvent| tell(PadMsg::Up(event.pointer_id())));
        }
        dom::listen("pad", "keydown", move |event: KeyboardEvent| {
            if let Some(msg) = key(&event) {
                event.prevent_default();
                tell(msg);
            }
        });
        dom::listen("pad", "blur", move |_: Event| tell(PadMsg::Blur));
        dom::listen("undo", "click", move |_: Event| tell(PadMsg::Undo));
        dom::listen("clear", "click", move |_: Event| tell(PadMsg::Clear));
    }

    fn draw(&mut self, model: &Model) {
        let pad = &model.pad;
        draw_strokes(&pad.sketch, pad.pen);
        draw_image(pad.image(), pad.target.map_or(1, Target::side));
        dom::set_enabled("undo", !pad.sketch.is_empty(), "pad");
        dom::set_enabled("clear", !pad.sketch.is_empty(), "pad");
        dom::set_hidden("thumb", pad.image().is_none());
        dom::set_hidden("pad-hint", !pad.sketch.is_empty());
        let prediction = pad.prediction.answer();
        dom::set_text("sketch-note", &note(model));
        // For screen readers: only when the prediction changes, not with every step.
        let said = prediction.map(|prediction| looks_like(model, &prediction.probabilities));
        dom::set_text("sketch-said", &said.unwrap_or_default());
    }

    fn shows_predictions(&self) -> bool {
        true
    }
}

fn key(event: &KeyboardEvent) -> Option<PadMsg> {
    let control = event.ctrl_key() || event.meta_key();
    match event.key().as_str() {
        "z" if control => Some(PadMsg::Undo),
        "Backspace" => Some(PadMsg::Undo),
        "Delete" => Some(PadMsg::Clear),
        "ArrowLeft" => Some(PadMsg::Key(Stroke::Move(-1.0, 0.0))),
        "ArrowRight" => Some(PadMsg::Key(Stroke::Move(1.0, 0.0))),
        "ArrowUp" => Some(PadMsg::Key(Stroke::Move(0.0, -1.0))),
        "ArrowDown" => Some(PadMsg::Key(Stroke::Move(0.0, 1.0))),
        " " | "Enter" => Some(PadMsg::Key(Stroke::Pen)),
        _ => None,
    }
}

/// Where the pointer is, in pad coordinates.
fn position(event: &PointerEvent) -> Point {
    let size = dom::element::<Element>("pad").map_or(0.0, |pad| pad.get_bounding_client_rect().width()).max(1.0);
    let scale = PAD as f32 / size as f32;
    (event.offset_x() as f32 * scale, event.offset_y() as f32 * scale)
}

fn looks_like(model: &Model, probabilities: &[f32]) -> String {
    say!("It looks like {}.", model.a_class(argmax(probabilities) as u8))
}

fn note(model: &Model) -> String {
    if let Err(unlike) = model.pad.target {
        return unlike.to_string();
    }
    let trained = model.run.progress.is_some_and(|progress| progress.step > 0);
    match (model.pad.prediction.answer(), model.epoch) {
        (Some(prediction), epoch) => prediction_note(model, prediction, epoch),
        (None, Some(epoch)) if model.pad.image().is_some() && !model.pad.prediction.is_waiting() => {
            say!("The weights after epoch {} are no longer kept.", epoch)
        }
        (None, _) if trained => say!("Draw a {} and see what the network makes of it.", what(model)),
        (None, _) => say!(
            "The network has learned nothing yet. Draw a {} and press Train: the network answers while it learns.",
            what(model)
        ),
    }
}

/// What the visitor might draw.
fn what(model: &Model) -> &'static str {
    match model.run.settings.dataset {
        DatasetName::Letters => say!("capital letter"),
        DatasetName::Own => say!("picture"),
        _ => say!("digit"),
    }
}

fn prediction_note(model: &Model, prediction: &Prediction, epoch: Option<u32>) -> String {
    let Prediction { probabilities, steps } = prediction;
    let best = argmax(probabilities);
    let name = model.a_class(best as u8);
    if *steps == 0 && !model.run.imported {
        return say!("The network has learned nothing yet: it guesses {}. Press Train.", name);
    }
    let share = sure(probabilities[best].into());
    match epoch {
        None => {
            let taught = if model.run.fine_tuned.is_some() { say!(" and training on your digits") } else { "" };
            say!(
                "It looks like {} ({}), after {}{}.",
                name,
                share,
                count(*steps as usize, [message!("{} training step"), message!("{} training steps")]),
                taught
            )
        }
        Some(epoch) => say!("After epoch {} it looked like {} ({}).", epoch, name, share),
    }
}

fn draw_strokes(sketch: &Strokes, pen: Option<Pen>) {
    let Some((canvas, _)) = dom::sharp_canvas("pad") else { return };
    let Some(context) = dom::context(&canvas) else { return };
    let scale = f64::from(canvas.width()) / PAD as f64;
    context.clear_rect(0.0, 0.0, canvas.width().into(), canvas.height().into());
    let ink = theme().text;
    let colour = format!("rgb({} {} {})", ink.0, ink.1, ink.2);
    context.set_stroke_style_str(&colour);
    context.set_line_width(2.0 * f64::from(PEN_RADIUS) * scale);
    context.set_line_cap("round");
    context.set_line_join("round");
    for stroke in sketch.strokes() {
        context.begin_path();
        for (index, &(x, y)) in stroke.iter().enumerate() {
            let (x, y) = (f64::from(x) * scale, f64::from(y) * scale);
            if index == 0 {
                context.move_to(x, y);
            }
            // Even to its own start: a line of length zero draws a dot.
            context.line_to(x, y);
        }
        context.stroke();
    }
    if let Some(Pen { at: (x, y), down }) = pen {
        let accent = theme().mistake;
        context.set_stroke_style_str(&format!("rgb({} {} {})", accent.0, accent.1, accent.2));
        context.set_line_width(2.0 * scale);
        context.begin_path();
        let radius = f64::from(PEN_RADIUS) * scale * if down { 0.6 } else { 1.2 };
        let _ = context.arc(f64::from(x) * scale, f64::from(y) * scale, radius, 0.0, std::f64::consts::TAU);
        context.stroke();
    }
}

fn draw_image(image: Option<&[u8]>, side: usize) {
    dom::draw_shades("thumb", image.unwrap_or(&vec![0; side * side]), side, 1);
    let label = match image {
        Some(_) => say!("Your sketch as the network sees it, {} by {} pixels", side, side),
        None => say!("Nothing drawn yet").into(),
    };
    dom::set_attribute("thumb", "aria-label", &label);
}
