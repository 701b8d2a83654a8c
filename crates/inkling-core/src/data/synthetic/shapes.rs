//! Circles, squares and triangles in three colours, on a dark ground of any tint. Only a network that sees colours can tell all
//! nine classes apart.

use rand::RngExt;
use rand_pcg::Pcg32;

use crate::image::DataShape;

const COLOURS: [&str; 3] = ["red", "green", "blue"];
const FORMS: [&str; 3] = ["circle", "square", "triangle"];
/// Samples along each side of a pixel, for smooth edges.
const SAMPLES: usize = 3;

/// Names of the classes: a class is three times its colour, plus its form.
pub(super) fn names() -> Vec<String> {
    COLOURS.iter().flat_map(|colour| FORMS.iter().map(move |form| format!("{colour} {form}"))).collect()
}

/// An image of `class`, channel by channel.
pub(super) fn draw(class: u8, rng: &mut Pcg32) -> Vec<u8> {
    let side = DataShape::SHAPES.image().side;
    let (colour, form) = (usize::from(class) / FORMS.len(), usize::from(class) % FORMS.len());
    let mut within = |low: f32, high: f32| rng.random_range(low..=high);
    // The colour of its name is the strongest by far; the other two vary.
    let mut ink: [f32; 3] = std::array::from_fn(|_| within(0.0, 0.45));
    ink[colour] = within(0.7, 1.0);
    let ground: [f32; 3] = std::array::from_fn(|_| within(0.0, 0.25));
    let reach = side as f32 / 2.0;
    let (radius, centre) = (within(0.4, 0.68) * reach, [within(-0.22, 0.22) * reach, within(-0.22, 0.22) * reach]);
    let (sin, cos) = libm::sincosf(within(-0.5, 0.5));
    let inside = |x: f32, y: f32| {
        let (x, y) = (x - reach - centre[0], y - reach - centre[1]);
        let (x, y) = ((cos * x + sin * y) / radius, (cos * y - sin * x) / radius);
        match form {
            0 => x * x + y * y <= 1.0,
            1 => x.abs().max(y.abs()) <= 0.8,
            // An equilateral triangle whose corners are at distance 1.1.
            _ => y <= 0.55 && 3f32.sqrt() * x.abs() - y <= 1.1,
        }
    };
    let covered: Vec<f32> = (0..side * side)
        .map(|pixel| {
            let (column, row) = (pixel % side, pixel / side);
            let at = |place: usize, sample: usize| place as f32 + (sample as f32 + 0.5) / SAMPLES as f32;
            let hits = (0..SAMPLES * SAMPLES)
                .filter(|sample| inside(at(column, sample % SAMPLES), at(row, sample / SAMPLES)))
                .count();
            hits as f32 / (SAMPLES * SAMPLES) as f32
        })
        .collect();
    let mut pixels = Vec::with_capacity(3 * side * side);
    for channel in 0..3 {
        for share in &covered {
            let noise = rng.random_range(-0.04f32..=0.04);
            let value = ground[channel] + share * (ink[channel] - ground[channel]) + noise;
            pixels.push((value.clamp(0.0, 1.0) * 255.0).round() as u8);
        }
    }
    pixels
}
