//! What the visitor can keep and open: weights, a whole run, the history, the charts, the report.

use plotters::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::Event;

use super::{curves, summary::json, theme};
use crate::{
    charts::{self, Metric},
    protocol::{Command, Filing, Format, RunState},
    web::{
        dom, files,
        page::{self, Page},
    },
};

/// The charts that can be saved: their canvases, which are their names.
const CHARTS: [&str; 3] = ["accuracy", "loss", "matrix"];

/// Listens to the buttons.
pub fn mount() {
    for format in Format::ALL {
        // The session has the weights; the worker for files, which it goes to, knows the formats.
        dom::listen(&format!("save-{}", format.extension()), "click", move |_: Event| {
            page::update(|page| page.send(Command::Save(format)));
        });
    }
    text("save-history", "inkling-history.csv", |page| page.summary.history_csv());
    text("save-history-json", "inkling-history.json", |page| json(&page.summary.history));
    text("save-report-text", "inkling-report.txt", |page| {
        report(page).map_or_else(String::new, |report| report.text())
    });
    text("save-report-markdown", "inkling-report.md", |page| {
        report(page).map_or_else(String::new, |report| report.markdown())
    });
    for chart in CHARTS {
        dom::listen(&format!("png-{chart}"), "click", move |_: Event| {
            files::save_png(&format!("inkling-{chart}.png"), chart);
        });
        text(&format!("svg-{chart}"), format!("inkling-{chart}.svg"), move |page| svg(page, chart));
    }
    dom::listen("save-run", "click", |_: Event| {
        page::update(|page| {
            let Some(run) = page.summary.saved() else { return };
            spawn_local(async move {
                if let Err(error) = files::save_run("inkling-run.json.gz", &run).await {
                    page::update(|page| page.warn(format!("The run could not be saved: {error}.")));
                }
            });
        });
    });
    dom::listen("open-weights", "change", |_: Event| {
        spawn_local(async {
            let file = files::read("open-weights").await;
            page::update(|page| match file {
                Ok(Some(file)) => page.file(Filing::Read { file }),
                Ok(None) => {}
                Err(error) => page.warn(format!("The file was not opened: {error}.")),
            });
        });
    });
    dom::listen("open-run", "change", |_: Event| {
        spawn_local(async {
            let opened = match files::read("open-run").await {
                Ok(None) => return,
                Ok(Some(bytes)) => files::open_run(&bytes).await,
                Err(error) => Err(error),
            };
            page::update(|page| match opened {
                Ok(run) => page.go_on_with(run),
                Err(error) => page.warn(format!("The run was not opened: {error}.")),
            });
        });
    });
}

/// Button `id` saves what `content` gives.
fn text(id: &str, name: impl Into<String>, content: impl Fn(&Page) -> String + 'static) {
    let name = name.into();
    dom::listen(id, "click", move |_: Event| {
        page::update(|page| files::save(&name, content(page).as_bytes()));
    });
}

fn report(page: &Page) -> Option<crate::metrics::Report> {
    page.summary.confusion_matrix.map(|matrix| matrix.report())
}

fn svg(page: &Page, chart: &str) -> String {
    let mut svg = String::new();
    let side = if chart == "matrix" { (560, 560) } else { (720, 400) };
    {
        let area = SVGBackend::with_string(&mut svg, side).into_drawing_area();
        let _ = match chart {
            "accuracy" => {
                curves::with_curve(page, Metric::Accuracy, |curve| charts::curve(&area, curve, &theme(), 1.0))
            }
            "loss" => curves::with_curve(page, Metric::Loss, |curve| charts::curve(&area, curve, &theme(), 1.0)),
            _ => {
                let matrix = page.summary.confusion_matrix.unwrap_or_default();
                charts::heatmap(&area, &matrix, &theme(), 1.0)
            }
        };
    }
    svg
}

/// Enables what can be saved and opened.
pub fn draw(page: &Page) {
    let summary = &page.summary;
    let known = page.has_network();
    for format in Format::ALL {
        dom::set_enabled(&format!("save-{}", format.extension()), known, "train");
    }
    for id in ["save-history", "save-history-json"] {
        dom::set_enabled(id, !summary.history.is_empty(), "train");
    }
    dom::set_enabled("save-run", summary.checkpoint.is_some() && summary.state != RunState::Idle, "train");
    for id in ["save-report-text", "save-report-markdown", "png-matrix", "svg-matrix"] {
        dom::set_enabled(id, summary.confusion_matrix.is_some(), "train");
    }
    for id in ["png-accuracy", "svg-accuracy", "png-loss", "svg-loss"] {
        dom::set_enabled(id, !summary.curves.loss.is_empty(), "train");
    }
    for id in ["open-weights", "open-run"] {
        dom::set_input_enabled(id, !summary.state.is_active() && page.worker_note().is_none());
    }
}

/// The file of weights has come.
pub fn written(format: Format, step: u32, file: &[u8]) {
    files::save(&format!("inkling-step-{step}.{}", format.extension()), file);
}
