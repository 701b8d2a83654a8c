//! A training step that the visitor follows: its loss before and after, and what it does to each layer.

use inkling_core::{
    data::Batch,
    metrics::Parts,
    network::Network,
    parameters::Follows,
    protocol::{Event, LayerStep, StepView},
};

use super::{Session, training::Phase};
use crate::{
    feed::assemble,
    read::{ReadError, read_flat},
};

impl Session {
    /// The next unit of the run. Reports what it did, if it was a training step.
    pub(super) async fn advance_followed(&mut self) -> Result<(), ReadError> {
        let settings = &self.settings;
        let Some(training) = self.training.as_mut().filter(|training| matches!(training.phase, Phase::Train)) else {
            return self.advance(true).await;
        };
        let picked = training.data.train.pick(training.next_numbers(settings));
        let augmentation = settings.active_augmentation().map(|ranges| (*ranges, training.epoch));
        let batch: Batch = assemble(picked, augmentation, settings.seed, &mut Parts::default());
        let images = batch.len();
        let before = training.trainer.evaluate(batch.clone()).await?;
        let weights = read_flat("weights", vec![training.trainer.model().weights()]).await?;
        training.trainer.follow();
        self.advance(true).await?;
        // A loss that is not a number has ended the run.
        let Some(training) = &mut self.training else { return Ok(()) };
        let Some(changes) = training.trainer.followed() else { return Ok(()) };
        let read = read_flat("step", vec![changes, training.trainer.model().weights()]).await?;
        let (gradient, new) = read.split_at(weights.len());
        let after = training.trainer.evaluate(batch).await?;
        let view = StepView {
            step: training.trainer.steps_done(),
            images: images as u32,
            before: before.loss / images as f64,
            after: after.loss / images as f64,
            layers: layers(training.trainer.model().network(), gradient, &weights, new),
        };
        self.emit(Event::Followed(view));
        Ok(())
    }
}

/// What a step did to each layer, from all gradients and all weights before and after it.
fn layers(net: &Network, gradient: &[f32], weights: &[f32], new: &[f32]) -> Vec<Option<LayerStep>> {
    let mut at = 0;
    let mut of = |place| {
        let (mut count, [mut slope, mut change, mut size]) = (0, [0.0f64; 3]);
        for parameter in net.parameters_of(place) {
            let range = at..at + parameter.len();
            at = range.end;
            if parameter.follows == Follows::Gradient {
                count += range.len();
                slope += squares(gradient[range.clone()].iter().copied());
                change += squares(range.clone().map(|i| new[i] - weights[i]));
                size += squares(weights[range].iter().copied());
            }
        }
        let root = |sum: f64| (sum / f64::from(count as u32)).sqrt() as f32;
        (count > 0).then(|| LayerStep { gradient: root(slope), change: root(change), weights: root(size) })
    };
    (0..=net.layers().len()).map(&mut of).collect()
}

fn squares(values: impl Iterator<Item = f32>) -> f64 {
    values.map(|value| f64::from(value) * f64::from(value)).sum()
}
