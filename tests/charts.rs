//! Golden SVGs of the charts. `UPDATE_GOLDEN=1 cargo test --test charts` writes them anew; look at them before committing.
#![allow(clippy::unwrap_used)] // a test that fails here says where
#![cfg(not(target_arch = "wasm32"))]

use std::{env, fs, path::Path};

use inkling::{
    charts::{self, Curve, Line, Metric, OTHERS, Plot, Theme},
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
fn the_curves_look_as_they_did() {
    let (train, validation) = series();
    let share = |points: &[(f64, f64)]| points.iter().map(|&(x, y)| (x, 1.0 - y / 2.5)).collect::<Points>();
    let loss = Curve {
        train: &train,
        validation: &validation,
        marks: &[],
        changes: &[],
        others: &[],
        epochs: 5.0,
        metric: Metric::Loss,
    };
    assert_golden("loss.svg", (480, 240), |area| charts::curve(area, &loss, &Theme::LIGHT, 1.0).unwrap());
    let (train, validation) = (share(&train), share(&validation));
    let others = [(OTHERS[2], vec![(1.0, 0.7), (2.0, 0.8), (3.0, 0.9)])];
    let accuracy = Curve {
        train: &train,
        validation: &validation,
        marks: &[2.4],
        changes: &[3.2],
        others: &others,
        epochs: 5.0,
        metric: Metric::Accuracy,
    };
    assert_golden("accuracy.svg", (960, 480), |area| charts::curve(area, &accuracy, &Theme::DARK, 2.0).unwrap());
}

#[test]
fn empty_curves_and_strange_values_are_drawn_too() {
    let strange = [(0.0, f64::NAN), (0.5, f64::INFINITY), (1.0, -1e30)];
    for metric in [Metric::Loss, Metric::Accuracy] {
        for train in [&[][..], &strange[..]] {
            let mut svg = String::new();
            let curve = Curve { train, validation: &[], marks: &[], changes: &[], others: &[], epochs: 0.0, metric };
            let area = SVGBackend::with_string(&mut svg, (60, 40)).into_drawing_area();
            charts::curve(&area, &curve, &Theme::LIGHT, 1.0).unwrap();
        }
    }
}

#[test]
fn a_plot_looks_as_it_did() {
    let bent = (0..=12).map(|i| f64::from(i) / 12.0).map(|x| (x, x * x)).collect();
    let lines = [
        Line { points: bent, colour: Theme::LIGHT.validation },
        Line { points: vec![(0.1, 0.9), (0.8, 0.7)], colour: OTHERS[0] },
    ];
    let plot = Plot { lines: &lines, from: 0.0, to: 1.0, along: "how sure it was", diagonal: true };
    assert_golden("plot.svg", (480, 240), |area| charts::plot(area, &plot, &Theme::LIGHT, 1.0).unwrap());
}

#[test]
fn a_place_on_the_matrix_is_the_cell_that_is_drawn_there() {
    let at = |x: f64, y: f64| charts::cell_at(x, y, 420.0, 420.0, 1.0);
    assert_eq!(at(33.0, 200.0), None, "the labels are no cells");
    assert_eq!(at(35.0, 35.0), Some((0, 0)));
    assert_eq!(at(34.0 + 38.0 * 7.5, 34.0 + 38.0 * 2.5), Some((2, 7)), "rows are true, columns predicted");
    assert_eq!(at(34.0 + 38.0 * 10.1, 100.0), None);
    assert_eq!(charts::cell_at(2.0 * 35.0, 2.0 * 35.0, 840.0, 840.0, 2.0), Some((0, 0)));
}

#[test]
fn the_matrix_looks_as_it_did() {
    let mut matrix = ConfusionMatrix::default();
    for label in 0..10usize {
        matrix.counts[label][label] = 480 + label as u32;
        matrix.counts[label][(label * 3 + 1) % 10] += label as u32;
    }
    assert_golden("matrix.svg", (420, 420), |area| charts::heatmap(area, &matrix, &Theme::LIGHT, 1.0).unwrap());
    assert_golden("matrix-empty.svg", (420, 420), |area| {
        charts::heatmap(area, &ConfusionMatrix::default(), &Theme::DARK, 1.0).unwrap();
    });
}
