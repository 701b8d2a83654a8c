//! A network as a script for another framework: it builds the network, loads the saved weights, scores them on the test set, and
//! trains the network again with the same recipe.

mod burn;
mod keras;
mod pytorch;

use std::fmt::Write;

use inkling_core::{
    network::{Activation, Conv, Layer, Network, Pool, Residual, Shape},
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
    let mut named = net.parameters().iter().filter(|parameter| parameter.name.ends_with(".weight"));
    let mut weights = || named.next().and_then(weights_of);
    let (mut ops, mut before) = (Vec::new(), net.data().image());
    let mut is_flat = false;
    let last = (Layer::Dense(net.data().classes() as u32, Activation::None), Shape { channels: 0, side: 1 });
    for &(layer, shape) in net.layers().iter().chain([&last]) {
        if matches!(layer, Layer::Dense(..)) && !is_flat {
            is_flat = true;
            ops.push(Op::Flatten);
        }
        ops.extend(match layer {
            Layer::Conv(conv) => weights().map(|weights| Op::Conv(conv, weights)),
            Layer::Dense(_, function) => weights().map(|weights| Op::Dense(function, weights)),
            Layer::BatchNorm(function) => {
                weights().map(|Weights { name, outputs: channels, .. }| Op::Norm { name, channels, is_flat, function })
            }
            Layer::Residual(block) => weights().zip(weights()).map(|(first, second)| {
                let changes = before.channels != block.channels as usize;
                let shortcut = if changes { weights() } else { None };
                Op::Residual(block, Branches { first, second, shortcut })
            }),
            Layer::Pool(kind) => Some(Op::Pool(kind)),
            Layer::GlobalPool => Some(Op::GlobalPool),
            Layer::Dropout(share) => Some(Op::Dropout(share)),
        });
        before = shape;
    }
    ops
}

fn weights_of(parameter: &Parameter) -> Option<Weights<'_>> {
    let name = parameter.name.strip_suffix(".weight")?;
    let limit = if let Initial::Uniform(limit) = parameter.initial { limit } else { 0.0 };
    let (inputs, outputs) = match parameter.shape[..] {
        [outputs, inputs, ..] if parameter.shape.len() == 4 => (inputs, outputs),
        [inputs, outputs] => (inputs, outputs),
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
    let Settings { epochs, batch, lr, .. } = settings;
    let optimizer = settings.get("optimizer");
    let schedule = settings.get("schedule");
    format!("{net}\n{epochs} epochs, batches of {batch}, {optimizer}, learning rate {lr} ({schedule})")
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

/// Replaces each `@NAME@` of a template.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut text = template.to_string();
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    text
}

/// Momentum and epsilon are the same in every script: see `optimizer.rs` of `inkling-train`.
const EPSILON: &str = "1e-7";

/// How `language` names an optimizer: its own name for Adam, SGD and so on.
fn is_sgd(optimizer: OptimizerName) -> bool {
    matches!(optimizer, OptimizerName::Sgd | OptimizerName::Momentum | OptimizerName::Nesterov)
}
