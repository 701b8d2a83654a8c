//! Runs in a page: the charts paint on real canvases.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(target_arch = "wasm32")]

use inkling_core::{
    charts::{self, Curve, Metric, Theme},
    metrics::ConfusionMatrix,
};
use plotters::prelude::IntoDrawingArea;
use plotters_canvas::CanvasBackend;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

wasm_bindgen_test_configure!(run_in_browser);

fn canvas() -> HtmlCanvasElement {
    let document = web_sys::window().unwrap().document().unwrap();
    let canvas: HtmlCanvasElement = document.create_element("canvas").unwrap().unchecked_into();
    canvas.set_width(400);
    canvas.set_height(300);
    canvas
}

/// Counts the pixels of nearly this colour.
fn pixels_of(canvas: &HtmlCanvasElement, colour: plotters::style::RGBColor) -> usize {
    let context: CanvasRenderingContext2d = canvas.get_context("2d").unwrap().unwrap().unchecked_into();
    let data = context.get_image_data(0.0, 0.0, 400.0, 300.0).unwrap().data();
    let near = |a: u8, b: u8| a.abs_diff(b) < 12;
    data.as_chunks::<4>()
        .0
        .iter()
        .filter(|p| near(p[0], colour.0) && near(p[1], colour.1) && near(p[2], colour.2))
        .count()
}

#[wasm_bindgen_test]
fn curves_are_painted_in_the_themes_colours() {
    for theme in [Theme::LIGHT, Theme::DARK] {
        let canvas = canvas();
        let area = CanvasBackend::with_canvas_object(canvas.clone()).unwrap().into_drawing_area();
        let train: Vec<(f64, f64)> = (0..100).map(|i| (f64::from(i) / 50.0, 2.0 / f64::from(i + 1))).collect();
        let curve = Curve {
            train: (&train).into(),
            validation: vec![(1.0, 0.3), (2.0, 0.1)],
            resumed: vec![],
            changed: vec![],
            others: vec![],
            epochs: 2.0,
            metric: Metric::Loss,
        };
        charts::curve(&area, &curve, &theme, 1.0).unwrap();
        assert!(pixels_of(&canvas, theme.train) > 40, "no training curve");
        assert!(pixels_of(&canvas, theme.validation) > 40, "no validation curve");
        assert!(pixels_of(&canvas, theme.background) > 40_000, "no background");
    }
}

#[wasm_bindgen_test]
fn the_matrix_is_painted_with_its_mistakes() {
    let mut matrix = ConfusionMatrix::new(10);
    (0..10u8).for_each(|digit| matrix.add(digit, digit));
    let canvas = canvas();
    let area = CanvasBackend::with_canvas_object(canvas.clone()).unwrap().into_drawing_area();
    charts::heatmap(&area, &matrix, &[], &Theme::LIGHT, 1.0).unwrap();
    let right = pixels_of(&canvas, Theme::LIGHT.right);
    assert!(right > 3000, "{right} pixels of the diagonal");
    matrix.add(4, 9);
    charts::heatmap(&area, &matrix, &[], &Theme::LIGHT, 1.0).unwrap();
    let wrong = pixels_of(&canvas, Theme::LIGHT.mistake);
    assert!(wrong > 300, "{wrong} pixels of the mistake");
}
