//! A script for Keras 3, with any of its backends.

use super::{
    Branches, EPSILON, Lines, Op, Weights, fill, is_sgd, needs_data, ops, padding, python, python_recipe, schedule,
};
use inkling_core::{
    network::{Activation, Conv, Network, Pool},
    settings::{OptimizerName, Settings},
};

pub(super) fn script(net: &Network, settings: &Settings) -> String {
    let mut build = Lines::new("    ");
    let l2 = settings.optimizer != OptimizerName::Adamw && settings.decay > 0.0;
    ops(net).iter().for_each(|op| layer(&mut build, op, l2));
    let shape = net.data().image();
    let (rise, after) = schedule(
        settings,
        |angle| format!("keras.ops.cos({angle})"),
        |test, yes, no| format!("keras.ops.where({test}, {yes}, {no})"),
    );
    fill(
        include_str!("keras.py"),
        net,
        settings,
        &[
            ("RECIPE", python_recipe(net, settings)),
            ("DATA_FILE", if needs_data(settings) { " inkling-data.safetensors" } else { "" }.into()),
            ("LOAD", load(settings).into()),
            ("SHAPE", format!("({0}, {0}, {1})", shape.side, shape.channels)),
            ("L2", if l2 { format!("\nL2 = keras.regularizers.L2({} / 2)", settings.decay) } else { String::new() }),
            ("BUILD", build.text.trim_end().into()),
            ("RISE", rise),
            ("AFTER", after),
            ("OPTIMIZER", optimizer(settings)),
            ("AUGMENT", augment(settings)),
            ("BALANCE", python(settings.balance)),
        ],
    )
}

fn load(settings: &Settings) -> &'static str {
    if needs_data(settings) {
        "data = load_file(sys.argv[2])\n    parts = [(data[f\"{part}.images\"].transpose(0, 2, 3, 1), data[f\"{part}.labels\"]) for part in (\"train\", \"test\")]"
    } else {
        "parts = [(images[..., None], labels) for images, labels in keras.datasets.mnist.load_data()]"
    }
}

fn optimizer(settings: &Settings) -> String {
    let Settings { decay, clip, ema, .. } = settings;
    let mut options = vec!["rate".to_string()];
    let name = match settings.optimizer {
        OptimizerName::Adam => "Adam",
        OptimizerName::Adamw => {
            options.push(format!("weight_decay={decay}"));
            "AdamW"
        }
        OptimizerName::Sgd => "SGD",
        OptimizerName::Momentum => {
            options.push("momentum=0.9".into());
            "SGD"
        }
        OptimizerName::Nesterov => {
            options.push("momentum=0.9, nesterov=True".into());
            "SGD"
        }
        OptimizerName::Rmsprop => {
            options.push("rho=0.9".into());
            "RMSprop"
        }
    };
    if !is_sgd(settings.optimizer) {
        options.push(format!("epsilon={EPSILON}"));
    }
    if *clip > 0.0 {
        options.push(format!("global_clipnorm={clip}"));
    }
    if *ema > 0.0 {
        options.push(format!("use_ema=True, ema_momentum={ema}"));
    }
    format!("keras.optimizers.{name}({})", options.join(", "))
}

/// A list of the layers that augment.
fn augment(settings: &Settings) -> String {
    let mut layers = Vec::new();
    if let Some(ranges) = settings.active_augmentation() {
        if ranges.zoom > 0.0 {
            layers.push(format!("layers.RandomZoom({0}, {0}, fill_mode=\"constant\")", ranges.zoom));
        }
        if ranges.rotation > 0.0 {
            layers.push(format!("layers.RandomRotation({} / 360, fill_mode=\"constant\")", ranges.rotation));
        }
        if ranges.shift_x > 0.0 || ranges.shift_y > 0.0 {
            let (down, right) = (ranges.shift_y, ranges.shift_x);
            layers.push(format!("layers.RandomTranslation({down}, {right}, fill_mode=\"constant\")"));
        }
    }
    format!("[{}]", layers.join(", "))
}

/// How a layer gets its function: an argument, or another layer after it, where Keras means something else by the name.
fn function(function: Activation) -> (&'static str, Option<&'static str>) {
    match function {
        Activation::Relu => (", activation=\"relu\"", None),
        Activation::Gelu => (", activation=\"gelu\"", None),
        Activation::Silu => (", activation=\"silu\"", None),
        Activation::Tanh => (", activation=\"tanh\"", None),
        Activation::Sigmoid => (", activation=\"sigmoid\"", None),
        Activation::LeakyRelu => ("", Some("layers.LeakyReLU(negative_slope=0.01)")),
        Activation::None => ("", None),
    }
}

fn apply(lines: &mut Lines, function: Activation, to: &str) {
    let (argument, layer) = self::function(function);
    match (layer, argument.strip_prefix(", activation=")) {
        (Some(layer), _) => lines.push(format!("{to} = {layer}({to})")),
        (None, Some(name)) => lines.push(format!("{to} = layers.Activation({name})({to})")),
        (None, None) => {}
    }
}

/// The arguments that all weights have.
fn common(weights: &Weights, l2: bool) -> String {
    let Weights { name, limit, .. } = weights;
    let l2 = if l2 { ", kernel_regularizer=L2, bias_regularizer=L2" } else { "" };
    format!(", kernel_initializer=uniform({limit}){l2}, name=\"{name}\"")
}

fn conv(lines: &mut Lines, conv: Conv, weights: &Weights, l2: bool, [to, from]: [&str; 2]) {
    let Conv { channels, kernel, stride, .. } = conv;
    let mut from = from.to_string();
    let (argument, after) = function(conv.activation);
    let mut options = String::new();
    match (padding(conv), stride) {
        (0, _) => {}
        (_, 1) => options += ", padding=\"same\"",
        // Keras would put more zeros at the end than at the beginning.
        (zeros, _) => from = format!("layers.ZeroPadding2D({zeros})({from})"),
    }
    if stride > 1 {
        options += &format!(", strides={stride}");
    }
    let common = common(weights, l2);
    lines.push(format!("{to} = layers.Conv2D({channels}, {kernel}{options}{argument}{common})({from})"));
    if let Some(layer) = after {
        lines.push(format!("{to} = {layer}({to})"));
    }
}

fn layer(lines: &mut Lines, op: &Op, l2: bool) {
    match op {
        Op::Conv(layer, weights) => conv(lines, *layer, weights, l2, ["x", "x"]),
        Op::Residual(block, Branches { first, second, shortcut }) => {
            let layer = block.conv();
            let plain = Conv { activation: Activation::None, ..layer };
            conv(lines, layer, first, l2, ["y", "x"]);
            conv(lines, plain, second, l2, ["y", "y"]);
            if let Some(weights) = shortcut {
                conv(lines, Conv { kernel: 1, ..plain }, weights, l2, ["x", "x"]);
            }
            lines.push("x = layers.add([x, y])");
            apply(lines, block.activation, "x");
        }
        Op::Norm { name, function, .. } => {
            let l2 = if l2 { ", gamma_regularizer=L2, beta_regularizer=L2" } else { "" };
            lines.push(format!("x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5{l2}, name=\"{name}\")(x)"));
            apply(lines, *function, "x");
        }
        Op::Pool(Pool::Max) => lines.push("x = layers.MaxPooling2D(2)(x)"),
        Op::Pool(Pool::Average) => lines.push("x = layers.AveragePooling2D(2)(x)"),
        Op::GlobalPool => lines.push("x = layers.GlobalAveragePooling2D(keepdims=True)(x)"),
        Op::Dropout(share) => lines.push(format!("x = layers.Dropout({share})(x)")),
        Op::Flatten => lines.push("x = layers.Flatten()(layers.Permute((3, 1, 2))(x))  # map by map"),
        Op::Dense(applied, weights) => {
            let (argument, after) = function(*applied);
            let common = common(weights, l2);
            lines.push(format!("x = layers.Dense({}{argument}{common})(x)", weights.outputs));
            if let Some(layer) = after {
                lines.push(format!("x = {layer}(x)"));
            }
        }
    }
}
