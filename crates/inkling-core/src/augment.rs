//! Rotation, width/height shift and zoom as one affine map per image, sampled once with bilinear interpolation.
//!
//! The ranges have the same meaning as in Keras' `ImageDataGenerator`: an angle in `±rotation` degrees, shifts in
//! `±shift` of the side, and a zoom factor in `1 ± zoom` for each axis. Pixels outside the image are paper (0).

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{
    image::{SIDES, Shape},
    random::{Purpose, generator},
};

/// How far an image may be rotated, shifted and zoomed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Largest angle in degrees, in either direction.
    pub rotation: f64,
    /// Largest horizontal shift, as a fraction of the width, in either direction.
    pub shift_x: f64,
    /// Largest vertical shift, as a fraction of the height, in either direction.
    pub shift_y: f64,
    /// Largest change of scale: factors lie in `1 ± zoom`, drawn separately for each axis.
    pub zoom: f64,
}

/// A map from output to input pixel coordinates, both centred on the image:
/// `x_in = m[0] x + m[1] y + m[2]`, `y_in = m[3] x + m[4] y + m[5]`.
pub type AffineMap = [f32; 6];

impl Augmentation {
    /// A random map within the ranges, for images with `side` rows and columns. It zooms the image, then rotates it, then shifts
    /// it.
    pub fn sample(&self, side: usize, rng: &mut impl RngExt) -> AffineMap {
        let mut within = |range: f64| if range > 0.0 { rng.random_range(-range..=range) as f32 } else { 0.0 };
        let rotation = within(self.rotation);
        let shift = [within(self.shift_x), within(self.shift_y)];
        affine(side, rotation, shift, [1.0 + within(self.zoom), 1.0 + within(self.zoom)])
    }

    /// The maps for `epoch` of the images with these `numbers`, which have `side` rows and columns.
    pub fn maps(&self, side: usize, numbers: &[u32], seed: u32, epoch: u32) -> Vec<AffineMap> {
        let map = |&n: &u32| self.sample(side, &mut generator(seed, Purpose::Augment, u64::from(epoch), u64::from(n)));
        numbers.iter().map(map).collect()
    }
}

/// The map that enlarges an image of `side` rows and columns by the factors `zoom`, rotates it by `rotation` degrees, and shifts
/// it by `shift`, fractions of the side.
pub fn affine(side: usize, rotation: f32, shift: [f32; 2], zoom: [f32; 2]) -> AffineMap {
    let (sin, cos) = libm::sincosf(rotation.to_radians());
    let ([shift_x, shift_y], [zoom_x, zoom_y]) = (shift.map(|share| share * side as f32), zoom);
    // Output to input: undo the shift, then the rotation, then the zoom (a factor above 1 enlarges the image).
    let (a, b, c, d) = (cos / zoom_x, sin / zoom_x, -sin / zoom_y, cos / zoom_y);
    [a, b, -(a * shift_x + b * shift_y), c, d, -(c * shift_x + d * shift_y)]
}

/// Writes `image` (of this `shape`, 0 to 255), transformed by `map`, to `out` (the same shape, 0 to 1).
pub fn warp(image: &[u8], shape: Shape, map: &AffineMap, out: &mut [f32]) {
    for (plane, out) in image.chunks_exact(shape.pixels()).zip(out.chunks_exact_mut(shape.pixels())) {
        match shape.side {
            0..=32 => warp_plane::<{ space(32) }>(plane, shape.side, map, out),
            _ => warp_plane::<{ space(*SIDES.end()) }>(plane, shape.side, map, out),
        }
    }
}

/// Pixels of a plane with one more row and column on each side.
const fn space(side: usize) -> usize {
    (side + 2) * (side + 2)
}

/// One plane of an image, with `side` rows and columns; padded, it fits into `SPACE`.
fn warp_plane<const SPACE: usize>(plane: &[u8], side: usize, map: &AffineMap, out: &mut [f32]) {
    let centre = (side as f32 - 1.0) / 2.0;
    // One pixel of paper on each side, so that the four neighbours of a sample need no bounds check.
    let wide = side + 2;
    let mut padded = [0.0f32; SPACE];
    for (row, line) in plane.chunks_exact(side).enumerate() {
        let start = (row + 1) * wide + 1;
        for (to, &from) in padded[start..start + side].iter_mut().zip(line) {
            *to = f32::from(from) / 255.0;
        }
    }
    for (row, line) in out.chunks_exact_mut(side).enumerate() {
        let y = row as f32 - centre;
        for (column, pixel) in line.iter_mut().enumerate() {
            let x = column as f32 - centre;
            let source_x = map[0] * x + map[1] * y + map[2] + centre + 1.0;
            let source_y = map[3] * x + map[4] * y + map[5] + centre + 1.0;
            // In the padded image, the last cell with four neighbours starts at `side`; everything outside is paper.
            let inside = |v: f32| (0.0..(side + 1) as f32).contains(&v);
            *pixel = if inside(source_x) && inside(source_y) {
                let (column, row) = (source_x as usize, source_y as usize);
                let (fx, fy) = (source_x - column as f32, source_y - row as f32);
                let at = row * wide + column;
                let top = padded[at] + fx * (padded[at + 1] - padded[at]);
                let bottom = padded[at + wide] + fx * (padded[at + wide + 1] - padded[at + wide]);
                top + fy * (bottom - top)
            } else {
                0.0
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::synthetic,
        image::{IMAGE, SIDE},
    };
    use proptest::prelude::*;

    const DEFAULT: Augmentation = Augmentation { rotation: 10.0, shift_x: 0.1, shift_y: 0.1, zoom: 0.1 };

    fn digit() -> Vec<u8> {
        synthetic::digits(12, 3).train.image(4).to_vec()
    }

    #[test]
    fn zero_ranges_are_the_identity() {
        let none = Augmentation { rotation: 0.0, shift_x: 0.0, shift_y: 0.0, zoom: 0.0 };
        let image = digit();
        let mut out = [f32::NAN; IMAGE];
        warp(&image, Shape::MNIST, &none.sample(SIDE, &mut generator(1, Purpose::Augment, 0, 0)), &mut out);
        for (out, &image) in out.iter().zip(&image) {
            assert!((out - f32::from(image) / 255.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_whole_pixel_shift_moves_every_pixel_by_one() {
        let image = digit();
        let mut out = [f32::NAN; IMAGE];
        // The digit shifts right by one pixel: each output pixel reads the input pixel to its left.
        warp(&image, Shape::MNIST, &[1.0, 0.0, -1.0, 0.0, 1.0, 0.0], &mut out);
        for row in 0..SIDE {
            assert_eq!(out[row * SIDE], 0.0);
            for column in 1..SIDE {
                let expected = f32::from(image[row * SIDE + column - 1]) / 255.0;
                assert!((out[row * SIDE + column] - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_quarter_turn_rotates_every_pixel_by_90_degrees() {
        let image = digit();
        let mut out = [f32::NAN; IMAGE];
        warp(&image, Shape::MNIST, &[0.0, 1.0, 0.0, -1.0, 0.0, 0.0], &mut out);
        for row in 0..SIDE {
            for column in 0..SIDE {
                // Relative to the centre: x_in = y, y_in = -x.
                let expected = f32::from(image[(SIDE - 1 - column) * SIDE + row]) / 255.0;
                assert!((out[row * SIDE + column] - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn each_colour_of_an_image_of_any_side_is_moved_alike() {
        for side in [8, 28, 32, 33, 64] {
            let shape = Shape { channels: 3, side };
            let image: Vec<u8> = (0..shape.values()).map(|i| (i * 7 % 251) as u8).collect();
            let mut out = vec![f32::NAN; shape.values()];
            warp(&image, shape, &[1.0, 0.0, -1.0, 0.0, 1.0, 0.0], &mut out);
            for (at, found) in out.iter().enumerate() {
                let expected = if at % side == 0 { 0.0 } else { f32::from(image[at - 1]) / 255.0 };
                assert!((found - expected).abs() < 1e-4, "side {side}, at {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_map_gives_finite_pixels_within_the_range_of_the_image(seed: u32, map in proptest::array::uniform6(-1e4f32..1e4)) {
            let image = digit();
            let mut out = [f32::NAN; IMAGE];
            warp(&image, Shape::MNIST, &map, &mut out);
            prop_assert!(out.iter().all(|p| (0.0..=1.0).contains(p)));
            let wide = Augmentation { rotation: 180.0, shift_x: 0.5, shift_y: 0.5, zoom: 0.9 };
            warp(&image, Shape::MNIST, &wide.sample(SIDE, &mut generator(seed, Purpose::Augment, 0, 0)), &mut out);
            prop_assert!(out.iter().all(|p| (0.0..=1.0).contains(p)));
        }

        #[test]
        fn samples_stay_within_the_ranges_and_are_reproducible(seed: u32, epoch: u64, index: u64) {
            let map = DEFAULT.sample(SIDE, &mut generator(seed, Purpose::Augment, epoch, index));
            prop_assert_eq!(map, DEFAULT.sample(SIDE, &mut generator(seed, Purpose::Augment, epoch, index)));
            // The norms of the rows are the inverse zoom factors; the first row's direction is the rotation.
            let (norm_x, norm_y) = (map[0].hypot(map[1]), map[3].hypot(map[4]));
            prop_assert!((1.0 / 1.1001..=1.0 / 0.8999).contains(&norm_x) && (1.0 / 1.1001..=1.0 / 0.8999).contains(&norm_y));
            prop_assert!(map[1].atan2(map[0]).to_degrees().abs() <= 10.001);
            let reach = 2.8 * std::f32::consts::SQRT_2 / 0.8999;
            prop_assert!(map[2].abs() <= reach && map[5].abs() <= reach);
        }

        #[test]
        fn rotation_and_zoom_keep_the_centre_in_place(seed: u32) {
            let turn = Augmentation { shift_x: 0.0, shift_y: 0.0, ..DEFAULT };
            let map = turn.sample(SIDE, &mut generator(seed, Purpose::Augment, 0, 0));
            prop_assert_eq!((map[2], map[5]), (0.0, 0.0));
        }
    }
}
