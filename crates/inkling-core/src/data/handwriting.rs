//! The visitor's handwritten digits: which of them train the network, which only test it, and batches that mix them
//! with the training set, so that the network does not forget what it learned before (rehearsal; Robins 1995,
//! "Catastrophic forgetting, rehearsal and pseudorehearsal").

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{Batch, IMAGE, Labelled, Picked, Shape};
use crate::{
    augment::Augmentation,
    random::{Purpose, generator},
};

/// Of each group of this many digits, in the order of drawing, the last is set aside.
const ASIDE: u32 = 3;
/// Handwritten digits per batch.
const OWN: usize = 16;
/// Images of the training set per batch.
const REPLAY: usize = 48;
/// Augmentation of the batches: handwritten digits are few, so each looks slightly different in each batch.
const RANGES: Augmentation = Augmentation { rotation: 10.0, shift_x: 0.1, shift_y: 0.1, zoom: 0.1 };

/// Digits that the visitor drew and labelled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handwriting {
    /// Pixels `[N, 28, 28]`, 0 (paper) to 255 (ink).
    #[serde(with = "serde_bytes")]
    pub pixels: Vec<u8>,
    /// Labels, `[N]`, 0 to 9.
    #[serde(with = "serde_bytes")]
    pub labels: Vec<u8>,
    /// 1 where a digit is set aside, `[N]`. The network never trains on it, so it shows what the network has learned,
    /// not just what it remembers.
    #[serde(with = "serde_bytes")]
    pub aside: Vec<u8>,
    /// Number of digits ever drawn, including removed ones. Removing a digit therefore does not change which digits are
    /// set aside.
    pub drawn: u32,
}

impl Handwriting {
    /// Maximum number of digits.
    pub const MAX_DIGITS: usize = 300;

    /// Number of digits.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no digits.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Adds a digit, if there is room and `pixels` is one image. Returns whether it was added.
    pub fn add(&mut self, pixels: &[u8], label: u8) -> bool {
        let room = self.len() < Self::MAX_DIGITS && pixels.len() == IMAGE;
        if room {
            self.pixels.extend_from_slice(pixels);
            self.labels.push(label);
            self.drawn = self.drawn.saturating_add(1);
            self.aside.push(u8::from(self.drawn.is_multiple_of(ASIDE)));
        }
        room
    }

    /// Whether this digit is among them.
    fn contains(&self, pixels: &[u8], label: u8) -> bool {
        self.pixels.chunks_exact(IMAGE).zip(&self.labels).any(|(image, known)| image == pixels && *known == label)
    }

    /// Three-way merge: applies the changes between `base` and `other` to these digits, as far as there is room.
    pub fn merged(mut self, other: &Handwriting, base: &Handwriting) -> Self {
        for place in (0..self.len()).rev() {
            let (pixels, label) = (&self.pixels[place * IMAGE..(place + 1) * IMAGE], self.labels[place]);
            if base.contains(pixels, label) && !other.contains(pixels, label) {
                self.remove(place);
            }
        }
        for place in 0..other.len() {
            let (pixels, label) = (&other.pixels[place * IMAGE..(place + 1) * IMAGE], other.labels[place]);
            let known = self.contains(pixels, label) || base.contains(pixels, label);
            if !known && self.add(pixels, label) {
                // It stays on the side that it was on: the network may have trained on it.
                if let Some(aside) = self.aside.last_mut() {
                    *aside = other.aside[place];
                }
            }
        }
        self
    }

    /// Removes digit `place`, if there is one.
    pub fn remove(&mut self, place: usize) {
        if place < self.len() {
            self.labels.remove(place);
            self.aside.remove(place);
            self.pixels.drain(place * IMAGE..(place + 1) * IMAGE);
        }
    }

    /// Whether digit `place` is set aside.
    pub fn is_aside(&self, place: usize) -> bool {
        self.aside.get(place) == Some(&1)
    }

    /// All digits.
    pub fn images(&self) -> Labelled {
        Labelled { shape: Shape::MNIST, pixels: self.pixels.clone(), labels: self.labels.clone() }
    }

    /// The digits that are set aside if `aside`, otherwise those that train the network.
    pub fn part(&self, aside: bool) -> Labelled {
        let places: Vec<u32> =
            (0..self.len()).filter(|&place| self.is_aside(place) == aside).map(|p| p as u32).collect();
        self.images().pick(&places).images
    }
}

/// The batch of a fine-tuning step: random `own` digits, none of them set aside, and random training images (`train`
/// holds their indices in `images`), each transformed by a random affine map.
pub fn mixed(own: &Labelled, images: &Labelled, train: &[u32], seed: u32, step: u32) -> Batch {
    let mut rng = generator(seed, Purpose::FineTune, u64::from(step), 0);
    let some: Vec<u32> = (0..OWN).map(|_| rng.random_range(0..own.len() as u32)).collect();
    let again: Vec<u32> = (0..REPLAY).map(|_| train[rng.random_range(0..train.len())]).collect();
    let Picked { images: mut digits, .. } = own.pick(&some);
    let replay = images.pick(&again).images;
    digits.pixels.extend(replay.pixels);
    digits.labels.extend(replay.labels);
    // Each position in the batch has its own map, so a digit that is picked twice is seen in two views.
    let numbers = (0..(OWN + REPLAY) as u32).collect();
    Batch::augmented(&Picked { images: digits, numbers }, &RANGES, seed, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic;
    use crate::restore::Restore;

    fn hand(len: usize) -> Handwriting {
        let digits = synthetic::digits(120, 4).train;
        let mut hand = Handwriting::default();
        (0..len).for_each(|i| assert!(hand.add(digits.image(i), digits.labels[i])));
        hand
    }

    #[test]
    fn every_third_digit_is_set_aside_and_no_digit_is_in_both_parts() {
        let mut hand = hand(10);
        let (teach, aside) = (hand.part(false), hand.part(true));
        assert_eq!((teach.len(), aside.len()), (7, 3));
        assert_eq!(aside.image(1), &hand.pixels[5 * IMAGE..6 * IMAGE]);
        assert_eq!([&teach.labels[..2], &aside.labels[..1]].concat(), hand.labels[..3]);
        let fourth = hand.pixels[3 * IMAGE..4 * IMAGE].to_vec();
        hand.remove(0);
        assert_eq!((hand.len(), &hand.pixels[2 * IMAGE..3 * IMAGE]), (9, &fourth[..]));
        assert_eq!((hand.part(true), hand.part(false).len()), (aside, 6), "the same digits stay set aside");
        assert!(hand.check().is_ok());
    }

    #[test]
    fn invalid_handwriting_is_rejected() {
        let good = hand(4);
        let with = |change: fn(&mut Handwriting)| {
            let mut hand = good.clone();
            change(&mut hand);
            hand.check().is_ok()
        };
        assert!(good.check().is_ok() && with(|hand| hand.remove(9)));
        assert!(!with(|hand| hand.labels[0] = 10));
        assert!(!with(|hand| hand.pixels.truncate(9)));
        assert!(!Handwriting::default().add(&[0; 5], 1));
        let mut full = Handwriting::default();
        (0..Handwriting::MAX_DIGITS).for_each(|_| assert!(full.add(&[0; IMAGE], 1)));
        assert!(!full.add(&[0; IMAGE], 1) && full.check().is_ok());
    }

    #[test]
    fn a_batch_mixes_handwriting_with_training_images_and_differs_at_each_step() {
        // The handwritten digits are all sevens and the set has none, so the labels tell them apart.
        let own = Labelled { shape: Shape::MNIST, pixels: vec![9; 5 * IMAGE], labels: vec![7; 5] };
        let set = Labelled { shape: Shape::MNIST, pixels: vec![200; 8 * IMAGE], labels: vec![1, 2, 3, 1, 2, 3, 1, 2] };
        let batch = |step| mixed(&own, &set, &[1, 4, 7], 5, step);
        let first = batch(0);
        assert_eq!(first.labels.iter().filter(|&&label| label == 7).count(), OWN);
        assert!(first.labels[OWN..].iter().all(|&label| label == 2), "only training images are replayed");
        assert_eq!((first.len(), first.pixels.len()), (OWN + REPLAY, (OWN + REPLAY) * IMAGE));
        assert_eq!(first, batch(0));
        assert_ne!(first.pixels, batch(1).pixels);
    }
}
