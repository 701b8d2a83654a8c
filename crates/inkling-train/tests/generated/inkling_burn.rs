//! A network that was trained in a browser with Inkling.
//!
//!     conv 8 5x5 same stride 2 leaky, residual 12 silu, pool, residual 12, conv 6 1x1 gelu, avgpool, batchnorm relu, dropout 0.1, dense 24 tanh, batchnorm sigmoid, dense 16
//!     4 epochs, batches of 24, adamw, learning rate 0.004 (onecycle)
//!
//! Builds it, loads its weights, and scores them on the test set; with `train`, trains it again from the beginning, on all
//! training images. It keeps no average of the weights. In Cargo.toml:
//!
//!     [dependencies]
//!     burn = { version = "0.22", default-features = false, features = ["autodiff", "flex", "optim", "safetensors", "std"] }
//!     safetensors = "0.8"
//!
//!     cargo run --release -- WEIGHTS.safetensors inkling-data.safetensors [train]

use burn::{
    module::{Initializer, Module},
    nn,
    optim::{self, GradientsParams, ModuleOptimizer},
    store::{ModuleSnapshot, PyTorchToBurnAdapter, SafetensorsStore},
    tensor::{self, Device, Int, Tensor, TensorData, activation},
};
use std::{error::Error, f64::consts::PI};

const CHANNELS: usize = 1;
const SIDE: usize = 28;
const CLASSES: usize = 10;
const BATCH: usize = 24;
const EPOCHS: usize = 4;
const PEAK: f64 = 0.004;
const WARM_UP: f64 = 0.1;
const SMOOTHING: f64 = 0.05;
const BALANCE: bool = true;
/// Degrees, factor, and shares of the side; or no augmentation.
const AUGMENTATION: Option<[f32; 4]> = Some([5.0, 0.1, 0.1, 0.1]);

#[derive(Module, Debug)]
pub struct Net {
    conv1: nn::conv::Conv2d,
    conv2: nn::conv::Conv2d,
    conv3: nn::conv::Conv2d,
    conv4: nn::conv::Conv2d,
    conv5: nn::conv::Conv2d,
    conv6: nn::conv::Conv2d,
    conv7: nn::conv::Conv2d,
    norm1: nn::BatchNorm,
    dropout1: nn::Dropout,
    dense1: nn::Linear,
    norm2: nn::BatchNorm,
    dense2: nn::Linear,
    dense3: nn::Linear,
}

fn conv(channels: [usize; 2], kernel: usize, padding: usize, stride: usize, limit: f64, device: &Device) -> nn::conv::Conv2d {
    nn::conv::Conv2dConfig::new(channels, [kernel, kernel])
        .with_padding(nn::PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .with_stride([stride, stride])
        .with_initializer(uniform(limit))
        .init(device)
}

/// Up to the limit, either way.
fn uniform(limit: f64) -> Initializer {
    if limit > 0.0 { Initializer::Uniform { min: -limit, max: limit } } else { Initializer::Zeros }
}

fn dense(inputs: usize, units: usize, limit: f64, device: &Device) -> nn::Linear {
    nn::LinearConfig::new(inputs, units).with_initializer(uniform(limit)).init(device)
}

impl Net {
    pub fn new(device: &Device) -> Self {
        Net {
            conv1: conv([1, 8], 5, 2, 2, 0.48989794, device),
            conv2: conv([8, 12], 3, 1, 1, 0.28867513, device),
            conv3: conv([12, 12], 3, 1, 1, 0.0, device),
            conv4: conv([8, 12], 1, 0, 1, 0.5477226, device),
            conv5: conv([12, 12], 3, 1, 1, 0.23570226, device),
            conv6: conv([12, 12], 3, 1, 1, 0.0, device),
            conv7: conv([12, 6], 1, 0, 1, 0.70710677, device),
            norm1: nn::BatchNormConfig::new(6).init(device),
            dropout1: nn::DropoutConfig::new(0.1).init(),
            dense1: dense(54, 24, 0.2773501, device),
            norm2: nn::BatchNormConfig::new(24).init(device),
            dense2: dense(24, 16, 0.5, device),
            dense3: dense(16, 10, 0.48038447, device),
        }
    }

    /// Images `[N, CHANNELS, SIDE, SIDE]` from 0 to 1 to logits `[N, CLASSES]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = activation::leaky_relu(self.conv1.forward(x), 0.01);
        let y = activation::silu(self.conv2.forward(x.clone()));
        let x = activation::silu(self.conv3.forward(y) + self.conv4.forward(x));
        let x = tensor::module::max_pool2d(x, tensor::ops::MaxPoolOptions::new([2, 2]));
        let y = activation::relu(self.conv5.forward(x.clone()));
        let x = activation::relu(self.conv6.forward(y) + x);
        let x = activation::gelu(self.conv7.forward(x));
        let x = tensor::module::avg_pool2d(x, tensor::ops::AvgPoolOptions::new([2, 2]));
        let x = activation::relu(self.norm1.forward(x));
        let x = self.dropout1.forward(x);
        let x = x.flatten::<2>(1, 3);
        let x = activation::tanh(self.dense1.forward(x));
        let x = activation::sigmoid(self.norm2.forward(x));
        let x = activation::relu(self.dense2.forward(x));
        self.dense3.forward(x)
    }
}

/// Images from 0 to 1, one after another, and their labels.
pub struct Set {
    images: Vec<f32>,
    labels: Vec<i32>,
}

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

/// A generator of random numbers (xorshift, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From `-limit` to `limit`.
    fn within(&mut self, limit: f32) -> f32 {
        limit * ((self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0)
    }
}

/// An image zoomed, rotated and shifted at random.
fn augment(image: &[f32], random: &mut Random) -> Vec<f32> {
    let Some([rotation, zoom, right, down]) = AUGMENTATION else { return image.to_vec() };
    let (sin, cos) = random.within(rotation).to_radians().sin_cos();
    let [wide, high] = [1.0 + random.within(zoom), 1.0 + random.within(zoom)];
    let [right, down] = [right, down].map(|limit| random.within(limit) * SIDE as f32);
    let centre = (SIDE as f32 - 1.0) / 2.0;
    let pixel = |plane: &[f32], x: i32, y: i32| {
        let inside = 0..SIDE as i32;
        if inside.contains(&x) && inside.contains(&y) { plane[y as usize * SIDE + x as usize] } else { 0.0 }
    };
    let mut out = Vec::with_capacity(image.len());
    for plane in image.chunks_exact(SIDE * SIDE) {
        for at in 0..SIDE * SIDE {
            let (x, y) = ((at % SIDE) as f32 - centre - right, (at / SIDE) as f32 - centre - down);
            let (x, y) = ((cos * x + sin * y) / wide + centre, (cos * y - sin * x) / high + centre);
            let (left, top, fx, fy) = (x.floor() as i32, y.floor() as i32, x - x.floor(), y - y.floor());
            let row = |y| pixel(plane, left, y) * (1.0 - fx) + pixel(plane, left + 1, y) * fx;
            out.push(row(top) * (1.0 - fy) + row(top + 1) * fy);
        }
    }
    out
}

fn batch(set: &Set, numbers: &[usize], mut random: Option<&mut Random>, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let len = CHANNELS * SIDE * SIDE;
    let image = |number: &usize| {
        let image = &set.images[number * len..(number + 1) * len];
        random.as_mut().map_or(image.to_vec(), |random| augment(image, random))
    };
    let images: Vec<f32> = numbers.iter().flat_map(image).collect();
    let labels: Vec<i32> = numbers.iter().map(|&number| set.labels[number]).collect();
    (
        Tensor::from_data(TensorData::new(images, [numbers.len(), CHANNELS, SIDE, SIDE]), device),
        Tensor::from_data(TensorData::new(labels, [numbers.len()]), device),
    )
}

/// The learning rate at a step, counted from 0.
fn rate(step: usize, steps: usize) -> f64 {
    let (done, steps) = (step as f64 + 0.5, steps as f64);
    let warm_up = if WARM_UP > 0.0 { (steps * WARM_UP).max(1.0) } else { 0.0 };
    PEAK * if done < warm_up { 0.04 + 0.48 * (1.0 - (PI * done / warm_up).cos()) } else { 0.000004 + 0.999996 * 0.5 * (1.0 + (PI * (done - warm_up) / (steps - warm_up)).cos()) }
}

fn optimizer() -> ModuleOptimizer {
    optim::AdamWConfig::new().with_epsilon(1e-7).with_weight_decay(0.01).init()
}

pub fn train(set: &Set, device: &Device) -> Net {
    let device = device.clone().autodiff();
    let (mut net, mut optimizer, mut random) = (Net::new(&device), optimizer(), Random(42));
    let mut numbers: Vec<usize> = (0..set.labels.len()).collect();
    let mut counts = [0; CLASSES];
    set.labels.iter().for_each(|&label| counts[label as usize] += 1);
    let share = set.labels.len() as f32 / CLASSES as f32;
    let class_weights = counts.map(|count| if BALANCE { share / count.max(1) as f32 } else { 1.0 });
    let class_weights = Tensor::<1>::from_floats(class_weights, &device);
    let (mut step, steps) = (0, numbers.len().div_ceil(BATCH) * EPOCHS);
    for epoch in 1..=EPOCHS {
        let mut total = 0.0;
        for last in (1..numbers.len()).rev() {
            numbers.swap(last, (random.next() % (last as u64 + 1)) as usize);
        }
        for part in numbers.chunks(BATCH) {
            let (images, labels) = batch(set, part, Some(&mut random), &device);
            let logarithms = activation::log_softmax(net.forward(images), 1);
            let others = logarithms.clone().mean_dim(1).squeeze_dim::<1>(1);
            let right = logarithms.gather(1, labels.clone().unsqueeze_dim(1)).squeeze_dim::<1>(1);
            let losses = (right * (1.0 - SMOOTHING) + others * SMOOTHING).neg();
            let loss = (losses * class_weights.clone().select(0, labels)).mean();
            total += loss.clone().into_scalar::<f32>() * part.len() as f32;
            let gradients = GradientsParams::from_grads(loss.backward(), &net);
            net = optimizer.step(rate(step, steps), net, gradients);
            step += 1;
        }
        println!("epoch {epoch}: training loss {:.4}", total / numbers.len() as f32);
    }
    net.valid()
}

pub fn accuracy(net: &Net, set: &Set, device: &Device) -> f64 {
    let numbers: Vec<usize> = (0..set.labels.len()).collect();
    let right = |part: &[usize]| {
        let (images, labels) = batch(set, part, None, device);
        let found = net.forward(images).argmax(1).squeeze_dim::<1>(1).equal(labels);
        f64::from(found.float().sum().into_scalar::<f32>())
    };
    numbers.chunks(256).map(right).sum::<f64>() / numbers.len() as f64
}

pub fn loaded(weights: &str, device: &Device) -> Result<Net, Box<dyn Error>> {
    let mut net = Net::new(device);
    net.load_from(&mut SafetensorsStore::from_file(weights).with_from_adapter(PyTorchToBurnAdapter))?;
    Ok(net)
}

pub fn main() -> Result<(), Box<dyn Error>> {
    let options: Vec<String> = std::env::args().skip(1).collect();
    let [weights, data, rest @ ..] = &options[..] else { return Err("WEIGHTS.safetensors inkling-data.safetensors [train]".into()) };
    let device = Device::flex();
    let [to_train_with, to_test_with] = load(data)?;
    let net = if rest.is_empty() { loaded(weights, &device)? } else { train(&to_train_with, &device) };
    println!("test accuracy: {:.2} %", 100.0 * accuracy(&net, &to_test_with, &device));
    Ok(())
}
