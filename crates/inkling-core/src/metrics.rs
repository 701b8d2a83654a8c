//! Confusion matrix, classification report, confidence interval, throughput, and timing of the parts of training.

use crate::say;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use web_time::Instant;

/// Counts of (true class, predicted class): rows are true, columns predicted, as in scikit-learn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConfusionMatrix {
    /// `counts[true][predicted]`.
    pub counts: Vec<Vec<u32>>,
}

impl ConfusionMatrix {
    /// No images yet, for this many classes.
    pub fn new(classes: usize) -> Self {
        ConfusionMatrix { counts: vec![vec![0; classes]; classes] }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.counts.len()
    }

    /// Counts one image.
    pub fn add(&mut self, label: u8, predicted: u8) {
        self.counts[usize::from(label)][usize::from(predicted)] += 1;
    }

    /// Number of images.
    pub fn total(&self) -> u32 {
        self.counts.iter().flatten().sum()
    }

    /// Number of images on the diagonal.
    pub fn correct(&self) -> u32 {
        (0..self.classes()).map(|class| self.counts[class][class]).sum()
    }

    /// Share of images on the diagonal; 0 without images.
    pub fn accuracy(&self) -> f64 {
        ratio(self.correct(), self.total())
    }

    /// The mistakes that were made, the most frequent first: count, true class, predicted class.
    pub fn mistakes(&self) -> Vec<(u32, usize, usize)> {
        let cells =
            self.counts.iter().enumerate().flat_map(|(label, row)| {
                row.iter().enumerate().map(move |(predicted, &count)| (count, label, predicted))
            });
        let mut mistakes: Vec<_> = cells.filter(|&(count, label, predicted)| count > 0 && label != predicted).collect();
        mistakes.sort_unstable_by(|a, b| b.cmp(a));
        mistakes
    }

    /// Precision, recall and F1 of each class, and their averages.
    pub fn report(&self) -> Report {
        let score = |class: usize| {
            let support: u32 = self.counts[class].iter().sum();
            let predicted: u32 = self.counts.iter().map(|row| row[class]).sum();
            let hits = self.counts[class][class];
            ClassScore {
                precision: ratio(hits, predicted),
                recall: ratio(hits, support),
                f1: ratio(2 * hits, support + predicted),
                support,
            }
        };
        let classes: Vec<ClassScore> = (0..self.classes()).map(score).collect();
        let average = |weight: &dyn Fn(&ClassScore) -> f64| {
            let total: f64 = classes.iter().map(weight).sum();
            let mean = |score: &dyn Fn(&ClassScore) -> f64| {
                if total > 0.0 { classes.iter().map(|c| weight(c) * score(c)).sum::<f64>() / total } else { 0.0 }
            };
            ClassScore {
                precision: mean(&|c| c.precision),
                recall: mean(&|c| c.recall),
                f1: mean(&|c| c.f1),
                support: self.total(),
            }
        };
        Report {
            accuracy: self.accuracy(),
            macro_average: average(&|_| 1.0),
            weighted_average: average(&|c| f64::from(c.support)),
            classes,
        }
    }
}

/// Scores of one class, or an average over the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Share of the images predicted as this class that belong to it; 0 if there are none.
    pub precision: f64,
    /// Share of the images of this class that were predicted as it; 0 if there are none.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Number of images of this class.
    pub support: u32,
}

/// The numbers of scikit-learn's `classification_report` (with `zero_division=0`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Scores of each class.
    pub classes: Vec<ClassScore>,
    /// Share of images predicted correctly.
    pub accuracy: f64,
    /// Mean over the classes.
    pub macro_average: ClassScore,
    /// Mean over the classes, weighted by support.
    pub weighted_average: ClassScore,
}

impl Report {
    /// The rows as text: name, precision, recall, F1 and support; the accuracy row has neither precision nor recall. `name`
    /// gives the name of a class.
    pub fn rows(&self, name: impl Fn(u8) -> String) -> Vec<[String; 5]> {
        let share = |share: f64| format!("{share:.4}");
        let row = |name: String, s: &ClassScore| {
            [name, share(s.precision), share(s.recall), share(s.f1), s.support.to_string()]
        };
        let none = String::new;
        let support = self.macro_average.support.to_string();
        let classes = self.classes.iter().zip(0..).map(|(score, class)| row(name(class), score));
        classes
            .chain([
                [say!("accuracy").into(), none(), none(), share(self.accuracy), support],
                row(say!("macro avg").into(), &self.macro_average),
                row(say!("weighted avg").into(), &self.weighted_average),
            ])
            .collect()
    }

    /// The report as a plain-text table, with the same columns as scikit-learn's.
    pub fn text(&self, name: impl Fn(u8) -> String) -> String {
        let rows = self.rows(name);
        let width = rows.iter().map(|row| row[0].chars().count()).max().unwrap_or(0).max(12);
        let mut text =
            format!("{:>width$}{:>11}{:>10}{:>10}{:>10}\n\n", "", "precision", "recall", "f1-score", "support");
        for [name, precision, recall, f1, support] in rows {
            text += &format!("{name:>width$}{precision:>11}{recall:>10}{f1:>10}{support:>10}\n");
        }
        text
    }

    /// The report as a Markdown table.
    pub fn markdown(&self, name: impl Fn(u8) -> String) -> String {
        let head = "| class | precision | recall | F1 | support |\n|---|--:|--:|--:|--:|\n".to_string();
        // A name may contain what ends a cell.
        let line =
            |row: &[String; 5]| format!("| {} |\n", row.each_ref().map(|cell| cell.replace('|', "\\|")).join(" | "));
        self.rows(name).iter().fold(head, |text, row| text + &line(row))
    }
}

fn ratio(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}

/// The 95 % Wilson score interval of `correct` out of `total` (E. B. Wilson, JASA 22, 1927); `[0, 1]` without images.
pub fn wilson_interval(correct: u32, total: u32) -> [f64; 2] {
    if total == 0 {
        return [0.0, 1.0];
    }
    const Z: f64 = 1.959_963_984_540_054; // the 97.5 % quantile of the normal distribution
    let (n, p) = (f64::from(total), ratio(correct, total));
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    [((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0)]
}

/// Number of images and the seconds they took, from which images per second follow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Throughput {
    /// Number of images processed.
    pub images: u64,
    /// Seconds spent on them, without pauses.
    pub seconds: f64,
}

impl Throughput {
    /// Adds a batch.
    pub fn add(&mut self, images: usize, seconds: f64) {
        self.images += images as u64;
        self.seconds += seconds;
    }

    /// Images per second, or `None` before anything is measured.
    pub fn per_second(&self) -> Option<f64> {
        (self.seconds > 0.0 && self.images > 0).then(|| self.images as f64 / self.seconds)
    }
}

/// Seconds that the parts of training took on the leading worker. On a GPU, they give the time to submit the work, not
/// to execute it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// Picking and augmenting images.
    pub augment: f64,
    /// Forward passes.
    pub forward: f64,
    /// Backward passes.
    pub backward: f64,
    /// The optimizer.
    pub update: f64,
    /// Packing, sending and summing what the replicas exchange.
    pub messages: f64,
    /// Waiting for replicas.
    pub waiting: f64,
    /// All steps, from start to end.
    pub steps: f64,
    /// Total waiting time of all replicas, including the leading one.
    pub idle: f64,
}

/// Measures elapsed time, without pauses.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    before: Duration,
    since: Option<Instant>,
}

impl Stopwatch {
    /// A running stopwatch.
    pub fn started() -> Self {
        Stopwatch::started_at(0.0)
    }

    /// A running stopwatch that shows `seconds` now.
    pub fn started_at(seconds: f64) -> Self {
        let before = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Stopwatch { before, since: Some(Instant::now()) }
    }

    /// Pauses it.
    pub fn stop(&mut self) {
        self.before += self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
    }

    /// Resumes it, if it is paused.
    pub fn start(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Seconds so far.
    pub fn seconds(&self) -> f64 {
        (self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed())).as_secs_f64()
    }
}

/// An exponential moving average with its initial bias corrected (as in Adam), to smooth the curve of a noisy series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Smoothed {
    keep: f64,
    sum: f64,
    weight: f64,
}

impl Smoothed {
    /// `keep` is the weight of the past at each new value, `0 <= keep < 1`.
    pub fn new(keep: f64) -> Self {
        Smoothed { keep, sum: 0.0, weight: 0.0 }
    }

    /// Whether it can go on: all of its numbers are finite and in range.
    pub(crate) fn is_sound(&self) -> bool {
        (0.0..1.0).contains(&self.keep) && self.sum.is_finite() && (0.0..=1.001).contains(&self.weight)
    }

    /// Adds a value and returns the new average.
    pub fn push(&mut self, value: f64) -> f64 {
        self.sum = self.keep * self.sum + (1.0 - self.keep) * value;
        self.weight = self.keep * self.weight + (1.0 - self.keep);
        self.sum / self.weight
    }
}

/// The class with the largest value.
pub fn argmax(values: &[f32]) -> usize {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_equals_published_values() {
        // Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score without continuity correction).
        for (correct, total, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let [l, h] = wilson_interval(correct, total);
            assert!((l - low).abs() < 5e-5 && (h - high).abs() < 5e-5, "{correct}/{total}: {l} {h}");
        }
    }

    #[test]
    fn every_form_of_the_report_has_a_line_for_each_digit_and_average() {
        let mut matrix = ConfusionMatrix::new(10);
        (0..10).for_each(|digit| matrix.add(digit, digit));
        matrix.add(4, 9);
        let report = matrix.report();
        let text = report.text(|class| class.to_string());
        assert_eq!(text.lines().count(), 15);
        assert!(text.contains("           4     1.0000    0.5000    0.6667         2\n"), "{text}");
        assert!(text.contains("    accuracy                         0.9091        11\n"), "{text}");
        let markdown = report.markdown(|class| class.to_string());
        assert_eq!(markdown.lines().count(), 15);
        assert!(markdown.contains("| 9 | 0.5000 | 1.0000 | 0.6667 | 1 |"), "{markdown}");
    }

    #[test]
    fn smoothing_starts_at_the_first_value_and_keeps_a_constant() {
        let mut smoothed = Smoothed::new(0.9);
        for _ in 0..5 {
            assert!((smoothed.push(3.0) - 3.0).abs() < 1e-12);
        }
        assert!((2.0..3.0).contains(&smoothed.push(2.0)));
    }
}
