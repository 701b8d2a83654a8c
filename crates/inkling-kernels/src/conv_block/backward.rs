//! The gradients: a few rows of products for each winner.

use super::{Dims, NONE, Patches, TAPS, single};
use crate::lanes::{LANES, Lanes, Products, kernel};

/// Gradients of the block.
pub struct Gradients {
    /// `[O, I, 3, 3]`.
    pub weight: Vec<f32>,
    /// `[O]`.
    pub bias: Vec<f32>,
    /// `[N, H, W, I]`, if it was asked for.
    pub input: Option<Vec<f32>>,
}

/// The output's gradient, `[N, O, H', W']` in any order in memory.
#[derive(Clone, Copy)]
pub struct Strided<'a> {
    /// The values, from the first element on.
    pub values: &'a [f32],
    /// Floats from one index to the next, for each of the four dimensions.
    pub strides: [usize; 4],
}

impl Strided<'_> {
    /// The gradient of one image.
    pub(super) fn of_image(self, image: usize) -> Self {
        Strided { values: &self.values[image * self.strides[0]..], ..self }
    }
}

kernel! {
    /// The gradients at `x`, `weight` and the bias, from the winners that [`forward`](super::forward) found and the output's gradient.
    pub fn backward(
        x: &[f32],
        weight: &[f32],
        winners: &[u8],
        gradient: Strided,
        dims: Dims,
        with_input: bool,
    ) -> Gradients = backward_with
}

#[inline(always)]
fn backward_with<P: Products>(
    x: &[f32],
    weight: &[f32],
    winners: &[u8],
    gradient: Strided,
    dims: Dims,
    with_input: bool,
) -> Gradients {
    let Dims { inputs, outputs, width, .. } = dims;
    // [O][row][column][I], so that a row of a patch is contiguous here, as it is in the image.
    let weight_rows = with_input.then(|| transposed_rows(weight, inputs, TAPS));
    let mut weight_gradient = vec![0.0; outputs * TAPS * inputs];
    let mut bias = vec![0.0; outputs];
    let mut input = with_input.then(|| vec![0.0; dims.images * dims.image()]);
    if inputs == 1 {
        single::gradients::<P>(x, winners, gradient, dims, &mut weight_gradient, &mut bias);
        if !with_input {
            return Gradients { weight: weight_gradient, bias, input };
        }
    }
    let mut flows = Flows::new(dims);
    let (row, image_row) = (3 * inputs, width * inputs);
    let images = x.chunks_exact(dims.image()).zip(winners.chunks_exact(dims.pooled_image()));
    for (image, (x, winners)) in images.enumerate() {
        let gradient = gradient.of_image(image);
        if inputs > 1 {
            let channels = bias.iter_mut().zip(weight_gradient.chunks_exact_mut(TAPS * inputs));
            for (channel, (bias, rows)) in channels.enumerate() {
                let flows = flows.of_channel(channel, winners, gradient);
                *bias += flows.iter().map(|flow| flow.gradient).sum::<f32>();
                for (index, to) in rows.chunks_exact_mut(row).enumerate() {
                    add_rows::<P>(flows, &x[index * image_row..], to);
                }
            }
        }
        if let (Some(input), Some(weight)) = (&mut input, &weight_rows) {
            let input = &mut input[image * dims.image()..][..dims.image()];
            flows.sort_by_position(winners, gradient);
            for index in 0..3 {
                for (at, flows) in flows.by_position() {
                    add_rows::<P>(flows, &weight[index * row..], &mut input[at + index * image_row..][..row]);
                }
            }
        }
    }
    Gradients { weight: transposed_rows(&weight_gradient, TAPS, inputs), bias, input }
}

/// What one winner passes on.
#[derive(Clone, Copy, Default)]
struct Flow {
    /// Where it goes: offset of the patch in the image, or of the channel in the weights.
    at: u32,
    gradient: f32,
}

/// The winners of one image and the gradients that flow through them, sorted in the two orders that are needed.
struct Flows {
    patches: Patches,
    /// Columns of the pooled output, and output channels.
    columns: usize,
    outputs: usize,
    /// The flows of one channel; `at` is the patch.
    channel: Vec<Flow>,
    /// All flows, window by window and position by position; `at` is the channel.
    positions: Vec<Flow>,
    /// Where in `positions` each position of each window ends.
    ends: Vec<[usize; 4]>,
    /// The flows of one window, by position.
    buckets: [Vec<Flow>; 4],
    inputs: usize,
}

impl Flows {
    fn new(dims: Dims) -> Self {
        Flows {
            patches: Patches::new(dims),
            columns: dims.pooled()[1],
            outputs: dims.outputs,
            channel: vec![Flow::default(); dims.windows()],
            positions: Vec::with_capacity(dims.pooled_image()),
            ends: vec![[0; 4]; dims.windows()],
            buckets: std::array::from_fn(|_| vec![Flow::default(); dims.outputs]),
            inputs: dims.inputs,
        }
    }

    fn of_channel(&mut self, channel: usize, winners: &[u8], gradient: Strided) -> &[Flow] {
        let [_, channel_stride, row_stride, column_stride] = gradient.strides;
        let mut len = 0;
        let winners = winners[channel..].iter().step_by(self.outputs);
        let rows = self.patches.0.chunks_exact(self.columns).enumerate();
        let windows = rows.flat_map(|(row, patches)| {
            let from = channel * channel_stride + row * row_stride;
            patches.iter().enumerate().map(move |(column, patches)| (from + column * column_stride, patches))
        });
        for ((at, patches), &winner) in windows.zip(winners) {
            // Branch-free, because the branch could not be predicted: the next flow overwrites an entry that is not one.
            self.channel[len] = Flow { at: patches[usize::from(winner & 3)] as u32, gradient: gradient.values[at] };
            len += usize::from(winner != NONE);
        }
        &self.channel[..len]
    }

    fn sort_by_position(&mut self, winners: &[u8], gradient: Strided) {
        let [_, channel_stride, row_stride, column_stride] = gradient.strides;
        self.positions.clear();
        for (window, (ends, winners)) in self.ends.iter_mut().zip(winners.chunks_exact(self.outputs)).enumerate() {
            let at = window / self.columns * row_stride + window % self.columns * column_stride;
            let mut len = [0; 4];
            for (channel, &winner) in winners.iter().enumerate() {
                if let Some(bucket) = self.buckets.get_mut(usize::from(winner)) {
                    let at = at + channel * channel_stride;
                    let len = &mut len[usize::from(winner)];
                    bucket[*len] = Flow { at: (channel * TAPS * self.inputs) as u32, gradient: gradient.values[at] };
                    *len += 1;
                }
            }
            for ((end, bucket), len) in ends.iter_mut().zip(&self.buckets).zip(len) {
                self.positions.extend_from_slice(&bucket[..len]);
                *end = self.positions.len();
            }
        }
    }

    /// The patch of each position of each window, and what flows through it.
    fn by_position(&self) -> impl Iterator<Item = (usize, &[Flow])> {
        let mut from = 0;
        self.patches.0.as_flattened().iter().zip(self.ends.as_flattened()).map(move |(&patch, &end)| {
            let flows = &self.positions[from..end];
            from = end;
            (patch, flows)
        })
    }
}

/// `to += sum of gradient * from[at..]` over `flows`, as many columns at a time as fit the registers.
#[inline(always)]
fn add_rows<P: Products>(flows: &[Flow], from: &[f32], to: &mut [f32]) {
    const WIDE: usize = 12 * LANES;
    if flows.is_empty() {
        return;
    }
    let len = to.len();
    let mut done = 0;
    while done + WIDE <= len {
        add_columns::<P, 12>(flows, &from[done..], &mut to[done..done + WIDE]);
        done += WIDE;
    }
    while done + LANES <= len {
        add_columns::<P, 1>(flows, &from[done..], &mut to[done..done + LANES]);
        done += LANES;
    }
    // Columns are left over only if there is one input channel.
    for column in done..len {
        to[column] += flows.iter().map(|flow| flow.gradient * from[flow.at as usize + column]).sum::<f32>();
    }
}

#[inline(always)]
fn add_columns<P: Products, const R: usize>(flows: &[Flow], from: &[f32], to: &mut [f32]) {
    let (to, _) = to.as_chunks_mut::<LANES>();
    let mut sums = [Lanes::<P>::splat(0.0); R];
    for (sum, to) in sums.iter_mut().zip(to.iter()) {
        *sum = Lanes::load(to);
    }
    for flow in flows {
        let gradient = Lanes::splat(flow.gradient);
        let (row, _) = from[flow.at as usize..][..R * LANES].as_chunks::<LANES>();
        for (sum, row) in sums.iter_mut().zip(row) {
            *sum = sum.add_product(gradient, Lanes::load(row));
        }
    }
    for (to, sum) in to.iter_mut().zip(sums) {
        sum.store(to);
    }
}

/// Each `[rows, columns]` matrix of `m` transposed.
fn transposed_rows(m: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; m.len()];
    let size = rows * columns;
    for (from, to) in m.chunks_exact(size).zip(out.chunks_exact_mut(size)) {
        for (row, from) in from.chunks_exact(columns).enumerate() {
            to.iter_mut().skip(row).step_by(rows).zip(from).for_each(|(to, from)| *to = *from);
        }
    }
    out
}
