//! Compares the network on the fixed weights of `fixtures/make_model.py` with what Keras computed.

use std::io::Read;

use burn::tensor::{Device, Tensor, TensorData};
use inkling_core::{
    data::{Batch, IMAGE, Shape},
    network::Network,
    settings::Kernels,
};
use inkling_train::{feed::upload, model::Model, pass::cross_entropy};

const SCALES: [f32; 8] = [1.0, 0.125, 0.25, 0.125, 0.125, 0.125, 0.5, 0.125];
const LABELS: [u8; 3] = [3, 1, 7];

/// `count` multiples of 1/65536 in [0, 1): the hash of `make_model.py`.
fn hashed(count: usize, stream: u64) -> Vec<f32> {
    let hash = |i: u64| {
        let x = (i + stream * 1_000_003) * 2_654_435_761 % (1 << 32);
        let x = (x ^ (x >> 15)) * 2_246_822_519 % (1 << 32);
        let x = x ^ (x >> 13);
        ((x >> 8) % 65_536) as f32 / 65_536.0
    };
    (0..count as u64).map(hash).collect()
}

/// The fixed weights.
pub fn weights() -> Vec<f32> {
    let net = Network::default();
    let parameters = net.parameters().iter().zip(SCALES).zip(1..);
    parameters
        .flat_map(|((parameter, scale), stream)| {
            hashed(parameter.len(), stream).into_iter().map(move |v| (v - 0.5) * scale)
        })
        .collect()
}

/// The fixed images.
pub fn batch() -> Batch {
    Batch { shape: Shape::MNIST, pixels: hashed(3 * IMAGE, 100), labels: LABELS.to_vec() }
}

/// Names and lengths of the parts of the fixture.
fn parts() -> Vec<(String, usize)> {
    let mut parts = vec![("logits".into(), 30), ("loss".into(), 1)];
    parts.extend(Network::default().parameters().iter().map(|parameter| (parameter.name.clone(), parameter.len())));
    parts
}

/// Logits, loss and gradients as Keras computed them.
pub fn expected() -> Vec<(String, Vec<f32>)> {
    let mut raw = Vec::new();
    flate2::read::GzDecoder::new(&include_bytes!("../fixtures/model.f32.gz")[..]).read_to_end(&mut raw).unwrap();
    let mut values = raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let expected = parts().into_iter().map(|(name, len)| (name, values.by_ref().take(len).collect())).collect();
    assert_eq!(values.next(), None);
    expected
}

/// Logits, loss and gradients as `device` computes them.
pub async fn found(device: &Device) -> Vec<Vec<f32>> {
    let device = device.clone().autodiff();
    let model = Model::new(&Network::default(), weights(), Kernels::Fused, &device);
    let (images, labels) = upload(batch(), &device);
    let logits = model.forward(images);
    let loss = cross_entropy(logits.clone(), labels);
    let gradients = loss.backward();
    let mut tensors: Vec<Tensor<1>> = vec![logits.inner().flatten(0, 1), loss.inner()];
    tensors.extend(model.gradients(gradients));
    let mut out = Vec::new();
    for tensor in tensors {
        let data: TensorData = tensor.into_data_async().await.unwrap();
        out.push(data.try_into_vec::<f32>().unwrap());
    }
    out
}

/// Asserts that every value is within `tolerance` of Keras's, relative to the largest value of its part.
pub fn assert_equal_to_keras(found: &[Vec<f32>], tolerance: f32) {
    let expected = expected();
    assert_eq!(found.len(), expected.len());
    for ((name, expected), found) in expected.iter().zip(found) {
        assert_eq!(expected.len(), found.len(), "{name}");
        let scale = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(scale > 0.0, "{name} is all zero: the fixture would prove nothing");
        for (i, (e, f)) in expected.iter().zip(found).enumerate() {
            assert!((e - f).abs() <= tolerance * scale, "{name}[{i}]: Keras {e}, here {f}, scale {scale}");
        }
    }
}
