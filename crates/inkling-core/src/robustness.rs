//! How the accuracy drops as images are rotated, shifted and zoomed further and further.

use crate::{
    augment::{affine, warp},
    data::{Batch, Labelled},
    protocol::Motion,
};

/// The points to measure: each motion from one end of its range to the other.
pub fn points() -> Vec<(Motion, f64)> {
    let along = |motion, step: f64, ends: i32| (-ends..=ends).map(move |i| (motion, step * f64::from(i)));
    along(Motion::Rotation, 15.0, 6).chain(along(Motion::Shift, 0.05, 6)).chain(along(Motion::Zoom, 0.1, 5)).collect()
}

/// All of `images`, each transformed by the same `amount` of `motion`.
pub fn moved(images: &Labelled, motion: Motion, amount: f64) -> Batch {
    let (amount, side) = (amount as f32, images.shape.side);
    let map = match motion {
        Motion::Rotation => affine(side, amount, [0.0, 0.0], [1.0, 1.0]),
        Motion::Shift => affine(side, 0.0, [amount, 0.0], [1.0, 1.0]),
        Motion::Zoom => affine(side, 0.0, [0.0, 0.0], [1.0 + amount, 1.0 + amount]),
    };
    let mut pixels = vec![0.0; images.pixels.len()];
    let len = images.shape.values();
    let pairs = images.pixels.chunks_exact(len).zip(pixels.chunks_exact_mut(len));
    pairs.for_each(|(image, out)| warp(image, images.shape, &map, out));
    Batch { shape: images.shape, pixels, labels: images.labels.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::synthetic,
        image::{IMAGE, SIDE},
    };

    #[test]
    fn an_amount_of_zero_changes_nothing_and_a_positive_shift_moves_to_the_right() {
        let digits = synthetic::digits(12, 3).train;
        let plain = Batch::plain(&digits, 0..digits.len());
        for motion in [Motion::Rotation, Motion::Shift, Motion::Zoom] {
            assert!(points().contains(&(motion, 0.0)));
            let still = moved(&digits, motion, 0.0);
            let worst = still.pixels.iter().zip(&plain.pixels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-5, "{motion:?} changes by {worst}");
        }
        let shifted = moved(&digits, Motion::Shift, 4.0 / SIDE as f64);
        let centre = |pixels: &[f32]| {
            let mass: f32 = pixels.iter().sum();
            pixels.iter().enumerate().map(|(i, p)| p * (i % SIDE) as f32).sum::<f32>() / mass
        };
        let moved_by = centre(&shifted.pixels[..IMAGE]) - centre(&plain.pixels[..IMAGE]);
        assert!((moved_by - 4.0).abs() < 0.1, "{moved_by}");
    }
}
