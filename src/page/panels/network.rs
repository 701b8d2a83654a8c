//! The editor: the network as a row of layers, each with its shape and size, which can be changed, moved, removed and added.

use inkling_core::{
    language::translate,
    message,
    network::{Activation, Conv, Edit, Layer, LayerSize, Outline, Pool, Residual, grouped},
    say,
};
use web_sys::{Event, HtmlInputElement, HtmlSelectElement};

use super::{Emit, Panel, words::percent};
use crate::page::{
    dom,
    element::{Element, element, show, text},
    model::{Model, asked::Awaited},
    msg::{ControlMsg, Msg, Section, WorkbenchMsg},
    update::EDITOR,
};

/// What can be added, and the text of a new layer.
const NEW: [(&str, &str); 8] = [
    (message!("Convolution"), "conv 16"),
    (message!("Residual block"), "residual 16"),
    (message!("Batch norm"), "batchnorm"),
    (message!("Max-pool"), "pool"),
    (message!("Average pool"), "avgpool"),
    (message!("Global average"), "globalpool"),
    (message!("Dense layer"), "dense 64"),
    (message!("Dropout"), "dropout 0.3"),
];

/// Shows and edits the layers of the network.
pub struct Editor;

impl Panel for Editor {
    fn mount(&mut self, emit: Emit) {
        let tell = move |msg: ControlMsg| emit(Msg::Control(msg));
        dom::listen("layers", "change", move |event: Event| {
            if let (Some(at), Some(kind)) = (dom::pressed(&event, "layer"), dom::attribute(&event, "kind")) {
                tell(ControlMsg::Edit(Edit::Change(at, layer_text(at, &kind))));
            }
        });
        dom::listen("layers", "click", move |event: Event| {
            let pressed = |name: &str| dom::pressed(&event, name);
            let edits = [
                pressed("before").map(Edit::MoveUp),
                pressed("after").map(Edit::MoveDown),
                pressed("drop").map(Edit::Remove),
            ];
            edits.into_iter().flatten().for_each(|edit| tell(ControlMsg::Edit(edit)));
            if let Some(layer) = pressed("inside") {
                event.prevent_default();
                emit(Msg::Workbench(WorkbenchMsg::LookInside(layer)));
            }
        });
        show(
            "add-layer",
            NEW.map(|(name, layer)| {
                text("button", format!("+ {}", translate(name))).with("type", "button").with("data-new", layer)
            }),
        );
        dom::listen("add-layer", "click", move |event: Event| {
            if let Some(layer) = dom::attribute(&event, "new") {
                tell(ControlMsg::Edit(Edit::Add(layer)));
            }
        });
        dom::listen("undo-layer", "click", move |_: Event| tell(ControlMsg::UndoEdit));
        dom::listen("time-layers", "click", move |_: Event| emit(Msg::Workbench(WorkbenchMsg::TimeLayers)));
    }

    fn draw(&mut self, model: &Model) {
        if !model.is_open(Section::Editor) {
            return;
        }
        let layers = &model.settings.net;
        let data = model.settings.dataset.shape(model.own_shape());
        let (outline, fused) = (layers.outline(data), layers.fused(data));
        let total: u64 = outline.iter().filter_map(|layer| Some(layer.size.as_ref().ok()?.multiply_adds)).sum();
        let image = element("li")
            .with("class", "layer fixed")
            .child(text("b", say!("Image")))
            .child(text("span", data.image().to_string()));
        // Measured for the network of the run; the controls may have another by now.
        let same = model.run.settings.net == *layers && model.run.data == data;
        let times = model.layer_times.answer().filter(|_| same);
        let cards = outline.iter().enumerate().map(|(at, layer)| {
            let work = Work {
                multiply_adds: total,
                fused: fused.get(at).copied().unwrap_or(false),
                looks_inside: same,
                time: times.and_then(|times| Some(times.get(at)? / times.iter().sum::<f64>())),
            };
            card(at, layer, outline.len() - 1, &work)
        });
        show("layers", [image].into_iter().chain(cards));
        for (at, layer) in outline.iter().enumerate() {
            choose(at, layer.layer);
        }
        dom::set_enabled(
            "undo-layer",
            !model.earlier_networks.is_empty() && !model.run.state.is_active(),
            "layers-row",
        );
        let can_time = same && model.has_network() && !model.layer_times.is_waiting();
        dom::set_enabled("time-layers", can_time, "layers-row");
        let error = model.errors.get(EDITOR).or(model.errors.get("net"));
        dom::set_text("layers-error", error.map_or("", String::as_str));
        dom::set_hidden("layers-error", error.is_none());
        let parameters: Result<Vec<usize>, _> =
            outline.iter().map(|layer| layer.size.as_ref().map(|size| size.parameters)).collect();
        let words = parameters.map_or(String::new(), |parameters| {
            let count = grouped(parameters.iter().sum::<usize>() as u64);
            say!("{} parameters, {} multiply-adds for an image.", count, grouped(total))
        });
        dom::set_text("layers-text", &words);
        for id in ["editor", "adding"] {
            if let Some(fieldset) = dom::element::<web_sys::HtmlElement>(id) {
                let _ = fieldset.toggle_attribute_with_force("disabled", model.run.state.is_active());
            }
        }
    }
}

/// What the share of a layer is of, and what is known of its time.
struct Work {
    /// Of all layers.
    multiply_adds: u64,
    /// Whether Inkling's own kernel computes this layer.
    fused: bool,
    /// Whether there is something to see inside it.
    looks_inside: bool,
    /// The measured share of this layer.
    time: Option<f64>,
}

fn card(at: usize, outline: &Outline, last: usize, work: &Work) -> Element {
    let number = at.to_string();
    let name = match outline.layer {
        Some(Layer::Conv(_)) => say!("Convolution"),
        Some(Layer::Residual(_)) => say!("Residual block"),
        Some(Layer::BatchNorm(_)) => say!("Batch norm"),
        Some(Layer::Pool(_)) => say!("Pool"),
        Some(Layer::GlobalPool) => say!("Global average"),
        Some(Layer::Dropout(_)) => say!("Dropout"),
        Some(Layer::Dense(..)) => say!("Dense"),
        None => say!("Answer"),
    };
    let words = outline.layer.map(|layer| layer.to_string()).unwrap_or_default();
    let kind = words.split(' ').next().unwrap_or_default();
    let class = match (&outline.size, outline.layer) {
        (Err(_), _) => "layer wrong",
        (_, None) => "layer fixed",
        _ => "layer",
    };
    // A link, because a run disables the controls.
    let name = match work.looks_inside {
        true => text("a", name).with("href", "#inside").with("title", say!("Look inside")).with("data-inside", &number),
        false => text("b", name),
    };
    let li = element("li").with("class", class).with("data-layer", &number).with("data-kind", kind).child(name);
    let size = match &outline.size {
        Ok(size) => sizes(size, work),
        Err(problem) => vec![text("span", problem.as_deref().unwrap_or("–")).with("class", "hint")],
    };
    let Some(layer) = outline.layer else { return li.children(size) };
    let button = |name: &'static str, sign: &str, words: &str, enabled: bool| {
        // Not disabled: the focus would jump away when the layer arrives at an end.
        text("button", sign)
            .with("type", "button")
            .with("id", control_id(at, name.trim_start_matches("data-")))
            .with(name, &number)
            .with("aria-label", say!("{} layer {}", words, at + 1))
            .with("aria-disabled", if enabled { "false" } else { "true" })
    };
    // Before the controls, whose number differs: so the buttons stay in place, and keep the focus, when a layer moves.
    let tools = element("span")
        .with("class", "layer-tools")
        .child(button("data-before", "←", say!("Move earlier"), at > 0))
        .child(button("data-after", "→", say!("Move later"), at + 1 < last))
        .child(button("data-drop", "×", say!("Remove"), true));
    li.child(tools).children(controls(at, layer)).children(size)
}

/// Shape, size and share of the work.
fn sizes(size: &LayerSize, work: &Work) -> Vec<Element> {
    let LayerSize { shape, parameters, multiply_adds } = size;
    let hint = |words: String| text("span", words).with("class", "hint");
    let mut lines = vec![text("span", format!("→ {shape}"))];
    if *parameters > 0 {
        let share = *multiply_adds as f64 / work.multiply_adds.max(1) as f64;
        lines.push(hint(say!("{} parameters", grouped(*parameters as u64))));
        lines.push(hint(say!("{} of the multiply-adds", percent(share))));
        lines.push(element("i").with("class", "share").with("style", format!("--p:{share:.4}")));
    }
    // The time of a pool may be part of the convolution before it.
    if let Some(time) = work.time.filter(|&time| time > 0.0) {
        lines.push(hint(say!("{} of the time", percent(time))));
        lines.push(element("i").with("class", "share time").with("style", format!("--p:{time:.4}")));
    }
    if work.fused {
        lines.push(hint(say!("Inkling’s kernel").into()));
    }
    lines
}

fn control_id(at: usize, name: &str) -> String {
    format!("layer-{at}-{name}")
}

/// The controls of a layer. `choose` sets what their menus show.
fn controls(at: usize, layer: Layer) -> Vec<Element> {
    let number = |name: &str, label: &'static str, value: String| {
        let label = translate(label);
        let input = element("input")
            .with("id", control_id(at, name))
            .with("inputmode", "decimal")
            .with("autocomplete", "off")
            .with("aria-label", say!("{} of layer {}", label, at + 1))
            .with("value", value);
        element("label").text(label).child(input)
    };
    let menu = |name: &str, label: &'static str, entries: &[(&str, &'static str)]| {
        let label = translate(label);
        let options = entries.iter().map(|(value, words)| text("option", translate(words)).with("value", *value));
        let menu = element("select")
            .with("id", control_id(at, name))
            .with("aria-label", say!("{} of layer {}", label, at + 1))
            .children(options);
        element("label").text(label).child(menu)
    };
    let functions: Vec<_> = Activation::NAMES.iter().map(|(_, name)| (*name, *name)).collect();
    match layer {
        Layer::Conv(conv) => vec![
            number("size", message!("filters"), conv.channels.to_string()),
            menu("kernel", message!("size"), &[("1x1", "1 x 1"), ("3x3", "3 x 3"), ("5x5", "5 x 5"), ("7x7", "7 x 7")]),
            menu("border", message!("border"), &[("valid", message!("cut off")), ("same", message!("zeros"))]),
            menu("stride", message!("stride"), &[("1", "1"), ("2", "2")]),
            menu("function", message!("function"), &functions),
        ],
        Layer::Residual(block) => {
            vec![
                number("size", message!("filters"), block.channels.to_string()),
                menu("function", message!("function"), &functions),
            ]
        }
        Layer::BatchNorm(_) => vec![menu("function", message!("function"), &functions)],
        Layer::Pool(_) => {
            vec![menu("kind", message!("of 2 x 2"), &[("pool", message!("largest")), ("avgpool", message!("mean"))])]
        }
        Layer::GlobalPool => Vec::new(),
        Layer::Dropout(share) => vec![number("size", message!("share"), share.to_string())],
        Layer::Dense(units, _) => {
            vec![
                number("size", message!("units"), units.to_string()),
                menu("function", message!("function"), &functions),
            ]
        }
    }
}

/// Shows a layer in its menus, wherever a change of it came from.
fn choose(at: usize, layer: Option<Layer>) {
    let set = |name: &str, value: &str| {
        let menu = dom::element::<HtmlSelectElement>(&control_id(at, name));
        if let Some(menu) = menu.filter(|menu| menu.value() != value) {
            menu.set_value(value);
        }
    };
    let function = |function: Activation| {
        let name = Activation::NAMES.iter().find(|(known, _)| *known == function);
        set("function", name.map_or("relu", |(_, name)| name));
    };
    match layer {
        Some(Layer::Conv(Conv { kernel, same, stride, activation, .. })) => {
            set("kernel", &format!("{kernel}x{kernel}"));
            set("border", if same { "same" } else { "valid" });
            set("stride", &stride.to_string());
            function(activation);
        }
        Some(Layer::Pool(kind)) => set("kind", if kind == Pool::Max { "pool" } else { "avgpool" }),
        Some(
            Layer::Dense(_, activation) | Layer::BatchNorm(activation) | Layer::Residual(Residual { activation, .. }),
        ) => function(activation),
        Some(Layer::Dropout(_) | Layer::GlobalPool) | None => {}
    }
}

/// The text of a layer as its controls have it. Its kind is the first word of the text.
fn layer_text(at: usize, kind: &str) -> String {
    let chosen = |name: &str| {
        dom::element::<HtmlSelectElement>(&control_id(at, name)).map(|menu| menu.value()).unwrap_or_default()
    };
    let size = dom::element::<HtmlInputElement>(&control_id(at, "size")).map(|input| input.value()).unwrap_or_default();
    match kind {
        "conv" => {
            let [kernel, border, stride, function] = ["kernel", "border", "stride", "function"].map(chosen);
            format!("conv {size} {kernel} {border} stride {stride} {function}")
        }
        "pool" | "avgpool" => chosen("kind"),
        kind => format!("{kind} {size} {}", chosen("function")),
    }
}
