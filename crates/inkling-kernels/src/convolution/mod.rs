//! Convolution with stride 1, bias and a border of zeros in CPU memory: forward, weight gradient and input gradient.
//!
//! An image lies here as `[H, W, C]` with its border of zeros, so that a row of a patch, `kernel` pixels with all their channels, is
//! one piece of memory. The inner loops keep four rows by eight outputs in registers. A kernel of 3x3 takes Winograd's way, which
//! needs less than half of the products.

mod direct;
mod winograd;

use crate::{
    lanes::{BLOCK, LANES, Lanes, Products, halves, kernel, store},
    products::ROWS,
};

/// Sizes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// Images.
    pub images: usize,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Rows of an input image.
    pub height: usize,
    /// Columns of an input image.
    pub width: usize,
    /// Rows and columns of a patch.
    pub kernel: usize,
    /// Rows and columns of zeros around an image.
    pub padding: usize,
}

impl Dims {
    /// Whether there is an output, and the border is smaller than a patch.
    pub fn supported(&self) -> bool {
        let fits = |side: usize| side + 2 * self.padding >= self.kernel;
        self.padding < self.kernel && fits(self.height) && fits(self.width) && self.inputs > 0 && self.outputs > 0
    }

    /// Rows and columns of an output image.
    pub fn output(&self) -> [usize; 2] {
        [self.height, self.width].map(|side| side + 2 * self.padding + 1 - self.kernel)
    }

    /// The convolution of the output's gradient that gives the input's.
    fn reversed(&self) -> Self {
        let [height, width] = self.output();
        let (inputs, outputs, padding) = (self.outputs, self.inputs, self.kernel - 1 - self.padding);
        Dims { inputs, outputs, height, width, padding, ..*self }
    }

    /// Rows and columns of an image with its border, which has one more where Winograd's tiles of 2x2 outputs reach further.
    fn bordered(&self) -> [usize; 2] {
        self.output().map(|side| side.next_multiple_of(2) + self.kernel - 1)
    }

    /// Floats of an image with its border. A few more let the weight gradient read whole registers at the end.
    fn bordered_image(&self) -> usize {
        let [rows, columns] = self.bordered();
        rows * columns * self.inputs + LANES
    }

    /// Floats of a row of an image with its border.
    fn bordered_row(&self) -> usize {
        self.bordered()[1] * self.inputs
    }

    /// Pixels of an output image.
    fn pixels(&self) -> usize {
        let [rows, columns] = self.output();
        rows * columns
    }
}

/// Images with a border of zeros: what the passes read.
#[derive(Clone, Debug)]
pub struct Bordered(Vec<f32>);

impl Bordered {
    /// The images `x` `[N, I, H, W]`.
    pub fn new(x: &[f32], dims: Dims) -> Self {
        let Dims { inputs, height, width, padding, .. } = dims;
        let mut out = vec![0.0; dims.images * dims.bordered_image()];
        let plane = height * width;
        for (image, out) in x.chunks_exact(inputs * plane).zip(out.chunks_exact_mut(dims.bordered_image())) {
            for row in 0..height {
                let to = &mut out[(row + padding) * dims.bordered_row() + padding * inputs..][..width * inputs];
                let from = |channel: usize| &image[channel * plane + row * width..][..width];
                let whole = inputs / LANES * LANES;
                for channel in (0..whole).step_by(LANES) {
                    let [a, b, c, d] = std::array::from_fn(|lane| from(channel + lane));
                    let pixels = to.chunks_exact_mut(inputs).zip(a).zip(b).zip(c).zip(d);
                    for ((((pixel, a), b), c), d) in pixels {
                        pixel[channel..channel + LANES].copy_from_slice(&[*a, *b, *c, *d]);
                    }
                }
                for channel in whole..inputs {
                    to.chunks_exact_mut(inputs).zip(from(channel)).for_each(|(pixel, value)| pixel[channel] = *value);
                }
            }
        }
        Bordered(out)
    }

    fn images(&self, dims: Dims) -> impl Iterator<Item = &[f32]> {
        self.0.chunks_exact(dims.bordered_image())
    }
}

/// The two ways to compute.
enum Way {
    Direct(direct::Direct),
    Winograd(winograd::Winograd),
}

impl Way {
    /// The better way for these sizes. `weight(output, input, row, column)` is a weight.
    fn new(dims: Dims, weight: impl Fn(usize, usize, usize, usize) -> f32) -> Self {
        match winograd::suits(dims) {
            true => Way::Winograd(winograd::Winograd::new(dims, weight)),
            false => Way::Direct(direct::Direct::new(dims, weight)),
        }
    }
}

kernel! {
    /// The convolution of the images `x` with `weight` `[O, I, k, k]` plus `bias` `[O]`: `[N, O, H', W']`.
    pub fn forward(x: &Bordered, weight: &[f32], bias: &[f32], dims: Dims) -> Vec<f32> = forward_with
}

#[inline(always)]
fn forward_with<P: Products>(x: &Bordered, weight: &[f32], bias: &[f32], dims: Dims) -> Vec<f32> {
    let Dims { inputs, kernel, .. } = dims;
    let weight = |output: usize, input: usize, row: usize, column: usize| {
        weight[((output * inputs + input) * kernel + row) * kernel + column]
    };
    convolve::<P>(x, Way::new(dims, weight), Some(bias), dims)
}

kernel! {
    /// The gradient at the input, `[N, I, H, W]`, from the output's `gradient` `[N, O, H', W']`.
    pub fn input_gradient(gradient: &[f32], weight: &[f32], dims: Dims) -> Vec<f32> = input_gradient_with
}

#[inline(always)]
fn input_gradient_with<P: Products>(gradient: &[f32], weight: &[f32], dims: Dims) -> Vec<f32> {
    let Dims { inputs, kernel, .. } = dims;
    let (reversed, last) = (dims.reversed(), kernel - 1);
    let weight = |input: usize, output: usize, row: usize, column: usize| {
        weight[((output * inputs + input) * kernel + last - row) * kernel + last - column]
    };
    convolve::<P>(&Bordered::new(gradient, reversed), Way::new(reversed, weight), None, reversed)
}

#[inline(always)]
fn convolve<P: Products>(x: &Bordered, mut way: Way, bias: Option<&[f32]>, dims: Dims) -> Vec<f32> {
    let (outputs, pixels) = (dims.outputs, dims.pixels());
    let mut out = vec![0.0; dims.images * outputs * pixels];
    let mut sums = vec![[0.0; BLOCK]; pixels.next_multiple_of(ROWS)];
    for (x, out) in x.images(dims).zip(out.chunks_exact_mut(outputs * pixels)) {
        if let Way::Winograd(way) = &mut way {
            way.transform::<P>(x);
        }
        for (block, out) in out.chunks_mut(BLOCK * pixels).enumerate() {
            let mut start = [0.0; BLOCK];
            let known = bias.map_or(&[][..], |bias| &bias[block * BLOCK..]);
            start.iter_mut().zip(known).for_each(|(start, bias)| *start = *bias);
            match &mut way {
                Way::Direct(way) => way.block::<P>(x, block, &start, &mut sums),
                Way::Winograd(way) => way.block::<P>(block, &start, &mut sums),
            }
            for (channel, plane) in out.chunks_exact_mut(pixels).enumerate() {
                plane.iter_mut().zip(&sums).for_each(|(value, pixel)| *value = pixel[channel]);
            }
        }
    }
    out
}

kernel! {
    /// The gradients at the weights, `[O, I, k, k]`, and at the bias, `[O]`, from the output's `gradient` `[N, O, H', W']`.
    pub fn weight_gradient(x: &Bordered, gradient: &[f32], dims: Dims) -> (Vec<f32>, Vec<f32>) = weight_gradient_with
}

#[inline(always)]
fn weight_gradient_with<P: Products>(x: &Bordered, gradient: &[f32], dims: Dims) -> (Vec<f32>, Vec<f32>) {
    let pixels = dims.pixels();
    let mut bias = vec![0.0; dims.outputs];
    for gradient in gradient.chunks_exact(dims.outputs * pixels) {
        for (bias, plane) in bias.iter_mut().zip(gradient.chunks_exact(pixels)) {
            *bias += plane.iter().sum::<f32>();
        }
    }
    let weight = match winograd::suits(dims) {
        true => winograd::weight_gradient::<P>(x, gradient, dims),
        false => direct::weight_gradient::<P>(x, gradient, dims),
    };
    (weight, bias)
}

/// The values of up to eight channels, pixel by pixel.
fn interleave(planes: &[f32], out: &mut [[f32; BLOCK]]) {
    for (channel, plane) in planes.chunks_exact(out.len()).enumerate() {
        out.iter_mut().zip(plane).for_each(|(pixel, value)| pixel[channel] = *value);
    }
}

/// `sums += x' gradient` for the four floats of `x` at each of the places, and the row of `gradient` `[n][8]` that belongs to it.
#[inline(always)]
fn add_products<P: Products>(x: &[f32], places: &[usize], gradient: &[[f32; BLOCK]], sums: &mut [[f32; BLOCK]; LANES]) {
    let mut own = [[Lanes::<P>::splat(0.0); 2]; LANES];
    for (at, gradient) in places.iter().zip(gradient) {
        let Some(values) = x.get(*at..).and_then(|x| x.first_chunk::<LANES>()) else { break };
        let [low, high] = halves(gradient);
        for (sum, value) in own.iter_mut().zip(values) {
            let value = Lanes::splat(*value);
            sum[0] = sum[0].add_product(value, low);
            sum[1] = sum[1].add_product(value, high);
        }
    }
    sums.iter_mut().zip(own).for_each(|(sum, own)| store(add(halves(sum), own), sum));
}

#[inline(always)]
fn add<P: Products>(a: [Lanes<P>; 2], b: [Lanes<P>; 2]) -> [Lanes<P>; 2] {
    [a[0] + b[0], a[1] + b[1]]
}
