//! Inside the network: the filters of a layer, what it makes of the current image, and which pixels matter.

use inkling_core::{
    image::Shape,
    message,
    network::Network,
    protocol::{Explanation, Maps},
    say,
};
use web_sys::{Event, HtmlSelectElement};

use super::{
    Emit, Panel,
    words::{argmax, count},
};
use crate::page::{
    dom,
    element::{element, row_head, show, text},
    model::{Model, picture::Current},
    msg::{Msg, Section, WorkbenchMsg},
};

/// Shows the inside of the network.
pub struct Inside;

impl Panel for Inside {
    fn mount(&mut self, emit: Emit) {
        dom::listen("inside-layer", "change", move |_: Event| {
            let layer = dom::element::<HtmlSelectElement>("inside-layer").and_then(|menu| menu.value().parse().ok());
            emit(Msg::Workbench(WorkbenchMsg::ShowLayer(layer.unwrap_or(0))));
        });
    }

    fn draw(&mut self, model: &Model) {
        let Some(net) = model.run.network().filter(|_| model.is_open(Section::Inside)) else { return };
        // Another network may have fewer layers.
        let layer = model.inside.layer.min(net.layers().len());
        draw_menu(&net, layer);
        draw_filters(model, layer);
        let explanation = model.inside.explanation.answer();
        dom::set_hidden("explanation", explanation.is_none());
        if let Some(explanation) = explanation {
            draw_explanation(model, explanation);
            draw_maps(explanation.layers.get(layer));
        }
    }
}

/// A menu of the layers.
fn draw_menu(net: &Network, layer: usize) {
    let names = net.layers().iter().map(|(layer, _)| layer.to_string()).chain([say!("the answer").into()]);
    let option =
        |(at, name): (usize, String)| text("option", format!("{}: {name}", at + 1)).with("value", at.to_string());
    show("inside-layer", names.enumerate().map(option));
    if let Some(menu) = dom::element::<HtmlSelectElement>("inside-layer") {
        menu.set_value(&layer.to_string());
    }
}

/// The filters of the layer, if it has any; those of the first layer as they were at the time machine's epoch.
fn draw_filters(model: &Model, layer: usize) {
    let found = model.run.filters(layer);
    dom::set_hidden("filters-part", found.is_none());
    let Some((filters, now)) = found else { return };
    let past = model.epoch.and_then(|epoch| model.run.snapshot(epoch)).map(|snapshot| &snapshot.filters);
    let past = past.filter(|weights| layer == 0 && !weights.is_empty());
    let Shape { channels, side } = filters.shape;
    let colours = if channels == 3 { say!("in their colours") } else { say!("purple above zero, gray below") };
    let rows = match filters.arrangement() {
        (1, _) => String::new(),
        (tiles, 1) => say!("; each row is one filter, with {} tiles, one for each input map", tiles),
        (tiles, many) => say!("; each row has {} filters, with {} tiles each, one for each input map", many, tiles),
    };
    let what = say!(
        "{}, {} by {} each: {}{}.",
        count(filters.count, [message!("{} filter"), message!("{} filters")]),
        side,
        side,
        colours,
        rows
    );
    dom::set_attribute("filters", "aria-label", &what);
    let kept = if model.epoch.is_some() && past.is_none() {
        say!(" These are the current filters: earlier ones are kept only if the first layer is a convolution.")
    } else {
        ""
    };
    dom::set_text("filters-note", &format!("{what}{kept}"));
    dom::draw_filters("filters", past.unwrap_or(&now), filters.shape, filters.columns);
}

/// What the layer makes of the image. The answer is in the table of logits.
fn draw_maps(maps: Option<&Maps>) {
    dom::set_hidden("maps-part", maps.is_none());
    let Some(Maps { side, shades, .. }) = maps else { return };
    let number = shades.len() / (side * side).max(1) as usize;
    let title = match side {
        1 => count(number, [message!("{} value"), message!("{} values")]),
        side => say!("{} of {} by {}", count(number, [message!("{} map"), message!("{} maps")]), side, side),
    };
    dom::set_text("maps-title", &title);
    dom::set_attribute("maps", "aria-label", &say!("What the layer makes of the image: {}", title));
    let columns = if *side > 8 { 8 } else { 16 };
    dom::draw_shades("maps", shades, *side as usize, columns.min(number.max(1)));
}

fn draw_explanation(model: &Model, explanation: &Explanation) {
    // As long as the answer about another image is on its way, nothing is said about it.
    let current = model.current().filter(|current| current.pixels() == model.inside.explained);
    let caption = match current {
        Some(Current::Image(specimen)) => say!("Image {}: {}", specimen.number, model.a_class(specimen.label)),
        Some(Current::Example(specimen)) => say!("An example: {}", model.a_class(specimen.label)),
        Some(Current::Sketch(_)) => say!("Your sketch").into(),
        None => say!("The previous image").into(),
    };
    let Explanation { steps, logits, probabilities, saliency, .. } = explanation;
    let best = argmax(logits);
    let sure = 100.0 * probabilities[best];
    dom::set_text(
        "explanation-text",
        &say!(
            "{}. The network says {} ({}%), after {}.",
            caption,
            model.class(best as u8),
            format_args!("{:.1}", sure),
            count(*steps as usize, [message!("{} step"), message!("{} steps")])
        ),
    );
    dom::draw_images("explained", &model.inside.explained, model.run.data.image(), 1);
    dom::draw_shades("saliency", &saliency.shades, saliency.side as usize, 1);
    let row = |(class, (logit, probability)): (usize, (&f32, &f32))| {
        let cells = [format!("{logit:.2}"), format!("{:.2}%", 100.0 * probability)];
        element("tr").child(row_head(model.class(class as u8))).children(cells.map(|cell| text("td", cell)))
    };
    show("logits", logits.iter().zip(probabilities).enumerate().map(row));
}
