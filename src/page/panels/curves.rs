//! The timeline: accuracy and loss over the epochs, with those of earlier runs, the slider that goes back in time, and the same
//! numbers as a table.

use inkling_core::{
    charts::{self, Curve, Metric},
    language::translate,
    message,
    protocol::EpochRecord,
    say,
};

use web_sys::{Event, HtmlInputElement};

use super::{Emit, Panel, chart::theme, words::count};
use crate::page::{
    dom,
    element::{Element, element, row_head, show, text},
    model::Model,
    msg::{Chart, Msg, Section, WorkbenchMsg},
};

/// Shows the curves.
pub struct Curves;

impl Panel for Curves {
    fn mount(&mut self, emit: Emit) {
        dom::listen("machine", "input", move |_: Event| {
            let place = dom::element::<HtmlInputElement>("machine").map_or(0.0, |input| input.value_as_number());
            emit(Msg::Workbench(WorkbenchMsg::TimeMachine(place as u32)));
        });
    }

    fn draw(&mut self, model: &Model) {
        for (chart, metric) in [(Chart::Accuracy, Metric::Accuracy), (Chart::Loss, Metric::Loss)] {
            let curve = model.curve(metric);
            if let Some((area, scale)) = dom::drawing_area(chart.key()) {
                // If the canvas can't be drawn on, the table still has the numbers.
                let _ = charts::curve(&area, &curve, &theme(), scale);
            }
            dom::set_attribute(chart.key(), "aria-label", &label(translate(chart.key()), &curve));
        }
        draw_time_machine(model);
        if !model.is_open(Section::Epochs) {
            return;
        }
        let averages = model.run.history.iter().any(|epoch| epoch.averaged.is_some());
        for id in ["averaged-loss", "averaged-accuracy"] {
            dom::set_hidden(id, !averages);
        }
        show("history", model.run.history.iter().map(|epoch| row(epoch, averages)));
    }
}

/// The slider under the curves that goes back to an earlier epoch.
fn draw_time_machine(model: &Model) {
    let epochs = model.run.snapshots.last().map_or(0, |snapshot| snapshot.epoch);
    dom::set_hidden("machine-row", epochs == 0);
    if let Some(machine) = dom::element::<HtmlInputElement>("machine") {
        machine.set_max(&(epochs + 1).to_string());
        machine.set_value(&model.epoch.unwrap_or(epochs + 1).to_string());
        let words = model.epoch.map_or(say!("now").into(), |epoch| say!("after epoch {}", epoch));
        let _ = machine.set_attribute("aria-valuetext", &words);
        dom::set_text("machine-text", &words);
    }
}

/// The description of a chart for screen readers.
fn label(name: &str, curve: &Curve) -> String {
    let mut label = match (curve.train.last(), curve.validation.last()) {
        (Some(train), Some(validation)) => say!(
            "Chart of {} by epoch: training {}, validation {}. “Epochs” has the numbers.",
            name,
            format_args!("{:.3}", train.1),
            format_args!("{:.3}", validation.1)
        ),
        (Some(train), None) => say!("Chart of {} by epoch: training {}.", name, format_args!("{:.1}", train.1)),
        _ => say!("Chart of {} by epoch, empty until training starts.", name),
    };
    match curve.resumed.len() {
        0 => {}
        lost => label += &say!(" Dashed lines mark where the run resumed after its worker was lost ({} in all).", lost),
    }
    match curve.changed.len() {
        0 => {}
        changed => label += &say!(" Dotted lines mark where settings were changed ({} in all).", changed),
    }
    match curve.others.len() {
        0 => {}
        others => {
            label += &say!(
                " Thinner lines show the validation of {}.",
                count(others, [message!("{} earlier run"), message!("{} earlier runs")])
            )
        }
    }
    label
}

fn row(epoch: &EpochRecord, averages: bool) -> Element {
    let scores = [epoch.train_loss, epoch.train_accuracy, epoch.validation_loss, epoch.validation_accuracy];
    let mut cells: Vec<String> = scores.map(|score| format!("{score:.4}")).into();
    if averages {
        let averaged = epoch.averaged.map(|averaged| [averaged.loss, averaged.accuracy]);
        cells.extend(averaged.map_or([const { String::new() }; 2], |scores| scores.map(|score| format!("{score:.4}"))));
    }
    cells.extend([format!("{:.0}", epoch.images_per_second), format!("{:.1}", epoch.seconds)]);
    element("tr").child(row_head(epoch.epoch.to_string())).children(cells.into_iter().map(|cell| text("td", cell)))
}
