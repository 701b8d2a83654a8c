//! What the visitor can save and open: weights, a whole run, the history, the charts, the report.

use inkling_core::{
    language::translate,
    protocol::{Format, Language, RunState},
    say,
    settings::{BackendChoice, DatasetName, Settings},
};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Event, HtmlInputElement};

use super::{Emit, Panel, chart::scheme, words::percent};
use crate::page::{
    dom, files,
    model::{Model, asked::Awaited},
    msg::{Chart, FileMsg, Msg, Text},
};

/// Each text that can be saved, with its button.
const TEXTS: [(&str, Text); 4] = [
    ("save-history", Text::HistoryCsv),
    ("save-history-json", Text::HistoryJson),
    ("save-report-text", Text::Report),
    ("save-report-markdown", Text::ReportMarkdown),
];

/// Each script, with its button.
const CODE: [(&str, Language); 3] =
    [("code-keras", Language::Keras), ("code-pytorch", Language::PyTorch), ("code-burn", Language::Burn)];

/// Saves and opens files.
#[derive(Default)]
pub struct Files {
    /// The link that carries the network, and the number of the answer that it was made from. It is too long to be made in every frame.
    link: (u32, String),
}

impl Panel for Files {
    fn mount(&mut self, emit: Emit) {
        let on_click = |id: &str, msg: fn() -> FileMsg| {
            dom::listen(id, "click", move |_: Event| emit(Msg::File(msg())));
        };
        on_click("save-run", || FileMsg::SaveRun);
        for format in Format::ALL {
            let id = format!("save-{}", format.extension());
            dom::listen(&id, "click", move |_: Event| emit(Msg::File(FileMsg::SaveWeights(format))));
        }
        on_click("share", || FileMsg::Share);
        dom::listen("copy-share", "click", move |_: Event| {
            if let Some(link) = dom::element::<HtmlInputElement>("share-link") {
                spawn_local(async move { dom::copy(&link.value(), "share-copied").await });
            }
        });
        on_click("save-data", || FileMsg::SaveData);
        for (id, language) in CODE {
            dom::listen(id, "click", move |_: Event| emit(Msg::File(FileMsg::SaveCode(language))));
        }
        for (id, text) in TEXTS {
            dom::listen(id, "click", move |_: Event| emit(Msg::File(FileMsg::SaveText(text))));
        }
        for chart in Chart::ALL {
            let key = chart.key();
            dom::listen(&format!("png-{key}"), "click", move |_: Event| emit(Msg::File(FileMsg::SavePng(chart))));
            dom::listen(&format!("svg-{key}"), "click", move |_: Event| {
                emit(Msg::File(FileMsg::SaveSvg(chart, scheme())));
            });
        }
        dom::listen("open-weights", "change", move |_: Event| {
            spawn_local(async move {
                match files::read("open-weights").await {
                    Ok(Some(file)) => emit(Msg::File(FileMsg::OpenWeights(file))),
                    Ok(None) => {}
                    Err(error) => emit(Msg::Warn(say!("The file was not opened: {}.", error))),
                }
            });
        });
        dom::listen("open-run", "change", move |_: Event| {
            spawn_local(async move {
                let opened = match files::read("open-run").await {
                    Ok(None) => return,
                    Ok(Some(bytes)) => files::open_run(&bytes).await,
                    Err(error) => Err(error),
                };
                emit(match opened {
                    Ok(run) => Msg::File(FileMsg::OpenRun(Box::new(run))),
                    Err(error) => Msg::Warn(say!("The run was not opened: {}.", error)),
                });
            });
        });
    }

    fn draw(&mut self, model: &Model) {
        let run = &model.run;
        let enable = |id: &str, enabled: bool| dom::set_enabled(id, enabled, "train");
        for format in Format::ALL {
            enable(&format!("save-{}", format.extension()), model.has_network());
        }
        for (id, text) in TEXTS {
            enable(
                id,
                match text {
                    Text::HistoryCsv | Text::HistoryJson => !run.history.is_empty(),
                    Text::Report | Text::ReportMarkdown => run.confusion_matrix.is_some(),
                },
            );
        }
        for chart in Chart::ALL {
            let known = match chart {
                Chart::Accuracy | Chart::Loss => !run.curves.loss.is_empty(),
                Chart::Matrix => run.confusion_matrix.is_some(),
            };
            enable(&format!("png-{}", chart.key()), known);
            enable(&format!("svg-{}", chart.key()), known);
        }
        for (id, _) in CODE {
            enable(id, run.checkpoint.is_some());
        }
        // MNIST comes from its own sources.
        let own = run.settings.dataset == DatasetName::Own && model.data.set.is_none();
        enable("save-data", run.checkpoint.is_some() && run.settings.dataset != DatasetName::Mnist && !own);
        enable("save-run", run.checkpoint.is_some() && run.state != RunState::Idle);
        for id in ["open-weights", "open-run"] {
            dom::set_input_enabled(id, !run.state.is_active() && model.worker.is_ready());
        }
        self.draw_link(model);
    }
}

impl Files {
    /// The link that carries the network, once there is one, and how well the network does in it.
    fn draw_link(&mut self, model: &Model) {
        let (run, share) = (&model.run, &model.share);
        let own = run.settings.dataset == DatasetName::Own;
        // The score of a whole test set would hold a run up.
        let rests = !matches!(run.state, RunState::Training | RunState::Loading);
        dom::set_enabled("share", model.has_network() && rests && !own && !share.is_waiting(), "save-safetensors");
        let shared = share.answer().and_then(|answer| answer.as_ref().ok());
        dom::set_hidden("share-link", shared.is_none());
        dom::set_hidden("copy-share", shared.is_none());
        if let Some(shared) = shared.filter(|_| self.link.0 != share.answered()) {
            // Whoever opens the link has another machine: it chooses its own backend and number of workers.
            let settings = Settings { backend: BackendChoice::Auto, replicas: 0, ..run.settings.clone() };
            self.link = (share.answered(), dom::address(&settings.to_query(), &format!("weights={}", shared.text)));
            if let Some(input) = dom::element::<HtmlInputElement>("share-link") {
                input.set_value(&self.link.1);
            }
        }
        let words = match (share.answer(), share.is_waiting()) {
            _ if own => say!("A link can't carry your own images. Save the run as a file.").into(),
            (_, true) => say!("Rounding the weights, and scoring the test set…").into(),
            (None, _) => String::new(),
            (Some(Err(words)), _) => translate(words).into(),
            (Some(Ok(shared)), _) => say!(
                "The link carries the weights, rounded to {} bits: {} characters. In the link, the network classifies {} of the test images correctly; before, {}.",
                shared.bits,
                self.link.1.len(),
                percent(shared.accuracy),
                percent(shared.before)
            ),
        };
        dom::set_text("share-text", &words);
    }
}
