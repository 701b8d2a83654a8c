//! Handwritten characters: the strokes of a skeleton are bent, jittered, transformed by a random affine map and drawn with a
//! random pen.

use libm::sinf;
use rand::{Rng, RngExt};

use crate::{
    image::SIDE,
    ink::{Point, Sheet},
};

/// A stroke of a skeleton in the unit square (x to the right, y down).
pub(super) struct Stroke {
    points: &'static [Point],
    /// Drawn as a smooth curve through the points rather than as straight lines.
    smooth: bool,
    /// Share of writers who draw this stroke.
    share: f32,
}

pub(super) const fn line(points: &'static [Point]) -> Stroke {
    Stroke { points, smooth: false, share: 1.0 }
}
pub(super) const fn curve(points: &'static [Point]) -> Stroke {
    Stroke { points, smooth: true, share: 1.0 }
}
pub(super) const fn sometimes(points: &'static [Point], share: f32) -> Stroke {
    Stroke { points, smooth: false, share }
}

/// A character as somebody might write it.
pub(super) fn write(skeleton: &[Stroke], rng: &mut impl Rng) -> Sheet {
    let mut within = |range: f32| rng.random_range(-range..=range);
    let (turn, shear) = (within(0.2), within(0.25));
    let (scale_x, scale_y) = (16.0 * (1.0 + within(0.18)), 18.0 * (1.0 + within(0.1)));
    let centre = (13.5 + within(1.2), 13.5 + within(1.2));
    let pen = 1.25 + within(0.55);
    // Slight elastic deformation: one slow wave per axis.
    let wave = [within(0.05), within(3.0), within(0.05), within(3.0)];
    let (sin, cos) = libm::sincosf(turn);
    let place = |(x, y): Point| -> Point {
        let (x, y) = (x - 0.5, y - 0.5);
        let (x, y) = (x + wave[0] * sinf(5.0 * y + wave[1]), y + wave[2] * sinf(5.0 * x + wave[3]));
        let (x, y) = ((x - shear * y) * scale_x, y * scale_y);
        (cos * x - sin * y + centre.0, sin * x + cos * y + centre.1)
    };
    let mut sheet = Sheet::new(SIDE);
    for stroke in skeleton {
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
