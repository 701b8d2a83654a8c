//! Which part of an image an answer depends on: each part is erased in turn, and the network is asked again (Zeiler and Fergus,
//! "Visualizing and Understanding Convolutional Networks", 2014).

use crate::image::Shape;

/// A square part of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Its first row.
    pub row: usize,
    /// Its first column.
    pub column: usize,
    /// Rows and columns.
    pub side: usize,
}

impl Patch {
    /// Square patches, a fifth of the image's width, that overlap by half, if they are larger than two pixels, and cover the image.
    pub fn all(shape: Shape) -> Vec<Self> {
        let side = (shape.side / 5).max(1);
        let step = side.div_ceil(2).max(shape.side.div_ceil(12));
        let last = shape.side - side;
        let ends: Vec<usize> = (0..last).step_by(step).chain([last]).collect();
        ends.iter().flat_map(|&row| ends.iter().map(move |&column| Patch { row, column, side })).collect()
    }

    /// Whether it contains this pixel.
    pub fn contains(self, row: usize, column: usize) -> bool {
        row.wrapping_sub(self.row) < self.side && column.wrapping_sub(self.column) < self.side
    }

    /// `image` `[C, H, W]` with this patch filled with the mean shade of the image's border: for a digit, the paper.
    pub fn erased(self, image: &[u8], shape: Shape) -> Vec<u8> {
        let mut image = image.to_vec();
        let last = shape.side - 1;
        let is_border = |row: usize, column: usize| [0, last].contains(&row) || [0, last].contains(&column);
        for plane in image.chunks_exact_mut(shape.pixels()) {
            let (mut sum, mut count) = (0u32, 0);
            for (place, &pixel) in plane.iter().enumerate() {
                if is_border(place / shape.side, place % shape.side) {
                    (sum, count) = (sum + u32::from(pixel), count + 1);
                }
            }
            let paper = (sum / count.max(1)) as u8;
            for row in plane.chunks_exact_mut(shape.side).skip(self.row).take(self.side) {
                row[self.column..][..self.side].fill(paper);
            }
        }
        image
    }
}

/// How much each pixel matters for an answer, from 0 to 1, row by row: the mean drop in the score over the patches that contain it, as
/// a share of the largest. `usual` is the score of the whole image, a probability for example, `without` the one without each of [`Patch::all`].
pub fn importance(shape: Shape, usual: f32, without: &[f32]) -> Vec<f32> {
    let mut sums = vec![(0.0f32, 0u32); shape.pixels()];
    for (patch, found) in Patch::all(shape).into_iter().zip(without) {
        for row in patch.row..patch.row + patch.side {
            for (sum, count) in &mut sums[row * shape.side + patch.column..][..patch.side] {
                *sum += (usual - found).max(0.0);
                *count += 1;
            }
        }
    }
    let means: Vec<f32> = sums.into_iter().map(|(sum, count)| sum / count.max(1) as f32).collect();
    let largest = means.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    means.into_iter().map(|mean| mean / largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_image_and_erasing_one_leaves_the_rest() {
        for side in 8..=64 {
            let shape = Shape { channels: 1, side };
            let patches = Patch::all(shape);
            assert!(patches.len() <= 144, "{} patches", patches.len());
            let covered = |place: usize| patches.iter().any(|patch| patch.contains(place / side, place % side));
            assert!((0..shape.pixels()).all(covered));
            assert!(patches.iter().all(|patch| patch.row + patch.side <= side && patch.column + patch.side <= side));
        }
        // A white cross on paper of shade 7.
        let shape = Shape { channels: 1, side: 10 };
        let image: Vec<u8> =
            (0..100).map(|at| if (2..8).contains(&(at / 10)) && at % 10 == 5 { 255 } else { 7 }).collect();
        let patch = Patch { row: 4, column: 4, side: 2 };
        let erased = patch.erased(&image, shape);
        let changed: Vec<usize> = (0..100).filter(|&at| erased[at] != image[at]).collect();
        assert_eq!((changed, erased[45]), (vec![45, 55], 7));
    }

    #[test]
    fn the_part_that_costs_most_counts_most() {
        let shape = Shape { channels: 1, side: 10 };
        let patches = Patch::all(shape);
        let without: Vec<f32> = patches.iter().map(|patch| if patch.contains(5, 5) { 0.2 } else { 0.9 }).collect();
        let shares = importance(shape, 0.9, &without);
        assert_eq!(shares[55], 1.0);
        assert_eq!(shares[0], 0.0);
        assert!(importance(shape, 0.9, &vec![0.95; patches.len()]).iter().all(|&share| share == 0.0));
    }
}
