//! The curves of the training steps.

use serde::{Deserialize, Serialize};

use crate::{metrics::Smoothed, protocol::StepPoint};

/// Weight of the past in each point of the smoothed training curves, which average about the last 20 steps.
const SMOOTHING: f64 = 0.95;

/// Smoothed metrics of the training steps, as points (epochs done, value).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// Loss.
    pub loss: Vec<(f64, f64)>,
    /// Accuracy.
    pub accuracy: Vec<(f64, f64)>,
    smoothed_loss: Smoothed,
    smoothed_accuracy: Smoothed,
    /// Number of points at the last checkpoint, and both averages at that time.
    marked: (usize, Smoothed, Smoothed),
}

impl Curves {
    /// Adds a training step, at a position in epochs.
    pub(super) fn push(&mut self, epochs: f64, point: &StepPoint) {
        self.loss.push((epochs, self.smoothed_loss.push(point.loss)));
        self.accuracy.push((epochs, self.smoothed_accuracy.push(point.accuracy)));
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

impl Default for Curves {
    fn default() -> Self {
        let smoothed = Smoothed::new(SMOOTHING);
        let marked = (0, smoothed, smoothed);
        Curves { loss: Vec::new(), accuracy: Vec::new(), smoothed_loss: smoothed, smoothed_accuracy: smoothed, marked }
    }
}
