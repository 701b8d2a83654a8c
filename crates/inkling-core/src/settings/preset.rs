//! Recipes that were found by measuring.

use super::{SettingError, Settings};

/// A recipe that was found by measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name in a URL (`preset=fast`) and of its button.
    pub key: &'static str,
    /// What it is for and what it does.
    pub note: &'static str,
    /// The settings that it sets; the others stay.
    pub query: &'static str,
}

/// The presets, chosen on the validation set. docs/performance.md has the numbers.
pub const PRESETS: [Preset; 2] = [
    Preset {
        key: "fast",
        note: "Fast: 99 % in the shortest time. One epoch at a high learning rate, with images shifted by about a pixel and smoothed labels.",
        query: "net=conv 32, pool, conv 64, pool, dense 128&epochs=1&batch=96&lr=0.012&augment=1&rotation=0&shift_x=0.04&shift_y=0.04&zoom=0&optimizer=adam&schedule=cosine&warmup=0.1&decay=0&smoothing=0.1&clip=0&ema=0",
    },
    Preset {
        key: "best",
        note: "Best: the highest accuracy. A network of wide residual blocks, twelve epochs with every image rotated, shifted and zoomed differently in each, smoothed labels, and averaged weights.",
        query: "net=conv 24 none, batchnorm relu, pool, residual 48, pool, residual 64, globalpool&epochs=12&batch=64&lr=0.005&augment=1&rotation=10&shift_x=0.08&shift_y=0.08&zoom=0.1&optimizer=adam&schedule=cosine&warmup=0.1&decay=0&smoothing=0.1&clip=0&ema=0.998",
    },
];

impl Preset {
    fn pairs(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.query.split('&').filter_map(|pair| pair.split_once('='))
    }

    /// Whether `settings` match this preset.
    pub fn is(&self, settings: &Settings) -> bool {
        self.pairs().all(|(key, value)| settings.get(key) == value)
    }

    /// Applies the preset to `settings`.
    ///
    /// # Errors
    /// A [`SettingError`] if a value breaks its rule. A test makes sure that none does.
    pub fn apply(&self, settings: &mut Settings) -> Result<(), SettingError> {
        self.pairs().try_for_each(|(key, value)| settings.set(key, value))
    }
}
