//! A set of images that stays on the device: a step sends image numbers and affine maps instead of pixels.

use burn::tensor::{
    Device, Int, Tensor, TensorData,
    ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode},
};

use inkling_core::{
    augment::AffineMap,
    data::{Labelled, Shape},
};

/// Pixels per packed integer.
const PACK: usize = 4;
/// Binding size in bytes that WebGPU guarantees on every device: 128 MiB.
const BINDING: usize = 128 << 20;

/// Whether this build may use a device with its own memory. The CPU worker is built without the code that it never
/// uses.
pub const POSSIBLE: bool = cfg!(any(feature = "remote", feature = "webgpu", not(target_arch = "wasm32")));

/// A set of images on a device.
pub struct Resident {
    /// Shape of an image.
    shape: Shape,
    /// `[N, P]`: four values of an image per integer, the first in the lowest byte; the last may be filled up with zeros.
    pixels: Tensor<2, Int>,
    /// `[N]`
    labels: Tensor<1, Int>,
    /// `[1, 1, 4]`: the right shift, in bits, that extracts each of the four values.
    shifts: Tensor<3, Int>,
    /// `[1, H W, 3]`: homogeneous coordinates of each pixel: column and row relative to the centre, from -1 to 1, and
    /// 1.
    places: Tensor<3>,
}

/// The training and the test file on a device, if they fit.
#[derive(Default)]
pub struct ResidentSets {
    /// The training file, which includes the validation images.
    pub train: Option<Resident>,
    /// The test file.
    pub test: Option<Resident>,
}

impl Resident {
    /// Copies `images` to `device` (without autodiff); `None` if one binding can't hold them: more than 171,000 of
    /// MNIST's.
    pub fn new(images: &Labelled, device: &Device) -> Option<Self> {
        let n = images.len();
        if images.pixels.len() > BINDING {
            return None;
        }
        let shape = images.shape;
        let pack = |bytes: &[u8]| (0..).zip(bytes).fold(0, |word, (at, &byte)| word | i32::from(byte) << (8 * at));
        let packed: Vec<i32> =
            images.pixels.chunks_exact(shape.values()).flat_map(|image| image.chunks(PACK).map(pack)).collect();
        let labels: Vec<i32> = images.labels.iter().map(|&label| i32::from(label)).collect();
        let at = |place: usize| place as f32 / centre(shape) - 1.0;
        let places: Vec<f32> =
            (0..shape.pixels()).flat_map(|pixel| [at(pixel % shape.side), at(pixel / shape.side), 1.0]).collect();
        Some(Resident {
            shape,
            pixels: Tensor::from_data(TensorData::new(packed, [n, shape.values().div_ceil(PACK)]), device),
            labels: Tensor::from_data(TensorData::new(labels, [n]), device),
            shifts: Tensor::from_data(TensorData::new(vec![0, 8, 16, 24], [1, 1, PACK]), device),
            places: Tensor::from_data(TensorData::new(places, [1, shape.pixels(), 3]), device),
        })
    }

    /// The images with these numbers, `[N, C, H, W]` in `[0, 1]`, each transformed by its map if there are `maps`,
    /// and their labels `[N]`.
    pub fn batch(&self, numbers: &[u32], maps: Option<&[AffineMap]>) -> (Tensor<4>, Tensor<1, Int>) {
        let n = numbers.len();
        let device = self.pixels.device();
        let numbers: Vec<i32> = numbers.iter().map(|&number| number as i32).collect();
        let numbers = Tensor::<1, Int>::from_data(TensorData::new(numbers, [n]), &device);
        let packed = self.pixels.clone().select(0, numbers.clone()).unsqueeze_dim::<3>(2); // [N, P, 1]
        let Shape { channels, side } = self.shape;
        let packs = self.shape.values().div_ceil(PACK);
        let packed = packed.expand([n, packs, PACK]);
        let bytes = packed.bitwise_right_shift(self.shifts.clone().expand([n, packs, PACK]));
        let mut values = (bytes.bitwise_and_scalar(255).float() / 255.0).reshape([n, packs * PACK]);
        if packs * PACK > self.shape.values() {
            values = values.slice([0..n, 0..self.shape.values()]);
        }
        let images = values.reshape([n, channels, side, side]);
        let images = match maps {
            Some(maps) => self.warp(images, maps),
            None => images,
        };
        (images, self.labels.clone().select(0, numbers))
    }

    /// [`inkling_core::augment::warp`] on the device.
    fn warp(&self, images: Tensor<4>, maps: &[AffineMap]) -> Tensor<4> {
        // Transposed, with offsets in units of half the side.
        let centre = centre(self.shape);
        let columns = |m: &AffineMap| [m[0], m[3], m[1], m[4], m[2] / centre, m[5] / centre];
        let maps: Vec<f32> = maps.iter().flat_map(columns).collect();
        let n = maps.len() / 6;
        let maps = Tensor::<3>::from_data(TensorData::new(maps, [n, 3, 2]), &images.device());
        let grid = self.places.clone().matmul(maps).reshape([n, self.shape.side, self.shape.side, 2]);
        let paper = GridSampleOptions::new(InterpolateMode::Bilinear)
            .with_padding_mode(GridSamplePaddingMode::Zeros)
            .with_align_corners(true);
        images.grid_sample_2d(grid, paper)
    }
}

/// Half the distance between the centres of the first and the last pixel, in pixels.
fn centre(shape: Shape) -> f32 {
    (shape.side as f32 - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkling_core::{
        augment::Augmentation,
        data::{Batch, synthetic},
    };

    #[test]
    fn batches_match_those_assembled_on_the_cpu() {
        compare(&synthetic::digits(60, 4).train);
        compare(&synthetic::shapes(60, 4).train);
        // An image whose values do not fill whole integers.
        let odd = Shape { channels: 3, side: 9 };
        let pixels = (0..60 * odd.values()).map(|i| (i * 31 % 253) as u8).collect();
        compare(&Labelled { shape: odd, pixels, labels: vec![1; 60] });
    }

    fn compare(digits: &Labelled) {
        let shape = digits.shape;
        let resident = Resident::new(digits, &Device::flex()).unwrap();
        let numbers = [7, 0, 49, 7, 23];
        let picked = digits.pick(&numbers);
        let ranges = Augmentation { rotation: 40.0, shift_x: 0.3, shift_y: 0.2, zoom: 0.4 };
        let maps = ranges.maps(shape.side, &numbers, 5, 2);
        for (maps, expected) in
            [(None, Batch::plain(&picked.images, 0..5)), (Some(&maps[..]), Batch::augmented(&picked, &ranges, 5, 2))]
        {
            let (images, labels) = resident.batch(&numbers, maps);
            assert_eq!(images.dims(), [5, shape.channels, shape.side, shape.side]);
            let found: Vec<f32> = images.into_data().try_into_vec().unwrap();
            let worst = found.iter().zip(&expected.pixels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-4, "differs by {worst}");
            let labels: Vec<u8> = labels.into_data().iter::<i32>().map(|label| label as u8).collect();
            assert_eq!(labels, expected.labels);
        }
    }
}
