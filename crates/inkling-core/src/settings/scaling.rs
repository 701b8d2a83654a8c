//! Which batch and learning rate keep several workers busy.

use super::{OptimizerName, Settings};
use crate::data::synthetic::DEFAULT_LEN;

/// Images that each worker should have in a batch: with fewer, weights and gradients take too much of its time
/// (docs/performance.md, "Replicas").
const IMAGES_PER_WORKER: u32 = 32;
/// Larger batches than this lose accuracy, whatever the learning rate (docs/performance.md, "Replicas").
const LARGEST_BATCH: u32 = 256;
/// The batch stays so small that an epoch has this many steps.
const LEAST_STEPS: u32 = 20;

impl Settings {
    /// The same recipe with a batch that is large enough for `workers`, or `None` if this one is.
    ///
    /// A larger batch has less noise and fewer steps, so the learning rate grows: with the batch for SGD (Goyal et al. 2017), and with its
    /// square root for Adam and RMSprop, whose steps do not grow with the gradient (Malladi et al. 2022).
    pub fn for_workers(&self, workers: u32) -> Option<Settings> {
        // Whole data sets are at least as large as the drawn ones.
        let images = if self.images == 0 { DEFAULT_LEN as u32 } else { self.images };
        let batch = (IMAGES_PER_WORKER * workers).min(LARGEST_BATCH).min((images / LEAST_STEPS).max(1));
        let growth = f64::from(batch) / f64::from(self.batch);
        let rate = match self.optimizer {
            OptimizerName::Sgd | OptimizerName::Momentum | OptimizerName::Nesterov => growth,
            OptimizerName::Adam | OptimizerName::Adamw | OptimizerName::Rmsprop => growth.sqrt(),
        };
        // Two digits, because the visitor reads it; what the form allows is at most 1.
        let lr = format!("{:.1e}", self.lr * rate).parse().map_or(self.lr, |lr: f64| lr.min(1.0));
        (workers > 1 && growth > 1.0).then(|| Settings { batch, lr, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_grows_with_the_workers_and_the_learning_rate_with_the_batch() {
        let found = |optimizer, workers| {
            let settings = Settings { optimizer, lr: 0.004, batch: 64, ..Settings::default() };
            settings.for_workers(workers).map(|scaled| (scaled.batch, scaled.lr))
        };
        assert_eq!(found(OptimizerName::Adam, 2), None, "64 images are enough for two");
        assert_eq!(found(OptimizerName::Adam, 4), Some((128, 0.0057)));
        assert_eq!(found(OptimizerName::Adam, 8), Some((256, 0.008)));
        assert_eq!(found(OptimizerName::Adam, 16), Some((256, 0.008)));
        assert_eq!(found(OptimizerName::Nesterov, 8), Some((256, 0.016)));
        let few = Settings { images: 2_000, ..Settings::default() };
        assert_eq!(few.for_workers(8).map(|scaled| scaled.batch), Some(100));
    }

    #[test]
    fn what_it_gives_is_valid_and_large_enough() {
        for (batch, lr) in [(1, 1.0), (1, 1e-6), (1024, 0.5), (255, 0.9)] {
            for workers in 0..=16 {
                let settings = Settings { batch, lr, optimizer: OptimizerName::Sgd, ..Settings::default() };
                let scaled = settings.for_workers(workers);
                assert!(scaled.iter().all(|scaled| scaled.validate().is_ok() && scaled.batch > batch));
                assert!(scaled.iter().all(|scaled| scaled.for_workers(workers).is_none()));
            }
        }
    }
}
