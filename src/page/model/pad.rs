//! The sketch pad: strokes by pointer or keyboard, their image, and what the network makes of it.

use inkling_core::{
    ink::Point,
    sketch::{PAD, Sketch, Target, Unlike},
};

use super::asked::{Asked, Awaited};
use crate::page::msg::{PadMsg, Stroke};

/// Columns and rows of the grid that the keyboard draws on.
const GRID: f32 = 20.0;

/// What the network makes of a sketch.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Probability of each digit.
    pub probabilities: Vec<f32>,
    /// Training steps that the network had seen.
    pub steps: u32,
}

/// The sketch pad.
#[derive(Clone, Debug)]
pub struct SketchPad {
    /// The strokes.
    pub sketch: Sketch,
    /// The pointer that is drawing, if any.
    pointer: Option<i32>,
    /// The keyboard's pen, once it is used.
    pub pen: Option<Pen>,
    /// What the sketch becomes, so that the network can read it; or why it can't.
    pub target: Result<Target, Unlike>,
    /// Image of the sketch, if it has ink.
    image: Option<Vec<u8>>,
    /// What the network makes of it.
    pub prediction: Asked<Prediction>,
}

/// The keyboard's pen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pen {
    /// Where it is, in pad coordinates.
    pub at: Point,
    /// Whether it draws.
    pub down: bool,
}

impl Default for SketchPad {
    fn default() -> Self {
        SketchPad {
            sketch: Sketch::default(),
            pointer: None,
            pen: None,
            target: Ok(Target::MNIST),
            image: None,
            prediction: Asked::default(),
        }
    }
}

impl SketchPad {
    /// The image of the strokes, as the network sees it, if there are any.
    pub fn image(&self) -> Option<&[u8]> {
        self.image.as_deref()
    }

    /// The network sees images like this. Returns whether the image of the sketch has changed.
    pub fn fit(&mut self, target: Result<Target, Unlike>) -> bool {
        let changes = target != self.target;
        self.target = target;
        if changes {
            self.redraw();
        }
        changes
    }

    /// Applies what the visitor did. Returns whether the sketch has changed.
    pub fn take(&mut self, msg: PadMsg) -> bool {
        match msg {
            PadMsg::Down(pointer, at) if self.pointer.is_none() => {
                self.pointer = Some(pointer);
                self.sketch.begin(at);
            }
            PadMsg::Move(pointer, at) if self.pointer == Some(pointer) => self.sketch.extend(at),
            PadMsg::Up(pointer) if self.pointer == Some(pointer) => {
                self.pointer = None;
                return false;
            }
            PadMsg::Key(stroke) => self.press(stroke),
            PadMsg::Undo => self.sketch.undo(),
            PadMsg::Clear => self.sketch.clear(),
            PadMsg::Blur => {
                self.pen = None;
                return false;
            }
            PadMsg::Down(..) | PadMsg::Move(..) | PadMsg::Up(_) => return false,
        }
        self.redraw();
        true
    }

    /// Clears the pad.
    pub fn clear(&mut self) {
        self.sketch.clear();
        self.redraw();
    }

    fn press(&mut self, stroke: Stroke) {
        const STEP: f32 = PAD as f32 / GRID;
        let middle = PAD as f32 / 2.0;
        let Pen { at: (x, y), down } = self.pen.unwrap_or(Pen { at: (middle, middle), down: false });
        match stroke {
            Stroke::Move(right, lower) => {
                let within = |at: f32| at.clamp(0.0, PAD as f32);
                let at = (within(x + STEP * right), within(y + STEP * lower));
                if down {
                    self.sketch.extend(at);
                }
                self.pen = Some(Pen { at, down });
            }
            Stroke::Pen => {
                if !down {
                    self.sketch.begin((x, y));
                }
                self.pen = Some(Pen { at: (x, y), down: !down });
            }
        }
    }

    fn redraw(&mut self) {
        self.image = self.target.ok().and_then(|target| self.sketch.image(target));
        match self.image {
            Some(_) => self.prediction.outdate(),
            None => self.prediction.forget(),
        }
    }
}
