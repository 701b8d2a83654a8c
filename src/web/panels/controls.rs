//! The controls: the settings' form, which is mirrored in the URL, and the buttons.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Event, HtmlElement, HtmlInputElement, HtmlSelectElement};

use crate::{
    protocol::{Command, RunState},
    settings::{Adjustable, FIELDS, PRESETS, Preset, Rule, SettingError, Settings},
    web::{
        dom,
        page::{self, Page},
    },
};

/// Fills the form and listens to it and to the buttons.
pub fn mount(settings: &Settings) {
    for field in FIELDS {
        write(field.key, &field.rule, settings);
        let rule = field.rule;
        dom::listen(field.key, "change", move |_: Event| page::update(|page| changed(page, field.key, &rule)));
        dom::listen(field.key, "input", move |_: Event| page::update(|page| typed(page, field.key, &rule)));
        // Some have a slider: what it shows follows at once; a run that is under way hears of it when it is let go.
        let slider = slider(field.key);
        dom::listen(&slider, "change", move |_: Event| page::update(|page| changed(page, field.key, &rule)));
        dom::listen(&slider, "input", move |_: Event| page::update(|page| slide(page, field.key)));
    }
    dom::listen("fold", "toggle", |_: Event| page::update(|_| {}));
    for preset in PRESETS {
        dom::listen(&format!("preset-{}", preset.key), "click", move |_: Event| {
            page::update(|page| choose(page, &preset));
        });
    }
    dom::listen("controls", "submit", |event: Event| {
        event.prevent_default();
        page::update(train);
    });
    dom::listen("pause", "click", |_: Event| {
        page::update(|page| match page.summary.state {
            RunState::Paused => page.send(Command::Resume),
            _ => page.send(Command::Pause),
        });
    });
    dom::listen("step", "click", |_: Event| page::update(|page| page.send(Command::Step)));
    dom::listen("stop", "click", |_: Event| page::update(Page::stop));
    dom::listen("reset", "click", |_: Event| page::update(Page::reset));
    dom::listen("test", "click", |_: Event| {
        page::update(|page| {
            page.summary.testing = true;
            page.send(Command::Test);
        });
    });
}

/// Enables what can be done now.
pub fn draw(page: &Page) {
    let state = page.summary.state;
    dom::set_enabled("pause", matches!(state, RunState::Training | RunState::Paused), "stop");
    dom::set_enabled("step", state == RunState::Paused, "pause");
    dom::set_enabled("stop", state.is_active(), "train");
    dom::set_enabled("train", !state.is_active(), "stop");
    dom::set_text("pause", if state == RunState::Paused { "Resume" } else { "Pause" });
    dom::set_enabled("reset", state != RunState::Idle, "train");
    dom::set_enabled("test", page.has_network() && !page.summary.testing, "train");
    if let Some(fields) = dom::element::<HtmlElement>("settings") {
        // A disabled fieldset disables what is in it: a run's settings stand while it lasts.
        let _ = fields.toggle_attribute_with_force("disabled", state.is_active());
    }
    draw_presets(&page.settings);
    // A wrong range must be seen, or Train would seem to do nothing.
    let wrong = dom::document().and_then(|d| d.query_selector("#ranges [aria-invalid=true]").ok()?).is_some();
    dom::set_hidden("ranges", !page.settings.augment && !wrong);
    dom::set_hidden("preview", !page.settings.augment);
}

/// Which preset the settings are, if one.
fn draw_presets(settings: &Settings) {
    let chosen = PRESETS.iter().find(|preset| preset.is(settings));
    for preset in PRESETS {
        let pressed = if Some(&preset) == chosen { "true" } else { "false" };
        dom::set_attribute(&format!("preset-{}", preset.key), "aria-pressed", pressed);
    }
    let own = "Neither of the two: your own settings.";
    dom::set_text("preset-note", chosen.map_or(own, |preset| preset.note));
}

fn choose(page: &mut Page, preset: &Preset) {
    if let Err(error) = preset.apply(&mut page.settings) {
        return show_error(&error);
    }
    show(&page.settings);
}

/// Writes the settings into the form and the URL.
pub fn show(settings: &Settings) {
    for field in FIELDS {
        write(field.key, &field.rule, settings);
        clear_error(field.key);
    }
    mirror(settings);
}

/// Shows what is wrong with a setting, beside its control.
pub fn show_error(error: &SettingError) {
    let id = format!("{}-error", error.key);
    dom::set_attribute("fold", "open", "");
    dom::set_text(&id, &error.to_string());
    dom::set_hidden(&id, false);
    dom::set_attribute(&error.key, "aria-invalid", "true");
}

fn clear_error(key: &str) {
    let id = format!("{key}-error");
    dom::set_text(&id, "");
    dom::set_hidden(&id, true);
    dom::set_attribute(key, "aria-invalid", "false");
}

/// Takes the control's value into the settings and the URL, or says what is wrong with it.
fn changed(page: &mut Page, key: &str, rule: &Rule) {
    match page.settings.set(key, &read(key, rule)) {
        Ok(()) => {
            clear_error(key);
            mirror(&page.settings);
            set_slider(key, &page.settings.get(key));
            if page.summary.state.is_active() && Adjustable::KEYS.contains(&key) {
                page.send(Command::Adjust(page.settings.adjustable()));
            }
            // A finished run keeps its worker, and with it its network, until the next one begins.
            if key == "backend" && page.summary.state == RunState::Idle {
                page.engage(page.settings.backend);
            }
        }
        Err(error) => show_error(&error),
    }
}

fn set_slider(key: &str, value: &str) {
    if let Some(slider) = dom::element::<HtmlInputElement>(&slider(key)) {
        slider.set_value(value);
    }
}

fn slider(key: &str) -> String {
    format!("{key}-slider")
}

/// The number is what the slider says.
fn slide(page: &mut Page, key: &str) {
    let control = |id: &str| dom::element::<HtmlInputElement>(id);
    let (Some(slider), Some(number)) = (control(&slider(key)), control(key)) else { return };
    number.set_value(&slider.value());
    clear_error(key);
    // A slider has no values but those of the rule.
    let _ = page.settings.set(key, &number.value());
}

/// While typing, an error goes as soon as it is mended; a new one waits until the control is left.
fn typed(page: &mut Page, key: &str, rule: &Rule) {
    if page.settings.clone().set(key, &read(key, rule)).is_ok() {
        clear_error(key);
    }
}

fn train(page: &mut Page) {
    let mut wrong = Vec::new();
    for field in FIELDS {
        match page.settings.set(field.key, &read(field.key, &field.rule)) {
            Ok(()) => clear_error(field.key),
            Err(error) => {
                show_error(&error);
                wrong.push(field.key);
            }
        }
    }
    match wrong.first() {
        None => {
            mirror(&page.settings);
            page.train();
        }
        Some(first) => {
            if let Some(control) = dom::element::<HtmlElement>(first) {
                let _ = control.focus();
            }
        }
    }
}

fn mirror(settings: &Settings) {
    if let Some(history) = dom::window().and_then(|window| window.history().ok()) {
        let url = format!("?{}", settings.to_query());
        // A page opened from a file has no URL to change; the run does not need one.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&url));
    }
}

fn read(key: &str, rule: &Rule) -> String {
    let Some(control) = dom::element::<HtmlElement>(key) else { return String::new() };
    match (rule, control.dyn_ref::<HtmlInputElement>(), control.dyn_ref::<HtmlSelectElement>()) {
        (Rule::Switch, Some(input), _) => u8::from(input.checked()).to_string(),
        (_, Some(input), _) => input.value(),
        (_, _, Some(select)) => select.value(),
        _ => String::new(),
    }
}

fn write(key: &str, rule: &Rule, settings: &Settings) {
    let Some(control) = dom::element::<HtmlElement>(key) else { return };
    match (rule, control.dyn_ref::<HtmlInputElement>(), control.dyn_ref::<HtmlSelectElement>()) {
        (Rule::Switch, Some(input), _) => input.set_checked(settings.get(key) == "1"),
        (_, Some(input), _) => {
            input.set_value(&settings.get(key));
            set_slider(key, &settings.get(key));
        }
        (_, _, Some(select)) => select.set_value(&settings.get(key)),
        _ => {}
    }
}
