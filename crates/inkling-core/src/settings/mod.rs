//! The settings of a run: one table defines the struct, the defaults, the form in a URL, the page's controls and their
//! help.

mod choice;
mod field;
mod preset;
mod scaling;

use serde::{Deserialize, Serialize};

use crate::{augment::Augmentation, image::DataShape, network::Network};
pub use choice::{BackendChoice, DatasetName, Kernels, OptimizerName, ScheduleName};
pub use field::{Control, FIELDS, Field, Group, MAX_REPLICAS, Rule, SettingError, Settings};
pub use preset::{PRESETS, Preset};

/// The settings that may change during a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adjustable {
    /// Peak learning rate of the schedule; its shape stays.
    pub lr: f64,
    /// Whether training images are augmented.
    pub augment: bool,
    /// Ranges of the augmentation.
    pub augmentation: Augmentation,
}

/// How a step changes the weights, apart from the learning rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// The optimizer.
    pub optimizer: OptimizerName,
    /// Weight decay: with AdamW, weights shrink by this share of the learning rate; otherwise, this share of the weight is added
    /// to its gradient (L2).
    pub decay: f64,
    /// Share of the answer that is spread over all classes (Szegedy et al. 2016).
    pub smoothing: f64,
    /// The gradient's largest norm over all weights (Pascanu et al. 2013); 0 means no limit.
    pub clip: f64,
    /// Share of the weights' moving average that a step keeps (Polyak, Juditsky 1992); 0 means no average.
    pub ema: f64,
}

impl Method {
    /// What is kept for each weight after the first step, besides its value: the optimizer's slots, and the average.
    pub fn kept(&self) -> usize {
        self.optimizer.slots() + usize::from(self.ema > 0.0)
    }
}

impl Settings {
    /// How a step changes the weights.
    pub fn method(&self) -> Method {
        let Settings { optimizer, decay, smoothing, clip, ema, .. } = *self;
        Method { optimizer, decay, smoothing, clip, ema }
    }

    /// The text of the setting `key`, as it appears in a URL; empty for an unknown key.
    pub fn get(&self, key: &str) -> String {
        Field::of(key).map(|field| (field.get)(self)).unwrap_or_default()
    }

    /// Sets one setting from its text. Ignores unknown keys, such as `autostart`.
    ///
    /// # Errors
    /// A [`SettingError`] if the text breaks the rule; the setting then keeps its value.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), SettingError> {
        match Field::of(key) {
            None => Ok(()),
            Some(field) => (field.set)(self, field, text.trim()).map_err(|problem| SettingError {
                key: field.key.into(),
                label: field.label.into(),
                problem,
            }),
        }
    }

    /// Checks every setting against its rule, wherever the value came from.
    ///
    /// # Errors
    /// The first setting that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let mut scratch = self.clone();
        FIELDS.iter().try_for_each(|field| scratch.set(field.key, &self.get(field.key)))
    }

    /// The network for a data set.
    ///
    /// # Errors
    /// A [`SettingError`] if a layer does not fit its images, or the whole is too large.
    pub fn network(&self, data: DataShape) -> Result<Network, SettingError> {
        self.net.fit(data).map_err(|error| SettingError {
            key: "net".into(),
            label: "Network".into(),
            problem: error.to_string(),
        })
    }

    /// The settings in a URL's query (with or without `?`), and what is wrong with it. A missing or wrong setting keeps
    /// its default.
    pub fn from_query(query: &str) -> (Self, Vec<SettingError>) {
        let mut settings = Settings::default();
        let errors = settings.apply(query);
        (settings, errors)
    }

    /// Takes over the settings in a URL's query (with or without `?`); the others stay. Returns what is wrong with it.
    pub fn apply(&mut self, query: &str) -> Vec<SettingError> {
        let mut errors = Vec::new();
        for pair in query.trim_start_matches('?').split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value);
            let set = match PRESETS.iter().find(|preset| key == "preset" && preset.key == value) {
                Some(preset) => preset.apply(self),
                None => self.set(key, &value),
            };
            errors.extend(set.err());
        }
        errors
    }

    /// The query that reproduces these settings. It names all of them, so that a link survives a change of defaults.
    pub fn to_query(&self) -> String {
        let text = |field: &Field| self.get(field.key).replace(", ", ",").replace(' ', "+");
        let pairs: Vec<String> = FIELDS.iter().map(|field| format!("{}={}", field.key, text(field))).collect();
        pairs.join("&")
    }

    /// The part that may change during a run.
    pub fn adjustable(&self) -> Adjustable {
        Adjustable { lr: self.lr, augment: self.augment, augmentation: self.augmentation }
    }

    /// These settings with other adjustable values.
    pub fn adjusted(&self, to: Adjustable) -> Self {
        Settings { lr: to.lr, augment: to.augment, augmentation: to.augmentation, ..self.clone() }
    }

    /// The augmentation, if it is on.
    pub fn active_augmentation(&self) -> Option<&Augmentation> {
        self.augment.then_some(&self.augmentation)
    }
}

/// A value of a URL's query as it was meant: `+` is a space, `%2C` a comma (URL standard, form encoding). What is not
/// UTF-8 becomes U+FFFD.
fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = value.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(code, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                out.push(code);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether a URL's query asks for the run to start by itself.
pub fn autostart(query: &str) -> bool {
    query.trim_start_matches('?').split('&').any(|pair| pair == "autostart=1")
}

/// The name of the lesson that a URL's query asks for: letters, digits and `-`.
pub fn lesson(query: &str) -> Option<&str> {
    let pairs = query.trim_start_matches('?').split('&');
    let name = pairs.filter_map(|pair| pair.strip_prefix("lesson=")).next()?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-').then_some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Augmentation;
    use proptest::prelude::*;

    #[test]
    fn the_default_settings_are_valid_and_survive_a_url() {
        let settings = Settings::default();
        assert_eq!(settings.validate(), Ok(()));
        assert_eq!(Settings::from_query(&settings.to_query()), (settings, vec![]));
        assert_eq!(Settings::from_query(""), (Settings::default(), vec![]));
    }

    #[test]
    fn bad_values_are_named_and_keep_the_default() {
        let query = "?epochs=0&batch=1025&lr=NaN&seed=-1&augment=maybe&dataset=cifar&rotation=181&zoom=1&images=7&shift_x=&other=1";
        let (settings, errors) = Settings::from_query(query);
        assert_eq!(settings, Settings::default());
        let keys: Vec<_> = errors.iter().map(|e| e.key.as_str()).collect();
        assert_eq!(
            keys,
            ["epochs", "batch", "lr", "seed", "augment", "dataset", "rotation", "zoom", "images", "shift_x"]
        );
        assert_eq!(errors[0].to_string(), "Epochs must be a whole number from 1 to 100; it is \"0\".");
    }

    #[test]
    fn a_network_in_a_url_may_be_written_in_several_ways() {
        for query in ["net=conv+8,pool,dense+9", "?net=conv%208%2C%20pool%2c dense 9", "net=conv 8, pool, dense 9"] {
            let (settings, errors) = Settings::from_query(query);
            assert_eq!((settings.net.to_string().as_str(), errors), ("conv 8, pool, dense 9", vec![]));
            assert!(settings.to_query().contains("&net=conv+8,pool,dense+9&"));
        }
        let (settings, errors) = Settings::from_query("net=conv%2X8");
        assert_eq!(settings, Settings::default());
        assert!(errors[0].to_string().starts_with("Network can't be built: in layer 1, \"conv%2X8\""), "{}", errors[0]);
    }

    #[test]
    fn a_value_that_did_not_come_through_set_is_validated_too() {
        let settings = Settings { lr: f64::INFINITY, ..Settings::default() };
        assert_eq!(settings.validate().map_err(|e| e.key), Err("lr".into()));
        let settings = Settings { images: 3, ..Settings::default() };
        assert_eq!(settings.validate().map_err(|e| e.key), Err("images".into()));
    }

    #[test]
    fn a_preset_sets_what_it_stands_for_and_later_settings_change_it() {
        for preset in PRESETS {
            let (settings, errors) = Settings::from_query(&format!("preset={}&seed=5", preset.key));
            assert_eq!(errors, vec![]);
            assert!(preset.is(&settings) && settings.seed == 5);
            assert_eq!(PRESETS.iter().filter(|other| other.is(&settings)).count(), 1);
        }
        let (settings, _) = Settings::from_query("preset=fast&epochs=7");
        assert!(!PRESETS[0].is(&settings) && settings.epochs == 7);
    }

    proptest! {
        #[test]
        fn any_query_is_parsed_without_a_panic(query in ".{0,200}") {
            let (settings, _) = Settings::from_query(&query);
            prop_assert!(settings.validate().is_ok());
        }

        #[test]
        fn every_valid_setting_survives_a_url(epochs in 1u32..=100, batch in 1u32..=1024, lr in 1e-6f64..=1.0, seed: u32,
            augment: bool, rotation in 0f64..=180.0, shift_x in 0f64..=0.5, zoom in 0f64..=0.9, images in 24u32..=60_000) {
            let augmentation = Augmentation { rotation, shift_x, shift_y: 0.25, zoom };
            let settings = Settings { epochs, batch, optimizer: OptimizerName::Nesterov, schedule: ScheduleName::Step, warmup: zoom / 2.0, decay: zoom / 3.0, smoothing: 0.25, clip: rotation / 2.0, ema: zoom, replicas: batch % 17, kernels: Kernels::Stock, lr, net: "conv 8 5x5 same gelu, avgpool, dropout 0.25".parse().unwrap(), patience: batch % 101, balance: augment, seed, augment, augmentation, images,
                dataset: DatasetName::Synthetic, backend: BackendChoice::Ndarray };
            prop_assert_eq!(Settings::from_query(&settings.to_query()), (settings, vec![]));
        }
    }
}
