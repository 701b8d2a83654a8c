//! What a run prints: lines and a progress bar for people, JSON for programs.

use std::{
    io::{self, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use inkling_core::protocol::{Activity, EpochRecord, Event, Loaded, Progress, TestResult};
use serde::Serialize;

/// A line for programs.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Loaded(&'a Loaded),
    Epoch(&'a EpochRecord),
    Test(Score),
    Warning { text: &'a str },
    Saved { file: &'a str },
}

/// The score on the test set, for programs.
#[derive(Serialize)]
pub struct Score {
    accuracy: f64,
    interval: [f64; 2],
    loss: f64,
    /// Seconds that scoring took.
    seconds: f64,
    /// Test images by true and predicted class.
    confusion: Vec<Vec<u32>>,
}

impl From<&TestResult> for Score {
    fn from(test: &TestResult) -> Self {
        let TestResult { accuracy, interval, loss, seconds, .. } = *test;
        Score { accuracy, interval, loss, seconds, confusion: test.confusion.counts.clone() }
    }
}

/// Prints what happens in a run.
pub enum Reporter {
    /// For people.
    Lines(ProgressBar),
    /// For people who want the score alone.
    Quiet,
    /// For programs.
    Json,
}

impl Reporter {
    /// Lines and a bar, which disappears where the terminal can't show one.
    pub fn lines() -> Self {
        let bar = ProgressBar::new(1);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} steps  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Reporter::Lines(bar)
    }

    /// The reporter that the options ask for.
    pub fn of(json: bool, quiet: bool) -> Self {
        match (json, quiet) {
            (true, _) => Reporter::Json,
            (_, true) => Reporter::Quiet,
            _ => Reporter::lines(),
        }
    }

    /// Prints what is worth a line.
    pub fn event(&self, event: &Event) {
        match event {
            Event::Loaded(loaded) => {
                let Loaded { source, train, validation, test, .. } = loaded;
                let text = format!("{train} images to train, {validation} to validate, {test} to test: {source}");
                self.say(text, &Line::Loaded(loaded));
            }
            Event::Epoch { record, .. } => self.say(epoch(record), &Line::Epoch(record)),
            Event::Test(test) => self.score(test),
            Event::Warning(text) => self.warn(text),
            Event::Progress(progress) => self.progress(progress),
            _ => {}
        }
    }

    /// Prints where the run was kept.
    pub fn saved(&self, file: &str) {
        self.say(format!("kept in {file}"), &Line::Saved { file });
    }

    /// Prints a warning, on standard error.
    pub fn warn(&self, text: &str) {
        match self {
            Reporter::Json => print(&Line::Warning { text }),
            Reporter::Quiet => eprintln!("inkling: {text}"),
            Reporter::Lines(bar) => bar.suspend(|| eprintln!("inkling: {text}")),
        }
    }

    fn score(&self, test: &TestResult) {
        let text = score(test);
        match self {
            Reporter::Quiet => put(&text),
            _ => self.say(text, &Line::Test(test.into())),
        }
    }

    fn say(&self, text: String, line: &Line) {
        match self {
            Reporter::Json => print(line),
            Reporter::Quiet => {}
            Reporter::Lines(bar) => bar.suspend(|| put(&text)),
        }
    }

    fn progress(&self, progress: &Progress) {
        let Reporter::Lines(bar) = self else { return };
        bar.set_length(u64::from(progress.steps));
        bar.set_position(u64::from(progress.step));
        let what = match progress.activity {
            Activity::Train => format!("epoch {}", progress.epoch),
            Activity::Validate => "validating".into(),
            Activity::Test => "testing".into(),
        };
        let speed = progress.images_per_second.map(|speed| format!(", {speed:.0} images/s")).unwrap_or_default();
        let left = progress.seconds_left.map(|left| format!(", {left:.0} s left")).unwrap_or_default();
        bar.set_message(format!("{what}{speed}{left}"));
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if let Reporter::Lines(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// The score on the test set, as a line.
pub fn score(test: &TestResult) -> String {
    let [accuracy, low, high] = [test.accuracy, test.interval[0], test.interval[1]].map(|share| 100.0 * share);
    format!("test accuracy {accuracy:.2} % (95 %: {low:.2} to {high:.2}), loss {:.4}", test.loss)
}

/// A line for an epoch.
fn epoch(record: &EpochRecord) -> String {
    let EpochRecord { epoch, train_loss, validation_loss, images_per_second, seconds, .. } = record;
    let [train, validation] = [record.train_accuracy, record.validation_accuracy].map(|share| 100.0 * share);
    format!(
        "epoch {epoch:>3}: training {train:.2} % (loss {train_loss:.4}), validation {validation:.2} % (loss {validation_loss:.4}), \
         {images_per_second:.0} images/s, {seconds:.1} s"
    )
}

/// Prints a value as a line of JSON.
pub fn print(value: &impl Serialize) {
    // All that is printed here has string keys and no maps that could fail.
    if let Ok(text) = serde_json::to_string(value) {
        put(&text);
    }
}

/// Prints a line. A reader that has gone, as `head` does, must not end a run.
pub fn put(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}
