//! The controls: the settings' form, made from the table of settings, and the buttons.

use inkling_core::{
    network::{Network, READY_MADE},
    protocol::RunState,
    settings::{Control, FIELDS, Field, PRESETS, Rule, Settings},
};
use wasm_bindgen::JsCast;
use web_sys::{Event, HtmlElement, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};

use super::{Button, Emit, Panel};
use crate::page::{
    dom,
    element::{Element, element, show, text},
    model::{Errors, Model},
    msg::{ControlMsg, Msg},
};

/// Shows the settings and the buttons.
#[derive(Default)]
pub struct Controls {
    /// The settings that the controls show.
    shown: Option<Settings>,
    /// The errors beside them.
    errors: Errors,
}

impl Panel for Controls {
    fn mount(&mut self, emit: Emit) {
        build_form();
        let tell = move |msg: ControlMsg| emit(Msg::Control(msg));
        for field in FIELDS {
            let key = field.key;
            dom::listen(key, "change", move |_: Event| tell(ControlMsg::Changed(key, read(field))));
            dom::listen(key, "input", move |_: Event| tell(ControlMsg::Typing(key, read(field))));
            let slider = slider_id(key);
            let value = {
                let slider = slider.clone();
                move || dom::element::<HtmlInputElement>(&slider).map(|slider| slider.value()).unwrap_or_default()
            };
            let slid = value.clone();
            dom::listen(&slider, "input", move |_: Event| tell(ControlMsg::Sliding(key, slid())));
            dom::listen(&slider, "change", move |_: Event| tell(ControlMsg::Changed(key, value())));
        }
        dom::listen("ready-made", "change", move |_: Event| {
            let chosen = dom::element::<HtmlSelectElement>("ready-made").map(|menu| menu.value());
            // The last entry stands for any other network.
            if let Some(text) = chosen.filter(|text| !text.is_empty()) {
                tell(ControlMsg::Changed("net", text));
            }
        });
        for preset in PRESETS {
            let id = format!("preset-{}", preset.key);
            dom::listen(&id, "click", move |_: Event| tell(ControlMsg::Choose(preset)));
        }
        dom::listen("controls", "submit", move |event: Event| {
            event.prevent_default();
            tell(ControlMsg::Train(FIELDS.iter().map(|field| (field.key, read(field))).collect()));
        });
        let buttons: [Button<ControlMsg>; 5] = [
            ("pause", || ControlMsg::PauseOrResume),
            ("step", || ControlMsg::Step),
            ("stop", || ControlMsg::Stop),
            ("reset", || ControlMsg::Reset),
            ("test", || ControlMsg::Test),
        ];
        for (id, msg) in buttons {
            dom::listen(id, "click", move |_: Event| tell(msg()));
        }
    }

    fn draw(&mut self, model: &Model) {
        draw_buttons(model);
        self.draw_fields(model);
        if let Some(fields) = dom::element::<HtmlElement>("settings") {
            // A disabled fieldset disables what is in it: most settings are fixed during a run.
            let _ = fields.toggle_attribute_with_force("disabled", model.run.state.is_active());
        }
        let chosen = PRESETS.iter().find(|preset| preset.is(&model.settings));
        for preset in PRESETS {
            let pressed = if Some(&preset) == chosen { "true" } else { "false" };
            dom::set_attribute(&format!("preset-{}", preset.key), "aria-pressed", pressed);
        }
        draw_network(model.network().ok().filter(|_| model.errors.get("net").is_none()).as_ref());
        let own = "Neither preset: your own settings.";
        dom::set_text("preset-note", chosen.map_or(own, |preset| preset.note));
        // A wrong range must be visible, or Train would seem to do nothing.
        let slides = |field: &Field| matches!(field.control, Control::Slider(_));
        let wrong = FIELDS.iter().any(|field| slides(field) && model.errors.get(field.key).is_some());
        let fails = |field: &Field| field.control == Control::More && model.errors.get(field.key).is_some();
        if FIELDS.iter().any(fails) {
            dom::set_attribute("more", "open", "");
        }
        dom::set_hidden("ranges", !model.settings.augment && !wrong);
        dom::set_hidden("preview", !model.settings.augment);
    }
}

impl Controls {
    /// Updates a control when its setting has changed or its error is gone, but never while the visitor is editing it.
    fn draw_fields(&mut self, model: &Model) {
        for field in FIELDS {
            let (key, value) = (field.key, model.settings.get(field.key));
            let changed = self.shown.as_ref().is_none_or(|shown| shown.get(key) != value);
            let error = model.errors.get(key);
            let corrected = error.is_none() && self.errors.get(key).is_some();
            if changed || corrected {
                write(field, &value);
            }
            if self.errors.get(key) != error {
                let id = format!("{key}-error");
                dom::set_text(&id, error.map(String::as_str).unwrap_or_default());
                dom::set_hidden(&id, error.is_none());
                dom::set_attribute(key, "aria-invalid", if error.is_some() { "true" } else { "false" });
            }
        }
        self.shown = Some(model.settings.clone());
        self.errors = model.errors.clone();
    }
}

/// Says what the network is like, and which ready-made one it is; nothing while the text is wrong.
fn draw_network(net: Option<&Network>) {
    let text = net.map(Network::to_string);
    let ready = READY_MADE.iter().find(|ready| Some(ready.text) == text.as_deref());
    if let Some(menu) = dom::element::<HtmlSelectElement>("ready-made") {
        menu.set_value(ready.map_or("", |ready| ready.text));
    }
    dom::set_text("net-note", &net.map(Network::sentence).unwrap_or_default());
    dom::set_text("net-lesson", ready.map_or("", |ready| ready.lesson));
}

fn draw_buttons(model: &Model) {
    let state = model.run.state;
    dom::set_enabled("pause", matches!(state, RunState::Training | RunState::Paused), "stop");
    dom::set_enabled("step", state == RunState::Paused, "pause");
    dom::set_enabled("stop", state.is_active(), "train");
    dom::set_enabled("train", !state.is_active(), "stop");
    dom::set_text("pause", if state == RunState::Paused { "Resume" } else { "Pause" });
    dom::set_enabled("reset", state != RunState::Idle, "train");
    dom::set_enabled("test", model.has_network() && !model.run.testing, "train");
}

/// Puts a control for each setting into its part of the form.
fn build_form() {
    let of = |wanted: fn(&Control) -> bool| FIELDS.iter().filter(move |field| wanted(&field.control)).map(control);
    let (first, rest): (Vec<_>, Vec<_>) = FIELDS
        .iter()
        .filter(|field| matches!(field.control, Control::Half | Control::Wide))
        .partition(|field| field.key == "dataset");
    show("data-field", first.into_iter().map(control));
    show("fields", rest.into_iter().map(control));
    show("more-fields", of(|control| matches!(control, Control::More)));
    show("live-fields", of(|control| matches!(control, Control::Live)));
    show("ranges", of(|control| matches!(control, Control::Slider(_))));
    let help = |field: &Field| element("p").child(text("b", field.label)).text(format!(": {}", field.help));
    show("settings-help", FIELDS.iter().map(help));
}

fn control(field: &Field) -> Element {
    let key = field.key;
    let error_id = format!("{key}-error");
    let error =
        element("p").with("id", &error_id).with("class", "field-error").with("role", "alert").with("hidden", "");
    let label = text("label", field.label).with("for", key);
    let label = match field.hint {
        "" => label,
        hint => label.text(" ").child(text("span", hint).with("class", "hint")),
    };
    let input = input(field).with("id", key).with("title", field.help).with("aria-describedby", &error_id);
    let class = match (field.control, field.rule) {
        (Control::Half | Control::More, _) => "field",
        (_, Rule::Switch) => "field wide switch",
        (Control::Wide | Control::Live, _) => "field wide",
        (Control::Slider(_), _) => "field wide slider",
    };
    let parts = match (field.control, field.rule) {
        (_, Rule::Switch) => vec![input, label, error],
        (_, Rule::Layers) => {
            let option = |(text_of, name): (&'static str, &'static str)| text("option", name).with("value", text_of);
            let names = READY_MADE.iter().map(|ready| (ready.text, ready.name)).chain([("", "Your own network")]);
            let menu = element("select").with("id", "ready-made").with("aria-label", "Ready-made networks");
            let note = |id: &str| element("p").with("id", id).with("class", "hint");
            vec![label, menu.children(names.map(option)), input, error, note("net-note"), note("net-lesson")]
        }
        (Control::Slider(step), Rule::Number(low, high)) => {
            let slider = element("input")
                .with("id", slider_id(key))
                .with("type", "range")
                .with("min", low.to_string())
                .with("max", high.to_string())
                .with("step", step.to_string())
                .with("aria-label", format!("{}, slider", field.label));
            vec![label, slider, input, error]
        }
        _ => vec![label, input, error],
    };
    element("div").with("class", class).children(parts)
}

fn input(field: &Field) -> Element {
    let number = |mode: &str| element("input").with("inputmode", mode).with("autocomplete", "off");
    match field.rule {
        Rule::OneOf(names) => {
            let options = names.iter().map(|(name, label)| text("option", *label).with("value", *name));
            element("select").children(options)
        }
        Rule::Whole(..) | Rule::AllOr(..) => number("numeric"),
        Rule::Number(..) => number("decimal"),
        Rule::Switch => element("input").with("type", "checkbox"),
        Rule::Layers => element("textarea").with("rows", "3").with("spellcheck", "false").with("autocomplete", "off"),
    }
}

fn slider_id(key: &str) -> String {
    format!("{key}-slider")
}

fn read(field: &Field) -> String {
    let Some(control) = dom::element::<HtmlElement>(field.key) else { return String::new() };
    if let Some(area) = control.dyn_ref::<HtmlTextAreaElement>() {
        return area.value();
    }
    match (field.rule, control.dyn_ref::<HtmlInputElement>(), control.dyn_ref::<HtmlSelectElement>()) {
        (Rule::Switch, Some(input), _) => u8::from(input.checked()).to_string(),
        (_, Some(input), _) => input.value(),
        (_, _, Some(select)) => select.value(),
        _ => String::new(),
    }
}

fn write(field: &Field, value: &str) {
    if let Some(slider) = dom::element::<HtmlInputElement>(&slider_id(field.key)) {
        slider.set_value(value);
    }
    let Some(control) = dom::element::<HtmlElement>(field.key) else { return };
    if let Some(area) = control.dyn_ref::<HtmlTextAreaElement>().filter(|area| !dom::has_focus(area)) {
        area.set_value(value);
    }
    match (field.rule, control.dyn_ref::<HtmlInputElement>(), control.dyn_ref::<HtmlSelectElement>()) {
        (Rule::Switch, Some(input), _) => input.set_checked(value == "1"),
        (_, Some(input), _) if !dom::has_focus(input) => input.set_value(value),
        (_, _, Some(select)) => select.set_value(value),
        _ => {}
    }
}
