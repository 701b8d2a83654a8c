//! The network as an ONNX model: opset 17, IR version 8, input `image` `[N, 1, 28, 28]` in `[0, 1]`, output `logits`
//! `[N, 10]`. The field numbers are those of the ONNX project's onnx.proto3.

use prost::Message;

use crate::tensors::{Found, Order, WeightsError, bytes, floats, gather, parts};
use inkling_core::data::{CLASSES, SIDE};

const FLOAT: i32 = 1;
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
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
    /// 7 is a list of integers.
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

/// The ONNX file of a model with these [`inkling_core::parameters::PARAMETERS`] weights.
pub fn model(weights: &[f32]) -> Vec<u8> {
    let initializer = |(name, shape, values): (&str, &[usize], &[f32])| Initializer {
        dims: shape.iter().map(|&size| size as i64).collect(),
        data_type: FLOAT,
        name: name.into(),
        raw_data: bytes(values),
    };
    let side = SIDE as i64;
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "Inkling".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(Graph {
            node: nodes(),
            name: "digits".into(),
            initializer: parts(weights).map(initializer).collect(),
            input: vec![value("image", &[1, side, side])],
            output: vec![value("logits", &[CLASSES as i64])],
        }),
        opset_import: vec![Opset { version: OPSET }],
    };
    model.encode_to_vec()
}

/// The weights in an ONNX file that [`model`] wrote.
///
/// # Errors
/// [`WeightsError`] if it is not such a file.
pub fn weights(file: &[u8]) -> Result<Vec<f32>, WeightsError> {
    let model = Model::decode(file).map_err(|error| WeightsError::Format(error.to_string()))?;
    let graph = model.graph.unwrap_or_default();
    let names = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    let find = |name: &str| {
        let tensor = graph.initializer.iter().find(|tensor| tensor.name == name)?;
        let shape = tensor.dims.iter().map(|&size| size as usize).collect();
        let values = (tensor.data_type == FLOAT).then(|| floats(&tensor.raw_data).collect());
        Some(Found { kind: format!("type {}", tensor.data_type), shape, values })
    };
    gather(names, find, Order::Burn)
}

/// The network of `model.rs`, operation by operation.
fn nodes() -> Vec<Node> {
    let node = |op_type: &str, input: &[&str], output: &str, attributes: &[(&str, &[i64])]| Node {
        input: input.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        name: output.into(),
        op_type: op_type.into(),
        attribute: attributes
            .iter()
            .map(|(name, ints)| Attribute { name: name.to_string(), ints: ints.to_vec(), kind: 7 })
            .collect(),
    };
    let pool: &[(&str, &[i64])] = &[("kernel_shape", &[2, 2]), ("strides", &[2, 2])];
    vec![
        node("Conv", &["image", "conv1.weight", "conv1.bias"], "conv1", &[("kernel_shape", &[3, 3])]),
        node("Relu", &["conv1"], "relu1", &[]),
        node("MaxPool", &["relu1"], "pool1", pool),
        node("Conv", &["pool1", "conv2.weight", "conv2.bias"], "conv2", &[("kernel_shape", &[3, 3])]),
        node("Relu", &["conv2"], "relu2", &[]),
        node("MaxPool", &["relu2"], "pool2", pool),
        node("Flatten", &["pool2"], "flat", &[]),
        node("Gemm", &["flat", "dense1.weight", "dense1.bias"], "dense1", &[]),
        node("Relu", &["dense1"], "hidden", &[]),
        node("Gemm", &["hidden", "dense2.weight", "dense2.bias"], "logits", &[]),
    ]
}

/// A tensor of floats, `[N, sizes...]`.
fn value(name: &str, sizes: &[i64]) -> Value {
    let free = std::iter::once(Size::Free("N".into()));
    let dim = free.chain(sizes.iter().map(|&size| Size::Fixed(size))).map(|size| Dimension { size: Some(size) });
    let shape = Some(Shape { dim: dim.collect() });
    Value { name: name.into(), kind: Some(Kind { tensor: Some(TensorKind { element: FLOAT, shape }) }) }
}
