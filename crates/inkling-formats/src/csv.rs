//! Images as a table: one line for each, with its class and its pixels, as Kaggle ships MNIST.

use thiserror::Error;

/// A longer class is cut off.
const LONGEST_CLASS: usize = 100;

/// Why a text is not such a table.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CsvError {
    /// It is not UTF-8.
    #[error("it is not a text")]
    NotText,
    /// There is no line of numbers.
    #[error("it has no line with a class and its pixels")]
    Empty,
    /// The pixels of a line are no square.
    #[error("a line has a class and {0} pixels, which make no square; there must be no other columns")]
    NoSquare(usize),
    /// It has pixels only.
    #[error("it has pixels but no classes; add a column named label")]
    NoClasses,
    /// A line is longer or shorter than the first.
    #[error("line {line} has {found} values instead of {expected}")]
    Width {
        /// Number of the line, from 1.
        line: usize,
        /// Its values.
        found: usize,
        /// Values of the first line.
        expected: usize,
    },
    /// A pixel is not a number.
    #[error("line {line}: {word:?} is not a pixel, a number from 0 to 255")]
    Pixel {
        /// Number of the line, from 1.
        line: usize,
        /// What stands there.
        word: String,
    },
}

/// A table of images.
pub(crate) struct Table {
    /// The class of each image.
    pub labels: Vec<String>,
    /// Values of an image.
    pub width: usize,
    /// `[N, width]`
    pub pixels: Vec<u8>,
}

/// Reads a table. If the second word is not a number, the first line has the names of the columns; the one named `label`,
/// `class`, `y` or `target` has the classes, otherwise the first. Pixels go from 0 to 255, or from 0 to 1 if none is larger.
/// `is_square` says whether a row of this many pixels can be an image.
pub(crate) fn open(bytes: &[u8], is_square: impl Fn(usize) -> bool) -> Result<Table, CsvError> {
    let text = std::str::from_utf8(bytes).map_err(|_| CsvError::NotText)?.trim_start_matches('\u{feff}');
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let words = |line| str::split(line, ',').map(|word: &str| word.trim().trim_matches('"'));
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let named = |name: &str| matches!(name.to_lowercase().as_str(), "label" | "labels" | "class" | "y" | "target");
    let is_head = |line| words(line).nth(1).is_some_and(|word| !is_number(word)) || words(line).any(named);
    let classes = lines.next_if(|(_, line)| is_head(line)).and_then(|(_, head)| words(head).position(named));
    let column = classes.unwrap_or(0);
    let expected = lines.peek().map_or(0, |(_, line)| words(line).count());
    if expected < 2 {
        return Err(CsvError::Empty);
    }
    if classes.is_none() && is_square(expected) {
        return Err(CsvError::NoClasses);
    }
    if !is_square(expected - 1) {
        return Err(CsvError::NoSquare(expected - 1));
    }
    let pixels_of = |line| words(line).enumerate().filter(move |(place, _)| *place != column).map(|(_, word)| word);
    let largest = |line| pixels_of(line).filter_map(|word| word.parse().ok()).fold(0.0, f64::max);
    let scale = if lines.clone().all(|(_, line)| largest(line) <= 1.0) { 255.0 } else { 1.0 };
    let mut table = Table { labels: Vec::new(), width: expected - 1, pixels: Vec::new() };
    for (at, line) in lines {
        let found = words(line).count();
        if found != expected {
            return Err(CsvError::Width { line: at + 1, found, expected });
        }
        let class = words(line).nth(column).unwrap_or_default();
        table.labels.push(class.chars().take(LONGEST_CLASS).collect());
        for word in pixels_of(line) {
            let value =
                word.parse::<f64>().ok().map(|value| value * scale).filter(|value| (0.0..=255.0).contains(value));
            let wrong = || CsvError::Pixel { line: at + 1, word: word.chars().take(20).collect() };
            table.pixels.push(value.ok_or_else(wrong)?.round() as u8);
        }
    }
    Ok(table)
}
