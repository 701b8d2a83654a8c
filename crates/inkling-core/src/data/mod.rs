//! Data sets: labelled images in memory, split into training, validation and test sets and served in batches.

pub mod handwriting;
mod role;
pub mod synthetic;

use std::sync::Arc;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

pub use crate::image::{CLASSES, DataShape, DataShapeError, IMAGE, SIDE, Shape};
pub use role::Role;

use crate::{
    augment::{self, Augmentation},
    random::{Purpose, generator},
};

/// One in this many images of the training file is held out for validation: 5,000 of MNIST's 60,000.
const VALIDATION_SHARE: usize = 12;

/// A file that the visitor picked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFile {
    /// Its file name.
    pub name: String,
    /// Its contents.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// Images with their labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labelled {
    /// Shape of an image.
    pub shape: Shape,
    /// Pixels, `[N, C, H, W]`, 0 (paper, or dark) to 255 (ink, or bright).
    #[serde(with = "serde_bytes")]
    pub pixels: Vec<u8>,
    /// Labels, `[N]`, from 0.
    #[serde(with = "serde_bytes")]
    pub labels: Vec<u8>,
}

impl Labelled {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Copies of the images at `indices`, with their numbers in this set.
    pub fn pick(&self, indices: &[u32]) -> Picked {
        let pixels = Vec::with_capacity(indices.len() * self.shape.values());
        let mut images = Labelled { shape: self.shape, pixels, labels: Vec::new() };
        for &index in indices {
            images.pixels.extend_from_slice(self.image(index as usize));
            images.labels.push(self.labels[index as usize]);
        }
        Picked { images, numbers: indices.to_vec() }
    }

    /// Pixels of one image: channel by channel, row by row.
    pub fn image(&self, index: usize) -> &[u8] {
        let len = self.shape.values();
        &self.pixels[index * len..(index + 1) * len]
    }
}

/// Some images of a set, with their numbers (indices) in that set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    /// The images and their labels.
    pub images: Labelled,
    /// Numbers of the images, `[N]`.
    pub numbers: Vec<u32>,
}

/// A data set as its files provide it: images for training and validation, and the test set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// What its images look like, and how many classes they have.
    pub shape: DataShape,
    /// Names of the classes; empty if they are the numbers from 0.
    pub names: Vec<String>,
    /// Training file: training and validation images.
    pub train: Labelled,
    /// Test file: used for scores only, never to choose anything.
    pub test: Labelled,
}

impl Dataset {
    /// Ten digits.
    pub fn digits(train: Labelled, test: Labelled) -> Self {
        Dataset { shape: DataShape::DIGITS, names: Vec::new(), train, test }
    }

    /// Whether all images have its shape, and all labels are classes.
    pub fn is_sound(&self) -> bool {
        let sound = |set: &Labelled| {
            set.shape == self.shape.image()
                && set.pixels.len() == set.len() * set.shape.values()
                && set.labels.iter().all(|&label| usize::from(label) < self.shape.classes())
        };
        let named = self.names.is_empty() || self.names.len() == self.shape.classes();
        named && sound(&self.train) && sound(&self.test) && !self.train.is_empty() && !self.test.is_empty()
    }

    /// Number of bytes of its images.
    pub fn size(&self) -> usize {
        self.train.pixels.len() + self.test.pixels.len()
    }

    /// A number that tells this data set from others: 64-bit FNV-1a (Fowler, Noll, Vo) over eight bytes at a time, folded.
    pub fn fingerprint(&self) -> u32 {
        let parts = [&self.train.pixels, &self.train.labels, &self.test.pixels, &self.test.labels];
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for part in parts {
            let (words, rest) = part.as_chunks();
            let words = words.iter().map(|&word| u64::from_le_bytes(word));
            for word in words.chain(rest.iter().map(|&byte| u64::from(byte))).chain([part.len() as u64]) {
                // The rotation brings the high bits, which only a multiplication reaches, back to the low ones.
                hash = (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
            }
        }
        (hash ^ hash >> 32) as u32
    }
}

/// Which images of the training file are for training and which for validation; the rest are unused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indices of the training images.
    pub train: Vec<u32>,
    /// Indices of the validation images.
    pub validation: Vec<u32>,
}

impl Split {
    /// Holds out one twelfth for validation, chosen by `seed`, with each class in the same proportion as in `labels`.
    /// Uses `limit` images in total (again with each class in proportion), or all images if `limit` is `None` or
    /// exceeds their number.
    pub fn stratified(labels: &[u8], limit: Option<usize>, seed: u32) -> Self {
        let classes = labels.iter().max().map_or(0, |&last| usize::from(last) + 1);
        let mut by_class: Vec<Vec<u32>> = vec![Vec::new(); classes];
        for (index, &label) in labels.iter().enumerate() {
            by_class[usize::from(label)].push(index as u32);
        }
        let mut rng = generator(seed, Purpose::Split, 0, 0);
        for class in &mut by_class {
            class.shuffle(&mut rng);
        }
        if let Some(limit) = limit.filter(|&limit| limit < labels.len()) {
            for (class, keep) in by_class.iter_mut().zip(apportion(labels, limit)) {
                class.truncate(keep);
            }
        }
        let kept: Vec<u8> = by_class.iter().enumerate().flat_map(|(c, v)| vec![c as u8; v.len()]).collect();
        let held_out = apportion(&kept, kept.len() / VALIDATION_SHARE);
        let mut split = Split { train: Vec::new(), validation: Vec::new() };
        for (class, held_out) in by_class.iter().zip(held_out) {
            let (validation, train) = class.split_at(held_out);
            split.validation.extend_from_slice(validation);
            split.train.extend_from_slice(train);
        }
        split.train.sort_unstable();
        split.validation.sort_unstable();
        split
    }

    /// How much an image of each class counts, so that all classes of the training images count the same together; 1 on average over
    /// the images. `labels` are those of the training file.
    pub fn class_weights(&self, labels: &[u8]) -> Vec<f32> {
        let counts = counts(self.train.iter().map(|&index| labels[index as usize]));
        let present = counts.iter().filter(|&&count| count > 0).count();
        let share = self.train.len() as f32 / present.max(1) as f32;
        counts.into_iter().map(|count| share / count.max(1) as f32).collect()
    }

    /// The training indices, shuffled for `epoch`.
    pub fn order(&self, seed: u32, epoch: u32) -> Vec<u32> {
        let mut order = self.train.clone();
        order.shuffle(&mut generator(seed, Purpose::Order, u64::from(epoch), 0));
        order
    }
}

/// How often each class occurs, up to the highest one that does.
fn counts(labels: impl Iterator<Item = u8>) -> Vec<usize> {
    let mut counts = Vec::new();
    for label in labels.map(usize::from) {
        counts.resize(counts.len().max(label + 1), 0);
        counts[label] += 1;
    }
    counts
}

/// Distributes `total` seats over the classes in proportion to their counts (largest remainders; ties go to the lower
/// class).
fn apportion(labels: &[u8], total: usize) -> Vec<usize> {
    let counts = counts(labels.iter().copied());
    let all = labels.len().max(1);
    // In 64 bits: on wasm32, the product would wrap from 300,000 images on.
    let product = |count: usize| count as u64 * total as u64;
    let mut seats: Vec<usize> = counts.iter().map(|&count| (product(count) / all as u64) as usize).collect();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(product(counts[class]) % all as u64));
    let left = total - seats.iter().sum::<usize>();
    for &class in by_remainder.iter().take(left) {
        seats[class] += 1;
    }
    seats
}

/// One batch, ready for the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Shape of an image.
    pub shape: Shape,
    /// Pixels in `[0, 1]`, `[N, C, H, W]`.
    pub pixels: Vec<f32>,
    /// Labels, `[N]`.
    pub labels: Vec<u8>,
}

impl Batch {
    /// The images at `indices`, without augmentation.
    pub fn plain(images: &Labelled, indices: impl IntoIterator<Item = usize>) -> Self {
        let mut batch = Batch { shape: images.shape, pixels: Vec::new(), labels: Vec::new() };
        for index in indices {
            batch.pixels.extend(images.image(index).iter().map(|&p| f32::from(p) / 255.0));
            batch.labels.push(images.labels[index]);
        }
        batch
    }

    /// The picked images, each transformed by its own random affine map for this `epoch`.
    pub fn augmented(picked: &Picked, ranges: &Augmentation, seed: u32, epoch: u32) -> Self {
        let Picked { images: Labelled { shape, pixels, labels }, numbers } = picked;
        let mut out = vec![0.0; pixels.len()];
        let images = pixels.chunks_exact(shape.values()).zip(out.chunks_exact_mut(shape.values()));
        for ((image, out), map) in images.zip(ranges.maps(shape.side, numbers, seed, epoch)) {
            augment::warp(image, *shape, &map, out);
        }
        Batch { shape: *shape, pixels: out, labels: labels.clone() }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// A data set that is shared without being copied.
pub type SharedDataset = Arc<Dataset>;

/// The visitor's own data set as the browser keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptData {
    /// The data set.
    pub data: SharedDataset,
    /// What the file worker said about its files.
    pub note: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_split_is_stratified_complete_and_disjoint(
            labels in proptest::collection::vec(0u8..10, 120..900), seed: u32, limit in proptest::option::of(60usize..1000)
        ) {
            let split = Split::stratified(&labels, limit, seed);
            let used = limit.unwrap_or(usize::MAX).min(labels.len());
            prop_assert_eq!(split.train.len() + split.validation.len(), used);
            prop_assert_eq!(split.validation.len(), used / 12);
            let mut all: Vec<u32> = split.train.iter().chain(&split.validation).copied().collect();
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(all.len(), used);
            for class in 0..10u8 {
                let whole = labels.iter().filter(|&&l| l == class).count() as f64 * used as f64 / labels.len() as f64 / 12.0;
                let held = split.validation.iter().filter(|&&i| labels[i as usize] == class).count() as f64;
                prop_assert!((held - whole).abs() < 1.2, "class {} has {} of {}", class, held, whole);
            }
        }
    }

    #[test]
    fn weighted_classes_count_the_same_together() {
        let labels = [vec![0; 900], vec![2; 90], vec![1; 9]].concat();
        let split = Split { train: (0..999).collect(), validation: vec![] };
        assert_eq!(split.class_weights(&labels), [333.0 / 900.0, 37.0, 3.7]);
        let split = Split { train: vec![0, 1, 900], validation: vec![] };
        assert_eq!(split.class_weights(&labels), [0.75, 1.5, 1.5]);
    }

    #[test]
    fn the_order_differs_by_epoch_and_seed_and_is_a_permutation() {
        let labels: Vec<u8> = (0..600).map(|i| (i % 10) as u8).collect();
        let split = Split::stratified(&labels, None, 1);
        let (a, b, c) = (split.order(1, 0), split.order(1, 1), split.order(2, 0));
        assert_ne!(a, b);
        assert_ne!(a, c);
        assert_eq!(a, split.order(1, 0));
        let mut sorted = a;
        sorted.sort_unstable();
        assert_eq!(sorted, split.train);
    }
}
