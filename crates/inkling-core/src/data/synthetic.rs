//! The embedded default data set: procedurally drawn digits. The stroke skeletons of the ten digits are bent, jittered,
//! transformed by a random affine map and drawn with a random pen. They look like digits and train like digits, but
//! they are not MNIST.

use rand::{Rng, RngExt, seq::SliceRandom};

use super::{CLASSES, Dataset, IMAGE, Labelled, SIDE};
use crate::{
    ink::{Point, Sheet},
    random::{Purpose, generator},
};

/// Number of training images of the synthetic data set, unless a run asks for a different number.
pub const DEFAULT_LEN: usize = 6_000;
/// Training images per test image, as in MNIST.
const TEST_SHARE: usize = 6;

/// Generates `len` training images and a sixth as many test images (at least ten), with equally frequent classes. The
/// same `seed` gives the same images.
pub fn generate(len: usize, seed: u32) -> Dataset {
    Dataset { train: labelled(len, seed, 0), test: labelled((len / TEST_SHARE).max(CLASSES), seed, 1) }
}

fn labelled(len: usize, seed: u32, part: u64) -> Labelled {
    let mut labels: Vec<u8> = (0..len).map(|index| (index % CLASSES) as u8).collect();
    labels.shuffle(&mut generator(seed, Purpose::Synthetic, part, u64::MAX));
    let mut pixels = Vec::with_capacity(len * IMAGE);
    for (index, &label) in labels.iter().enumerate() {
        let sheet = draw(label, &mut generator(seed, Purpose::Synthetic, part, index as u64));
        pixels.extend(sheet.ink.iter().map(|ink| (ink * 255.0).round() as u8));
    }
    Labelled { pixels, labels }
}

/// A stroke of a skeleton in the unit square (x to the right, y down).
struct Stroke {
    points: &'static [Point],
    /// Drawn as a smooth curve through the points rather than as straight lines.
    smooth: bool,
    /// Share of writers who draw this stroke.
    share: f32,
}

const fn line(points: &'static [Point]) -> Stroke {
    Stroke { points, smooth: false, share: 1.0 }
}
const fn curve(points: &'static [Point]) -> Stroke {
    Stroke { points, smooth: true, share: 1.0 }
}
const fn sometimes(points: &'static [Point], share: f32) -> Stroke {
    Stroke { points, smooth: false, share }
}

const SKELETONS: [&[Stroke]; CLASSES] = [
    &[curve(&[
        (0.5, 0.0),
        (0.22, 0.15),
        (0.15, 0.5),
        (0.22, 0.85),
        (0.5, 1.0),
        (0.78, 0.85),
        (0.85, 0.5),
        (0.78, 0.15),
        (0.5, 0.0),
    ])],
    &[
        line(&[(0.52, 0.0), (0.5, 1.0)]),
        sometimes(&[(0.3, 0.22), (0.52, 0.0)], 0.5),
        sometimes(&[(0.3, 1.0), (0.7, 1.0)], 0.15),
    ],
    &[
        curve(&[(0.15, 0.25), (0.3, 0.04), (0.62, 0.02), (0.82, 0.22), (0.68, 0.5), (0.4, 0.75), (0.14, 0.98)]),
        line(&[(0.14, 0.98), (0.88, 0.97)]),
    ],
    &[
        curve(&[(0.18, 0.1), (0.48, 0.0), (0.78, 0.16), (0.7, 0.38), (0.42, 0.47)]),
        curve(&[(0.42, 0.47), (0.74, 0.55), (0.84, 0.77), (0.58, 0.99), (0.15, 0.9)]),
    ],
    &[line(&[(0.5, 0.0), (0.14, 0.62), (0.9, 0.62)]), line(&[(0.68, 0.3), (0.64, 1.0)])],
    &[
        line(&[(0.82, 0.0), (0.28, 0.02), (0.22, 0.44)]),
        curve(&[(0.22, 0.44), (0.5, 0.36), (0.82, 0.55), (0.76, 0.86), (0.45, 1.0), (0.14, 0.88)]),
    ],
    &[curve(&[
        (0.72, 0.02),
        (0.38, 0.25),
        (0.19, 0.62),
        (0.3, 0.94),
        (0.64, 0.97),
        (0.8, 0.73),
        (0.6, 0.52),
        (0.32, 0.6),
        (0.21, 0.75),
    ])],
    &[line(&[(0.12, 0.03), (0.85, 0.02), (0.42, 1.0)]), sometimes(&[(0.34, 0.5), (0.76, 0.48)], 0.3)],
    &[curve(&[
        (0.5, 0.48),
        (0.22, 0.25),
        (0.5, 0.0),
        (0.78, 0.25),
        (0.5, 0.48),
        (0.16, 0.75),
        (0.5, 1.0),
        (0.84, 0.75),
        (0.5, 0.48),
    ])],
    &[
        curve(&[(0.8, 0.26), (0.56, 0.02), (0.22, 0.18), (0.28, 0.46), (0.6, 0.48), (0.8, 0.26)]),
        curve(&[(0.8, 0.26), (0.78, 0.6), (0.6, 1.0)]),
    ],
];

fn draw(digit: u8, rng: &mut impl Rng) -> Sheet {
    let mut within = |range: f32| rng.random_range(-range..=range);
    let (turn, shear) = (within(0.2), within(0.25));
    let (scale_x, scale_y) = (16.0 * (1.0 + within(0.18)), 18.0 * (1.0 + within(0.1)));
    let centre = (13.5 + within(1.2), 13.5 + within(1.2));
    let pen = 1.25 + within(0.55);
    // Slight elastic deformation: one slow wave per axis.
    let wave = [within(0.05), within(3.0), within(0.05), within(3.0)];
    let (sin, cos) = turn.sin_cos();
    let place = |(x, y): Point| -> Point {
        let (x, y) = (x - 0.5, y - 0.5);
        let (x, y) = (x + wave[0] * (5.0 * y + wave[1]).sin(), y + wave[2] * (5.0 * x + wave[3]).sin());
        let (x, y) = ((x - shear * y) * scale_x, y * scale_y);
        (cos * x - sin * y + centre.0, sin * x + cos * y + centre.1)
    };
    let mut sheet = Sheet::new(SIDE);
    for stroke in SKELETONS[usize::from(digit)] {
        if rng.random::<f32>() >= stroke.share {
            continue;
        }
        let mut jitter = || rng.random_range(-0.035f32..=0.035);
        let points: Vec<Point> = stroke.points.iter().map(|&(x, y)| (x + jitter(), y + jitter())).collect();
        let points = if stroke.smooth { smooth(&points) } else { subdivide(&points) };
        sheet.stroke(&points.into_iter().map(place).collect::<Vec<_>>(), pen);
    }
    sheet
}

/// Points along straight lines, close enough for the elastic wave to bend them.
fn subdivide(points: &[Point]) -> Vec<Point> {
    const PIECES: usize = 6;
    let mut out = vec![points[0]];
    for ends in points.windows(2) {
        for piece in 1..=PIECES {
            let t = piece as f32 / PIECES as f32;
            out.push((ends[0].0 + t * (ends[1].0 - ends[0].0), ends[0].1 + t * (ends[1].1 - ends[0].1)));
        }
    }
    out
}

/// A Catmull-Rom spline through the points.
fn smooth(points: &[Point]) -> Vec<Point> {
    const PIECES: usize = 6;
    let at = |index: isize| points[index.clamp(0, points.len() as isize - 1) as usize];
    let mut out = vec![points[0]];
    for i in 0..points.len() as isize - 1 {
        let (a, b, c, d) = (at(i - 1), at(i), at(i + 1), at(i + 2));
        for piece in 1..=PIECES {
            let t = piece as f32 / PIECES as f32;
            let blend = |a: f32, b: f32, c: f32, d: f32| {
                0.5 * (2.0 * b
                    + (c - a) * t
                    + (2.0 * a - 5.0 * b + 4.0 * c - d) * t * t
                    + (3.0 * b - a - 3.0 * c + d) * t * t * t)
            };
            out.push((blend(a.0, b.0, c.0, d.0), blend(a.1, b.1, c.1, d.1)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_reproducible_balanced_and_inked() {
        let (a, b, c) = (generate(200, 1), generate(200, 1), generate(200, 2));
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
}
