//! The embedded data sets, drawn in the tab: digits, letters and coloured shapes. Digits and letters look and train like
//! handwriting, but they are not MNIST.

mod digits;
mod letters;
mod shapes;
mod strokes;

use rand::seq::SliceRandom;
use rand_pcg::Pcg32;

use super::{DataShape, Dataset, Labelled};
use crate::{
    random::{Purpose, generator},
    settings::{DatasetName, Settings},
};
use strokes::{Stroke, write};

/// Number of training images of a synthetic data set, unless a run asks for a different number.
pub const DEFAULT_LEN: usize = 6_000;
/// Training images per test image, as in MNIST.
const TEST_SHARE: usize = 6;

/// Names of the classes of a synthetic data set; empty if they are numbers.
pub fn names(of: DatasetName) -> Vec<String> {
    match of {
        DatasetName::Letters => ('A'..='Z').map(String::from).collect(),
        DatasetName::Shapes => shapes::names(),
        DatasetName::Mnist | DatasetName::Synthetic | DatasetName::Own => Vec::new(),
    }
}

/// The data set that these settings ask for, if it is one that is drawn.
pub fn drawn(settings: &Settings) -> Option<Dataset> {
    let draw: fn(usize, u32) -> Dataset = match settings.dataset {
        DatasetName::Synthetic => digits,
        DatasetName::Letters => letters,
        DatasetName::Shapes => shapes,
        DatasetName::Mnist | DatasetName::Own => return None,
    };
    let len = if settings.images == 0 { DEFAULT_LEN } else { settings.images as usize };
    Some(draw(len, settings.seed))
}

/// Draws `len` digits to train with and a sixth as many to test with (at least one of each class), with equally frequent
/// classes. The same `seed` gives the same images.
pub fn digits(len: usize, seed: u32) -> Dataset {
    let draw = |class: u8, rng: &mut Pcg32| character(&digits::SKELETONS, class, rng);
    dataset(DataShape::DIGITS, DatasetName::Synthetic, len, seed, draw)
}

/// The same with capital letters.
pub fn letters(len: usize, seed: u32) -> Dataset {
    dataset(DataShape::LETTERS, DatasetName::Letters, len, seed, |class, rng| {
        character(&letters::SKELETONS, class, rng)
    })
}

/// The same with circles, squares and triangles, each in red, green or blue.
pub fn shapes(len: usize, seed: u32) -> Dataset {
    dataset(DataShape::SHAPES, DatasetName::Shapes, len, seed, shapes::draw)
}

fn character(skeletons: &[&[Stroke]], class: u8, rng: &mut Pcg32) -> Vec<u8> {
    write(skeletons[usize::from(class)], rng).ink.iter().map(|ink| (ink * 255.0).round() as u8).collect()
}

fn dataset(
    shape: DataShape,
    name: DatasetName,
    len: usize,
    seed: u32,
    draw: impl Fn(u8, &mut Pcg32) -> Vec<u8>,
) -> Dataset {
    let labelled = |len: usize, part: u64| {
        let mut labels: Vec<u8> = (0..len).map(|index| (index % shape.classes()) as u8).collect();
        labels.shuffle(&mut generator(seed, Purpose::Synthetic, part, u64::MAX));
        let image =
            |(index, &label): (usize, &u8)| draw(label, &mut generator(seed, Purpose::Synthetic, part, index as u64));
        let pixels = labels.iter().enumerate().flat_map(image).collect();
        Labelled { shape: shape.image(), pixels, labels }
    };
    let (train, test) = (labelled(len, 0), labelled((len / TEST_SHARE).max(shape.classes()), 1));
    Dataset { shape, names: names(name), train, test }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{IMAGE, SIDE};

    #[test]
    fn digits_are_reproducible_balanced_and_inked() {
        let (a, b, c) = (digits(200, 1), digits(200, 1), digits(200, 2));
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert_eq!((a.train.len(), a.test.len()), (200, 33));
        for digit in 0..10u8 {
            assert_eq!(a.train.labels.iter().filter(|&&l| l == digit).count(), 20);
        }
        for index in 0..a.train.len() {
            let ink: u32 = a.train.image(index).iter().map(|&p| u32::from(p)).sum();
            // MNIST's mean ink is 33 per pixel; single images range from 7 (thin ones) to 90.
            assert!((5..100).contains(&(ink / IMAGE as u32)), "image {index}: mean ink {}", ink / IMAGE as u32);
            assert!(a.train.image(index)[..SIDE].iter().all(|&p| p < 128), "image {index} touches the edge");
        }
    }

    #[test]
    fn letters_and_shapes_are_sound_balanced_and_reproducible() {
        for (data, classes) in [(letters(260, 3), 26), (shapes(180, 3), 9)] {
            assert!(data.is_sound());
            assert_eq!((data.shape.classes(), data.names.len()), (classes, classes));
            for class in 0..classes as u8 {
                let of = |set: &Labelled| set.labels.iter().filter(|&&label| label == class).count();
                assert_eq!(of(&data.train), data.train.len() / classes);
                assert!(of(&data.test) > 0);
            }
        }
        assert_eq!((letters(52, 1), shapes(18, 1)), (letters(52, 1), shapes(18, 1)));
        assert_ne!(shapes(18, 1), shapes(18, 2));
        let letters = letters(260, 3).train;
        for index in 0..letters.len() {
            let ink: u32 = letters.image(index).iter().map(|&p| u32::from(p)).sum();
            assert!((5..110).contains(&(ink / IMAGE as u32)), "letter {index}: mean ink {}", ink / IMAGE as u32);
            assert!(letters.image(index)[..SIDE].iter().all(|&p| p < 128), "letter {index} touches the edge");
        }
    }

    #[test]
    fn a_shape_is_brightest_in_its_own_colour() {
        let shapes = shapes(90, 5).train;
        let len = shapes.shape.pixels();
        for index in 0..shapes.len() {
            let most: Vec<_> = shapes.image(index).chunks(len).map(|plane| plane.iter().max()).collect();
            let brightest = (0..3).max_by_key(|&channel| most[channel]).unwrap();
            assert_eq!(brightest, usize::from(shapes.labels[index]) / 3, "image {index}: {most:?}");
        }
    }
}
