//! The curves of the training steps.

use serde::{Deserialize, Serialize};

use crate::{metrics::Smoothed, protocol::StepPoint};

/// Weight of the past in each point of the smoothed training curves, which average about the last 20 steps.
const SMOOTHING: f64 = 0.95;

/// The most points of a curve, so that a long run costs no more memory and time than a short one. A chart is narrower.
const MAX_POINTS: usize = 4096;

/// Smoothed metrics of the training steps, as points (epochs done, value).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// Loss.
    #[serde(with = "crate::packed::points")]
    pub loss: Vec<(f64, f64)>,
    /// Accuracy.
    #[serde(with = "crate::packed::points")]
    pub accuracy: Vec<(f64, f64)>,
    /// One step in this many has a point: those whose number it divides.
    #[serde(default = "every_step")]
    stride: u32,
    smoothed_loss: Smoothed,
    smoothed_accuracy: Smoothed,
    /// Number of points at the last checkpoint, and both averages at that time.
    marked: (usize, Smoothed, Smoothed),
}

impl Curves {
    /// Adds a training step, at a position in epochs.
    pub(super) fn push(&mut self, epochs: f64, point: &StepPoint) {
        let (loss, accuracy) = (self.smoothed_loss.push(point.loss), self.smoothed_accuracy.push(point.accuracy));
        if point.step.is_multiple_of(self.stride) {
            self.loss.push((epochs, loss));
            self.accuracy.push((epochs, accuracy));
            self.thin();
        }
    }

    /// Leaves out every other point while there are too many.
    pub(super) fn thin(&mut self) {
        while self.loss.len() >= MAX_POINTS {
            for curve in [&mut self.loss, &mut self.accuracy] {
                let mut place = 0;
                curve.retain(|_| {
                    place += 1;
                    place % 2 == 0
                });
            }
            self.stride *= 2;
            self.marked.0 /= 2;
        }
    }

    /// Whether the mark is on the curves, and the averages are numbers.
    pub(crate) fn is_sound(&self) -> bool {
        let averages = [self.smoothed_loss, self.smoothed_accuracy, self.marked.1, self.marked.2];
        let marked = self.marked.0 <= self.loss.len() && self.stride.is_power_of_two();
        marked && self.stride < 1 << 30 && averages.iter().all(Smoothed::is_sound)
    }

    /// Marks the position that [`Curves::cut`] goes back to.
    pub(super) fn mark(&mut self) {
        self.marked = (self.loss.len(), self.smoothed_loss, self.smoothed_accuracy);
    }

    /// Removes what came after the last checkpoint.
    pub(super) fn cut(&mut self) {
        let (points, smoothed_loss, smoothed_accuracy) = self.marked;
        self.loss.truncate(points);
        self.accuracy.truncate(points);
        (self.smoothed_loss, self.smoothed_accuracy) = (smoothed_loss, smoothed_accuracy);
    }
}

fn every_step() -> u32 {
    1
}

impl Default for Curves {
    fn default() -> Self {
        let smoothed = Smoothed::new(SMOOTHING);
        let marked = (0, smoothed, smoothed);
        Curves {
            loss: Vec::new(),
            accuracy: Vec::new(),
            stride: every_step(),
            smoothed_loss: smoothed,
            smoothed_accuracy: smoothed,
            marked,
        }
    }
}
