//! A network as a script for another framework: it builds the network, loads the saved weights, scores them on the test set, and
//! trains the network again with the same recipe.

mod burn;
mod keras;
mod pytorch;

use std::fmt::Write;

use inkling_core::{
    network::{Activation, Conv, Layer, Network, Pool, Residual},
    parameters::{Initial, Parameter},
    protocol::Language,
    settings::{DatasetName, OptimizerName, ScheduleName, Settings},
};

/// The script for a run with these settings, whose network is `net`.
pub fn script(language: Language, net: &Network, settings: &Settings) -> String {
    match language {
        Language::Keras => keras::script(net, settings),
        Language::PyTorch => pytorch::script(net, settings),
        Language::Burn => burn::script(net, settings),
    }
}

/// What a script computes, one after another.
enum Op<'a> {
    Conv(Conv, Weights<'a>),
    Norm {
        name: &'a str,
        channels: usize,
        is_flat: bool,
        function: Activation,
    },
    Residual(Residual, Branches<'a>),
    Pool(Pool),
    GlobalPool,
    Dropout(f64),
    /// Maps `[C, H, W]` become a list, map by map.
    Flatten,
    Dense(Activation, Weights<'a>),
}

/// The parameters of a residual block.
struct Branches<'a> {
    first: Weights<'a>,
    second: Weights<'a>,
    shortcut: Option<Weights<'a>>,
}

/// The weights of a convolution or a dense layer.
struct Weights<'a> {
    /// The name of the layer.
    name: &'a str,
    inputs: usize,
    outputs: usize,
    /// Weights begin uniformly up to this limit, either way; biases at zero.
    limit: f32,
}

/// The operations of `net`, the last layer included.
fn ops(net: &Network) -> Vec<Op<'_>> {
    let last = Layer::Dense(net.data().classes() as u32, Activation::None);
    let layers = net.layers().iter().map(|(layer, _)| *layer).chain([last]);
    let (mut ops, mut is_flat) = (Vec::new(), false);
    for (place, layer) in layers.enumerate() {
        let mut weights = net.parameters_of(place).iter().filter_map(weights_of);
        if matches!(layer, Layer::Dense(..)) && !is_flat {
            is_flat = true;
            ops.push(Op::Flatten);
        }
        ops.extend(match layer {
            Layer::Conv(conv) => weights.next().map(|weights| Op::Conv(conv, weights)),
            Layer::Dense(_, function) => weights.next().map(|weights| Op::Dense(function, weights)),
            Layer::BatchNorm(function) => weights.next().map(|Weights { name, outputs: channels, .. }| Op::Norm {
                name,
                channels,
                is_flat,
                function,
            }),
            Layer::Residual(block) => weights
                .next()
                .zip(weights.next())
                .map(|(first, second)| Op::Residual(block, Branches { first, second, shortcut: weights.next() })),
            Layer::Pool(kind) => Some(Op::Pool(kind)),
            Layer::GlobalPool => Some(Op::GlobalPool),
            Layer::Dropout(share) => Some(Op::Dropout(share)),
        });
    }
    ops
}

/// The layer whose weights this parameter is; `None` for biases and statistics.
fn weights_of(parameter: &Parameter) -> Option<Weights<'_>> {
    let name = parameter.name.strip_suffix(".weight")?;
    let limit = if let Initial::Uniform(limit) = parameter.initial { limit } else { 0.0 };
    let (inputs, outputs) = match parameter.shape[..] {
        [outputs, inputs, _, _] | [inputs, outputs] => (inputs, outputs),
        [channels] => (channels, channels),
        _ => return None,
    };
    Some(Weights { name, inputs, outputs, limit })
}

/// Rows and columns of zeros around the image.
fn padding(conv: Conv) -> u32 {
    if conv.same { (conv.kernel - 1) / 2 } else { 0 }
}

/// What the recipe says in the words of the page, for the head of a script.
fn recipe(net: &Network, settings: &Settings) -> String {
    let Settings { epochs, batch, lr, ema, .. } = settings;
    let optimizer = settings.get("optimizer");
    let schedule = settings.get("schedule");
    let average = if *ema > 0.0 { format!(", weights averaged ({ema})") } else { String::new() };
    format!("{net}\n{epochs} epochs, batches of {batch}, {optimizer}, learning rate {lr} ({schedule}){average}")
}

/// Whether the data set comes from a file that the page saves. MNIST comes from elsewhere.
fn needs_data(settings: &Settings) -> bool {
    settings.dataset != DatasetName::Mnist
}

/// The learning rate as a share of its peak, as an expression in `done`, `steps` and `warm_up`: while it rises, and after that.
/// `cos(x)` is how the language writes a cosine of `x`; `choose(a, b, c)`, `b` if `a` and else `c`.
fn schedule(settings: &Settings, cos: fn(&str) -> String, choose: fn(&str, &str, &str) -> String) -> (String, String) {
    let rise = match settings.schedule {
        ScheduleName::Onecycle => format!("0.04 + 0.48 * (1.0 - {})", cos("PI * done / warm_up")),
        _ => "0.1 + 0.9 * done / warm_up".into(),
    };
    let fall = format!("0.5 * (1.0 + {})", cos("PI * (done - warm_up) / (steps - warm_up)"));
    let after = match settings.schedule {
        ScheduleName::Constant => "1.0".into(),
        ScheduleName::Cosine => format!("0.01 + 0.99 * {fall}"),
        ScheduleName::Onecycle => format!("0.000004 + 0.999996 * {fall}"),
        ScheduleName::Step => choose("done < 0.5 * steps", "1.0", &choose("done < 0.75 * steps", "0.1", "0.01")),
    };
    (rise, after)
}

/// Writes lines with this indentation.
struct Lines {
    text: String,
    indent: &'static str,
}

impl Lines {
    fn new(indent: &'static str) -> Self {
        Lines { text: String::new(), indent }
    }

    fn push(&mut self, line: impl AsRef<str>) {
        // Writing to a string can't fail.
        let _ = writeln!(self.text, "{}{}", self.indent, line.as_ref());
    }
}

/// Replaces each `@NAME@` of a template: those that every script has in the same form, and `values`.
fn fill(template: &str, net: &Network, settings: &Settings, values: &[(&str, String)]) -> String {
    let number = |value: f64| format!("{value:?}"); // `0.0`, not `0`: Rust has no other floats
    let common = [
        ("CLASSES", net.data().classes().to_string()),
        ("BATCH", settings.batch.to_string()),
        ("EPOCHS", settings.epochs.to_string()),
        ("PEAK", number(settings.lr)),
        ("WARM_UP", number(settings.warmup)),
        ("SMOOTHING", number(settings.smoothing)),
    ];
    common.iter().chain(values).fold(template.into(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

/// A truth value in Python.
fn python(flag: bool) -> String {
    if flag { "True" } else { "False" }.into()
}

/// The recipe in the head of a Python script.
fn python_recipe(net: &Network, settings: &Settings) -> String {
    recipe(net, settings).replace('\n', "\n    ")
}

/// What Adam and RMSprop add to a root: as in `optimizer.rs` of `inkling-train`.
const EPSILON: &str = "1e-7";

/// Whether the optimizer is a form of SGD, which divides by no root.
fn is_sgd(optimizer: OptimizerName) -> bool {
    matches!(optimizer, OptimizerName::Sgd | OptimizerName::Momentum | OptimizerName::Nesterov)
}
