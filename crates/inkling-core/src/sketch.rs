//! Converts strokes to an image like those that a network was trained on: as MNIST's preparation would have produced it, in the
//! size, on the paper, and with the extent and the line width of the data set.
//!
//! MNIST's images were scaled to fit a 20x20 box with their aspect ratio kept, anti-aliased, and placed in a 28x28
//! field with their centre of mass at its centre (LeCun, Cortes, Burges, "The MNIST database of handwritten digits").
//! The centre is row and column 14, counted from 0: in every test image, the centre of mass is within half a pixel of
//! it.

use thiserror::Error;

use crate::{
    data::Labelled,
    image::{SIDE, Shape},
    ink::{Point, Sheet},
};

/// Rows and columns of the pad on which strokes are drawn.
pub const PAD: usize = 280;
/// Radius of the pad's pen. The strokes of a digit that fills two thirds of the pad are then as wide as MNIST's usually
/// are: 2 to 3 pixels.
pub const PEN_RADIUS: f32 = 10.0;
/// The pen for a data set with lines of another width has a radius between these.
const RADII: (f32, f32) = (1.0, 60.0);
/// Side of the box that MNIST's digits fit into, in an image of 28 by 28 pixels.
const BOX: usize = 20;
/// A pixel counts as inked if it has more ink than this.
const THRESHOLD: f32 = 0.1;
/// So many images show what all look like.
const SAMPLE: usize = 500;
/// Paper is even if the pixels at the edges of the images differ from their mean by less than this on average, of 255.
const EVEN: f32 = 40.0;

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
    pub fn image(&self, target: Target) -> Option<Vec<u8>> {
        self.prepared(Preparation::MNIST, target)
    }

    /// The image of the strokes, with this preparation instead of [`Preparation::MNIST`].
    pub fn prepared(&self, preparation: Preparation, target: Target) -> Option<Vec<u8>> {
        let radius = match target.line {
            Some(line) => self.radius_for(line, preparation, target),
            None => PEN_RADIUS,
        };
        let mut sheet = Sheet::new(PAD);
        for stroke in &self.strokes {
            sheet.stroke(stroke, radius);
        }
        prepare(&sheet, preparation, target)
    }

    /// The radius of the pen whose lines are `line` pixels wide in the image. Where the ink is scaled to fit its box, that depends on
    /// how far the strokes extend.
    fn radius_for(&self, line: f32, preparation: Preparation, Target { side, fill, .. }: Target) -> f32 {
        let radius = if preparation.fit {
            let all = || self.strokes.iter().flatten();
            let extent = |position: fn(&Point) -> f32| {
                let (least, most) = all().map(position).fold((f32::MAX, f32::MIN), |(a, b), at| (a.min(at), b.max(at)));
                (most - least).clamp(0.0, PAD as f32)
            };
            let extent = extent(|point| point.0).max(extent(|point| point.1));
            // line = width * fill / (extent + width)
            line * extent / (fill as f32 - line) / 2.0
        } else {
            line * PAD as f32 / side as f32 / 2.0
        };
        // A dot has no extent.
        if radius > 0.0 { radius.clamp(RADII.0, RADII.1) } else { PEN_RADIUS }
    }
}

/// What a sketch becomes: an image like those of a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    side: usize,
    /// Side of the box that the ink fills.
    fill: usize,
    paper: Paper,
    /// Width of the lines, if it is not the pad's own.
    line: Option<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paper {
    /// 0, as in MNIST.
    Dark,
    /// 255.
    Light,
}

/// Why no sketch looks like the images of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unlike {
    /// They are in colour.
    #[error("This network sees images in colour, and the pad draws in gray. Choose images below instead.")]
    Coloured,
    /// They have no paper.
    #[error(
        "A drawing would not look like the images of this network: they have no even background. Choose images below instead."
    )]
    Uneven,
}

impl Target {
    /// MNIST's images.
    pub const MNIST: Self = Target { side: SIDE, fill: BOX, paper: Paper::Dark, line: None };

    /// Images of this shape with MNIST's proportions: bright ink in the middle of dark paper.
    ///
    /// # Errors
    /// [`Unlike`] if they are in colour.
    pub fn like_mnist(shape: Shape) -> Result<Self, Unlike> {
        let fill = (shape.side * BOX + SIDE / 2) / SIDE;
        if shape.channels == 1 {
            Ok(Target { side: shape.side, fill, paper: Paper::Dark, line: None })
        } else {
            Err(Unlike::Coloured)
        }
    }

    /// Images like these: their paper is what their edges show, and the ink's extent and line width are the medians of theirs.
    ///
    /// # Errors
    /// [`Unlike`] if a drawing can't look like them.
    pub fn like(images: &Labelled) -> Result<Self, Unlike> {
        let mnist = Target::like_mnist(images.shape)?;
        let side = mnist.side;
        let sample = || (0..images.len()).step_by(images.len().div_ceil(SAMPLE).max(1)).map(|at| images.image(at));
        let at_edge =
            |place: &usize| [0, side - 1].contains(&(place / side)) || [0, side - 1].contains(&(place % side));
        let edge = || sample().flat_map(|image| (0..image.len()).filter(at_edge).map(|place| f32::from(image[place])));
        let count = edge().count().max(1) as f32;
        let mean = edge().sum::<f32>() / count;
        if edge().map(|shade| (shade - mean).abs()).sum::<f32>() / count > EVEN {
            return Err(Unlike::Uneven);
        }
        let paper = if mean < 127.5 { Paper::Dark } else { Paper::Light };
        let sheets = sample().map(|image| {
            let ink = image.iter().map(|&shade| f32::from(paper.turned(shade)) / 255.0).collect();
            Sheet { side, ink }
        });
        let (mut extents, mut lines) = (Vec::new(), Vec::new());
        for sheet in sheets {
            extents.extend(bounding_box(&sheet).map(|(rows, columns)| rows.len().max(columns.len())));
            lines.extend(line_width(&sheet));
        }
        extents.sort_unstable();
        lines.sort_unstable_by(f32::total_cmp);
        let fill = extents.get(extents.len() / 2).copied().unwrap_or(mnist.fill);
        // What is wider has been filled, not drawn: a disc counts as half as wide as it is.
        let line = lines.get(lines.len() / 2).copied().filter(|&line| line < fill as f32 / 3.0);
        Ok(Target { fill, paper, line, ..mnist })
    }

    /// Rows and columns of the image.
    pub fn side(self) -> usize {
        self.side
    }
}

impl Paper {
    /// Ink as a shade, or a shade as ink.
    fn turned(self, shade: u8) -> u8 {
        match self {
            Paper::Dark => shade,
            Paper::Light => 255 - shade,
        }
    }
}

/// How a sketch is prepared for the network. MNIST's images went through every stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// Scale the ink to fit its box, MNIST's of 20x20; otherwise, the whole pad becomes the image.
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

/// A sheet of any size as MNIST's preparation would have made it, `[side, side]`, 0 to 255; `None` if there is no ink.
pub fn normalise(sheet: &Sheet, target: Target) -> Option<Vec<u8>> {
    prepare(sheet, Preparation::MNIST, target)
}

fn prepare(sheet: &Sheet, preparation: Preparation, Target { side, fill, paper, .. }: Target) -> Option<Vec<u8>> {
    let ink = bounding_box(sheet)?;
    let (rows, columns) = if preparation.fit { ink } else { (0..sheet.side, 0..sheet.side) };
    let box_side = if preparation.fit { fill } else { side };
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
    let mut image = vec![paper.turned(0); side * side];
    for (i, ink) in fitted.iter().enumerate() {
        let (y, x) = (top + (i / width) as isize, left + (i % width) as isize);
        let inside = 0..side as isize;
        if inside.contains(&y) && inside.contains(&x) {
            image[y as usize * side + x as usize] = paper.turned((ink * 255.0).round() as u8);
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

/// Width of the lines, in pixels: twice the ink's area over the length of its outline, which is the sum of the ink's slopes; `None`
/// if there is no ink.
fn line_width(sheet: &Sheet) -> Option<f32> {
    let side = sheet.side;
    let at = |row: usize, column: usize| if row < side && column < side { sheet.ink[row * side + column] } else { 0.0 };
    let places = (0..side).flat_map(|row| (0..side).map(move |column| (row, column)));
    let slope = |(row, column)| (at(row + 1, column) - at(row, column)).hypot(at(row, column + 1) - at(row, column));
    let outline: f32 = places.map(slope).sum();
    (outline > 0.0).then(|| 2.0 * sheet.ink.iter().sum::<f32>() / outline)
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
            prop_assert_eq!(seven(dx as f32, dy as f32).image(Target::MNIST), seven(0.0, 0.0).image(Target::MNIST));
        }

        #[test]
        fn any_strokes_give_a_centred_image_or_none(points in proptest::collection::vec((-400f32..700.0, -400f32..700.0), 0..12)) {
            let mut sketch = Sketch::default();
            for (i, &point) in points.iter().enumerate() {
                if i % 3 == 0 { sketch.begin(point) } else { sketch.extend(point) }
            }
            if let Some(image) = sketch.image(Target::MNIST) {
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
        let image = seven(0.0, 0.0).image(Target::MNIST).unwrap();
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
            let image = seven(0.0, 0.0).image(Target::like_mnist(Shape { channels: 1, side }).unwrap()).unwrap();
            let inked = (0..side).filter(|&row| image[row * side..(row + 1) * side].iter().any(|&p| p > 0));
            let (first, last) = (inked.clone().min().unwrap(), inked.max().unwrap());
            let share = (last - first + 1) as f64 / side as f64;
            assert!((share - 20.0 / 28.0).abs() < 0.06, "side {side}: {share}");
        }
    }

    #[test]
    fn a_sketch_becomes_an_image_like_those_of_the_data_set() {
        let digits = crate::data::synthetic::digits(600, 1).train;
        let like = |images: &Labelled| Target::like(images);
        let found = like(&digits).unwrap();
        assert!(found.paper == Paper::Dark && found.fill.abs_diff(BOX) <= 1, "{found:?}");
        // Black on white, as on paper.
        let negative = Labelled { pixels: digits.pixels.iter().map(|shade| 255 - shade).collect(), ..digits.clone() };
        assert_eq!(like(&negative), Ok(Target { paper: Paper::Light, ..found }));
        let (bright, dark) =
            (seven(0.0, 0.0).image(found).unwrap(), seven(0.0, 0.0).image(like(&negative).unwrap()).unwrap());
        assert!(bright.iter().zip(&dark).all(|(a, b)| a + b == 255) && bright.contains(&255));
        // Ink that fills the image.
        let mut wide = digits.clone();
        for image in wide.pixels.chunks_exact_mut(IMAGE) {
            image[14 * SIDE..15 * SIDE].fill(255);
        }
        assert_eq!(like(&wide).map(|target| (target.fill, target.paper)), Ok((SIDE, Paper::Dark)));
        let image = seven(0.0, 0.0).image(like(&wide).unwrap()).unwrap();
        assert!(image[..SIDE].iter().any(|&shade| shade > 0) && image[IMAGE - SIDE..].iter().any(|&shade| shade > 0));
        // Photographs have no paper.
        let noise = Labelled { pixels: (0..digits.pixels.len()).map(|at| (at * 7919 % 256) as u8).collect(), ..digits };
        assert_eq!(like(&noise), Err(Unlike::Uneven));
        assert_eq!(like(&crate::data::synthetic::shapes(300, 1).train), Err(Unlike::Coloured));
    }

    #[test]
    fn a_sketch_has_lines_as_wide_as_those_of_the_data_set() {
        let drawn = |radius: f32, size: f32| {
            let mut sheet = Sheet::new(SIDE);
            let points = [(0.25, 0.2), (0.75, 0.25), (0.4, 0.8)]
                .map(|(x, y)| (14.0 + (x - 0.5) * size, 14.0 + (y - 0.5) * size));
            sheet.stroke(&points, radius);
            sheet
        };
        let width = |image: &[u8]| {
            line_width(&Sheet { side: SIDE, ink: image.iter().map(|&shade| f32::from(shade) / 255.0).collect() })
                .unwrap()
        };
        let mut widths = Vec::new();
        for radius in [0.5, 1.0, 2.0, 3.0] {
            let images = (0..9).map(|i| drawn(radius, 20.0 + i as f32 / 3.0).ink);
            let pixels: Vec<u8> = images.flatten().map(|ink| (ink * 255.0).round() as u8).collect();
            let data = Labelled { pixels, labels: vec![0; 9], shape: Shape { channels: 1, side: SIDE } };
            let target = Target::like(&data).unwrap();
            let wanted = width(data.image(4));
            // Small or large, a sketch gets lines of that width.
            for scale in [0.4, 1.0, 1.5] {
                let mut sketch = Sketch::default();
                sketch.begin((60.0, 60.0));
                for (x, y) in [(100.0, 10.0), (40.0, 140.0)] {
                    sketch.extend((60.0 + x * scale, 60.0 + y * scale));
                }
                let found = width(&sketch.image(target).unwrap());
                assert!(
                    (found - wanted).abs() < 0.25 * wanted,
                    "radius {radius}, scale {scale}: {found} instead of {wanted}"
                );
            }
            widths.push(wanted);
        }
        assert!(widths.is_sorted() && widths[3] > 2.5 * widths[0], "{widths:?}");
        // Ink that was filled, not drawn, says nothing about a pen.
        let disc = drawn(9.0, 0.1).ink.iter().map(|ink| (ink * 255.0) as u8).collect();
        let data = Labelled { pixels: disc, labels: vec![0], shape: Shape { channels: 1, side: SIDE } };
        assert_eq!(Target::like(&data).unwrap().line, None);
    }

    #[test]
    fn each_stage_of_the_preparation_can_be_left_out() {
        let sketch = seven(-40.0, 30.0);
        let with = |fit, centre, smooth| sketch.prepared(Preparation { fit, centre, smooth }, Target::MNIST).unwrap();
        assert_eq!(with(true, true, true), sketch.image(Target::MNIST).unwrap());
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
        assert_eq!(sketch.image(Target::MNIST), None);
        sketch.extend((1.0, 1.0));
        sketch.undo();
        assert!(sketch.is_empty());
        sketch.begin((140.0, 140.0));
        let dot = sketch.image(Target::MNIST);
        assert!(dot.is_some());
        sketch.begin((200.0, 140.0));
        assert_ne!(sketch.image(Target::MNIST), dot);
        sketch.undo();
        assert_eq!(sketch.image(Target::MNIST), dot);
        sketch.clear();
        assert_eq!(sketch.image(Target::MNIST), None);
    }
}
