//! Anti-aliased pen strokes, for both the synthetic digits and the sketch pad.

/// A position in pixels; `(0, 0)` is the centre of the first pixel.
pub type Point = (f32, f32);

/// A square sheet of ink values in `[0, 1]`, `[side, side]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// Rows and columns.
    pub side: usize,
    /// Ink, row by row.
    pub ink: Vec<f32>,
}

impl Sheet {
    /// A blank sheet.
    pub fn new(side: usize) -> Self {
        Sheet { side, ink: vec![0.0; side * side] }
    }

    /// Draws a line through `points` with a round pen of `radius` pixels; a single point draws a dot. Overlapping ink
    /// does not add up.
    pub fn stroke(&mut self, points: &[Point], radius: f32) {
        match points {
            [] => {}
            [dot] => self.segment(*dot, *dot, radius),
            _ => points.windows(2).for_each(|ends| self.segment(ends[0], ends[1], radius)),
        }
    }

    fn segment(&mut self, from: Point, to: Point, radius: f32) {
        if ![from.0, from.1, to.0, to.1].iter().all(|v| v.is_finite()) {
            return;
        }
        let reach = radius + 1.0;
        let clamp = |v: f32| v.clamp(0.0, self.side as f32) as usize;
        let columns = clamp(from.0.min(to.0) - reach)..clamp(from.0.max(to.0) + reach + 1.0);
        let rows = clamp(from.1.min(to.1) - reach)..clamp(from.1.max(to.1) + reach + 1.0);
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx * dx + dy * dy;
        for row in rows {
            for column in columns.clone() {
                let (px, py) = (column as f32 - from.0, row as f32 - from.1);
                let along = if length > 0.0 { ((px * dx + py * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
                let distance = libm::hypotf(px - along * dx, py - along * dy);
                // A pixel that the pen's edge covers by half gets half the ink.
                let ink = (radius + 0.5 - distance).clamp(0.0, 1.0);
                let pixel = &mut self.ink[row * self.side + column];
                *pixel = pixel.max(ink);
            }
        }
    }
}
