//! Batches: picked, augmented and placed on the device.

use burn::tensor::{Device, Int, Tensor, TensorData};
use inkling_core::{
    augment::{AffineMap, Augmentation},
    data::{Batch, Labelled, Picked, Shape},
    metrics::Parts,
};
use web_time::Instant;

use crate::resident::Resident;

/// A set of images in host memory and, if the session computes on a GPU, also on the device.
#[derive(Clone, Copy)]
pub struct Images<'a> {
    /// In host memory.
    pub host: &'a Labelled,
    /// On the device, if it has its own memory.
    pub resident: Option<&'a Resident>,
}

/// The batch that a step trains on: the `picked` images, augmented if `augmentation` gives ranges and an epoch. Adds
/// the time that this takes to `parts`.
pub fn assemble(picked: Picked, augmentation: Option<(Augmentation, u32)>, seed: u32, parts: &mut Parts) -> Batch {
    let start = Instant::now();
    let batch = match augmentation {
        Some((ranges, epoch)) => Batch::augmented(&picked, &ranges, seed, epoch),
        None => Batch::plain(&picked.images, 0..picked.images.len()),
    };
    parts.augment += start.elapsed().as_secs_f64();
    batch
}

/// The images of a forward and backward pass, on the device with autodiff.
pub struct Feed {
    /// `[N, C, H, W]`
    pub(crate) images: Tensor<4>,
    /// `[N]`
    pub(crate) labels: Tensor<1, Int>,
    /// Number of images that count, from the first on; the rest are padding.
    pub(crate) counted: usize,
    /// `[N]`: `1 / counted` for an image that counts, 0 for padding; `None` if all images count equally.
    pub(crate) weights: Option<Tensor<1>>,
}

impl Feed {
    /// Uploads all of `batch`.
    pub fn upload(batch: Batch, device: &Device) -> Self {
        let counted = batch.len();
        let (images, labels) = upload(batch, device);
        Feed { images, labels, counted, weights: None }
    }

    /// Picks images that are already on the device. If there are fewer than `size`, pads them with images that do not
    /// count: a GPU needs kernels for each shape, and an epoch's last batch would otherwise need its own.
    pub fn resident(
        set: &Resident,
        numbers: &[u32],
        maps: Option<Vec<AffineMap>>,
        size: usize,
        device: &Device,
    ) -> Self {
        let counted = numbers.len();
        let weight = |place| if place < counted { 1.0 / counted as f32 } else { 0.0 };
        let weights: Vec<f32> = (0..size.max(counted)).map(weight).collect();
        let weights = Tensor::from_data(TensorData::new(weights, [size.max(counted)]), device);
        let maps = maps.map(|maps| filled(maps, size));
        let (images, labels) = set.batch(&filled(numbers.to_vec(), size), maps.as_deref());
        Feed { images: Tensor::from_inner(images), labels: Tensor::from_inner(labels), counted, weights: Some(weights) }
    }
}

/// The batch as tensors: images `[N, C, H, W]`, labels `[N]`.
pub fn upload(batch: Batch, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let n = batch.len();
    let Shape { channels, side } = batch.shape;
    let labels: Vec<i32> = batch.labels.iter().map(|&label| i32::from(label)).collect();
    (
        Tensor::from_data(TensorData::new(batch.pixels, [n, channels, side, side]), device),
        Tensor::from_data(TensorData::new(labels, [n]), device),
    )
}

/// Pads `values` to length `size` by repeating the last value.
pub fn filled<T: Clone>(mut values: Vec<T>, size: usize) -> Vec<T> {
    if let Some(last) = values.last().cloned() {
        values.resize(values.len().max(size), last);
    }
    values
}
