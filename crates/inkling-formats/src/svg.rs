//! Charts as SVG.

use inkling_core::charts::{self, Drawing, Scheme};
use plotters::prelude::*;

/// Width and height of a curve, in pixels.
const CURVE: (u32, u32) = (720, 400);
/// Width and height of a confusion matrix, in pixels.
const MATRIX: (u32, u32) = (560, 560);

/// Draws a chart as SVG.
pub fn draw(drawing: &Drawing, scheme: Scheme) -> String {
    let mut svg = String::new();
    let (size, theme) = (if let Drawing::Curve(_) = drawing { CURVE } else { MATRIX }, scheme.theme());
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        // Drawing to a string never fails.
        let _ = match drawing {
            Drawing::Curve(curve) => charts::curve(&area, curve, &theme, 1.0),
            Drawing::Matrix(matrix, names) => charts::heatmap(&area, matrix, names, &theme, 1.0),
        };
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkling_core::metrics::ConfusionMatrix;

    #[test]
    fn a_matrix_is_drawn_in_the_colours_of_the_scheme() {
        let svg = draw(&Drawing::Matrix(ConfusionMatrix::new(10), Vec::new()), Scheme::Dark);
        assert!(svg.starts_with("<svg width=\"560\"") && svg.ends_with("</svg>\n"), "{svg}");
        assert_ne!(svg, draw(&Drawing::Matrix(ConfusionMatrix::new(10), Vec::new()), Scheme::Light));
    }
}
