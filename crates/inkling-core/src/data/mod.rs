//! Data sets: labelled images in memory, split into training, validation and test sets and served in batches.

pub mod handwriting;
pub mod synthetic;

use std::sync::Arc;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

pub use crate::image::{CLASSES, IMAGE, SIDE};

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labelled {
    /// Pixels, `[N, 28, 28]`, 0 (paper) to 255 (ink).
    pub pixels: Vec<u8>,
    /// Labels, `[N]`, 0 to 9.
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
        let mut images = Labelled { pixels: Vec::with_capacity(indices.len() * IMAGE), labels: Vec::new() };
        for &index in indices {
            images.pixels.extend_from_slice(self.image(index as usize));
            images.labels.push(self.labels[index as usize]);
        }
        Picked { images, numbers: indices.to_vec() }
    }

    /// Pixels of one image, row by row.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.pixels[index * IMAGE..(index + 1) * IMAGE]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Training file: training and validation images.
    pub train: Labelled,
    /// Test file: used for scores only, never to choose anything.
    pub test: Labelled,
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
        let mut by_class: Vec<Vec<u32>> = vec![Vec::new(); CLASSES];
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

    /// The training indices, shuffled for `epoch`.
    pub fn order(&self, seed: u32, epoch: u32) -> Vec<u32> {
        let mut order = self.train.clone();
        order.shuffle(&mut generator(seed, Purpose::Order, u64::from(epoch), 0));
        order
    }
}

/// Distributes `total` seats over the classes in proportion to their counts (largest remainders; ties go to the lower
/// class).
fn apportion(labels: &[u8], total: usize) -> [usize; CLASSES] {
    let mut counts = [0usize; CLASSES];
    for &label in labels {
        counts[usize::from(label)] += 1;
    }
    let all = labels.len().max(1);
    let mut seats = counts.map(|count| count * total / all);
    let mut by_remainder: Vec<usize> = (0..CLASSES).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(counts[class] * total % all));
    let left = total - seats.iter().sum::<usize>();
    for &class in by_remainder.iter().take(left) {
        seats[class] += 1;
    }
    seats
}

/// One batch, ready for the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Pixels in `[0, 1]`, `[N, 1, 28, 28]`.
    pub pixels: Vec<f32>,
    /// Labels, `[N]`.
    pub labels: Vec<u8>,
}

impl Batch {
    /// The images at `indices`, without augmentation.
    pub fn plain(images: &Labelled, indices: impl IntoIterator<Item = usize>) -> Self {
        let mut batch = Batch { pixels: Vec::new(), labels: Vec::new() };
        for index in indices {
            batch.pixels.extend(images.image(index).iter().map(|&p| f32::from(p) / 255.0));
            batch.labels.push(images.labels[index]);
        }
        batch
    }

    /// The picked images, each transformed by its own random affine map for this `epoch`.
    pub fn augmented(picked: &Picked, ranges: &Augmentation, seed: u32, epoch: u32) -> Self {
        let mut pixels = vec![0.0; picked.images.pixels.len()];
        let images = picked.images.pixels.chunks_exact(IMAGE).zip(pixels.chunks_exact_mut(IMAGE));
        for ((image, out), map) in images.zip(ranges.maps(&picked.numbers, seed, epoch)) {
            augment::warp(image, &map, out);
        }
        Batch { pixels, labels: picked.images.labels.clone() }
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
