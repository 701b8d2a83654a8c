//! The sketch pad: draw a digit, see it as MNIST would have it, and what the network thinks of it.

use web_sys::{Element, Event, KeyboardEvent, PointerEvent};

use super::{best, theme};
use crate::{
    data::{IMAGE, SIDE},
    ink::Point,
    protocol::Command,
    sketch::{PAD, PEN_RADIUS, Sketch},
    web::{
        dom,
        page::{self, Page},
    },
};

/// The pad's state.
#[derive(Default)]
pub struct SketchPad {
    sketch: Sketch,
    /// The pointer that draws, if one does.
    pointer: Option<i32>,
    /// Where the keyboard's pen is, once it is used, and whether it is down.
    keyboard: Option<(Point, bool)>,
    /// Image of the sketch, `[28, 28]`.
    image: Option<Vec<u8>>,
    /// Number of the newest question, and whether its answer is awaited.
    question: u32,
    awaited: bool,
    answer: Option<Answer>,
}

struct Answer {
    probabilities: Vec<f32>,
    steps: u32,
}

impl SketchPad {
    /// The question to put now, if something is drawn and no answer is awaited: to the network of this moment, or as it was
    /// after `epoch`.
    pub fn question(&mut self, epoch: Option<u32>) -> Option<Command> {
        let pixels = self.image.clone().filter(|_| !self.awaited)?;
        self.awaited = true;
        self.question += 1;
        Some(Command::Predict { id: self.question, pixels, epoch })
    }

    /// Takes an answer; an earlier question's is of another drawing.
    pub fn answered(&mut self, id: u32, probabilities: Option<&[f32]>, steps: u32) {
        if id == self.question {
            self.awaited = false;
            self.answer = probabilities.map(|p| Answer { probabilities: p.to_vec(), steps });
        }
    }

    /// There is another network, or none: what the last one said counts no more.
    pub fn forget_answer(&mut self) {
        self.question += 1; // an answer that is on its way is none to this
        self.awaited = false;
        self.answer = None;
    }

    /// The strokes.
    pub fn sketch(&self) -> &Sketch {
        &self.sketch
    }

    /// The image of the strokes, `[28, 28]`, if there are any.
    pub fn image(&self) -> Option<&[u8]> {
        self.image.as_deref()
    }

    /// Takes all strokes away.
    pub fn clear(&mut self) {
        self.sketch.clear();
        self.redrawn();
    }

    fn press(&mut self, stroke: Stroke) {
        const STEP: f32 = PAD as f32 / GRID;
        let middle = PAD as f32 / 2.0;
        let ((x, y), down) = self.keyboard.unwrap_or(((middle, middle), false));
        match stroke {
            Stroke::Move(right, lower) => {
                let within = |at: f32| at.clamp(0.0, PAD as f32);
                let to = (within(x + STEP * right), within(y + STEP * lower));
                if down {
                    self.sketch.extend(to);
                }
                self.keyboard = Some((to, down));
            }
            Stroke::Pen => {
                if !down {
                    self.sketch.begin((x, y));
                }
                self.keyboard = Some(((x, y), !down));
            }
        }
    }

    fn redrawn(&mut self) {
        self.image = self.sketch.image();
        // The drawing is another now: a question on its way is out of date.
        self.awaited = false;
        if self.image.is_none() {
            self.forget_answer();
        }
    }
}

/// Listens to the pad and its buttons.
pub fn mount() {
    dom::listen("pad", "pointerdown", |event: PointerEvent| {
        if event.button() == 0 {
            event.prevent_default();
            if let Some(pad) = dom::element::<Element>("pad") {
                let _ = pad.set_pointer_capture(event.pointer_id());
            }
            change(|pad| {
                if pad.pointer.is_none() {
                    pad.pointer = Some(event.pointer_id());
                    pad.sketch.begin(position(&event));
                }
            });
        }
    });
    dom::listen("pad", "pointermove", |event: PointerEvent| {
        if event.buttons() == 0 {
            return; // it only hovers
        }
        page::update(|page| {
            if page.sketch.pointer == Some(event.pointer_id()) {
                page.sketch.sketch.extend(position(&event));
                page.sketch.redrawn();
                page.ask_again();
            }
        });
    });
    for end in ["pointerup", "pointercancel"] {
        dom::listen("pad", end, |event: PointerEvent| {
            page::update(|page| {
                if page.sketch.pointer == Some(event.pointer_id()) {
                    page.sketch.pointer = None;
                }
            });
        });
    }
    dom::listen("undo", "click", |_: Event| change(|pad| pad.sketch.undo()));
    dom::listen("clear", "click", |_: Event| page::update(|page| page.sketch.clear()));
    dom::listen("pad", "keydown", |event: KeyboardEvent| {
        let undo = event.key() == "z" && (event.ctrl_key() || event.meta_key());
        if undo || event.key() == "Backspace" {
            event.prevent_default();
            change(|pad| pad.sketch.undo());
        } else if event.key() == "Delete" {
            page::update(|page| page.sketch.clear());
        } else if let Some(stroke) = key_stroke(&event.key()) {
            event.prevent_default();
            change(|pad| pad.press(stroke));
        }
    });
    dom::listen("pad", "blur", |_: Event| page::update(|page| page.sketch.keyboard = None));
}

/// What a key does to the keyboard's pen.
#[derive(Clone, Copy)]
enum Stroke {
    /// It moves by so many parts of the grid.
    Move(f32, f32),
    /// It is put down, or lifted.
    Pen,
}

/// Columns, and rows, of the grid that the keyboard draws on.
const GRID: f32 = 20.0;

fn key_stroke(key: &str) -> Option<Stroke> {
    match key {
        "ArrowLeft" => Some(Stroke::Move(-1.0, 0.0)),
        "ArrowRight" => Some(Stroke::Move(1.0, 0.0)),
        "ArrowUp" => Some(Stroke::Move(0.0, -1.0)),
        "ArrowDown" => Some(Stroke::Move(0.0, 1.0)),
        " " | "Enter" => Some(Stroke::Pen),
        _ => None,
    }
}

fn change(change: impl FnOnce(&mut SketchPad)) {
    page::update(|page| {
        change(&mut page.sketch);
        page.sketch.redrawn();
        page.ask_again();
    });
}

/// Where the pointer is, in pad coordinates.
fn position(event: &PointerEvent) -> Point {
    let size = dom::element::<Element>("pad").map_or(0.0, |pad| pad.get_bounding_client_rect().width()).max(1.0);
    let scale = PAD as f32 / size as f32;
    (event.offset_x() as f32 * scale, event.offset_y() as f32 * scale)
}

/// Draws the strokes, the image of them, the bars and the sentence.
pub fn draw(page: &Page) {
    let pad = &page.sketch;
    draw_strokes(&pad.sketch, pad.keyboard);
    draw_image(pad.image.as_deref());
    dom::set_enabled("undo", !pad.sketch.is_empty(), "pad");
    dom::set_enabled("clear", !pad.sketch.is_empty(), "pad");
    dom::set_hidden("pad-hint", !pad.sketch.is_empty());
    for digit in 0..10 {
        let probability = pad.answer.as_ref().map_or(0.0, |answer| answer.probabilities[digit]);
        dom::set_attribute(&format!("bar-{digit}"), "style", &format!("--p:{probability:.4}"));
        let text = if pad.answer.is_some() { format!("{:.1} %", 100.0 * probability) } else { "–".into() };
        dom::set_text(&format!("bar-{digit}-value"), &text);
    }
    dom::set_text("sketch-note", &note(page));
}

fn note(page: &Page) -> String {
    let pad = &page.sketch;
    match &pad.answer {
        Some(Answer { probabilities, steps }) => {
            let best = best(probabilities);
            // For screen readers: only when the opinion changes, not with every step.
            let best_name = page.class(best as u8);
            dom::set_text("sketch-said", &format!("It looks like a {best_name}."));
            let share = 100.0 * probabilities[best];
            match page.moment {
                None => {
                    let taught = if page.summary.fine_tuned.is_some() { " and your digits" } else { "" };
                    format!("It looks like a {best_name} ({share:.0} %), after {steps} training steps{taught}.")
                }
                Some(epoch) => format!("After epoch {epoch} it looked like a {best_name} ({share:.0} %)."),
            }
        }
        None => {
            dom::set_text("sketch-said", "");
            if let (Some(epoch), Some(_)) = (page.moment, &pad.image) {
                return format!("What the network was after epoch {epoch} is not kept any more.");
            }
            let trained = page.summary.progress.is_some_and(|progress| progress.step > 0);
            if trained {
                "Draw a digit and see what the network thinks of it.".into()
            } else {
                "The network has learned nothing yet. Draw a digit and press Train: its answer comes while it learns."
                    .into()
            }
        }
    }
}

fn draw_strokes(sketch: &Sketch, keyboard: Option<(Point, bool)>) {
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
            // Also to where it begins: a line of no length is a dot.
            context.line_to(x, y);
        }
        context.stroke();
    }
    if let Some(((x, y), down)) = keyboard {
        let accent = theme().mistake;
        context.set_stroke_style_str(&format!("rgb({} {} {})", accent.0, accent.1, accent.2));
        context.set_line_width(2.0 * scale);
        context.begin_path();
        let radius = f64::from(PEN_RADIUS) * scale * if down { 0.6 } else { 1.2 };
        let _ = context.arc(f64::from(x) * scale, f64::from(y) * scale, radius, 0.0, std::f64::consts::TAU);
        context.stroke();
    }
}

fn draw_image(image: Option<&[u8]>) {
    // White on black, as MNIST is shown.
    dom::draw_shades("thumb", image.unwrap_or(&[0; IMAGE]), SIDE, 1);
    let label =
        if image.is_some() { "Your digit as the network sees it, 28 by 28 pixels" } else { "Nothing drawn yet" };
    dom::set_attribute("thumb", "aria-label", label);
}
