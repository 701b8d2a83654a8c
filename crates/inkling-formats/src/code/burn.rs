//! A program for Burn.

use super::{Branches, EPSILON, Lines, Op, Weights, fill, needs_data, ops, padding, recipe, schedule};
use inkling_core::{
    network::{Activation, Conv, Network, Pool},
    settings::{OptimizerName, Settings},
};

/// The parts of the program that depend on the network.
struct Parts {
    fields: Lines,
    init: Lines,
    forward: Lines,
    dropouts: usize,
    has_convolutions: bool,
}

pub(super) fn script(net: &Network, settings: &Settings) -> String {
    let mut parts = Parts {
        fields: Lines::new("    "),
        init: Lines::new("            "),
        forward: Lines::new("        "),
        dropouts: 0,
        has_convolutions: false,
    };
    ops(net).iter().for_each(|op| parts.layer(op));
    let shape = net.data().image();
    let (rise, after) = schedule(
        settings,
        |angle| format!("({angle}).cos()"),
        |test, yes, no| format!("if {test} {{ {yes} }} else {{ {no} }}"),
    );
    let ranges = settings.active_augmentation().map_or("None".into(), |ranges| {
        let [rotation, zoom, right, down] = [ranges.rotation, ranges.zoom, ranges.shift_x, ranges.shift_y];
        format!("Some([{rotation:?}, {zoom:?}, {right:?}, {down:?}])")
    });
    let (reader, file, load) = match needs_data(settings) {
        true => ("safetensors = \"0.8\"", "inkling-data.safetensors", LOAD_FILE),
        false => ("flate2 = \"1\"", "FOLDER_OF_MNIST", LOAD_MNIST),
    };
    fill(
        include_str!("burn.txt"),
        net,
        settings,
        &[
            ("RECIPE", recipe(net, settings).replace('\n', "\n//!     ")),
            ("READER", reader.into()),
            ("DATA_FILE", file.into()),
            ("LOAD", load.trim().into()),
            ("CHANNELS", shape.channels.to_string()),
            ("SIDE", shape.side.to_string()),
            ("BALANCE", settings.balance.to_string()),
            ("AUGMENTATION", ranges),
            ("FIELDS", parts.fields.text.trim_end().into()),
            ("INIT", parts.init.text.trim_end().into()),
            ("FORWARD", result_of(&parts.forward.text)),
            ("CONV", if parts.has_convolutions { CONV.trim_start().into() } else { String::new() }),
            ("RISE", rise),
            ("AFTER", after),
            ("OPTIMIZER", optimizer(settings)),
        ],
    )
}

/// The lines of a function whose last one gives its result.
fn result_of(lines: &str) -> String {
    match lines.trim_end().trim_end_matches(';').rsplit_once("let x = ") {
        Some((before, last)) => format!("{before}{last}"),
        None => lines.into(),
    }
}

fn optimizer(settings: &Settings) -> String {
    let Settings { decay, clip, .. } = settings;
    let l2 = match *decay > 0.0 {
        true => format!(".with_weight_decay(Some(optim::decay::WeightDecayConfig::new({decay:?})))"),
        false => String::new(),
    };
    let momentum = |nesterov: bool| {
        format!(
            "optim::SgdConfig::new().with_momentum(Some(optim::momentum::MomentumConfig::new().with_dampening(0.0).with_nesterov({nesterov}))){l2}"
        )
    };
    let config = match settings.optimizer {
        OptimizerName::Adam => format!("optim::AdamConfig::new().with_epsilon({EPSILON}){l2}"),
        OptimizerName::Adamw => {
            format!("optim::AdamWConfig::new().with_epsilon({EPSILON}).with_weight_decay({decay:?})")
        }
        OptimizerName::Sgd => format!("optim::SgdConfig::new(){l2}"),
        OptimizerName::Momentum => momentum(false),
        OptimizerName::Nesterov => momentum(true),
        OptimizerName::Rmsprop => {
            format!("optim::RmsPropConfig::new().with_alpha(0.9).with_momentum(0.0).with_epsilon({EPSILON}){l2}")
        }
    };
    let clipping = match *clip > 0.0 {
        // The page shortens the gradient of all weights together.
        true => format!(
            "\n        // Tensor by tensor.\n        .with_grad_clipping(Some(burn::grad_clipping::GradientClippingConfig::Norm({clip:?})))"
        ),
        false => String::new(),
    };
    format!("{config}{clipping}.init()")
}

fn applied(function: Activation, value: &str) -> String {
    match function {
        Activation::Relu => format!("activation::relu({value})"),
        Activation::LeakyRelu => format!("activation::leaky_relu({value}, 0.01)"),
        Activation::Gelu => format!("activation::gelu({value})"),
        Activation::Silu => format!("activation::silu({value})"),
        Activation::Tanh => format!("activation::tanh({value})"),
        Activation::Sigmoid => format!("activation::sigmoid({value})"),
        Activation::None => value.into(),
    }
}

impl Parts {
    fn conv(&mut self, conv: Conv, Weights { name, inputs, outputs, limit }: &Weights) {
        let (zeros, Conv { kernel, stride, .. }) = (padding(conv), conv);
        self.has_convolutions = true;
        self.fields.push(format!("{name}: nn::conv::Conv2d,"));
        self.init.push(format!("{name}: conv([{inputs}, {outputs}], {kernel}, {zeros}, {stride}, {limit:?}, device),"));
    }

    fn then(&mut self, value: String) {
        self.forward.push(format!("let x = {value};"));
    }

    fn layer(&mut self, op: &Op) {
        match op {
            Op::Conv(layer, weights) => {
                self.conv(*layer, weights);
                self.then(applied(layer.activation, &format!("self.{}.forward(x)", weights.name)));
            }
            Op::Residual(block, Branches { first, second, shortcut }) => {
                let layer = block.conv();
                self.conv(layer, first);
                self.conv(layer, second);
                let past = match shortcut {
                    Some(weights) => {
                        self.conv(Conv { kernel: 1, ..layer }, weights);
                        format!("self.{}.forward(x)", weights.name)
                    }
                    None => "x".into(),
                };
                let inner = applied(block.activation, &format!("self.{}.forward(x.clone())", first.name));
                self.forward.push(format!("let y = {inner};"));
                self.then(applied(block.activation, &format!("self.{}.forward(y) + {past}", second.name)));
            }
            Op::Norm { name, channels, function, .. } => {
                self.fields.push(format!("{name}: nn::BatchNorm,"));
                self.init.push(format!("{name}: nn::BatchNormConfig::new({channels}).init(device),"));
                self.then(applied(*function, &format!("self.{name}.forward(x)")));
            }
            Op::Pool(Pool::Max) => {
                self.then("tensor::module::max_pool2d(x, tensor::ops::MaxPoolOptions::new([2, 2]))".into())
            }
            Op::Pool(Pool::Average) => {
                self.then("tensor::module::avg_pool2d(x, tensor::ops::AvgPoolOptions::new([2, 2]))".into())
            }
            Op::GlobalPool => self.then("x.mean_dim(2).mean_dim(3)".into()),
            Op::Dropout(share) => {
                self.dropouts += 1;
                let name = format!("dropout{}", self.dropouts);
                self.fields.push(format!("{name}: nn::Dropout,"));
                self.init.push(format!("{name}: nn::DropoutConfig::new({share:?}).init(),"));
                self.then(format!("self.{name}.forward(x)"));
            }
            Op::Flatten => self.then("x.flatten::<2>(1, 3)".into()),
            Op::Dense(function, Weights { name, inputs, outputs, limit }) => {
                self.fields.push(format!("{name}: nn::Linear,"));
                self.init.push(format!("{name}: dense({inputs}, {outputs}, {limit:?}, device),"));
                self.then(applied(*function, &format!("self.{name}.forward(x)")));
            }
        }
    }
}

const CONV: &str = r#"
fn conv(channels: [usize; 2], kernel: usize, padding: usize, stride: usize, limit: f64, device: &Device) -> nn::conv::Conv2d {
    nn::conv::Conv2dConfig::new(channels, [kernel, kernel])
        .with_padding(nn::PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .with_stride([stride, stride])
        .with_initializer(uniform(limit))
        .init(device)
}

"#;

const LOAD_FILE: &str = r#"
/// The sets to train and to test with, as the page has saved them.
pub fn load(path: &str) -> Result<[Set; 2], Box<dyn Error>> {
    let file = std::fs::read(path)?;
    let tensors = safetensors::SafeTensors::deserialize(&file)?;
    let set = |part: &str| -> Result<Set, Box<dyn Error>> {
        let of = |what: &str| tensors.tensor(&format!("{part}.{what}"));
        let images = of("images")?.data().iter().map(|&shade| f32::from(shade) / 255.0).collect();
        Ok(Set { images, labels: of("labels")?.data().iter().map(|&label| i32::from(label)).collect() })
    };
    Ok([set("train")?, set("test")?])
}
"#;

const LOAD_MNIST: &str = r#"
/// The sets to train and to test with, from a folder with the four files of MNIST (train-images-idx3-ubyte.gz and so on).
pub fn load(folder: &str) -> Result<[Set; 2], Box<dyn Error>> {
    let read = |name: &str, head: usize| -> Result<Vec<u8>, Box<dyn Error>> {
        let (file, mut bytes) = (std::fs::File::open(format!("{folder}/{name}-ubyte.gz"))?, Vec::new());
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes)?;
        Ok(bytes.split_off(head))
    };
    let set = |part: &str| -> Result<Set, Box<dyn Error>> {
        let images = read(&format!("{part}-images-idx3"), 16)?.into_iter().map(|shade| f32::from(shade) / 255.0);
        let labels = read(&format!("{part}-labels-idx1"), 8)?.into_iter().map(i32::from);
        Ok(Set { images: images.collect(), labels: labels.collect() })
    };
    Ok([set("train")?, set("t10k")?])
}
"#;
