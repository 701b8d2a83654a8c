//! Convolution 3x3 (no padding, stride 1), bias, ReLU and max-pool 2x2 (stride 2) in one pass, forward and backward.
//!
//! Only what the pool keeps is ever stored: for each pool window and channel the largest value and which of the window's
//! four positions gave it, the winner. The gradient flows through winners above zero alone, so backward adds a few rows
//! for each instead of two dense convolutions.
//!
//! Images are `[N, H, W, C]`, weights as Burn has them, `[O, I, 3, 3]`.

use super::lanes::{LANES, Lanes};

/// Output channels that one pass of the inner loops computes: two registers.
const BLOCK: usize = 2 * LANES;
/// Winner of a window that passes nothing on: all four values are zero or less.
pub const NONE: u8 = u8::MAX;
/// Weights of one channel pair.
const TAPS: usize = 9;

/// Sizes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// Images.
    pub images: usize,
    /// Rows and columns of an input image.
    pub height: usize,
    /// Columns of an input image.
    pub width: usize,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
}

impl Dims {
    /// Whether the kernels here can compute it; what they can't is the composed operations' to do.
    pub fn supported(&self) -> bool {
        (self.inputs == 1 || self.inputs.is_multiple_of(LANES))
            && self.outputs.is_multiple_of(BLOCK)
            && self.outputs > 0
            && self.height >= 4
            && self.width >= 4
    }

    /// Rows and columns of the pooled output.
    pub fn pooled(&self) -> [usize; 2] {
        [(self.height - 2) / 2, (self.width - 2) / 2]
    }

    fn windows(&self) -> usize {
        let [rows, columns] = self.pooled();
        rows * columns
    }

    /// Floats of an input image.
    fn image(&self) -> usize {
        self.height * self.width * self.inputs
    }

    /// Floats of an output image.
    fn pooled_image(&self) -> usize {
        self.windows() * self.outputs
    }
}

/// Offsets in an input image of the four patches under each pool window.
struct Patches(Vec<[usize; 4]>);

impl Patches {
    fn new(dims: Dims) -> Self {
        let [rows, columns] = dims.pooled();
        let corner = |row: usize, column: usize| (row * dims.width + column) * dims.inputs;
        let window = |row, column| std::array::from_fn(|at| corner(2 * row + at / 2, 2 * column + at % 2));
        Patches((0..rows * columns).map(|i| window(i / columns, i % columns)).collect())
    }

    #[inline(always)]
    fn of(&self, window: usize) -> [usize; 4] {
        self.0[window]
    }
}

/// What [`forward`] computes.
pub struct Output {
    /// `[N, H', W', O]`: the largest of each window, at least zero; NaN if one of the four is.
    pub values: Vec<f32>,
    /// `[N, H', W', O]`: its position in the window, 0 to 3, row by row, the first of equals; [`NONE`] if it is zero.
    pub winners: Vec<u8>,
}

/// The block's output for `x` `[N, H, W, I]`, `weight` `[O, I, 3, 3]` and `bias` `[O]`.
pub fn forward(x: &[f32], weight: &[f32], bias: &[f32], dims: Dims) -> Output {
    let len = dims.images * dims.pooled_image();
    let mut output = Output { values: vec![0.0; len], winners: vec![NONE; len] };
    forward_into(x, weight, bias, dims, &mut output);
    output
}

/// [`forward`] into buffers of the right length, whatever stands in them.
pub fn forward_into(x: &[f32], weight: &[f32], bias: &[f32], dims: Dims, output: &mut Output) {
    let images = x
        .chunks_exact(dims.image())
        .zip(output.values.chunks_exact_mut(dims.pooled_image()))
        .zip(output.winners.chunks_exact_mut(dims.pooled_image()));
    if dims.inputs == 1 {
        let (weight, patches) = (single_channel_weights(weight), Patches::new(dims));
        for ((x, values), winners) in images {
            single_channel_image(x, &weight, bias, dims, &patches, values, winners);
        }
    } else {
        let mut winograd = Winograd::new(weight, dims);
        for ((x, values), winners) in images {
            winograd.image(x, weight, bias, values, winners);
        }
    }
}

/// ReLU and pool: the largest of a window's four values for [`LANES`] channels, and its position; as Burn does it, the
/// first of equals wins, and a NaN wins over all.
#[inline(always)]
fn pool(window: [Lanes; 4], values: &mut [f32; LANES], winners: &mut [u8; LANES]) {
    let zero = Lanes::splat(0.0);
    // Positions are carried as bits: only moved, never computed with.
    let position = |position: u8| Lanes::splat(f32::from_bits(u32::from(position)));
    let mut best = zero;
    let mut winner = position(NONE);
    for (value, index) in window.into_iter().zip(0..) {
        // `best` is zero at least, so what beats it is above zero; a NaN beats and is never beaten but by another.
        let wins = value.gt_or_nan(best);
        best = wins.select(value, best);
        winner = wins.select(position(index), winner);
    }
    best.store(values);
    *winners = winner.bits_as_bytes();
}

/// `[block][tap][8]`.
fn single_channel_weights(weight: &[f32]) -> Vec<[[f32; BLOCK]; TAPS]> {
    let (taps, _) = weight.as_chunks::<TAPS>();
    let blocks = taps.as_chunks::<BLOCK>().0;
    blocks.iter().map(|block| std::array::from_fn(|tap| std::array::from_fn(|c| block[c][tap]))).collect()
}

/// One image of one channel: each block of channels keeps a window's four sums in eight registers.
fn single_channel_image(
    x: &[f32],
    weight: &[[[f32; BLOCK]; TAPS]],
    bias: &[f32],
    dims: Dims,
    patches: &Patches,
    values: &mut [f32],
    winners: &mut [u8],
) {
    let values = values.chunks_exact_mut(dims.outputs);
    let winners = winners.chunks_exact_mut(dims.outputs);
    for ((&[at, ..], values), winners) in patches.0.iter().zip(values).zip(winners) {
        let mut patch = [[0.0; 4]; 4];
        for (row, pixels) in patch.iter_mut().enumerate() {
            pixels.copy_from_slice(&x[at + row * dims.width..][..4]);
        }
        let values = values.as_chunks_mut::<LANES>().0.as_chunks_mut::<2>().0;
        let winners = winners.as_chunks_mut::<LANES>().0.as_chunks_mut::<2>().0;
        let bias = bias.as_chunks::<LANES>().0.as_chunks::<2>().0;
        for (((values, winners), bias), weight) in values.iter_mut().zip(winners).zip(bias).zip(weight) {
            let bias = bias.each_ref().map(Lanes::load);
            let mut sums = [bias; 4];
            for (tap, weight) in weight.iter().enumerate() {
                let [low, high] = halves(weight);
                for (position, sum) in sums.iter_mut().enumerate() {
                    let pixel = Lanes::splat(patch[tap / 3 + position / 2][tap % 3 + position % 2]);
                    sum[0] = sum[0].add_product(pixel, low);
                    sum[1] = sum[1].add_product(pixel, high);
                }
            }
            for half in 0..2 {
                pool(sums.map(|sum| sum[half]), &mut values[half], &mut winners[half]);
            }
        }
    }
}

#[inline(always)]
fn halves(block: &[f32; BLOCK]) -> [Lanes; 2] {
    let (halves, _) = block.as_chunks::<LANES>();
    [Lanes::load(&halves[0]), Lanes::load(&halves[1])]
}

/// Products of a tile's transform: 16 instead of the 36 of four separate 3x3 sums.
const FREQUENCIES: usize = 16;
/// Tiles that the inner loop of the products keeps in registers: 5 x 2 sums, 2 weights, 1 value.
const TILES: usize = 5;

/// Four input channels of a group of tiles: all that four rounds of the inner loop read stands at fixed offsets.
type TileLanes = [[f32; LANES]; TILES];

/// Winograd's F(2x2, 3x3) (Lavin, Gray 2016, "Fast algorithms for convolutional neural networks", section 4.1): a tile's
/// 2x2 outputs are one pool window.
struct Winograd {
    dims: Dims,
    patches: Patches,
    /// Groups of tiles of an image, the last padded with zeros.
    groups: usize,
    /// `[block][frequency][I / 4][4][8]`.
    weight: Vec<[[f32; BLOCK]; LANES]>,
    /// `[frequency][group][I / 4]`: the image's tiles.
    tiles: Vec<TileLanes>,
    /// `[frequency][group * 5][8]`: the products of one block.
    products: Vec<[f32; BLOCK]>,
}

impl Winograd {
    fn new(weight: &[f32], dims: Dims) -> Self {
        let (lanes, groups) = (dims.inputs / LANES, dims.windows().div_ceil(TILES));
        let mut transformed = vec![[[0.0; BLOCK]; LANES]; dims.outputs / BLOCK * FREQUENCIES * lanes];
        for (index, taps) in weight.as_chunks::<TAPS>().0.iter().enumerate() {
            let (output, input) = (index / dims.inputs, index % dims.inputs);
            for (frequency, value) in transform_weight(taps).into_iter().enumerate() {
                let row = (output / BLOCK * FREQUENCIES + frequency) * lanes + input / LANES;
                transformed[row][input % LANES][output % BLOCK] = value;
            }
        }
        Winograd {
            dims,
            patches: Patches::new(dims),
            groups,
            weight: transformed,
            tiles: vec![[[0.0; LANES]; TILES]; FREQUENCIES * groups * lanes],
            products: vec![[0.0; BLOCK]; FREQUENCIES * groups * TILES],
        }
    }

    fn image(&mut self, x: &[f32], weight: &[f32], bias: &[f32], values: &mut [f32], winners: &mut [u8]) {
        let Dims { inputs, outputs, .. } = self.dims;
        let lanes = inputs / LANES;
        let padded = self.groups * TILES;
        self.transform_input(x);
        for (block, transformed) in self.weight.chunks_exact(FREQUENCIES * lanes).enumerate() {
            let frequencies = self
                .products
                .chunks_exact_mut(padded)
                .zip(self.tiles.chunks_exact(self.groups * lanes))
                .zip(transformed.chunks_exact(lanes));
            for ((products, tiles), transformed) in frequencies {
                for (products, tiles) in products.as_chunks_mut().0.iter_mut().zip(tiles.chunks_exact(lanes)) {
                    multiply(tiles, transformed, products);
                }
            }
            for half in 0..2 {
                let channel = block * BLOCK + half * LANES;
                let Some(bias) = bias[channel..].first_chunk::<LANES>() else { return };
                let values = values.chunks_exact_mut(outputs);
                let winners = winners.chunks_exact_mut(outputs);
                for (window, (values, winners)) in values.zip(winners).enumerate() {
                    let products = std::array::from_fn(|frequency| {
                        Lanes::load(&self.products[frequency * padded + window].as_chunks().0[half])
                    });
                    let mut sums = transform_output(products).map(|sum| sum + Lanes::load(bias));
                    if !(sums[0] + sums[1] + sums[2] + sums[3]).all_finite() {
                        sums = direct(x, weight, bias, self.dims, self.patches.of(window), channel);
                    }
                    if let (Some(values), Some(winners)) =
                        (values[channel..].first_chunk_mut(), winners[channel..].first_chunk_mut())
                    {
                        pool(sums, values, winners);
                    }
                }
            }
        }
    }

    /// B'dB of each window's 4x4 pixels.
    fn transform_input(&mut self, x: &[f32]) {
        let Dims { width, inputs, .. } = self.dims;
        let lanes = inputs / LANES;
        for window in 0..self.dims.windows() {
            let at = self.patches.of(window)[0];
            let rows: [_; 4] = std::array::from_fn(|row| {
                let pixels = &x[at + row * width * inputs..][..4 * inputs];
                let mut pixels = pixels.chunks_exact(inputs);
                std::array::from_fn::<_, 4, _>(|_| &pixels.next().unwrap_or_default().as_chunks::<LANES>().0[..lanes])
            });
            let (group, tile) = (window / TILES, window % TILES);
            for lane in 0..lanes {
                let mut pixels = [[Lanes::splat(0.0); 4]; 4];
                for (pixels, row) in pixels.iter_mut().zip(&rows) {
                    for (pixel, from) in pixels.iter_mut().zip(row) {
                        *pixel = Lanes::load(&from[lane]);
                    }
                }
                let across = transform_tile(pixels);
                for (frequency, value) in across.as_flattened().iter().enumerate() {
                    value.store(&mut self.tiles[(frequency * self.groups + group) * lanes + lane][tile]);
                }
            }
        }
    }
}

/// `products = tiles x weight` for `tiles` `[5][I]` and `weight` `[I][8]`.
#[inline(always)]
fn multiply(tiles: &[TileLanes], weight: &[[[f32; BLOCK]; LANES]], products: &mut [[f32; BLOCK]; TILES]) {
    let mut sums = [[Lanes::splat(0.0); 2]; TILES];
    for (tiles, weight) in tiles.iter().zip(weight) {
        for (lane, weight) in weight.iter().enumerate() {
            let [low, high] = halves(weight);
            for (sum, tile) in sums.iter_mut().zip(tiles) {
                let value = Lanes::splat(tile[lane]);
                sum[0] = sum[0].add_product(value, low);
                sum[1] = sum[1].add_product(value, high);
            }
        }
    }
    for (product, sum) in products.iter_mut().zip(sums) {
        let (halves, _) = product.as_chunks_mut::<LANES>();
        sum[0].store(&mut halves[0]);
        sum[1].store(&mut halves[1]);
    }
}

/// B'dB. (Loops, not `map`: the compiler keeps these in registers.)
#[inline(always)]
fn transform_tile(mut d: [[Lanes; 4]; 4]) -> [[Lanes; 4]; 4] {
    let line = |d: [Lanes; 4]| [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]];
    #[allow(clippy::needless_range_loop)] // a column has no iterator
    for column in 0..4 {
        let down = line([d[0][column], d[1][column], d[2][column], d[3][column]]);
        for (row, value) in down.into_iter().enumerate() {
            d[row][column] = value;
        }
    }
    for row in &mut d {
        *row = line(*row);
    }
    d
}

/// GgG'.
fn transform_weight(g: &[f32; TAPS]) -> [f32; FREQUENCIES] {
    let line = |g: [f32; 3]| [g[0], (g[0] + g[1] + g[2]) * 0.5, (g[0] - g[1] + g[2]) * 0.5, g[2]];
    let down: [[f32; 4]; 3] = std::array::from_fn(|column| line([g[column], g[3 + column], g[6 + column]]));
    let across: [[f32; 4]; 4] = std::array::from_fn(|row| line([down[0][row], down[1][row], down[2][row]]));
    std::array::from_fn(|frequency| across[frequency / 4][frequency % 4])
}

/// A'mA: the window's four sums, row by row.
#[inline(always)]
fn transform_output(m: [Lanes; FREQUENCIES]) -> [Lanes; 4] {
    let line = |m: [Lanes; 4]| [m[0] + m[1] + m[2], m[1] - m[2] - m[3]];
    let down: [[Lanes; 2]; 4] =
        std::array::from_fn(|column| line([m[column], m[4 + column], m[8 + column], m[12 + column]]));
    let [top, bottom] = [0, 1].map(|row| line(down.map(|column| column[row])));
    [top[0], top[1], bottom[0], bottom[1]]
}

/// A window's four sums for [`LANES`] channels without the transform, which would make a NaN of an infinity.
#[cold]
fn direct(
    x: &[f32],
    weight: &[f32],
    bias: &[f32; LANES],
    dims: Dims,
    patches: [usize; 4],
    channel: usize,
) -> [Lanes; 4] {
    patches.map(|at| {
        let sums: [f32; LANES] = std::array::from_fn(|lane| {
            let weight = &weight[(channel + lane) * dims.inputs * TAPS..];
            let mut sum = bias[lane];
            for (tap, input) in (0..TAPS).flat_map(|tap| (0..dims.inputs).map(move |input| (tap, input))) {
                let pixel = x[at + (tap / 3 * dims.width + tap % 3) * dims.inputs + input];
                sum += pixel * weight[input * TAPS + tap];
            }
            sum
        });
        Lanes::load(&sums)
    })
}

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
    /// From the first element on.
    pub values: &'a [f32],
    /// Floats from one index to the next, for each of the four dimensions.
    pub strides: [usize; 4],
}

/// The gradients at `x`, `weight` and the bias, from the winners that [`forward`] found and the output's gradient.
pub fn backward(
    x: &[f32],
    weight: &[f32],
    winners: &[u8],
    gradient: Strided,
    dims: Dims,
    with_input: bool,
) -> Gradients {
    let Dims { inputs, outputs, width, .. } = dims;
    // [O][row][column][I], so that a row of a patch, which lies together in the image, lies together here too.
    let weight_rows = with_input.then(|| transposed_rows(weight, inputs, TAPS));
    let mut weight_gradient = vec![0.0; outputs * TAPS * inputs];
    let mut bias = vec![0.0; outputs];
    let mut input = with_input.then(|| vec![0.0; dims.images * dims.image()]);
    let mut flows = Flows::new(dims);
    let (row, image_row) = (3 * inputs, width * inputs);
    let images = x.chunks_exact(dims.image()).zip(winners.chunks_exact(dims.pooled_image()));
    for (image, (x, winners)) in images.enumerate() {
        let gradient = Strided { values: &gradient.values[image * gradient.strides[0]..], ..gradient };
        let channels = bias.iter_mut().zip(weight_gradient.chunks_exact_mut(TAPS * inputs));
        for (channel, (bias, rows)) in channels.enumerate() {
            let flows = flows.of_channel(channel, winners, gradient);
            *bias += flows.iter().map(|flow| flow.gradient).sum::<f32>();
            if inputs == 1 {
                add_patches(flows, x, width, rows);
            } else {
                for (index, to) in rows.chunks_exact_mut(row).enumerate() {
                    add_rows(flows, &x[index * image_row..], to);
                }
            }
        }
        if let (Some(input), Some(weight)) = (&mut input, &weight_rows) {
            let input = &mut input[image * dims.image()..][..dims.image()];
            flows.sort_by_position(winners, gradient);
            for index in 0..3 {
                for (at, flows) in flows.by_position() {
                    add_rows(flows, &weight[index * row..], &mut input[at + index * image_row..][..row]);
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

/// The winners of one image and what flows through them, sorted as the two gradients need them.
struct Flows {
    patches: Patches,
    /// Columns of the pooled output, and output channels.
    columns: usize,
    outputs: usize,
    /// Of one channel: `at` is the patch.
    channel: Vec<Flow>,
    /// Window by window and position by position: `at` is the channel.
    positions: Vec<Flow>,
    /// Where in `positions` each position of each window ends.
    ends: Vec<[usize; 4]>,
    /// Those of one window.
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
            if let Some(&patch) = patches.get(usize::from(winner)) {
                self.channel[len] = Flow { at: patch as u32, gradient: gradient.values[at] };
                len += 1;
            }
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
fn add_rows(flows: &[Flow], from: &[f32], to: &mut [f32]) {
    const WIDE: usize = 12 * LANES;
    if flows.is_empty() {
        return;
    }
    let len = to.len();
    let mut done = 0;
    while done + WIDE <= len {
        add_columns::<12>(flows, &from[done..], &mut to[done..done + WIDE]);
        done += WIDE;
    }
    while done + LANES <= len {
        add_columns::<1>(flows, &from[done..], &mut to[done..done + LANES]);
        done += LANES;
    }
    // One input channel, where its gradient is asked for.
    for column in done..len {
        to[column] += flows.iter().map(|flow| flow.gradient * from[flow.at as usize + column]).sum::<f32>();
    }
}

#[inline(always)]
fn add_columns<const R: usize>(flows: &[Flow], from: &[f32], to: &mut [f32]) {
    let (to, _) = to.as_chunks_mut::<LANES>();
    let mut sums = [Lanes::splat(0.0); R];
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

/// `to += sum of gradient * patch` over `flows`, for the nine pixels of patches of one channel.
#[inline(always)]
fn add_patches(flows: &[Flow], x: &[f32], width: usize, to: &mut [f32]) {
    let mut sums = [Lanes::splat(0.0); 3];
    for flow in flows {
        let gradient = Lanes::splat(flow.gradient);
        for (row, sum) in sums.iter_mut().enumerate() {
            let at = flow.at as usize + row * width;
            // A register holds the row's three pixels and one that is dropped below; the image's last row has no such one.
            let pixels = match x[at..].first_chunk() {
                Some(pixels) => *pixels,
                None => [x[at], x[at + 1], x[at + 2], 0.0],
            };
            *sum = sum.add_product(gradient, Lanes::load(&pixels));
        }
    }
    for (to, sum) in to.chunks_exact_mut(3).zip(sums) {
        for (to, sum) in to.iter_mut().zip(sum.to_array()) {
            *to += sum;
        }
    }
}

/// Each `[rows, columns]` matrix of `m` transposed.
fn transposed_rows(m: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(m.len());
    for matrix in m.chunks_exact(rows * columns) {
        out.extend((0..rows * columns).map(|i| matrix[i % rows * columns + i / rows]));
    }
    out
}
