//! Whether one run is better than another, or only luckier.

/// Two networks on the same images, where they disagree (McNemar, Psychometrika 12, 1947).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct McNemar {
    /// Images that only the first got right.
    pub first_only: u32,
    /// Images that only the second got right.
    pub second_only: u32,
    /// Probability of a difference at least as large if both were equally good: the exact two-sided binomial test.
    pub p: f64,
}

impl McNemar {
    /// Of what each got right (1) and wrong (0), image by image; `None` unless both saw as many.
    pub fn test(first: &[u8], second: &[u8]) -> Option<Self> {
        if first.len() != second.len() || first.is_empty() {
            return None;
        }
        let count = |of: (u8, u8)| first.iter().zip(second).filter(|&(&a, &b)| (a, b) == of).count() as u32;
        let (first_only, second_only) = (count((1, 0)), count((0, 1)));
        Some(McNemar { first_only, second_only, p: two_sided(first_only, second_only) })
    }

    /// What it says, as a sentence; the runs by their names.
    pub fn sentence(&self, first: &str, second: &str) -> String {
        let McNemar { first_only, second_only, p } = *self;
        let verdict = match (p < 0.05, first_only.cmp(&second_only)) {
            (true, std::cmp::Ordering::Greater) => format!("{first} is better"),
            (true, _) => format!("{second} is better"),
            (false, _) => "this may well be chance".into(),
        };
        let p = if p < 0.001 { "below 0.001".into() } else { format!("{p:.3}") };
        format!(
            "{first_only} test images are right only in {first}, {second_only} only in {second}: {verdict} (p {p}, exact McNemar test)."
        )
    }
}

/// Twice the tail of a fair coin that falls `a` times on one side and `b` on the other, at most 1.
fn two_sided(a: u32, b: u32) -> f64 {
    let n = a + b;
    // From the logarithm of 1 / 2^n, by ratios of binomial coefficients.
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
    fn it_equals_scipy() {
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
    fn it_counts_where_they_disagree_and_names_the_better() {
        let first: Vec<u8> = (0..100).map(|i| u8::from(i >= 2)).collect();
        let second: Vec<u8> = (0..100).map(|i| u8::from(i < 80)).collect();
        let test = McNemar::test(&first, &second).unwrap();
        assert_eq!((test.first_only, test.second_only), (20, 2));
        assert!(test.sentence("A", "B").contains("A is better"), "{}", test.sentence("A", "B"));
        assert!(McNemar::test(&first, &first).unwrap().sentence("A", "B").contains("chance"));
        assert_eq!(McNemar::test(&first, &second[..99]), None);
    }
}
