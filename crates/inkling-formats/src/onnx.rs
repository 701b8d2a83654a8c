//! The network as an ONNX model: opset 17, IR version 8, input `image` `[N, C, H, W]` in `[0, 1]`, output `logits`
//! `[N, classes]`. The field numbers are those of the ONNX project's onnx.proto3.

use prost::Message;

use crate::tensors::{Found, Order, WeightsError, bytes, floats, gather, parts};
use inkling_core::{
    network::{Activation, Conv, Layer, NORM_EPSILON, Network, Pool, Residual},
    parameters::Parameter,
};

const FLOAT: i32 = 1;
const FLOAT_ATTRIBUTE: i32 = 1;
const INTS: i32 = 7;
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(string, tag = "2")]
    producer_name: String,
    #[prost(string, tag = "3")]
    producer_version: String,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<Opset>,
}

#[derive(Clone, PartialEq, Message)]
struct Opset {
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Initializer>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<Value>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(float, tag = "2")]
    float: f32,
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
    /// [`FLOAT_ATTRIBUTE`] or [`INTS`].
    #[prost(int32, tag = "20")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Initializer {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Message)]
struct Kind {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorKind>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorKind {
    #[prost(int32, tag = "1")]
    element: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(oneof = "Size", tags = "1, 2")]
    size: Option<Size>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Size {
    #[prost(int64, tag = "1")]
    Fixed(i64),
    #[prost(string, tag = "2")]
    Free(String),
}

/// The ONNX file of `net` with these weights, in the order of [`Network::parameters`].
pub fn model(net: &Network, weights: &[f32]) -> Vec<u8> {
    let initializer = |(Parameter { name, shape, .. }, values): (&Parameter, &[f32])| Initializer {
        dims: shape.iter().map(|&size| size as i64).collect(),
        data_type: FLOAT,
        name: name.clone(),
        raw_data: bytes(values),
    };
    let data = net.data();
    let (channels, side) = (data.image().channels as i64, data.image().side as i64);
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "Inkling".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(Graph {
            node: Nodes::of(net),
            name: "classifier".into(),
            initializer: parts(net, weights).map(initializer).collect(),
            input: vec![value("image", &[channels, side, side])],
            output: vec![value("logits", &[data.classes() as i64])],
        }),
        opset_import: vec![Opset { version: OPSET }],
    };
    model.encode_to_vec()
}

/// The weights of `net` in an ONNX file that [`model`] wrote.
///
/// # Errors
/// [`WeightsError`] if it is not such a file.
pub fn weights(net: &Network, file: &[u8]) -> Result<Vec<f32>, WeightsError> {
    let model = Model::decode(file).map_err(|error| WeightsError::Format(error.to_string()))?;
    let graph = model.graph.unwrap_or_default();
    let names = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    let find = |name: &str| {
        let tensor = graph.initializer.iter().find(|tensor| tensor.name == name)?;
        let shape = tensor.dims.iter().map(|&size| size as usize).collect();
        let values = (tensor.data_type == FLOAT).then(|| floats(&tensor.raw_data).collect());
        Some(Found { kind: format!("type {}", tensor.data_type), shape, values })
    };
    gather(net, names, find, Order::Burn)
}

/// The operations of a network, each on the result of the one before.
struct Nodes {
    list: Vec<Node>,
    /// The name of the last result.
    last: String,
}

/// The value of an attribute.
enum Given<'a> {
    Ints(&'a str, Vec<i64>),
    Float(&'a str, f32),
}

impl Nodes {
    /// All nodes of `net`, from `image` to `logits`.
    fn of(net: &Network) -> Vec<Node> {
        let mut nodes = Nodes { list: Vec::new(), last: "image".into() };
        let (mut convolutions, mut norms, mut dense, mut pools) = (0, 0, 0, 0);
        let mut channels = net.data().image().channels;
        for (layer, shape) in net.layers() {
            match layer {
                Layer::Dropout(_) => {} // it does nothing after training
                Layer::Conv(conv) => {
                    convolutions += 1;
                    nodes.convolution(*conv, &format!("conv{convolutions}"));
                }
                Layer::Residual(block) => {
                    let name = |number| format!("conv{}", convolutions + number);
                    nodes.residual(*block, [name(1), name(2), name(3)], channels);
                    convolutions += if channels == shape.channels { 2 } else { 3 };
                }
                Layer::BatchNorm(activation) => {
                    norms += 1;
                    nodes.norm(&format!("norm{norms}"));
                    nodes.activation(*activation);
                }
                Layer::Pool(pool) => {
                    pools += 1;
                    let op_type = if *pool == Pool::Max { "MaxPool" } else { "AveragePool" };
                    let [size, step] = ["kernel_shape", "strides"].map(|name| Given::Ints(name, vec![2, 2]));
                    nodes.add(op_type, &[], &format!("pool{pools}"), &[size, step]);
                }
                Layer::GlobalPool => {
                    pools += 1;
                    nodes.add("GlobalAveragePool", &[], &format!("pool{pools}"), &[]);
                }
                Layer::Dense(_, activation) => {
                    dense += 1;
                    nodes.dense(dense, &format!("dense{dense}"));
                    nodes.activation(*activation);
                }
            }
            channels = shape.channels;
        }
        nodes.dense(dense + 1, "logits");
        nodes.list
    }

    /// Adds an operation on the last result and `more` inputs.
    fn add(&mut self, op_type: &str, more: &[&str], output: &str, attributes: &[Given]) {
        let attribute = |value: &Given| match value {
            Given::Ints(name, ints) => Attribute { name: name.to_string(), float: 0.0, ints: ints.clone(), kind: INTS },
            Given::Float(name, float) => {
                Attribute { name: name.to_string(), float: *float, ints: Vec::new(), kind: FLOAT_ATTRIBUTE }
            }
        };
        self.list.push(Node {
            input: std::iter::once(self.last.as_str()).chain(more.iter().copied()).map(String::from).collect(),
            output: vec![output.into()],
            name: output.into(),
            op_type: op_type.into(),
            attribute: attributes.iter().map(attribute).collect(),
        });
        self.last = output.into();
    }

    fn convolution(&mut self, conv: Conv, name: &str) {
        let kernel = i64::from(conv.kernel);
        let padding = if conv.same { (kernel - 1) / 2 } else { 0 };
        let attributes = [
            Given::Ints("kernel_shape", vec![kernel; 2]),
            Given::Ints("strides", vec![conv.stride.into(); 2]),
            Given::Ints("pads", vec![padding; 4]),
        ];
        self.add("Conv", &[&format!("{name}.weight"), &format!("{name}.bias")], name, &attributes);
        self.activation(conv.activation);
    }

    /// Two convolutions with a shortcut past them; a third one is on the shortcut if the number of maps changes.
    fn residual(&mut self, block: Residual, [first, second, third]: [String; 3], channels: usize) {
        let before = self.last.clone();
        let conv = Conv { activation: Activation::None, ..block.conv() };
        self.convolution(block.conv(), &first);
        self.convolution(conv, &second);
        let inner = self.last.clone();
        self.last = before;
        if channels != block.channels as usize {
            self.convolution(Conv { kernel: 1, ..conv }, &third);
        }
        self.add("Add", &[&inner], &format!("{second}.sum"), &[]);
        self.activation(block.activation);
    }

    /// Batch norm with its running statistics.
    fn norm(&mut self, name: &str) {
        let inputs = ["weight", "bias", "running_mean", "running_var"].map(|part| format!("{name}.{part}"));
        self.add(
            "BatchNormalization",
            &inputs.each_ref().map(String::as_str),
            name,
            &[Given::Float("epsilon", NORM_EPSILON as f32)],
        );
    }

    fn dense(&mut self, number: usize, output: &str) {
        if number == 1 {
            self.add("Flatten", &[], "flat", &[]);
        }
        self.add("Gemm", &[&format!("dense{number}.weight"), &format!("dense{number}.bias")], output, &[]);
    }

    /// Opset 17 has no GELU and no SiLU: they are composed.
    fn activation(&mut self, activation: Activation) {
        let before = self.last.clone();
        let name = |part: &str| format!("{before}.{part}");
        match activation {
            Activation::None => {}
            Activation::Relu => self.add("Relu", &[], &name("relu"), &[]),
            Activation::LeakyRelu => self.add("LeakyRelu", &[], &name("leaky"), &[Given::Float("alpha", 0.01)]),
            Activation::Tanh => self.add("Tanh", &[], &name("tanh"), &[]),
            Activation::Sigmoid => self.add("Sigmoid", &[], &name("sigmoid"), &[]),
            Activation::Silu => {
                self.add("Sigmoid", &[], &name("sigmoid"), &[]);
                self.add("Mul", &[&before], &name("silu"), &[]);
            }
            Activation::Gelu => {
                // x (1 + erf(x / sqrt(2))) / 2
                for (part, value) in [("root", std::f32::consts::FRAC_1_SQRT_2), ("one", 1.0), ("half", 0.5)] {
                    self.constant(name(part), value);
                }
                self.add("Mul", &[&name("root")], &name("scaled"), &[]);
                self.add("Erf", &[], &name("erf"), &[]);
                self.add("Add", &[&name("one")], &name("sum"), &[]);
                self.add("Mul", &[&name("half")], &name("share"), &[]);
                self.add("Mul", &[&before], &name("gelu"), &[]);
            }
        }
    }

    fn constant(&mut self, name: String, value: f32) {
        let value = Attribute { name: "value_float".into(), float: value, ints: Vec::new(), kind: FLOAT_ATTRIBUTE };
        let (output, op_type, attribute) = (vec![name.clone()], "Constant".into(), vec![value]);
        self.list.push(Node { input: Vec::new(), output, name, op_type, attribute });
    }
}

/// A tensor of floats, `[N, sizes...]`.
fn value(name: &str, sizes: &[i64]) -> Value {
    let free = std::iter::once(Size::Free("N".into()));
    let dim = free.chain(sizes.iter().map(|&size| Size::Fixed(size))).map(|size| Dimension { size: Some(size) });
    let shape = Some(Shape { dim: dim.collect() });
    Value { name: name.into(), kind: Some(Kind { tensor: Some(TensorKind { element: FLOAT, shape }) }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkling_core::parameters::random_weights;

    #[test]
    fn a_tensor_with_too_few_values_is_named() {
        let net = Network::default();
        let mut file = Model::decode(&model(&net, &random_weights(net.parameters(), 1))[..]).unwrap();
        let graph = file.graph.as_mut().unwrap();
        let bias = graph.initializer.iter_mut().find(|tensor| tensor.name == "conv1.bias").unwrap();
        bias.raw_data.truncate(28);
        let error = weights(&net, &file.encode_to_vec()).unwrap_err().to_string();
        assert!(error.contains("conv1.bias has 7 values instead of 32"), "{error}");
    }
}
