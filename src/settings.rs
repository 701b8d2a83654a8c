//! The settings of a run: their ranges, their defaults, and their form in a URL.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{augment::Augmentation, data::source::DatasetName};

/// Which backend a visitor asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// WebGPU where it works, else the CPU.
    #[default]
    Auto,
    /// WebGPU, or an explained fallback to the CPU.
    Webgpu,
    /// burn-flex on the CPU.
    Cpu,
    /// burn-ndarray on the CPU: slower, for comparison.
    Ndarray,
}

impl BackendChoice {
    /// All of them, in the order of a menu.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Webgpu, Self::Cpu, Self::Ndarray];

    /// The name in a URL.
    pub fn key(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Webgpu => "webgpu",
            Self::Cpu => "cpu",
            Self::Ndarray => "ndarray",
        }
    }
}

/// Which operations compute the network on the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernels {
    /// Inkling's own, where they are faster.
    #[default]
    Fused,
    /// Burn's own, for comparison.
    Stock,
}

impl Kernels {
    /// Both, in the order of a menu.
    pub const ALL: [Self; 2] = [Self::Fused, Self::Stock];

    /// The name in a URL.
    pub fn key(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Stock => "stock",
        }
    }
}

/// Everything that determines a run. The same settings on the same backend give the same run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What to train on.
    pub dataset: DatasetName,
    /// What to compute with.
    pub backend: BackendChoice,
    /// Passes over the training images.
    pub epochs: u32,
    /// Images a step.
    pub batch: u32,
    /// Workers that share each batch on the CPU; 0 means as many as the machine has use for.
    pub replicas: u32,
    /// What computes the network on the CPU.
    pub kernels: Kernels,
    /// Peak learning rate of the schedule.
    pub lr: f64,
    /// Epochs without a lower validation loss after which a run ends early; 0 means never.
    #[serde(default)]
    pub patience: u32,
    /// Seed of everything random.
    pub seed: u32,
    /// Whether training images are augmented.
    pub augment: bool,
    /// Ranges of the augmentation.
    pub augmentation: Augmentation,
    /// How many training and validation images to use; 0 means all of MNIST, and 6,000 synthetic ones.
    pub images: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            dataset: DatasetName::Mnist,
            backend: BackendChoice::Auto,
            epochs: 5,
            batch: 64,
            replicas: 0,
            kernels: Kernels::Fused,
            lr: 0.004,
            patience: 0,
            seed: 42,
            augment: true,
            augmentation: Augmentation { rotation: 10.0, shift_x: 0.1, shift_y: 0.1, zoom: 0.1 },
            images: 0,
        }
    }
}

/// The settings that may change while a run lasts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adjustable {
    /// Peak learning rate of the schedule, whose course stays.
    pub lr: f64,
    /// Whether training images are augmented.
    pub augment: bool,
    /// Ranges of the augmentation.
    pub augmentation: Augmentation,
}

impl Adjustable {
    /// Names of these settings in a URL.
    pub const KEYS: [&str; 6] = ["lr", "augment", "rotation", "shift_x", "shift_y", "zoom"];
}

/// A recipe that was found by measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name in a URL (`preset=fast`) and of its button.
    pub key: &'static str,
    /// What it is for and what it does.
    pub note: &'static str,
    /// The settings that it stands for; the others stay.
    pub query: &'static str,
}

/// The presets. They were chosen on the validation set; README has the numbers.
pub const PRESETS: [Preset; 2] = [
    Preset {
        key: "fast",
        note: "Fast: 99 % in the shortest time. Two epochs of the images as they are, with a high learning rate.",
        query: "epochs=2&batch=96&lr=0.008&augment=0",
    },
    Preset {
        key: "best",
        note: "Best: the highest accuracy. Sixteen epochs, in each of which every image is turned, shifted and zoomed anew.",
        query: "epochs=16&batch=64&lr=0.004&augment=1&rotation=10&shift_x=0.1&shift_y=0.1&zoom=0.1",
    },
];

impl Preset {
    fn pairs(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.query.split('&').filter_map(|pair| pair.split_once('='))
    }

    /// Whether `settings` are its.
    pub fn is(&self, settings: &Settings) -> bool {
        self.pairs().all(|(key, value)| settings.get(key) == value)
    }

    /// Puts its settings into `settings`.
    ///
    /// # Errors
    /// A [`SettingError`] if one breaks its rule, which a test excludes.
    pub fn apply(&self, settings: &mut Settings) -> Result<(), SettingError> {
        self.pairs().try_for_each(|(key, value)| settings.set(key, value))
    }
}

/// A setting that can't be used, in words for the visitor.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
#[error("{label} must be {rule}; it is {found:?}.")]
pub struct SettingError {
    /// The setting's name in a URL, and of its control.
    pub key: String,
    /// The setting's name on the page.
    pub label: String,
    /// What it must be.
    pub rule: String,
    /// What it is.
    pub found: String,
}

/// One setting: its name in a URL and its rule. The page's controls are made to match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// The name in a URL and in the form.
    pub key: &'static str,
    /// The name on the page.
    pub label: &'static str,
    /// What values are allowed.
    pub rule: Rule,
}

/// What values a setting may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// One of these words.
    Words(&'static [&'static str]),
    /// A whole number in this range.
    Whole(u32, u32),
    /// A number in this range.
    Number(f64, f64),
    /// `1` or `0`.
    Switch,
}

const BACKENDS: &[&str] = &["auto", "webgpu", "cpu", "ndarray"];
const KERNELS: &[&str] = &["fused", "stock"];
const DATASETS: &[&str] = &["mnist", "synthetic", "own"];

/// The most workers that may share a batch.
pub const MOST_REPLICAS: u32 = 16;

/// All settings, in the order of the URL.
pub const FIELDS: [Field; 15] = [
    Field { key: "dataset", label: "Data set", rule: Rule::Words(DATASETS) },
    Field { key: "backend", label: "Backend", rule: Rule::Words(BACKENDS) },
    Field { key: "epochs", label: "Epochs", rule: Rule::Whole(1, 100) },
    Field { key: "batch", label: "Batch size", rule: Rule::Whole(1, 1024) },
    Field { key: "replicas", label: "Replicas", rule: Rule::Whole(0, MOST_REPLICAS) },
    Field { key: "kernels", label: "Kernels", rule: Rule::Words(KERNELS) },
    Field { key: "lr", label: "Learning rate", rule: Rule::Number(1e-6, 1.0) },
    Field { key: "patience", label: "Patience", rule: Rule::Whole(0, 100) },
    Field { key: "seed", label: "Seed", rule: Rule::Whole(0, u32::MAX) },
    Field { key: "images", label: "Training images", rule: Rule::Whole(0, 60_000) },
    Field { key: "augment", label: "Augmentation", rule: Rule::Switch },
    Field { key: "rotation", label: "Rotation", rule: Rule::Number(0.0, 180.0) },
    Field { key: "shift_x", label: "Width shift", rule: Rule::Number(0.0, 0.5) },
    Field { key: "shift_y", label: "Height shift", rule: Rule::Number(0.0, 0.5) },
    Field { key: "zoom", label: "Zoom", rule: Rule::Number(0.0, 0.9) },
];

/// The fewest images that a run can use, other than 0 for all: with fewer the validation set would be empty.
pub const FEWEST_IMAGES: u32 = 24;

impl Rule {
    fn describe(self) -> String {
        match self {
            Rule::Words(words) => format!("one of {}", words.join(", ")),
            Rule::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Rule::Number(low, high) => format!("a number from {low} to {high}"),
            Rule::Switch => "1 (on) or 0 (off)".into(),
        }
    }
}

/// A value that satisfied its rule.
enum Value<'a> {
    Word(&'a str),
    Whole(u32),
    Number(f64),
    Switch(bool),
}

impl Field {
    fn parse<'a>(&self, text: &'a str) -> Result<Value<'a>, SettingError> {
        let text = text.trim();
        let value = match self.rule {
            Rule::Words(words) => words.contains(&text).then_some(Value::Word(text)),
            Rule::Whole(low, high) => text.parse().ok().filter(|v| (low..=high).contains(v)).map(Value::Whole),
            Rule::Number(low, high) => text.parse().ok().filter(|v| (low..=high).contains(v)).map(Value::Number),
            Rule::Switch => match text {
                "1" | "true" | "on" => Some(Value::Switch(true)),
                "0" | "false" | "off" => Some(Value::Switch(false)),
                _ => None,
            },
        };
        value.ok_or_else(|| self.error(self.rule.describe(), text))
    }

    fn error(&self, rule: String, found: &str) -> SettingError {
        SettingError { key: self.key.into(), label: self.label.into(), rule, found: found.into() }
    }
}

impl Settings {
    /// The text of the setting `key`, as it stands in a URL; empty for an unknown key.
    pub fn get(&self, key: &str) -> String {
        let a = &self.augmentation;
        match key {
            "dataset" => self.dataset.key().into(),
            "backend" => self.backend.key().into(),
            "epochs" => self.epochs.to_string(),
            "batch" => self.batch.to_string(),
            "replicas" => self.replicas.to_string(),
            "kernels" => self.kernels.key().into(),
            "lr" => self.lr.to_string(),
            "patience" => self.patience.to_string(),
            "seed" => self.seed.to_string(),
            "images" => self.images.to_string(),
            "augment" => u8::from(self.augment).to_string(),
            "rotation" => a.rotation.to_string(),
            "shift_x" => a.shift_x.to_string(),
            "shift_y" => a.shift_y.to_string(),
            "zoom" => a.zoom.to_string(),
            _ => String::new(),
        }
    }

    /// Sets one setting from its text; unknown keys are left to others (`autostart`).
    ///
    /// # Errors
    /// A [`SettingError`] if the text breaks the rule; the setting then keeps its value.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), SettingError> {
        let Some(field) = FIELDS.iter().find(|field| field.key == key) else {
            return Ok(());
        };
        let a = &mut self.augmentation;
        match (key, field.parse(text)?) {
            ("dataset", Value::Word(word)) => {
                self.dataset = DatasetName::ALL.into_iter().find(|d| d.key() == word).unwrap_or_default();
            }
            ("backend", Value::Word(word)) => {
                self.backend = BackendChoice::ALL.into_iter().find(|b| b.key() == word).unwrap_or_default();
            }
            ("kernels", Value::Word(word)) => {
                self.kernels = Kernels::ALL.into_iter().find(|k| k.key() == word).unwrap_or_default();
            }
            ("epochs", Value::Whole(value)) => self.epochs = value,
            ("batch", Value::Whole(value)) => self.batch = value,
            ("replicas", Value::Whole(value)) => self.replicas = value,
            ("lr", Value::Number(value)) => self.lr = value,
            ("patience", Value::Whole(value)) => self.patience = value,
            ("seed", Value::Whole(value)) => self.seed = value,
            ("images", Value::Whole(value)) if value != 0 && value < FEWEST_IMAGES => {
                return Err(field.error(format!("0 (all) or a whole number from {FEWEST_IMAGES} to 60000"), text));
            }
            ("images", Value::Whole(value)) => self.images = value,
            ("augment", Value::Switch(value)) => self.augment = value,
            ("rotation", Value::Number(value)) => a.rotation = value,
            ("shift_x", Value::Number(value)) => a.shift_x = value,
            ("shift_y", Value::Number(value)) => a.shift_y = value,
            ("zoom", Value::Number(value)) => a.zoom = value,
            _ => {}
        }
        Ok(())
    }

    /// Whether every setting obeys its rule, however the value came to be.
    ///
    /// # Errors
    /// The first setting that does not.
    pub fn validate(&self) -> Result<(), SettingError> {
        let mut scratch = self.clone();
        FIELDS.iter().try_for_each(|field| scratch.set(field.key, &self.get(field.key)))
    }

    /// The settings in a URL's query (with or without `?`), and what was wrong with it. A setting that is missing or
    /// wrong has its default.
    pub fn from_query(query: &str) -> (Self, Vec<SettingError>) {
        let mut settings = Settings::default();
        let mut errors = Vec::new();
        for pair in query.trim_start_matches('?').split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let set = match PRESETS.iter().find(|preset| key == "preset" && preset.key == value) {
                Some(preset) => preset.apply(&mut settings),
                None => settings.set(key, value),
            };
            errors.extend(set.err());
        }
        (settings, errors)
    }

    /// The query that reproduces these settings: all of them, so that a link survives a change of defaults.
    pub fn to_query(&self) -> String {
        let pairs: Vec<String> = FIELDS.iter().map(|f| format!("{}={}", f.key, self.get(f.key))).collect();
        pairs.join("&")
    }

    /// What of them may change while a run lasts.
    pub fn adjustable(&self) -> Adjustable {
        Adjustable { lr: self.lr, augment: self.augment, augmentation: self.augmentation }
    }

    /// These settings, changed.
    pub fn adjusted(&self, to: Adjustable) -> Self {
        Settings { lr: to.lr, augment: to.augment, augmentation: to.augmentation, ..self.clone() }
    }

    /// The augmentation, if it is on.
    pub fn active_augmentation(&self) -> Option<&Augmentation> {
        self.augment.then_some(&self.augmentation)
    }
}

/// Whether a URL's query asks the run to start by itself.
pub fn autostart(query: &str) -> bool {
    query.trim_start_matches('?').split('&').any(|pair| pair == "autostart=1")
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let settings = Settings { epochs, batch, replicas: batch % 17, kernels: Kernels::Stock, lr, patience: batch % 101, seed, augment, augmentation, images,
                dataset: DatasetName::Synthetic, backend: BackendChoice::Ndarray };
            prop_assert_eq!(Settings::from_query(&settings.to_query()), (settings, vec![]));
        }
    }
}
