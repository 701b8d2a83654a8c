//! What a data set looks like: how often each class occurs, its mean image, and test images that nearly equal a training image.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use crate::{
    data::{Dataset, Labelled, Shape},
    protocol::{ClassSurvey, Specimen, Twin, Twins},
};

/// Number of pairs that a survey shows.
const PAIRS: usize = 12;
/// An image is outlined by the means of this many rows and columns of tiles.
const TILES: usize = 4;
/// Room for rounding when a lower bound of a distance is compared with a distance.
const SLACK: f32 = 0.999;

/// Counts and mean image of each class.
pub fn classes(data: &Dataset) -> Vec<ClassSurvey> {
    let len = data.shape.image().values();
    let mut sums = vec![vec![0u32; len]; data.shape.classes()];
    let mut counts = vec![[0; 2]; data.shape.classes()];
    for (place, &label) in data.train.labels.iter().enumerate() {
        counts[usize::from(label)][0] += 1;
        sums[usize::from(label)]
            .iter_mut()
            .zip(data.train.image(place))
            .for_each(|(sum, &value)| *sum += u32::from(value));
    }
    data.test.labels.iter().for_each(|&label| counts[usize::from(label)][1] += 1);
    let mean = |sums: Vec<u32>, count: u32| sums.into_iter().map(|sum| (sum / count.max(1)) as u8).collect();
    let survey = |([train, test], sums): ([u32; 2], _)| ClassSurvey { train, test, mean: mean(sums, train) };
    counts.into_iter().zip(sums).map(survey).collect()
}

/// A search for the test images that are nearest to a training image.
pub struct TwinSearch {
    /// Of each training image.
    outlines: Vec<Outline>,
    /// The training images with each hash.
    hashes: HashMap<u64, Vec<u32>>,
    /// Number of test images searched so far.
    done: usize,
    /// The nearest pairs so far, the nearest first.
    pairs: Vec<Pair>,
    identical: u32,
}

/// A test image and the training image that is nearest to it.
struct Pair {
    /// Their squared distance as a share of the test image's [`contrast`]. A plain distance would find the emptiest images.
    share: f32,
    train: u32,
    test: u32,
}

/// The means of an image's tiles, each times the root of the number of its values: the squared distance of two outlines is at most
/// that of the images (Cauchy and Schwarz, tile by tile).
type Outline = [f32; TILES * TILES];

impl TwinSearch {
    /// A search that has not begun.
    pub fn new(data: &Dataset) -> Self {
        let outlines = (0..data.train.len()).map(|place| outline(data.train.image(place), data.train.shape)).collect();
        let mut hashes: HashMap<u64, Vec<u32>> = HashMap::new();
        for place in 0..data.train.len() {
            hashes.entry(hash(data.train.image(place))).or_default().push(place as u32);
        }
        TwinSearch { outlines, hashes, done: 0, pairs: Vec::new(), identical: 0 }
    }

    /// Number of test images searched so far.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Searches the next test images, `count` at most. Returns whether all are done.
    pub fn advance(&mut self, data: &Dataset, count: usize) -> bool {
        let end = (self.done + count).min(data.test.len());
        for test in self.done..end {
            let image = data.test.image(test);
            let equal = self.hashes.get(&hash(image)).into_iter().flatten();
            self.identical += u32::from(equal.copied().any(|train| data.train.image(train as usize) == image));
            if let Some((share, train)) = self.nearest(image, &data.train) {
                let place = self.pairs.partition_point(|pair| pair.share <= share);
                self.pairs.insert(place, Pair { share, train, test: test as u32 });
                self.pairs.truncate(PAIRS);
            }
        }
        self.done = end;
        end == data.test.len()
    }

    /// The training image nearest to `image`, and their distance as a share of its contrast, if they belong to the nearest pairs so
    /// far.
    fn nearest(&self, image: &[u8], train: &Labelled) -> Option<(f32, u32)> {
        let contrast = contrast(image);
        let mut limit = self.pairs.get(PAIRS - 1).map_or(f32::INFINITY, |pair| pair.share * contrast);
        let mut nearest = None;
        let own = outline(image, train.shape);
        for (place, other) in self.outlines.iter().enumerate() {
            let bound: f32 = own.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum();
            if bound * SLACK < limit {
                let distance = distance(image, train.image(place)) as f32;
                if distance < limit {
                    (limit, nearest) = (distance, Some((distance / contrast, place as u32)));
                }
            }
        }
        nearest
    }

    /// What the search has found.
    pub fn twins(&self, data: &Dataset) -> Twins {
        let specimen = |set: &Labelled, number: u32| {
            let place = number as usize;
            Specimen { number, label: set.labels[place], answer: None, pixels: set.image(place).to_vec() }
        };
        let twin = |&Pair { share, train, test }: &Pair| Twin {
            train: specimen(&data.train, train),
            test: specimen(&data.test, test),
            difference: f64::from(share).sqrt(),
        };
        Twins { pairs: self.pairs.iter().map(twin).collect(), identical: self.identical, mistakes: None }
    }
}

/// Squared Euclidean distance between two images.
pub fn distance(a: &[u8], b: &[u8]) -> u32 {
    a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

/// Squared distance of an image from even gray, at least 1.
fn contrast(image: &[u8]) -> f32 {
    let mean = image.iter().map(|&value| f32::from(value)).sum::<f32>() / image.len() as f32;
    image.iter().map(|&value| (f32::from(value) - mean).powi(2)).sum::<f32>().max(1.0)
}

fn hash(image: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(image)
}

fn outline(image: &[u8], shape: Shape) -> Outline {
    let (mut sums, mut counts) = ([0u32; TILES * TILES], [0u32; TILES * TILES]);
    for (place, &value) in image.iter().enumerate() {
        let pixel = place % shape.pixels();
        let (row, column) = (pixel / shape.side * TILES / shape.side, pixel % shape.side * TILES / shape.side);
        sums[row * TILES + column] += u32::from(value);
        counts[row * TILES + column] += 1;
    }
    std::array::from_fn(|tile| sums[tile] as f32 / (counts[tile].max(1) as f32).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic;

    #[test]
    fn classes_are_counted_and_averaged() {
        let mut data = synthetic::shapes(60, 3);
        data.train.labels.iter_mut().filter(|label| **label == 2).for_each(|label| *label = 1);
        let found = classes(&data);
        for (class, survey) in found.iter().enumerate() {
            let of = |set: &Labelled| set.labels.iter().filter(|label| usize::from(**label) == class).count() as u32;
            assert_eq!((survey.train, survey.test), (of(&data.train), of(&data.test)));
        }
        assert!(found[2].train == 0 && found[2].mean.iter().all(|&value| value == 0));
        let ones = data.train.labels.iter().enumerate().filter(|(_, label)| **label == 1).map(|(place, _)| place);
        let ones: Vec<&[u8]> = ones.map(|place| data.train.image(place)).collect();
        let mean =
            |value: usize| (ones.iter().map(|image| u32::from(image[value])).sum::<u32>() / ones.len() as u32) as u8;
        assert_eq!(found[1].mean, (0..data.shape.image().values()).map(mean).collect::<Vec<u8>>());
    }

    /// The pairs that a search without outlines finds.
    fn slow(data: &Dataset) -> Vec<f32> {
        let nearest = |test: usize| {
            let image = data.test.image(test);
            let all = (0..data.train.len()).map(|train| distance(data.train.image(train), image));
            all.min().unwrap() as f32 / contrast(image)
        };
        let mut all: Vec<f32> = (0..data.test.len()).map(nearest).collect();
        all.sort_unstable_by(f32::total_cmp);
        all.truncate(PAIRS);
        all
    }

    #[test]
    fn the_nearest_pairs_are_found_however_the_search_is_divided() {
        for mut data in [synthetic::digits(240, 5), synthetic::shapes(240, 5)] {
            // One test image is a copy of a training image, and one nearly so.
            let len = data.shape.image().values();
            let copy = |data: &mut Dataset, from: usize, to: usize| {
                let image = data.train.image(from).to_vec();
                data.test.pixels[to * len..][..len].copy_from_slice(&image);
            };
            copy(&mut data, 7, 3);
            copy(&mut data, 9, 11);
            data.test.pixels[11 * len + len / 2] ^= 64;
            for count in [1, 7, 1000] {
                let mut search = TwinSearch::new(&data);
                while !search.advance(&data, count) {}
                assert_eq!(search.done(), data.test.len());
                assert_eq!(search.pairs.iter().map(|pair| pair.share).collect::<Vec<_>>(), slow(&data));
                let twins = search.twins(&data);
                assert_eq!(twins.identical, 1);
                let numbers = |twin: &Twin| (twin.train.number, twin.test.number);
                assert_eq!(twins.pairs[..2].iter().map(numbers).collect::<Vec<_>>(), [(7, 3), (9, 11)]);
                assert_eq!(twins.pairs[0].difference, 0.0);
                let expected = 64.0 / f64::from(contrast(data.test.image(11))).sqrt();
                assert!((twins.pairs[1].difference - expected).abs() < 1e-6);
                assert_eq!(twins.pairs[1].test.pixels, data.test.image(11));
            }
        }
    }
}
