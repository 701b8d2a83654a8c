//! The curves of the run, with those of earlier runs.

use inkling_core::{
    charts::{Curve, Metric},
    protocol::EpochRecord,
};

use super::Model;

impl Model {
    /// The curve of one metric.
    pub fn curve(&self, metric: Metric) -> Curve<'_> {
        let run = &self.run;
        let value = |epoch: &EpochRecord| match metric {
            Metric::Accuracy => epoch.validation_accuracy,
            Metric::Loss => epoch.validation_loss,
        };
        let points = |history: &[EpochRecord]| -> Vec<(f64, f64)> {
            history.iter().map(|epoch| (f64::from(epoch.epoch), value(epoch))).collect()
        };
        let place = |step: u32| f64::from(step) / run.steps_per_epoch();
        // A run that has just ended is in the history as well.
        let others = self.history.runs.iter().filter(|past| past.history != run.history);
        let others: Vec<_> = others.map(|past| (past.colour, points(&past.history))).collect();
        let longest = others.iter().filter_map(|other| other.1.last()).map(|point| point.0).fold(1.0, f64::max);
        let train = match metric {
            Metric::Accuracy => &run.curves.accuracy,
            Metric::Loss => &run.curves.loss,
        };
        Curve {
            train: train.into(),
            validation: points(&run.history),
            resumed: run.incidents.iter().map(|incident| place(incident.from)).collect(),
            changed: run.adjustments.iter().map(|&(step, _)| place(step)).collect(),
            others,
            epochs: f64::from(run.settings.epochs).max(longest),
            metric,
        }
    }
}
