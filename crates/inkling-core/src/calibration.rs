//! Calibration: how well a network's confidence matches its accuracy.

use serde::{Deserialize, Serialize};

/// Number of confidence bins, as in Guo et al. 2017.
pub const BINS: usize = 15;

/// Images grouped by the confidence of their prediction, in [`BINS`] equal bins from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Calibration {
    /// The bins, from low to high confidence.
    pub bins: [Bin; BINS],
}

/// The images of one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Number of images.
    pub images: u32,
    /// Number of images predicted correctly.
    pub right: u32,
    /// Sum of their confidences.
    pub confidence: f64,
}

impl Bin {
    /// Mean confidence and accuracy; `None` without images.
    pub fn means(&self) -> Option<(f64, f64)> {
        let images = f64::from(self.images);
        (self.images > 0).then(|| (self.confidence / images, f64::from(self.right) / images))
    }
}

impl Calibration {
    /// Counts one image that was predicted with this confidence.
    pub fn add(&mut self, confidence: f32, right: bool) {
        // Bins are open below and closed above.
        let place = (f64::from(confidence) * BINS as f64).ceil() as usize;
        let bin = &mut self.bins[place.clamp(1, BINS) - 1];
        bin.images += 1;
        bin.right += u32::from(right);
        bin.confidence += f64::from(confidence);
    }

    /// Expected calibration error: the absolute difference between accuracy and confidence in each bin, averaged over
    /// the images (Naeini et al. 2015).
    pub fn error(&self) -> f64 {
        let total: u32 = self.bins.iter().map(|bin| bin.images).sum();
        let part = |bin: &Bin| bin.means().map_or(0.0, |(sure, right)| f64::from(bin.images) * (sure - right).abs());
        self.bins.iter().map(part).sum::<f64>() / f64::from(total.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_difference_between_accuracy_and_confidence() {
        let mut calibration = Calibration::default();
        assert_eq!(calibration.error(), 0.0);
        // Ten images at 0.75, five correct: an error of 0.25. Ten images at 1, all correct: an error of 0.
        (0..10).for_each(|i| calibration.add(0.75, i < 5));
        (0..10).for_each(|_| calibration.add(1.0, true));
        assert!((calibration.error() - 0.125).abs() < 1e-12);
        assert_eq!(calibration.bins[11].images, 10, "0.75 lies in (11/15, 12/15]");
        assert_eq!(calibration.bins[BINS - 1].means(), Some((1.0, 1.0)));
        calibration.add(0.0, false);
        assert_eq!(calibration.bins[0].images, 1);
    }
}
