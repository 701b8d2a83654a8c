//! Converts strokes to the image that MNIST's preparation would have produced from them: 28x28, or of another size in the same
//! proportions.
//!
//! MNIST's images were scaled to fit a 20x20 box with their aspect ratio kept, anti-aliased, and placed in a 28x28
//! field with their centre of mass at its centre (LeCun, Cortes, Burges, "The MNIST database of handwritten digits").
//! The centre is row and column 14, counted from 0: in every test image, the centre of mass is within half a pixel of
//! it.

use crate::{
    image::SIDE,
    ink::{Point, Sheet},
};

/// Rows and columns of the pad on which strokes are drawn.
pub const PAD: usize = 280;
/// Radius of the pad's pen. The strokes of a digit that fills two thirds of the pad are then as wide as MNIST's usually
/// are: 2 to 3 pixels.
pub const PEN_RADIUS: f32 = 10.0;
/// Side of the box that MNIST's digits fit into, in an image of 28 by 28 pixels.
const BOX: usize = 20;
/// A pixel counts as inked if it has more ink than this.
const THRESHOLD: f32 = 0.1;

/// A drawing: strokes in pad coordinates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    strokes: Vec<Vec<Point>>,
}

impl Sketch {
    /// Puts the pen down: starts a stroke at `point`.
    pub fn begin(&mut self, point: Point) {
        self.strokes.push(vec![point]);
    }

    /// Moves the pen to `point`. Does nothing before the first [`Sketch::begin`].
    pub fn extend(&mut self, point: Point) {
        if let Some(stroke) = self.strokes.last_mut() {
            stroke.push(point);
        }
    }

    /// Removes the last stroke, if there is one.
    pub fn undo(&mut self) {
        self.strokes.pop();
    }

    /// Removes all strokes.
    pub fn clear(&mut self) {
        self.strokes.clear();
    }

    /// Whether there are no strokes.
    pub fn is_empty(&self) -> bool {
        self.strokes.is_empty()
    }

    /// The strokes, each with at least one point.
    pub fn strokes(&self) -> &[Vec<Point>] {
        &self.strokes
    }

    /// The image of the strokes, `[side, side]`, 0 to 255; `None` if there is no ink on the pad.
    pub fn image(&self, side: usize) -> Option<Vec<u8>> {
        self.prepared(Preparation::MNIST, side)
    }

    /// The image of the strokes, with this preparation instead of [`Preparation::MNIST`].
    pub fn prepared(&self, preparation: Preparation, side: usize) -> Option<Vec<u8>> {
        prepare(&self.sheet()?, preparation, side)
    }

    fn sheet(&self) -> Option<Sheet> {
        let mut sheet = Sheet::new(PAD);
        for stroke in &self.strokes {
            sheet.stroke(stroke, PEN_RADIUS);
        }
        Some(sheet)
    }
}

/// How a sketch is prepared for the network. MNIST's images went through every stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// Scale the ink to fit the 20x20 box; otherwise, the whole pad becomes the image.
    pub fit: bool,
    /// Place the centre of mass at the centre of the image; otherwise, the middle of the ink's bounding box.
    pub centre: bool,
    /// Shade each pixel by how much of it is covered; otherwise, pixels are black or white.
    pub smooth: bool,
}

impl Preparation {
    /// The preparation of MNIST's images.
    pub const MNIST: Self = Preparation { fit: true, centre: true, smooth: true };
}

/// A sheet of any size as MNIST would have normalised it, `[28, 28]`, 0 to 255; `None` if there is no ink.
pub fn normalise(sheet: &Sheet) -> Option<Vec<u8>> {
    prepare(sheet, Preparation::MNIST, SIDE)
}

fn prepare(sheet: &Sheet, preparation: Preparation, side: usize) -> Option<Vec<u8>> {
    let ink = bounding_box(sheet)?;
    let (rows, columns) = if preparation.fit { ink } else { (0..sheet.side, 0..sheet.side) };
    let box_side = if preparation.fit { (side * BOX + SIDE / 2) / SIDE } else { side };
    let scale = box_side as f32 / rows.len().max(columns.len()) as f32;
    let fit = |len: usize| ((len as f32 * scale).round() as usize).clamp(1, box_side);
    let (height, width) = (fit(rows.len()), fit(columns.len()));
    let mut fitted = vec![0.0f32; height * width];
    for (y, line) in fitted.chunks_exact_mut(width).enumerate() {
        for (x, pixel) in line.iter_mut().enumerate() {
            let covered = area_mean(sheet, part(&rows, y, height), part(&columns, x, width));
            *pixel = if preparation.smooth { covered } else { (covered * 2.0).floor().min(1.0) };
        }
    }
    let total: f32 = fitted.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    let mean = |position: &dyn Fn(usize) -> usize| {
        fitted.iter().enumerate().map(|(i, ink)| ink * position(i) as f32).sum::<f32>() / total
    };
    let (centre_y, centre_x) = (mean(&|i| i / width), mean(&|i| i % width));
    let offset = |centre: f32, len: usize| {
        let middle = (side - len) as f32 / 2.0;
        match (preparation.centre, preparation.fit) {
            (true, true) => (side as f32 / 2.0 - centre).round().clamp(0.0, 2.0 * middle),
            (true, false) => (side as f32 / 2.0 - centre).round(),
            (false, _) => middle.floor(),
        }
    };
    let (top, left) = (offset(centre_y, height) as isize, offset(centre_x, width) as isize);
    let mut image = vec![0u8; side * side];
    for (i, ink) in fitted.iter().enumerate() {
        let (y, x) = (top + (i / width) as isize, left + (i % width) as isize);
        let inside = 0..side as isize;
        if inside.contains(&y) && inside.contains(&x) {
            image[y as usize * side + x as usize] = (ink * 255.0).round() as u8;
        }
    }
    Some(image)
}

type Span = std::ops::Range<usize>;

fn bounding_box(sheet: &Sheet) -> Option<(Span, Span)> {
    let inked = |i: &usize| sheet.ink[*i] > THRESHOLD;
    let mut bounds: Option<(Span, Span)> = None;
    for i in (0..sheet.ink.len()).filter(inked) {
        let (row, column) = (i / sheet.side, i % sheet.side);
        let (rows, columns) = bounds.get_or_insert((row..row + 1, column..column + 1));
        rows.end = row + 1;
        columns.start = columns.start.min(column);
        columns.end = columns.end.max(column + 1);
    }
    bounds
}

/// Bounds of the `index`-th of `count` equal parts of `span`, as fractional positions.
fn part(span: &Span, index: usize, count: usize) -> (f32, f32) {
    let at = |i: usize| span.start as f32 + span.len() as f32 * i as f32 / count as f32;
    (at(index), at(index + 1))
}

/// Mean ink over a rectangle with fractional bounds.
fn area_mean(sheet: &Sheet, rows: (f32, f32), columns: (f32, f32)) -> f32 {
    let pixels = |(from, to): (f32, f32)| from.floor() as usize..(to.ceil() as usize).min(sheet.side);
    let share = |(from, to): (f32, f32), i: usize| (to.min(i as f32 + 1.0) - from.max(i as f32)).max(0.0);
    let (mut ink, mut area) = (0.0, 0.0);
    for row in pixels(rows) {
        for column in pixels(columns) {
            let weight = share(rows, row) * share(columns, column);
            ink += weight * sheet.ink[row * sheet.side + column];
            area += weight;
        }
    }
    if area > 0.0 { ink / area } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::IMAGE;
    use proptest::prelude::*;

    fn seven(dx: f32, dy: f32) -> Sketch {
        let mut sketch = Sketch::default();
        sketch.begin((60.0 + dx, 60.0 + dy));
        sketch.extend((160.0 + dx, 60.0 + dy));
        sketch.extend((100.0 + dx, 200.0 + dy));
        sketch
    }

    proptest! {
        #[test]
        fn a_sketch_gives_the_same_image_wherever_it_is_drawn(dx in -45i32..100, dy in -45i32..65) {
            prop_assert_eq!(seven(dx as f32, dy as f32).image(SIDE), seven(0.0, 0.0).image(SIDE));
        }

        #[test]
        fn any_strokes_give_a_centred_image_or_none(points in proptest::collection::vec((-400f32..700.0, -400f32..700.0), 0..12)) {
            let mut sketch = Sketch::default();
            for (i, &point) in points.iter().enumerate() {
                if i % 3 == 0 { sketch.begin(point) } else { sketch.extend(point) }
            }
            if let Some(image) = sketch.image(SIDE) {
                let inked: Vec<usize> = (0..IMAGE).filter(|&i| image[i] > 0).collect();
                let extent = |position: &dyn Fn(usize) -> usize| {
                    let all = inked.iter().map(|&i| position(i));
                    all.clone().max().unwrap() - all.min().unwrap() + 1
                };
                prop_assert!(extent(&|i| i / SIDE) <= BOX && extent(&|i| i % SIDE) <= BOX);
            }
        }
    }

    #[test]
    fn the_longer_side_fits_the_box_and_the_mass_is_centred() {
        let image = seven(0.0, 0.0).image(SIDE).unwrap();
        let rows: Vec<usize> = (0..SIDE).filter(|&r| image[r * SIDE..(r + 1) * SIDE].iter().any(|&p| p > 0)).collect();
        assert_eq!(rows.last().unwrap() - rows[0] + 1, BOX);
        let total: f32 = image.iter().map(|&p| f32::from(p)).sum();
        let centre = |position: &dyn Fn(usize) -> usize| {
            image.iter().enumerate().map(|(i, &p)| f32::from(p) * position(i) as f32).sum::<f32>() / total
        };
        assert!((centre(&|i| i / SIDE) - 14.0).abs() <= 0.51 && (centre(&|i| i % SIDE) - 14.0).abs() <= 0.51);
    }

    #[test]
    fn a_sketch_has_the_same_proportions_in_an_image_of_any_side() {
        for side in [8, 20, 28, 64] {
            let image = seven(0.0, 0.0).image(side).unwrap();
            let inked = (0..side).filter(|&row| image[row * side..(row + 1) * side].iter().any(|&p| p > 0));
            let (first, last) = (inked.clone().min().unwrap(), inked.max().unwrap());
            let share = (last - first + 1) as f64 / side as f64;
            assert!((share - 20.0 / 28.0).abs() < 0.06, "side {side}: {share}");
        }
    }

    #[test]
    fn each_stage_of_the_preparation_can_be_left_out() {
        let sketch = seven(-40.0, 30.0);
        let with = |fit, centre, smooth| sketch.prepared(Preparation { fit, centre, smooth }, SIDE).unwrap();
        assert_eq!(with(true, true, true), sketch.image(SIDE).unwrap());
        assert!(with(true, true, false).iter().all(|&p| p == 0 || p == 255));
        let rows = |image: &[u8]| {
            let inked = (0..SIDE).filter(|&r| image[r * SIDE..(r + 1) * SIDE].iter().any(|&p| p > 0));
            (inked.clone().min().unwrap(), inked.max().unwrap())
        };
        // The ink covers 140 of 280 rows plus the pen's width: about 16 of 28 rows, where they were drawn.
        let (top, bottom) = rows(&with(false, false, true));
        assert!((7..=9).contains(&top) && (23..=25).contains(&bottom), "{top} {bottom}");
        assert_eq!(rows(&with(true, false, true)), (4, 23));
        assert_ne!(with(false, true, true), with(false, false, true));
    }

    #[test]
    fn an_empty_sketch_has_no_image_and_undo_removes_one_stroke() {
        let mut sketch = Sketch::default();
        assert_eq!(sketch.image(SIDE), None);
        sketch.extend((1.0, 1.0));
        sketch.undo();
        assert!(sketch.is_empty());
        sketch.begin((140.0, 140.0));
        let dot = sketch.image(SIDE);
        assert!(dot.is_some());
        sketch.begin((200.0, 140.0));
        assert_ne!(sketch.image(SIDE), dot);
        sketch.undo();
        assert_eq!(sketch.image(SIDE), dot);
        sketch.clear();
        assert_eq!(sketch.image(SIDE), None);
    }
}
