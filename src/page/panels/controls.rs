//! The controls: the settings' form, made from the table of settings, and the buttons.

use inkling_core::{
    language::translate,
    message,
    network::{Network, READY_MADE},
    protocol::RunState,
    say,
    settings::{Control, FIELDS, Field, Group, PRESETS, Rule, Settings},
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

/// The attribute of the button that trains, pauses and resumes, with what it does.
const ACTION: &str = "data-action";
const TRAIN: &str = message!("Train");
const PAUSE: &str = message!("Pause");
const RESUME: &str = message!("Resume");
/// The text of a setting that is off.
const OFF: &str = "0";

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
            if let Control::Optional(_, _, usual) = field.control {
                let ticked = move || dom::element::<HtmlInputElement>(&tick_id(key)).is_some_and(|tick| tick.checked());
                let chosen = move || if ticked() { usual } else { OFF };
                dom::listen(&tick_id(key), "change", move |_: Event| tell(ControlMsg::Changed(key, chosen().into())));
            }
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
        dom::listen("train", "click", move |_: Event| {
            // What the button says decides: the run may end, or pause, at the moment at which it is pressed.
            let action = dom::element::<HtmlElement>("train").and_then(|button| button.get_attribute(ACTION));
            match action.as_deref() {
                Some(PAUSE) => tell(ControlMsg::Pause),
                Some(RESUME) => tell(ControlMsg::Resume),
                _ => {} // the form is submitted
            }
        });
        let buttons: [Button<ControlMsg>; 5] = [
            ("scale", || ControlMsg::Scale),
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
        for id in ["settings", "first-fields", "ready-made-field", "net-field"] {
            if let Some(fields) = dom::element::<HtmlElement>(id) {
                // A disabled fieldset disables what is in it: most settings are fixed during a run.
                let _ = fields.toggle_attribute_with_force("disabled", model.run.state.is_active());
            }
        }
        let chosen = PRESETS.iter().find(|preset| preset.is(&model.settings));
        for preset in PRESETS {
            let pressed = if Some(&preset) == chosen { "true" } else { "false" };
            dom::set_attribute(&format!("preset-{}", preset.key), "aria-pressed", pressed);
        }
        draw_scaling(model);
        draw_network(model.network().ok().filter(|_| model.errors.get("net").is_none()).as_ref());
        let own = say!("Custom settings.");
        dom::set_text("preset-note", chosen.map_or(own, |preset| translate(preset.note)));
        // A wrong range must be visible, or Train would seem to do nothing.
        let slides = |field: &Field| matches!(field.control, Control::Slider(_));
        let wrong = FIELDS.iter().any(|field| slides(field) && model.errors.get(field.key).is_some());
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
                // A setting that is off is hidden, but not what is wrong with it.
                dom::set_hidden(&number_id(key), error.is_none() && value == OFF);
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
    dom::set_text("net-lesson", ready.map_or("", |ready| translate(ready.lesson)));
}

/// Offers a batch that keeps all workers busy, if the settings' does not.
fn draw_scaling(model: &Model) {
    let scaled = model.scaled();
    dom::set_hidden("scaling", scaled.is_none());
    if let Some(Settings { batch, lr, .. }) = scaled {
        let words = say!("So many workers train faster with batches of {} and a learning rate of {}.", batch, lr);
        dom::set_text("scaling-note", &words);
    }
}

fn draw_buttons(model: &Model) {
    let state = model.run.state;
    let action = match state {
        RunState::Training => PAUSE,
        RunState::Paused => RESUME,
        _ => TRAIN,
    };
    dom::set_text("train", translate(action));
    dom::set_attribute("train", ACTION, action);
    // Enter in a field submits the form, which must not pause a run.
    dom::set_attribute("train", "type", if action == TRAIN { "submit" } else { "button" });
    // A press while the data arrives would change nothing. The focus goes to a button that is already enabled.
    let stops = matches!(state, RunState::Paused | RunState::Loading);
    let draw_stop = || {
        dom::set_hidden("stop", false);
        dom::set_enabled("stop", stops, "train");
        dom::set_hidden("stop", !stops);
    };
    if stops {
        draw_stop();
    }
    dom::set_enabled("train", state != RunState::Loading, "stop");
    if !stops {
        draw_stop();
    }
    dom::set_enabled("step", state == RunState::Paused, "train");
    dom::set_enabled("reset", state != RunState::Idle, "train");
    dom::set_enabled("test", model.has_network() && !model.run.testing, "train");
}

/// Puts a control for each setting into its part of the page.
fn build_form() {
    let of = |wanted: &dyn Fn(Control) -> bool| -> Vec<Element> {
        FIELDS.iter().filter(|field| wanted(field.control)).map(control).collect()
    };
    show("first-fields", of(&|control| control == Control::First));
    show("live-fields", of(&|control| control == Control::Live));
    show("ranges", of(&|control| matches!(control, Control::Slider(_))));
    show("net-field", of(&|control| control == Control::Editor));
    for (id, group) in
        [("recipe", Group::Recipe), ("machine-fields", Group::Machine), ("reproducibility", Group::Reproducibility)]
    {
        show(id, of(&|control| control.group() == Some(group)));
    }
    let option = |(text_of, name): (&'static str, &'static str)| text("option", name).with("value", text_of);
    let names =
        READY_MADE.iter().map(|ready| (ready.text, translate(ready.name))).chain([("", say!("Your own network"))]);
    show("ready-made", names.map(option));
    let help = |field: &Field| {
        element("p").child(text("b", translate(field.label))).text(format!(": {}", translate(field.help)))
    };
    show("settings-help", FIELDS.iter().map(help));
}

fn control(field: &Field) -> Element {
    let key = field.key;
    let error_id = format!("{key}-error");
    let error =
        element("p").with("id", &error_id).with("class", "field-error").with("role", "alert").with("hidden", "");
    let label = text("label", translate(field.label)).with("for", key);
    let first = matches!(field.control, Control::First | Control::Live);
    let label = match field.hint {
        "" => label,
        // The bar has no room for it.
        _ if first => label.with("title", translate(field.hint)),
        hint => label.text(" ").child(text("span", translate(hint)).with("class", "hint")),
    };
    let input = input(field).with("id", key).with("title", translate(field.help)).with("aria-describedby", &error_id);
    let class = match (field.control, field.rule) {
        (_, Rule::Switch) => "field switch",
        (Control::Slider(_), _) => "field slider",
        _ => "field",
    };
    let parts = match (field.control, field.rule) {
        (_, Rule::Switch) => vec![input, label, error],
        (_, Rule::Layers) => {
            let note = |id: &str| element("p").with("id", id).with("class", "hint");
            vec![label, input, error, note("net-note"), note("net-lesson")]
        }
        (Control::Slider(step), Rule::Number(low, high)) => {
            let slider = element("input")
                .with("id", slider_id(key))
                .with("type", "range")
                .with("min", low.to_string())
                .with("max", high.to_string())
                .with("step", step.to_string())
                .with("aria-label", say!("{}, slider", translate(field.label)));
            vec![label, slider, input, error]
        }
        (Control::Optional(_, words, _), _) => {
            let tick = element("input").with("id", tick_id(key)).with("type", "checkbox").with("autocomplete", "off");
            let tick = element("span")
                .with("class", "switch")
                .child(tick)
                .child(text("label", translate(words)).with("for", tick_id(key)));
            let number = element("div").with("id", number_id(key)).child(label).child(input).child(error);
            vec![tick, number]
        }
        _ => vec![label, input, error],
    };
    element("div").with("class", class).children(parts)
}

fn input(field: &Field) -> Element {
    let number = |mode: &str| element("input").with("inputmode", mode).with("autocomplete", "off");
    match field.rule {
        Rule::OneOf(names) => {
            let options = names.iter().map(|(name, label)| text("option", translate(label)).with("value", *name));
            element("select").children(options)
        }
        Rule::Whole(..) | Rule::AllOr(..) => number("numeric"),
        Rule::Number(..) => number("decimal"),
        Rule::Switch => element("input").with("type", "checkbox"),
        Rule::Layers => element("textarea").with("rows", "3").with("spellcheck", "false").with("autocomplete", "off"),
    }
}

/// The tick box of a setting that can be off.
fn tick_id(key: &str) -> String {
    format!("{key}-on")
}

/// What is hidden while it is off.
fn number_id(key: &str) -> String {
    format!("{key}-number")
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
    if let Some(tick) = dom::element::<HtmlInputElement>(&tick_id(field.key)) {
        tick.set_checked(value != OFF);
        dom::set_hidden(&number_id(field.key), value == OFF);
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
