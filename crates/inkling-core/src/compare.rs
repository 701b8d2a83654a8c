//! Tests whether one run is better than another or only luckier.

use crate::say;

/// McNemar's test: compares two networks on the images where they disagree (McNemar, Psychometrika 12, 1947).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct McNemar {
    /// Number of images that only the first network predicted correctly.
    pub first_only: u32,
    /// Number of images that only the second network predicted correctly.
    pub second_only: u32,
    /// Probability of a difference at least this large if both networks were equally good, by the exact two-sided
    /// binomial test.
    pub p: f64,
}

impl McNemar {
    /// Runs the test on what each network predicted correctly (1) or incorrectly (0), image by image. `None` if the
    /// numbers of images differ or are 0.
    pub fn test(first: &[u8], second: &[u8]) -> Option<Self> {
        if first.len() != second.len() || first.is_empty() {
            return None;
        }
        let count = |of: (u8, u8)| first.iter().zip(second).filter(|&(&a, &b)| (a, b) == of).count() as u32;
        let (first_only, second_only) = (count((1, 0)), count((0, 1)));
        Some(McNemar { first_only, second_only, p: two_sided(first_only, second_only) })
    }

    /// The result as a sentence that calls the runs by these names.
    pub fn sentence(&self, first: &str, second: &str) -> String {
        let McNemar { first_only, second_only, p } = *self;
        let verdict = match (p < 0.05, first_only.cmp(&second_only)) {
            (true, std::cmp::Ordering::Greater) => say!("{} is better", first),
            (true, _) => say!("{} is better", second),
            (false, _) => say!("this may well be chance").into(),
        };
        let p = if p < 0.001 { "< 0.001".into() } else { format!("= {p:.3}") };
        say!(
            "Only {} gets {} of the test images right, and only {} gets {}: {} \
             (p {}, exact McNemar test).",
            first,
            first_only,
            second,
            second_only,
            verdict,
            p
        )
    }
}

/// Two-sided p-value for a fair coin that lands `a` times on one side and `b` times on the other: twice the tail
/// probability, at most 1.
fn two_sided(a: u32, b: u32) -> f64 {
    let n = a + b;
    // Starts from the logarithm of 1 / 2^n and proceeds by ratios of binomial coefficients.
    let mut log = -f64::from(n) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=a.min(b) {
        tail += log.exp();
        log += (f64::from(n - k) / f64::from(k + 1)).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_equal_those_of_scipy() {
        // scipy 1.17: binomtest(min(a, b), a + b).pvalue
        for (a, b, p) in [
            (0, 0, 1.0),
            (1, 0, 1.0),
            (6, 16, 0.052478790283203125),
            (10, 30, 0.0022214337732293643),
            (150, 200, 0.008720036530555947),
            (3, 60, 9.048317650695026e-15),
        ] {
            let found = two_sided(a, b);
            assert!((found - p).abs() <= 1e-9 * p, "{a} {b}: {found} instead of {p}");
            assert_eq!(found, two_sided(b, a));
        }
    }

    #[test]
    fn the_test_counts_disagreements_and_names_the_better_run() {
        let first: Vec<u8> = (0..100).map(|i| u8::from(i >= 2)).collect();
        let second: Vec<u8> = (0..100).map(|i| u8::from(i < 80)).collect();
        let test = McNemar::test(&first, &second).unwrap();
        assert_eq!((test.first_only, test.second_only), (20, 2));
        assert!(test.sentence("A", "B").contains("A is better"), "{}", test.sentence("A", "B"));
        assert!(McNemar::test(&first, &first).unwrap().sentence("A", "B").contains("chance"));
        assert_eq!(McNemar::test(&first, &second[..99]), None);
    }
}
