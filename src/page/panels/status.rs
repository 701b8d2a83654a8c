//! What is going on: backend, progress, the current numbers, and errors.

use inkling_core::{
    healing::Incident,
    language::translate,
    message,
    protocol::{Activity, BackendName, Check, Progress, RunState},
    say,
    settings::{BackendChoice, DatasetName},
    summary::RunSummary,
};

use super::{
    Panel,
    words::{count, duration, percent, share},
};
use crate::page::{dom, model::Model, worker::WorkerState};

/// Shows the backend, the state of the run, its progress and its numbers.
pub struct Status;

impl Panel for Status {
    fn draw(&mut self, model: &Model) {
        draw_backend(model);
        draw_state(model);
        draw_progress(&model.run);
        draw_tiles(&model.run);
    }
}

fn draw_backend(model: &Model) {
    let note = model.worker.note();
    let kind = match &model.worker {
        WorkerState::Ready(..) => "ready",
        WorkerState::Lost => "failed",
        _ => "wait",
    };
    dom::set_attribute("badge", "data-kind", kind);
    let check = model.run.backend.check.as_ref().filter(|_| note.is_none());
    dom::set_text("check-badge", &check.map(passed).unwrap_or_default());
    dom::set_hidden("check-badge", check.is_none());
    dom::set_text("backend-badge", &note.unwrap_or_else(|| backend(&model.run)));
}

fn draw_state(model: &Model) {
    let run = &model.run;
    dom::set_text("state", translate(run.state.name()));
    dom::set_attribute("state", "data-state", run.state.name());
    let words = sentence(model);
    dom::set_text("status", &words);
    dom::set_attribute("status", "title", &words); // a narrow window cuts it off
    let incident = || run.incidents.last().map(Incident::sentence);
    let words = run.error.clone().or_else(incident).or_else(|| run.warnings.last().cloned());
    dom::set_text("error", words.as_deref().unwrap_or_default());
    // Something that was repaired or that stops nothing is a notice, not an error.
    dom::set_attribute("error", "data-kind", if run.error.is_some() { "error" } else { "notice" });
    dom::set_hidden("error", words.is_none());
}

fn backend(run: &RunSummary) -> String {
    let info = &run.backend;
    match info.name {
        None => say!("No backend").into(),
        Some(BackendName::Remote) => say!("Server: {}. Data leaves this tab.", info.adapter),
        Some(BackendName::Cuda) => format!("CUDA: {} ({})", info.adapter, info.reason),
        Some(BackendName::Webgpu) => say!("WebGPU: {} ({})", info.adapter, info.reason),
        Some(BackendName::Cpu | BackendName::Ndarray) => say!("CPU: {} ({})", info.adapter, info.reason),
    }
}

fn passed(check: &Check) -> String {
    let Check { largest_difference, of, earlier, .. } = check;
    let when = if *earlier { say!(" on an earlier visit") } else { "" };
    say!("✓ Same results as the CPU{}: at most {} off (in {})", when, format_args!("{:.0e}", largest_difference), of)
}

/// What is going on and what to do next. It stays the same within a state, so that a screen reader does not keep
/// talking.
fn sentence(model: &Model) -> String {
    let run = &model.run;
    match run.state {
        RunState::Idle if model.settings.backend == BackendChoice::Ndarray => {
            say!("Ready when you are. burn-ndarray is slow: a few images per second. Press Train.").into()
        }
        RunState::Idle => match model.settings.dataset {
            DatasetName::Mnist => {
                say!("Press Train: MNIST (12 MB) is fetched once, checked and kept for the next visit.").into()
            }
            DatasetName::Own if model.data.set.is_some() => say!("Press Train: your own images are ready.").into(),
            DatasetName::Own => say!("Choose the files of your data set, then press Train.").into(),
            DatasetName::Synthetic => {
                say!("Press Train: synthetic digits are drawn in this tab. They are not MNIST.").into()
            }
            DatasetName::Letters => say!("Press Train: capital letters are drawn in this tab.").into(),
            DatasetName::Shapes => say!("Press Train: circles, squares and triangles are drawn in this tab.").into(),
        },
        RunState::Loading => match (&run.loading, run.incidents.last()) {
            (Some(loading), _) => format!("{}.", loading.what),
            (None, Some(_)) => say!("The worker was lost. Another takes its place and resumes the run.").into(),
            (None, None) => say!("Getting ready.").into(),
        },
        RunState::Training => match (&run.dataset, run.progress.map(|p| p.activity)) {
            (_, Some(Activity::Test)) => say!("Scoring the test set.").into(),
            (Some(data), _) => say!(
                "Training on {} images ({}). {} are for validation and {} for testing.",
                data.loaded.train,
                translate(&data.loaded.source),
                data.loaded.validation,
                data.loaded.test
            ),
            (None, _) => say!("Training.").into(),
        },
        RunState::Paused => {
            say!("Paused. Resume continues where it stopped; the sketch pad answers with the current weights.").into()
        }
        RunState::Stopped if run.progress.is_none_or(|p| p.step == 0) => say!("Stopped before the first step.").into(),
        RunState::Stopped => {
            say!("Stopped. The weights are kept: {}, score the test set, or train again.", asking(model))
        }
        RunState::Finished => finished(model),
        RunState::Failed => say!("The run ended early. The message at the top of the page says what to do.").into(),
    }
}

/// How to ask the network something.
fn asking(model: &Model) -> &'static str {
    if model.target().is_ok() { say!("draw on the sketch pad") } else { say!("look at its images") }
}

fn finished(model: &Model) -> String {
    let (run, asking) = (&model.run, asking(model));
    match (run.test_accuracy, run.test_accuracy_interval) {
        (Some(accuracy), _) if run.fine_tuned.is_some() => say!(
            "Finished, and taught your digits: {} of the test images are now classified correctly. Train again, or {}.",
            percent(accuracy),
            asking
        ),
        (Some(accuracy), Some([low, high])) => say!(
            "Finished: {} of the test images are classified correctly (95% interval {} to {}). Train again, or {}.",
            percent(accuracy),
            percent(low),
            percent(high),
            asking
        ),
        _ => say!("Finished.").into(),
    }
}

fn draw_progress(run: &RunSummary) {
    let (share, text) = match (&run.loading, &run.progress, run.state) {
        (_, _, RunState::Finished) => (1.0, duration_of(run)),
        (Some(loading), _, RunState::Loading) => {
            let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
            let share = loading.received as f64 / loading.total.max(1) as f64;
            (share, say!("{} of {} MB", megabytes(loading.received), megabytes(loading.total)))
        }
        (_, Some(progress), _) => (f64::from(progress.step) / f64::from(progress.steps.max(1)), line(progress)),
        _ => (0.0, String::new()),
    };
    if let Some(bar) = dom::element::<web_sys::HtmlProgressElement>("progress") {
        bar.set_value(share);
    }
    dom::set_text("progress-text", &text);
}

fn duration_of(run: &RunSummary) -> String {
    say!(
        "{} in {}",
        count(run.history.len(), [message!("{} epoch"), message!("{} epochs")]),
        duration(run.timings.epochs_seconds)
    )
}

fn line(progress: &Progress) -> String {
    let mut parts = vec![
        say!("Epoch {} of {}", progress.epoch, progress.epochs),
        say!("step {} of {}", progress.step, progress.steps),
    ];
    match progress.activity {
        Activity::Train => {}
        Activity::Validate => parts.push(say!("validating").into()),
        Activity::Test => parts.push(say!("testing").into()),
    }
    parts.extend(progress.images_per_second.map(|speed| say!("{} images/s", format_args!("{:.0}", speed))));
    parts.extend(progress.seconds_left.map(|left| say!("about {} left", duration(left))));
    parts.join(" · ")
}

fn draw_tiles(run: &RunSummary) {
    let last = |points: &[(f64, f64)]| points.last().map(|point| point.1);
    let show = |id: &str, share: Option<f64>| dom::set_text(id, &share.map_or("–".into(), percent));
    show("tile-train", last(&run.curves.accuracy));
    show("tile-validation", run.history.last().map(|epoch| epoch.validation_accuracy));
    let averaged = run.history.last().and_then(|epoch| epoch.averaged);
    let words = averaged.map(|averaged| say!("last epoch; averaged weights: {}", percent(averaged.accuracy)));
    dom::set_text("tile-averaged", &words.unwrap_or(say!("last epoch").into()));
    show("tile-test", run.test_accuracy);
    let interval = match run.test_accuracy_interval {
        Some(_) if let Some([before, _]) = run.fine_tuned => {
            say!("before teaching: {}", percent(share(before.test)))
        }
        Some([low, high]) => {
            say!("95%: {} to {}", format_args!("{:.2}", 100.0 * low), format_args!("{:.2}", 100.0 * high))
        }
        None => say!("at the end").into(),
    };
    dom::set_text("tile-test-interval", &interval);
    let speed = run.progress.and_then(|progress| progress.images_per_second);
    let workers = match run.progress.map_or(0, |progress| progress.workers) {
        0 => say!("training").into(),
        1 => say!("one worker").into(),
        workers => say!("{} workers", workers),
    };
    dom::set_text("tile-workers", &workers);
    dom::set_text("tile-speed", &speed.map_or("–".into(), |speed| format!("{speed:.0}")));
}
