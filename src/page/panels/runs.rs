//! Runs that are over, side by side: settings, scores, and whether one is better than another.

use inkling_core::{charts::OTHERS, history::PastRun, language::translate, network::grouped, say};
use web_sys::{Event, HtmlInputElement, HtmlSelectElement};

use super::{
    Emit, Panel,
    words::{duration, percent},
};
use crate::page::{
    dom,
    element::{Element, element, show, text},
    model::Model,
    msg::{Msg, Section, WorkbenchMsg},
};

/// The menus of the two runs to compare.
const MENUS: [&str; 2] = ["compare-first", "compare-second"];

/// Shows the history of runs.
pub struct Runs;

impl Panel for Runs {
    fn mount(&mut self, emit: Emit) {
        dom::listen("run-rows", "click", move |event: Event| {
            if let Some(run) = dom::pressed(&event, "remove") {
                emit(Msg::Workbench(WorkbenchMsg::Remove(run as u32)));
            }
        });
        dom::listen("run-rows", "change", move |event: Event| {
            let Some(run) = dom::pressed(&event, "name") else { return };
            if let Some(input) = dom::element::<HtmlInputElement>(&format!("run-name-{run}")) {
                emit(Msg::Workbench(WorkbenchMsg::Rename(run as u32, input.value())));
            }
        });
        for (place, id) in MENUS.into_iter().enumerate() {
            dom::listen(id, "change", move |_: Event| {
                let chosen = dom::element::<HtmlSelectElement>(id).and_then(|menu| menu.value().parse().ok());
                if let Some(run) = chosen {
                    emit(Msg::Workbench(WorkbenchMsg::Compare { place, run }));
                }
            });
        }
    }

    fn draw(&mut self, model: &Model) {
        let runs = &model.history.runs;
        dom::set_hidden("runs-empty", !runs.is_empty());
        dom::set_hidden("runs-panel", runs.is_empty());
        if !model.is_open(Section::Runs) {
            return;
        }
        let differing = model.history.differing();
        show("run-head", [head(&differing)]);
        show("run-rows", runs.iter().enumerate().map(|(place, run)| row(place, run, &differing)));
        dom::set_hidden("compare", model.pair().is_none());
        if let Some(pair) = model.pair() {
            draw_comparison(model, pair);
        }
    }
}

/// Name and label of a setting.
type Setting = (&'static str, &'static str);

fn head(differing: &[Setting]) -> Element {
    let column = |name: &str| text("th", name).with("scope", "col");
    let fixed = [
        say!("run"),
        say!("epochs"),
        say!("test accuracy"),
        say!("95% interval"),
        say!("best validation"),
        say!("time"),
        say!("parameters"),
        say!("multiply-adds"),
    ];
    let remove = element("th").with("scope", "col").child(text("span", say!("remove")).with("class", "hidden"));
    element("tr")
        .children(fixed.map(column))
        .children(differing.iter().map(|(_, label)| column(translate(label))))
        .child(remove)
}

fn row(place: usize, run: &PastRun, differing: &[Setting]) -> Element {
    let (accuracy, interval) = match &run.test {
        Some(test) => {
            let [low, high] = test.interval;
            (
                percent(test.accuracy),
                say!("{} to {}", format_args!("{:.2}", 100.0 * low), format_args!("{:.2}", 100.0 * high)),
            )
        }
        None => ("–".into(), "–".into()),
    };
    let best = run.history.iter().map(|epoch| epoch.validation_accuracy).fold(0.0, f64::max);
    let seconds = run.history.iter().map(|epoch| epoch.seconds).sum();
    let [parameters, multiply_adds] = match run.network() {
        Some(network) => [network.count() as u64, network.multiply_adds()].map(grouped),
        None => ["–", "–"].map(String::from),
    };
    let epochs = run.history.len().to_string();
    let cells = [epochs, accuracy, interval, percent(best), duration(seconds), parameters, multiply_adds];
    let settings = differing.iter().map(|(key, _)| text("td", run.settings.get(key)));
    let remove = text("button", "×")
        .with("type", "button")
        .with("data-remove", run.number.to_string())
        .with("aria-label", say!("Remove {}", run.name));
    element("tr")
        .key(run.number.to_string())
        .child(element("th").with("scope", "row").child(name(place, run)))
        .children(cells.map(|cell| text("td", cell)))
        .children(settings)
        .child(element("td").child(remove))
}

fn name(place: usize, run: &PastRun) -> Element {
    let colour = OTHERS[run.colour % OTHERS.len()];
    let swatch = element("i")
        .with("class", "swatch")
        .with("style", format!("background:rgb({},{},{})", colour.0, colour.1, colour.2));
    let input = element("input")
        .with("id", format!("run-name-{}", run.number))
        .with("data-name", run.number.to_string())
        .with("aria-label", say!("Name of run {}", place + 1))
        .with("maxlength", "40")
        .with("value", &run.name);
    element("span").with("class", "named").child(swatch).child(input)
}

fn draw_comparison(model: &Model, pair: [u32; 2]) {
    let option = |run: &PastRun| text("option", &run.name).with("value", run.number.to_string());
    for (id, chosen) in MENUS.into_iter().zip(pair) {
        show(id, model.history.runs.iter().map(option));
        if let Some(menu) = dom::element::<HtmlSelectElement>(id).filter(|menu| menu.value() != chosen.to_string()) {
            menu.set_value(&chosen.to_string());
        }
    }
    let [first, second] = pair;
    let words =
        if first == second { say!("Choose two different runs.").into() } else { model.history.compare(first, second) };
    dom::set_text("compare-text", &words);
}
