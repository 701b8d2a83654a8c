//! The learning-rate schedule of a run.

use std::f64::consts::PI;

use inkling_core::settings::ScheduleName;
use serde::{Deserialize, Serialize};

/// Learning rate over a run: a warm-up to the peak, and then what its shape says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The peak learning rate.
    pub peak: f64,
    /// Number of steps in the whole run.
    pub steps: u32,
    /// Share of the run until the peak.
    pub warm_up: f64,
    /// How the rate changes after that.
    pub shape: ScheduleName,
}

impl Schedule {
    /// The default: linear warm-up in the first tenth, then cosine decay to nearly zero.
    pub fn new(peak: f64, steps: u32) -> Self {
        Schedule { peak, steps, warm_up: 0.1, shape: ScheduleName::Cosine }
    }

    /// The learning rate at `step`, counted from 0.
    pub fn rate(&self, step: u32) -> f64 {
        let steps = f64::from(self.steps);
        let warm_up = if self.warm_up > 0.0 { (steps * self.warm_up).max(1.0) } else { 0.0 };
        let done = f64::from(step) + 0.5;
        /// From 1 to 0 along half a cosine.
        fn fall(share: f64) -> f64 {
            0.5 * (1.0 + libm::cos(PI * share))
        }
        let part = if done < warm_up {
            let share = done / warm_up;
            match self.shape {
                ScheduleName::Onecycle => 0.04 + 0.96 * (1.0 - fall(share)),
                _ => 0.1 + 0.9 * share,
            }
        } else {
            let share = ((done - warm_up) / (steps - warm_up).max(1.0)).min(1.0);
            match self.shape {
                ScheduleName::Constant => 1.0,
                ScheduleName::Cosine => 0.01 + 0.99 * fall(share),
                ScheduleName::Onecycle => 4e-6 + (1.0 - 4e-6) * fall(share),
                ScheduleName::Step => match done / steps {
                    ..0.5 => 1.0,
                    0.5..0.75 => 0.1,
                    _ => 0.01,
                },
            }
        };
        self.peak * part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(shape: ScheduleName, warm_up: f64) -> Vec<f64> {
        let schedule = Schedule { shape, warm_up, ..Schedule::new(0.002, 1000) };
        (0..1000).map(|step| schedule.rate(step) / 0.002).collect()
    }

    #[test]
    fn the_schedule_rises_to_the_peak_and_falls_to_nearly_zero() {
        let rates = rates(ScheduleName::Cosine, 0.1);
        assert!(rates[..100].is_sorted() && rates[100..].is_sorted_by(|a, b| a >= b));
        assert!((rates.iter().copied().fold(0.0, f64::max) - 1.0).abs() < 0.01);
        assert!(rates[999] < 0.015 && rates[0] < 0.15 && rates.iter().all(|&rate| rate > 0.0));
        assert!(Schedule::new(1.0, 1).rate(0) > 0.0);
    }

    #[test]
    fn each_shape_is_what_its_name_says_with_and_without_warm_up() {
        assert!(rates(ScheduleName::Constant, 0.0).iter().all(|&rate| rate == 1.0));
        let constant = rates(ScheduleName::Constant, 0.2);
        assert!(constant[..200].is_sorted() && constant[0] < 0.11 && constant[200..].iter().all(|&rate| rate == 1.0));
        let step = rates(ScheduleName::Step, 0.0);
        assert_eq!([step[0], step[499], step[500], step[749], step[750], step[999]], [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]);
        let cycle = rates(ScheduleName::Onecycle, 0.3);
        assert!(cycle[..300].is_sorted() && cycle[300..].is_sorted_by(|a, b| a >= b));
        assert!((cycle[0] - 0.04).abs() < 1e-3 && (cycle[300] - 1.0).abs() < 1e-3 && cycle[999] < 1e-4);
        assert!((rates(ScheduleName::Cosine, 0.0)[0] - 1.0).abs() < 1e-4, "without warm-up, it starts at the peak");
    }
}
