//! Compares the charts with golden SVGs. `UPDATE_GOLDEN=1 cargo test --test charts` rewrites them; check them before a commit.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(not(target_arch = "wasm32"))]

use std::{env, fs, path::Path};

use inkling_core::{
    charts::{self, Curve, Line, Metric, Plot, Theme},
    metrics::ConfusionMatrix,
};
use plotters::{coord::Shift, prelude::*};

fn assert_golden(name: &str, size: (u32, u32), draw: impl Fn(&DrawingArea<SVGBackend, Shift>)) {
    let mut svg = String::new();
    draw(&SVGBackend::with_string(&mut svg, size).into_drawing_area());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &svg).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(svg == golden, "{name} differs from its golden; UPDATE_GOLDEN=1 writes the new one");
}

type Points = Vec<(f64, f64)>;

fn series() -> (Points, Points) {
    let train = (1..=200).map(|i| (f64::from(i) / 40.0, 2.3 * (-f64::from(i) / 30.0).exp() + 0.05)).collect();
    let validation = (1..=5).map(|i| (f64::from(i), 0.3 / f64::from(i))).collect();
    (train, validation)
}

#[test]
fn the_curves_match_their_golden_svgs() {
    let (train, validation) = series();
    let share = |points: &[(f64, f64)]| points.iter().map(|&(x, y)| (x, 1.0 - y / 2.5)).collect::<Points>();
    let loss = Curve {
        train: (&train).into(),
        validation: validation.clone(),
        resumed: vec![],
        changed: vec![],
        others: vec![],
        epochs: 5.0,
        metric: Metric::Loss,
    };
    assert_golden("loss.svg", (480, 240), |area| charts::curve(area, &loss, &Theme::LIGHT, 1.0).unwrap());
    let (train, validation) = (share(&train), share(&validation));
    let others = vec![(2, vec![(1.0, 0.7), (2.0, 0.8), (3.0, 0.9)])];
    let accuracy = Curve {
        train: (&train).into(),
        validation: validation.clone(),
        resumed: vec![2.4],
        changed: vec![3.2],
        others,
        epochs: 5.0,
        metric: Metric::Accuracy,
    };
    assert_golden("accuracy.svg", (960, 480), |area| charts::curve(area, &accuracy, &Theme::DARK, 2.0).unwrap());
}

#[test]
fn empty_curves_and_strange_values_draw_without_errors() {
    let strange = [(0.0, f64::NAN), (0.5, f64::INFINITY), (1.0, -1e30)];
    for metric in [Metric::Loss, Metric::Accuracy] {
        for train in [&[][..], &strange[..]] {
            let mut svg = String::new();
            let curve = Curve {
                train: train.into(),
                validation: vec![],
                resumed: vec![],
                changed: vec![],
                others: vec![],
                epochs: 0.0,
                metric,
            };
            let area = SVGBackend::with_string(&mut svg, (60, 40)).into_drawing_area();
            charts::curve(&area, &curve, &Theme::LIGHT, 1.0).unwrap();
        }
    }
}

#[test]
fn a_plot_matches_its_golden_svg() {
    let bent = (0..=12).map(|i| f64::from(i) / 12.0).map(|x| (x, x * x)).collect();
    let lines = [
        Line { points: bent, colour: Theme::LIGHT.validation },
        Line { points: vec![(0.1, 0.9), (0.8, 0.7)], colour: charts::OTHERS[0] },
    ];
    let plot = Plot { lines: &lines, from: 0.0, to: 1.0, along: "confidence", diagonal: true };
    assert_golden("plot.svg", (480, 240), |area| charts::plot(area, &plot, &Theme::LIGHT, 1.0).unwrap());
}

#[test]
fn a_point_on_the_matrix_gives_the_cell_drawn_there() {
    let at = |x: f64, y: f64| charts::cell_at([x, y], [420, 420], 10, 1.0);
    assert_eq!(at(33.0, 200.0), None, "the labels are not cells");
    assert_eq!(at(35.0, 35.0), Some((0, 0)));
    assert_eq!(at(34.0 + 38.0 * 7.5, 34.0 + 38.0 * 2.5), Some((2, 7)), "rows are true, columns predicted");
    assert_eq!(at(34.0 + 38.0 * 10.1, 100.0), None);
    assert_eq!(charts::cell_at([2.0 * 35.0, 2.0 * 35.0], [840, 840], 10, 2.0), Some((0, 0)));
}

#[test]
fn the_matrix_matches_its_golden_svgs() {
    let mut matrix = ConfusionMatrix::new(10);
    for label in 0..10usize {
        matrix.counts[label][label] = 480 + label as u32;
        matrix.counts[label][(label * 3 + 1) % 10] += label as u32;
    }
    assert_golden("matrix.svg", (420, 420), |area| charts::heatmap(area, &matrix, &[], &Theme::LIGHT, 1.0).unwrap());
    assert_golden("matrix-empty.svg", (420, 420), |area| {
        charts::heatmap(area, &ConfusionMatrix::new(10), &[], &Theme::DARK, 1.0).unwrap();
    });
}

#[test]
fn a_chart_of_the_largest_losses_is_drawn() {
    for loss in [1e5, f64::from(f32::MAX), 1.7e308, f64::INFINITY, f64::NAN] {
        let train = vec![(0.5, loss); 20];
        let curve = Curve {
            train: (&train).into(),
            validation: vec![(1.0, loss)],
            resumed: vec![],
            changed: vec![],
            others: vec![(0, vec![(1.0, loss); 3])],
            epochs: 5.0,
            metric: Metric::Loss,
        };
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (480, 240)).into_drawing_area();
        charts::curve(&area, &curve, &Theme::LIGHT, 1.0).unwrap();
        drop(area);
        assert!(svg.len() < 50_000 && svg.ends_with("</svg>\n"), "{loss}: {}", svg.len());
    }
}
