//! What is going on: backend, progress, the numbers of this moment, and errors.

use super::{duration, percent, share};
use crate::{
    healing::Incident,
    protocol::{Activity, Check, Progress, RunState},
    settings::BackendChoice,
    summary::RunSummary,
    web::{dom, page::Page},
};

/// Draws the backend's badge, the sentence of the state, the progress bar and the tiles.
pub fn draw(page: &Page) {
    let summary = &page.summary;
    let waiting = page.worker_note();
    let kind = match (&waiting, summary.state) {
        (None, _) => "ready",
        (Some(_), RunState::Failed) => "failed",
        (Some(_), _) => "wait",
    };
    dom::set_attribute("badge", "data-kind", kind);
    let check = summary.backend.check.as_ref().filter(|_| waiting.is_none());
    dom::set_text("check-badge", &check.map(passed).unwrap_or_default());
    dom::set_hidden("check-badge", check.is_none());
    dom::set_text("backend-badge", &waiting.unwrap_or_else(|| backend(summary)));
    dom::set_text("state", state_name(summary.state));
    dom::set_attribute("state", "data-state", state_name(summary.state));
    dom::set_text("status", &sentence(page));
    let incident = || summary.incidents.last().map(Incident::sentence);
    let error = summary.error.clone().or_else(incident).or_else(|| summary.warnings.last().cloned());
    dom::set_text("error", error.as_deref().unwrap_or_default());
    // What was mended, or stops nothing, is news and not an error.
    dom::set_attribute("error", "data-kind", if summary.error.is_some() { "error" } else { "notice" });
    dom::set_hidden("error", error.is_none());
    progress_bar(summary);
    tiles(summary);
}

fn backend(summary: &RunSummary) -> String {
    let info = &summary.backend;
    match info.name.as_str() {
        "" => "No backend".into(),
        "webgpu" => format!("WebGPU: {} ({})", info.adapter, info.reason),
        _ => format!("CPU: {} ({})", info.adapter, info.reason),
    }
}

fn passed(check: &Check) -> String {
    let Check { largest_difference, of, fusion, earlier, .. } = check;
    let kernels = if *fusion { "" } else { ", without fused kernels" };
    let when = if *earlier { " on an earlier visit" } else { "" };
    format!("✓ Same results as the CPU{when}: at most {largest_difference:.0e} off, in {of}{kernels}")
}

fn state_name(state: RunState) -> &'static str {
    match state {
        RunState::Idle => "idle",
        RunState::Loading => "loading",
        RunState::Training => "training",
        RunState::Paused => "paused",
        RunState::Finished => "finished",
        RunState::Stopped => "stopped",
        RunState::Failed => "failed",
    }
}

/// What is going on and what to do next. It stays the same within a state, so that a screen reader is not kept talking.
fn sentence(page: &Page) -> String {
    let summary = &page.summary;
    match summary.state {
        RunState::Idle if page.settings.backend == BackendChoice::Ndarray => {
            "Ready when you are. burn-ndarray is slow: a few images a second. Press Train.".into()
        }
        RunState::Idle => match page.settings.dataset.key() {
            "mnist" => "Press Train: MNIST (12 MB) is fetched once, checked and kept for the next visit.".into(),
            "own" => "Choose the files of your data set, then press Train.".into(),
            _ => "Press Train: synthetic digits are drawn in this tab. They are not MNIST.".into(),
        },
        RunState::Loading => match (&summary.loading, summary.incidents.last()) {
            (Some(loading), _) => format!("{}.", loading.what),
            (None, Some(_)) => "The worker was lost. Another takes its place and goes on.".into(),
            (None, None) => "Getting ready.".into(),
        },
        RunState::Training => match (&summary.dataset, summary.progress.map(|p| p.activity)) {
            (_, Some(Activity::Test)) => "Scoring the test set.".into(),
            (Some(data), _) => format!(
                "Training on {} images of {}; {} more validate, {} test.",
                data.loaded.train, data.loaded.source, data.loaded.validation, data.loaded.test
            ),
            (None, _) => "Training.".into(),
        },
        RunState::Paused => {
            "Paused. Resume goes on where it stopped; the sketch pad answers with the weights of this moment.".into()
        }
        RunState::Stopped if summary.progress.is_none_or(|p| p.step == 0) => "Stopped before the first step.".into(),
        RunState::Stopped => "Stopped. The weights are kept: sketch a digit, score the test set, or train anew.".into(),
        RunState::Finished => match (summary.test_accuracy, summary.test_accuracy_interval) {
            (Some(accuracy), _) if summary.fine_tuned.is_some() => format!(
                "Finished, and taught your digits: {} of the test images are right now. Sketch a digit, or train anew.",
                percent(accuracy)
            ),
            (Some(accuracy), Some([low, high])) => format!(
                "Finished: {} of the test images are right (95 % interval {} to {}). Sketch a digit, or train anew.",
                percent(accuracy),
                percent(low),
                percent(high)
            ),
            _ => "Finished.".into(),
        },
        RunState::Failed => "The run ended early. The message says what to do.".into(),
    }
}

fn progress_bar(summary: &RunSummary) {
    let (share, text) = match (&summary.loading, &summary.progress, summary.state) {
        (_, _, RunState::Finished) => (1.0, finished(summary)),
        (Some(loading), _, RunState::Loading) => {
            let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
            let share = loading.received as f64 / loading.total.max(1) as f64;
            (share, format!("{} of {} MB", megabytes(loading.received), megabytes(loading.total)))
        }
        (_, Some(progress), _) => (f64::from(progress.step) / f64::from(progress.steps.max(1)), line(progress)),
        _ => (0.0, String::new()),
    };
    if let Some(bar) = dom::element::<web_sys::HtmlProgressElement>("progress") {
        bar.set_value(share);
    }
    dom::set_text("progress-text", &text);
}

fn finished(summary: &RunSummary) -> String {
    let epochs = summary.history.len();
    let plural = if epochs == 1 { "" } else { "s" };
    format!("{epochs} epoch{plural} in {}", duration(summary.timings.epochs_seconds))
}

fn line(progress: &Progress) -> String {
    let mut parts = vec![
        format!("Epoch {} of {}", progress.epoch, progress.epochs),
        format!("step {} of {}", progress.step, progress.steps),
    ];
    match progress.activity {
        Activity::Train => {}
        Activity::Validate => parts.push("validating".into()),
        Activity::Test => parts.push("testing".into()),
    }
    parts.extend(progress.images_per_second.map(|speed| format!("{speed:.0} images/s")));
    parts.extend(progress.seconds_left.map(|left| format!("about {} left", duration(left))));
    parts.join(" · ")
}

fn tiles(summary: &RunSummary) {
    let last = |points: &[(f64, f64)]| points.last().map(|point| point.1);
    let show = |id: &str, share: Option<f64>| dom::set_text(id, &share.map_or("–".into(), percent));
    show("tile-train", last(&summary.curves.accuracy));
    show("tile-validation", summary.history.last().map(|epoch| epoch.validation_accuracy));
    show("tile-test", summary.test_accuracy);
    let interval = match summary.test_accuracy_interval {
        Some(_) if let Some([before, _]) = summary.fine_tuned => {
            format!("taught; before: {}", percent(share(before.test)))
        }
        Some([low, high]) => format!("95 %: {:.2} to {:.2}", 100.0 * low, 100.0 * high),
        None => "scored at the end".into(),
    };
    dom::set_text("tile-test-interval", &interval);
    let speed = summary.progress.and_then(|progress| progress.images_per_second);
    let workers = match summary.progress.map_or(0, |progress| progress.workers) {
        0 => "training".into(),
        1 => "training, one worker".into(),
        workers => format!("training, {workers} workers"),
    };
    dom::set_text("tile-workers", &workers);
    dom::set_text("tile-speed", &speed.map_or("–".into(), |speed| format!("{speed:.0}")));
}
