//! The learning-rate schedule of a run.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// Learning rate over a run: linear warm-up to the peak in the first tenth, then cosine decay to nearly zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The peak learning rate.
    pub peak: f64,
    /// Number of steps in the whole run.
    pub steps: u32,
}

impl Schedule {
    /// The learning rate at `step`, counted from 0.
    pub fn rate(&self, step: u32) -> f64 {
        let warm_up = (f64::from(self.steps) / 10.0).max(1.0);
        let done = f64::from(step) + 0.5;
        if done < warm_up {
            return self.peak * (0.1 + 0.9 * done / warm_up);
        }
        let share = ((done - warm_up) / (f64::from(self.steps) - warm_up).max(1.0)).min(1.0);
        self.peak * (0.01 + 0.99 * 0.5 * (1.0 + (PI * share).cos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_rises_to_the_peak_and_falls_to_nearly_zero() {
        let schedule = Schedule { peak: 0.002, steps: 1000 };
        let rates: Vec<f64> = (0..1000).map(|step| schedule.rate(step)).collect();
        assert!(rates[..100].is_sorted() && rates[100..].is_sorted_by(|a, b| a >= b));
        assert!((rates.iter().copied().fold(0.0, f64::max) / 0.002 - 1.0).abs() < 0.01);
        assert!(rates[999] < 0.00003 && rates[0] < 0.0003 && rates.iter().all(|&rate| rate > 0.0));
        assert!(Schedule { peak: 1.0, steps: 1 }.rate(0) > 0.0);
    }
}
