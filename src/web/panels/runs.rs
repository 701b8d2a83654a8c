//! Runs that are over, side by side: settings, scores, and whether one is better than another.

use web_sys::{Event, HtmlInputElement, HtmlSelectElement};

use super::{duration, escaped, look::pressed, percent};
use crate::{
    charts::OTHERS,
    shelf::{Shelf, ShelvedRun},
    web::{
        dom,
        page::{self, Page},
    },
};

/// Listens to names, buttons and choices.
pub fn mount() {
    dom::listen("runs", "toggle", |_: Event| page::update(|_| {}));
    dom::listen("run-rows", "click", |event: Event| {
        if let Some(place) = pressed(&event, "remove") {
            page::update(|page| change(page, |shelf| shelf.remove(place)));
        }
    });
    dom::listen("run-rows", "change", |event: Event| {
        if let Some(place) = pressed(&event, "name") {
            let name = dom::element::<HtmlInputElement>(&format!("run-name-{place}")).map(|input| input.value());
            page::update(|page| change(page, |shelf| shelf.rename(place, &name.unwrap_or_default())));
        }
    });
    for id in ["compare-first", "compare-second"] {
        dom::listen(id, "change", |_: Event| page::update(|_| {}));
    }
}

fn change(page: &mut Page, change: impl FnOnce(&mut Shelf)) {
    change(&mut page.shelf);
    page.keep_shelf();
}

/// Draws the table and the comparison.
pub fn draw(page: &Page) {
    let shelf = &page.shelf;
    dom::set_hidden("runs-empty", !shelf.runs.is_empty());
    dom::set_hidden("runs-panel", shelf.runs.is_empty());
    if !dom::is_open("runs") {
        return;
    }
    let differing = shelf.differing();
    let head: String = differing.iter().map(|(_, label)| format!("<th scope=col>{label}</th>")).collect();
    let head = format!(
        "<tr><th scope=col>run</th><th scope=col>epochs</th><th scope=col>test acc.</th><th scope=col>95 %</th><th scope=col>best val.</th><th scope=col>time</th>{head}<th scope=col><span class=hidden>remove</span></th></tr>"
    );
    dom::set_html("run-head", &head);
    let row = |(place, run): (usize, &ShelvedRun)| row(place, run, &differing);
    dom::set_html("run-rows", &shelf.runs.iter().enumerate().map(row).collect::<String>());
    compare(shelf);
}

fn row(place: usize, run: &ShelvedRun, differing: &[(&str, &str)]) -> String {
    let colour = OTHERS[run.colour % OTHERS.len()];
    let (accuracy, interval) = match &run.test {
        Some(test) => {
            let [low, high] = test.interval;
            (percent(test.accuracy), format!("{:.2} to {:.2}", 100.0 * low, 100.0 * high))
        }
        None => ("–".into(), "–".into()),
    };
    let best = run.history.iter().map(|epoch| epoch.validation_accuracy).fold(0.0, f64::max);
    let seconds: f64 = run.history.iter().map(|epoch| epoch.seconds).sum();
    let settings: String = differing.iter().map(|(key, _)| format!("<td>{}</td>", run.settings.get(key))).collect();
    let name = escaped(&run.name);
    format!(
        "<tr><th scope=row><span class=named><i class=swatch style=\"background:rgb({},{},{})\"></i><input id=run-name-{place} data-name={place} aria-label=\"Name of run {}\" value=\"{name}\" maxlength=40></span></th><td>{}</td><td>{accuracy}</td><td>{interval}</td><td>{}</td><td>{}</td>{settings}<td><button type=button data-remove={place} aria-label=\"Remove {name}\">×</button></td></tr>",
        colour.0,
        colour.1,
        colour.2,
        place + 1,
        run.history.len(),
        percent(best),
        duration(seconds)
    )
}

fn compare(shelf: &Shelf) {
    dom::set_hidden("compare", shelf.runs.len() < 2);
    if shelf.runs.len() < 2 {
        return;
    }
    let option = |(place, run): (usize, &ShelvedRun)| format!("<option value={place}>{}</option>", escaped(&run.name));
    let options: String = shelf.runs.iter().enumerate().map(option).collect();
    let last = shelf.runs.len() - 1;
    let picked = |id: &str, first: usize| {
        let select = dom::element::<HtmlSelectElement>(id);
        let before = select.as_ref().and_then(|select| select.value().parse::<usize>().ok());
        dom::set_html(id, &options);
        let place = before.filter(|&place| place <= last).unwrap_or(first);
        if let Some(select) = select {
            select.set_value(&place.to_string());
        }
        place
    };
    let (first, second) = (picked("compare-first", last - 1), picked("compare-second", last));
    let words = if first == second { "Choose two different runs.".into() } else { shelf.compare(first, second) };
    dom::set_text("compare-text", &words);
}
