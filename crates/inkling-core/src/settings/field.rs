//! The table of settings. A new setting is one row here.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::choice::{BackendChoice, Choice, DatasetName, Kernels, OptimizerName, ScheduleName};
use crate::{
    augment::Augmentation,
    network::{Layers, NetworkError},
};

/// Maximum number of workers that may share a batch.
pub const MAX_REPLICAS: u32 = 16;

/// One setting: its name in a URL, its rule, and its control on the page.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in a URL, and the id of its control.
    pub key: &'static str,
    /// The label on the page.
    pub label: &'static str,
    /// A few words beside the label.
    pub hint: &'static str,
    /// What the setting does, as a sentence.
    pub help: &'static str,
    /// The values it may have.
    pub rule: Rule,
    /// Its control on the page.
    pub control: Control,
    /// Its text in a URL.
    pub(super) get: fn(&Settings) -> String,
    /// Sets it from its text, or says what is wrong with the text, as the end of a sentence.
    pub(super) set: fn(&mut Settings, &Field, &str) -> Result<(), String>,
}

/// The values a setting may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// One of these names; each has a label in the menu.
    OneOf(&'static [(&'static str, &'static str)]),
    /// A whole number in this range.
    Whole(u32, u32),
    /// Zero for "all", or a whole number in this range.
    AllOr(u32, u32),
    /// A number in this range.
    Number(f64, f64),
    /// `1` or `0`.
    Switch,
    /// Layers, as in [`crate::network::Layers`].
    Layers,
}

/// Where a setting's control is, how it looks, and whether it stays enabled during a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Control {
    /// Among the first ones, fixed during a run.
    First,
    /// Among the first ones, adjustable during a run.
    Live,
    /// In this group, fixed during a run.
    In(Group),
    /// The same, for a number whose 0 means that it is off: behind a tick box with this label. Ticking it sets this number.
    Optional(Group, &'static str, &'static str),
    /// Beside the editor of the network, fixed during a run.
    Editor,
    /// A slider with this step beside a number, adjustable during a run; shown while augmentation is on.
    Slider(f64),
}

/// Settings that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What the network learns, and how.
    Recipe,
    /// What computes it.
    Machine,
    /// What makes a run repeatable.
    Reproducibility,
}

impl Control {
    /// Its group, if it has one.
    pub fn group(self) -> Option<Group> {
        match self {
            Self::In(group) | Self::Optional(group, ..) => Some(group),
            _ => None,
        }
    }
}

impl Field {
    /// The setting with this name.
    pub fn of(key: &str) -> Option<&'static Field> {
        FIELDS.iter().find(|field| field.key == key)
    }

    /// Whether the setting may change during a run.
    pub fn is_adjustable(&self) -> bool {
        matches!(self.control, Control::Live | Control::Slider(_))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::OneOf(names) => {
                let names: Vec<&str> = names.iter().map(|name| name.0).collect();
                write!(f, "one of {}", names.join(", "))
            }
            Rule::Whole(low, high) => write!(f, "a whole number from {low} to {high}"),
            Rule::AllOr(low, high) => write!(f, "0 (all) or a whole number from {low} to {high}"),
            Rule::Number(low, high) => write!(f, "a number from {low} to {high}"),
            Rule::Switch => f.write_str("1 (on) or 0 (off)"),
            Rule::Layers => f.write_str("a list of layers"),
        }
    }
}

/// A setting that can't be used, as a sentence for the visitor.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
#[error("{label} {problem}.")]
pub struct SettingError {
    /// The setting's name in a URL, and the id of its control.
    pub key: String,
    /// The setting's label on the page.
    pub label: String,
    /// What is wrong with it, as the end of a sentence.
    pub problem: String,
}

/// A value that has a text in a URL.
trait Value: Sized {
    fn text(&self) -> String;
    fn parse(text: &str, rule: Rule) -> Result<Self, String>;
}

/// What to say about a text that breaks `rule`.
fn broken(text: &str, rule: Rule) -> String {
    format!("must be {rule}; it is {text:?}")
}

impl Value for u32 {
    fn text(&self) -> String {
        self.to_string()
    }
    fn parse(text: &str, rule: Rule) -> Result<Self, String> {
        let allowed = |value: &u32| match rule {
            Rule::Whole(low, high) => (low..=high).contains(value),
            Rule::AllOr(low, high) => *value == 0 || (low..=high).contains(value),
            _ => false,
        };
        text.parse().ok().filter(allowed).ok_or_else(|| broken(text, rule))
    }
}

impl Value for f64 {
    fn text(&self) -> String {
        self.to_string()
    }
    fn parse(text: &str, rule: Rule) -> Result<Self, String> {
        let allowed = |value: &f64| matches!(rule, Rule::Number(low, high) if (low..=high).contains(value));
        text.parse().ok().filter(allowed).ok_or_else(|| broken(text, rule))
    }
}

impl Value for bool {
    fn text(&self) -> String {
        u8::from(*self).to_string()
    }
    fn parse(text: &str, rule: Rule) -> Result<Self, String> {
        match text {
            "1" | "true" | "on" => Ok(true),
            "0" | "false" | "off" => Ok(false),
            _ => Err(broken(text, rule)),
        }
    }
}

impl Value for Layers {
    fn text(&self) -> String {
        self.to_string()
    }
    fn parse(text: &str, _: Rule) -> Result<Self, String> {
        text.parse().map_err(|error: NetworkError| error.to_string())
    }
}

impl<T: Choice + PartialEq> Value for T {
    fn text(&self) -> String {
        T::NAMES.iter().find(|name| name.0 == *self).map_or_else(String::new, |name| name.1.into())
    }
    fn parse(text: &str, rule: Rule) -> Result<Self, String> {
        T::NAMES.iter().find(|name| name.1 == text).map(|name| name.0).ok_or_else(|| broken(text, rule))
    }
}

macro_rules! row {
    ($key:ident, [$($path:ident).+], $label:literal, $hint:literal, $rule:expr, $control:expr, $help:literal) => {
        Field {
            key: stringify!($key),
            label: $label,
            hint: $hint,
            help: $help,
            rule: $rule,
            control: $control,
            get: |settings| settings.$($path).+.text(),
            set: |settings, field, text| Value::parse(text, field.rule).map(|value| settings.$($path).+ = value),
        }
    };
}

/// Defines the struct, its defaults and [`FIELDS`] from one row per setting: name, type, default, label, hint, rule,
/// control, help. The help of a row is also its documentation.
macro_rules! settings {
    (
        run { $($key:ident: $type:ty = $default:expr, $label:literal, $hint:literal, $rule:expr, $control:expr, $help:literal;)* }
        augmentation { $($range:ident = $range_default:expr, $range_label:literal, $range_hint:literal, $range_rule:expr, $range_control:expr, $range_help:literal;)* }
    ) => {
        /// Everything that determines a run. The same settings on the same backend give the same run.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Settings {
            $(#[doc = $help] pub $key: $type,)*
            /// Ranges of the augmentation.
            pub augmentation: Augmentation,
        }

        impl Default for Settings {
            fn default() -> Self {
                Settings { $($key: $default,)* augmentation: Augmentation { $($range: $range_default,)* } }
            }
        }

        /// All settings, in the order of the URL and of the form.
        pub const FIELDS: &[Field] = &[
            $(row!($key, [$key], $label, $hint, $rule, $control, $help),)*
            $(row!($range, [augmentation.$range], $range_label, $range_hint, $range_rule, $range_control, $range_help),)*
        ];
    };
}

const DATASETS: Rule = Rule::OneOf(&[
    ("mnist", "MNIST (70,000 digits)"),
    ("synthetic", "Digits (drawn here)"),
    ("letters", "Letters (drawn here)"),
    ("shapes", "Coloured shapes (drawn here)"),
    ("own", "My own files…"),
]);
const BACKENDS: Rule = Rule::OneOf(&[
    ("auto", "Automatic"),
    ("webgpu", "WebGPU"),
    ("cpu", "CPU: burn-flex"),
    ("ndarray", "CPU: burn-ndarray (slow)"),
    ("remote", "A server"),
]);
const OPTIMIZERS: Rule = Rule::OneOf(&[
    ("adam", "Adam"),
    ("adamw", "AdamW"),
    ("sgd", "SGD"),
    ("momentum", "SGD with momentum"),
    ("nesterov", "SGD with Nesterov momentum"),
    ("rmsprop", "RMSprop"),
]);
const SCHEDULES: Rule =
    Rule::OneOf(&[("cosine", "Cosine"), ("constant", "Constant"), ("step", "Steps"), ("onecycle", "One cycle")]);
const KERNELS: Rule = Rule::OneOf(&[("fused", "Inkling's"), ("stock", "Burn's own")]);

settings! {
    run {
    dataset: DatasetName = DatasetName::Mnist, "Data set", "what the network learns from", DATASETS, Control::First,
        "The images to train on.";
    backend: BackendChoice = BackendChoice::Auto, "Backend", "what computes", BACKENDS, Control::In(Group::Machine),
        "What trains the network: a GPU through WebGPU, the CPU, or a server that runs `inkling serve`.";
    epochs: u32 = 5, "Epochs", "more: better at first, then only longer", Rule::Whole(1, 100), Control::In(Group::Recipe),
        "Passes over all training images.";
    batch: u32 = 64, "Batch size", "larger: faster, but fewer steps", Rule::Whole(1, 1024), Control::In(Group::Recipe),
        "Images per training step; after each batch the weights change a little.";
    optimizer: OptimizerName = OptimizerName::Adam, "Optimizer", "how gradients change weights", OPTIMIZERS, Control::In(Group::Recipe),
        "How gradients change the weights. Plain SGD and its momentum need a learning rate of about 0.05, Adam and RMSprop of about 0.003.";
    schedule: ScheduleName = ScheduleName::Cosine, "Schedule", "of the learning rate", SCHEDULES, Control::In(Group::Recipe),
        "How the learning rate changes during the run, after the warm-up.";
    warmup: f64 = 0.1, "Warm-up", "more: a gentler start", Rule::Number(0.0, 0.5), Control::In(Group::Recipe),
        "Share of the run in which the learning rate rises to its peak.";
    decay: f64 = 0.0, "Weight decay", "more: smaller weights, less overfitting", Rule::Number(0.0, 1.0), Control::In(Group::Recipe),
        "Keeps weights small: decoupled with AdamW (0.01 is usual), otherwise as a penalty in the gradient (0.0001 is usual).";
    smoothing: f64 = 0.0, "Label smoothing", "more: less sure of itself", Rule::Number(0.0, 0.5), Control::In(Group::Recipe),
        "Share of each answer that is spread over all classes, so that the network does not become too sure; 0.1 is usual.";
    clip: f64 = 0.0, "Clipping", "smaller: tamer steps", Rule::Number(0.0, 1000.0), Control::Optional(Group::Recipe, "Clip the gradient", "1"),
        "The largest norm of the gradient over all weights; a longer one is shortened. 0 means no limit, 1 is usual.";
    ema: f64 = 0.0, "Average of weights", "nearer to 1: longer, smoother average", Rule::Number(0.0, 0.9999), Control::Optional(Group::Recipe, "Average the weights", "0.998"),
        "Also keeps a moving average of the weights (EMA); each step keeps this share of it, and 0.998 is usual. After each epoch both are scored, and at the end the network takes the better ones. 0 means no average.";
    balance: bool = false, "Balance classes", "rare classes count as much as frequent ones", Rule::Switch, Control::In(Group::Recipe),
        "An image of a rare class counts more in the loss, so that all classes count the same together.";
    patience: u32 = 0, "Patience", "epochs without improvement", Rule::Whole(0, 100), Control::Optional(Group::Recipe, "Stop early", "3"),
        "Ends the run when the validation loss has not fallen for this many epochs; 0 means never.";
    seed: u32 = 42, "Seed", "another number: another run", Rule::Whole(0, u32::MAX), Control::In(Group::Reproducibility),
        "Fixes everything random: the same seed gives the same run.";
    images: u32 = 0, "Training images", "more: better, and slower", Rule::AllOr(24, 60_000), Control::Optional(Group::Reproducibility, "Use only some images", "6000"),
        "How many training and validation images to use; 0 means all of MNIST, or 6,000 synthetic ones.";
    replicas: u32 = 0, "Parallel workers", "more: faster, up to the number of cores", Rule::Whole(0, MAX_REPLICAS), Control::Optional(Group::Machine, "Choose the number of workers", "2"),
        "Workers that share each batch on the CPU; 0 means the number that is fastest here, which is measured first.";
    net: Layers = Layers::default(), "Network", "as text, layer by layer", Rule::Layers, Control::Editor,
        "Its layers from the image to the second-to-last: conv 32, pool, avgpool, globalpool, dense 128, dropout 0.3. After conv may follow 1x1, 5x5 or 7x7, same, stride 2, and after conv and dense a function: leaky, gelu, silu, tanh, sigmoid or none. The last layer is always there: dense, with a unit for each class.";
    kernels: Kernels = Kernels::Fused, "CPU kernels", "whose code computes", KERNELS, Control::In(Group::Machine),
        "Which operations compute the network on the CPU.";
    lr: f64 = 0.004, "Learning rate", "higher: faster, until training diverges", Rule::Number(1e-6, 1.0), Control::Live,
        "How far each step moves the weights, at the peak of the schedule.";
    augment: bool = true, "Augment", "rotate, shift and zoom each image differently in every epoch", Rule::Switch, Control::Live,
        "Moves the images at random, so that the network learns the shapes and not the pixels.";
    }
    augmentation {
    rotation = 10.0, "Rotation", "± °", Rule::Number(0.0, 180.0), Control::Slider(1.0),
        "The largest rotation in degrees, either way.";
    zoom = 0.1, "Zoom", "±", Rule::Number(0.0, 0.9), Control::Slider(0.01),
        "The largest change of size, as a share of the size.";
    shift_x = 0.1, "Width shift", "±", Rule::Number(0.0, 0.5), Control::Slider(0.01),
        "The largest shift to either side, as a share of the width.";
    shift_y = 0.1, "Height shift", "±", Rule::Number(0.0, 0.5), Control::Slider(0.01),
        "The largest shift up or down, as a share of the height.";
    }
}
