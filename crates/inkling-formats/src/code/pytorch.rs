//! A script for PyTorch.

use super::{
    Branches, EPSILON, Lines, Op, Weights, fill, is_sgd, needs_data, ops, padding, python, python_recipe, schedule,
};
use inkling_core::{
    network::{Activation, Conv, Network, Pool},
    settings::{OptimizerName, Settings},
};

pub(super) fn script(net: &Network, settings: &Settings) -> String {
    let (mut fields, mut forward) = (Lines::new("        "), Lines::new("        "));
    ops(net).iter().for_each(|op| layer(&mut fields, &mut forward, op));
    let image = net.data().image();
    let (rise, after) = schedule(
        settings,
        |angle| format!("math.cos({angle})"),
        |test, yes, no| format!("({yes} if {test} else {no})"),
    );
    let data = needs_data(settings);
    let ranges = settings.active_augmentation();
    fill(
        include_str!("pytorch.py"),
        net,
        settings,
        &[
            ("RECIPE", python_recipe(net, settings)),
            ("PACKAGES", if data { "torch safetensors" } else { "torch torchvision safetensors" }.into()),
            ("DATA_FILE", if data { " inkling-data.safetensors" } else { "" }.into()),
            ("LOAD", load(settings).into()),
            ("CHANNELS", image.channels.to_string()),
            ("CLIP", settings.clip.to_string()),
            ("EMA", settings.ema.to_string()),
            ("FIELDS", fields.text.trim_end().into()),
            ("FORWARD", forward.text.trim_end().into()),
            ("RISE", rise),
            ("AFTER", after),
            ("OPTIMIZER", optimizer(settings)),
            ("AUGMENT", python(ranges.is_some())),
            ("ROTATION", ranges.map_or(0.0, |ranges| ranges.rotation).to_string()),
            ("ZOOM", ranges.map_or(0.0, |ranges| ranges.zoom).to_string()),
            ("SHIFT_X", ranges.map_or(0.0, |ranges| ranges.shift_x).to_string()),
            ("SHIFT_Y", ranges.map_or(0.0, |ranges| ranges.shift_y).to_string()),
            ("BALANCE", python(settings.balance)),
        ],
    )
}

fn load(settings: &Settings) -> &'static str {
    if needs_data(settings) {
        "data = load_file(sys.argv[2])\n    parts = [(data[f\"{part}.images\"], data[f\"{part}.labels\"]) for part in (\"train\", \"test\")]"
    } else {
        "from torchvision.datasets import MNIST\n\n    sets = [MNIST(\".\", train=part == \"train\", download=True) for part in (\"train\", \"test\")]\n    parts = [(part.data[:, None], part.targets) for part in sets]"
    }
}

fn optimizer(settings: &Settings) -> String {
    let (name, own) = match settings.optimizer {
        OptimizerName::Adam => ("Adam", ""),
        OptimizerName::Adamw => ("AdamW", ""),
        OptimizerName::Sgd => ("SGD", ""),
        OptimizerName::Momentum => ("SGD", ", momentum=0.9"),
        OptimizerName::Nesterov => ("SGD", ", momentum=0.9, nesterov=True"),
        OptimizerName::Rmsprop => ("RMSprop", ", alpha=0.9"),
    };
    let epsilon = if is_sgd(settings.optimizer) { String::new() } else { format!(", eps={EPSILON}") };
    format!("torch.optim.{name}(net.parameters(), PEAK{own}{epsilon}, weight_decay={})", settings.decay)
}

/// `value` with the function applied.
fn applied(function: Activation, value: &str) -> String {
    match function {
        Activation::Relu => format!("F.relu({value})"),
        Activation::LeakyRelu => format!("F.leaky_relu({value}, 0.01)"),
        Activation::Gelu => format!("F.gelu({value})"),
        Activation::Silu => format!("F.silu({value})"),
        Activation::Tanh => format!("torch.tanh({value})"),
        Activation::Sigmoid => format!("torch.sigmoid({value})"),
        Activation::None => value.into(),
    }
}

fn conv(fields: &mut Lines, conv: Conv, Weights { name, inputs, outputs, limit }: &Weights) {
    let zeros = padding(conv);
    let Conv { kernel, stride, .. } = conv;
    let mut options = String::new();
    if zeros > 0 {
        options += &format!(", padding={zeros}");
    }
    if stride > 1 {
        options += &format!(", stride={stride}");
    }
    fields.push(format!("self.{name} = uniform(nn.Conv2d({inputs}, {outputs}, {kernel}{options}), {limit})"));
}

fn layer(fields: &mut Lines, forward: &mut Lines, op: &Op) {
    match op {
        Op::Conv(layer, weights) => {
            conv(fields, *layer, weights);
            forward.push(format!("x = {}", applied(layer.activation, &format!("self.{}(x)", weights.name))));
        }
        Op::Residual(block, Branches { first, second, shortcut }) => {
            let layer = block.conv();
            conv(fields, layer, first);
            conv(fields, layer, second);
            let past = match shortcut {
                Some(weights) => {
                    conv(fields, Conv { kernel: 1, ..layer }, weights);
                    format!("self.{}(x)", weights.name)
                }
                None => "x".into(),
            };
            forward.push(format!("y = {}", applied(block.activation, &format!("self.{}(x)", first.name))));
            forward.push(format!("x = {}", applied(block.activation, &format!("self.{}(y) + {past}", second.name))));
        }
        Op::Norm { name, channels, is_flat, function } => {
            let dimensions = if *is_flat { "1d" } else { "2d" };
            fields.push(format!("self.{name} = nn.BatchNorm{dimensions}({channels})"));
            forward.push(format!("x = {}", applied(*function, &format!("self.{name}(x)"))));
        }
        Op::Pool(Pool::Max) => forward.push("x = F.max_pool2d(x, 2)"),
        Op::Pool(Pool::Average) => forward.push("x = F.avg_pool2d(x, 2)"),
        Op::GlobalPool => forward.push("x = x.mean((2, 3), keepdim=True)"),
        Op::Dropout(share) => forward.push(format!("x = F.dropout(x, {share}, self.training)")),
        Op::Flatten => forward.push("x = x.flatten(1)"),
        Op::Dense(function, Weights { name, inputs, outputs, limit }) => {
            fields.push(format!("self.{name} = uniform(nn.Linear({inputs}, {outputs}), {limit})"));
            forward.push(format!("x = {}", applied(*function, &format!("self.{name}(x)"))));
        }
    }
}
