//! The classification report equals scikit-learn's.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(not(target_arch = "wasm32"))]

use inkling_core::metrics::{ClassScore, ConfusionMatrix};
use serde_json::Value;

fn assert_score(what: &str, found: &ClassScore, expected: &Value) {
    for (index, value) in [found.precision, found.recall, found.f1].into_iter().enumerate() {
        let expected = expected[index].as_f64().unwrap();
        assert!((value - expected).abs() < 1e-12, "{what}[{index}]: {value} against {expected}");
    }
    assert_eq!(u64::from(found.support), expected[3].as_u64().unwrap(), "{what}: support");
}

#[test]
fn reports_equal_those_of_scikit_learn() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/metrics.json")).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 5);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let matrix: ConfusionMatrix = serde_json::from_value(case["confusion"].clone()).unwrap();
        let report = matrix.report();
        for (digit, score) in report.classes.iter().enumerate() {
            assert_score(&format!("{name}: {digit}"), score, &case["classes"][digit]);
        }
        assert!((report.accuracy - case["accuracy"].as_f64().unwrap()).abs() < 1e-12, "{name}");
        assert_score(&format!("{name}: macro"), &report.macro_average, &case["macro"]);
        assert_score(&format!("{name}: weighted"), &report.weighted_average, &case["weighted"]);
    }
}

#[test]
fn rows_are_true_and_columns_predicted() {
    let mut matrix = ConfusionMatrix::new(10);
    assert_eq!((matrix.total(), matrix.accuracy()), (0, 0.0));
    matrix.add(3, 5);
    matrix.add(3, 3);
    assert_eq!((matrix.counts[3][5], matrix.counts[5][3], matrix.total(), matrix.accuracy()), (1, 0, 2, 0.5));
}
