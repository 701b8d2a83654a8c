//! The network at work: each block of layers with its filters, and with what it makes of the current image.

use inkling_core::{
    data::Shape,
    language::translate,
    network::{Block, Filters, Layer, Network, grouped},
    parameters::random_weights,
    protocol::{LayerStep, Maps},
    say,
};
use web_sys::Event;

use super::{
    Emit, Panel,
    words::{argmax, sure},
};
use crate::page::{
    dom,
    element::{Element, element, show, text},
    model::Model,
    msg::{Msg, Section, WorkbenchMsg},
};

/// Filters of a block that are drawn, and how many of them in a row. "Look inside" shows all.
const FILTERS: (usize, usize) = (8, 4);
/// Maps that are drawn, and how many of them in a row.
const MAPS: (usize, usize) = (6, 2);
/// Units that are drawn, and how many of them in a row.
const UNITS: (usize, usize) = (128, 8);

/// Shows the network.
#[derive(Default)]
pub struct Blocks {
    drawn: Drawn,
    /// The leading initial weights of a network, and what they were sampled from.
    untrained: Option<(u32, Network, Vec<f32>)>,
}

/// What the canvases were drawn from: drawing them again at each message would be wasteful.
#[derive(Default)]
struct Drawn {
    net: Option<Network>,
    /// Run, step and seed of the weights.
    weights: (u32, Option<u32>, u32),
    /// Number of the explanation's question; 0 if there is none.
    explanation: u32,
}

impl Panel for Blocks {
    fn mount(&mut self, emit: Emit) {
        dom::listen("blocks", "click", move |event: Event| {
            if let Some(layer) = dom::pressed(&event, "inside") {
                emit(Msg::Workbench(WorkbenchMsg::LookInside(layer)));
            }
        });
    }

    fn draw(&mut self, model: &Model) {
        let Some(net) = model.run.network() else {
            show("blocks", [text("li", say!("This network does not fit its images.")).with("class", "hint")]);
            self.drawn = Drawn::default();
            return;
        };
        let blocks = net.blocks();
        let followed = model.picture.followed.as_ref();
        let step =
            |block: &Block| followed.and_then(|step| step.layers.get(block.layers.clone())?.iter().flatten().next());
        let cards = blocks.iter().enumerate().map(|(at, block)| card(model, &net, at, block, step(block)));
        show("blocks", [image_card(model)].into_iter().chain(cards));
        dom::set_text("followed", &followed_words(model));
        self.draw_canvases(model, net, &blocks);
    }
}

impl Blocks {
    fn draw_canvases(&mut self, model: &Model, net: Network, blocks: &[Block]) {
        let explanation = &model.inside.explanation;
        let wanted = Drawn {
            weights: (
                model.run.run,
                model.run.checkpoint.as_ref().map(|checkpoint| checkpoint.trainer.step),
                model.run.settings.seed,
            ),
            net: Some(net.clone()),
            explanation: explanation.answer().map_or(0, |_| explanation.answered()),
        };
        let before = std::mem::replace(&mut self.drawn, wanted);
        let other_net = before.net != self.drawn.net;
        if other_net || before.weights != self.drawn.weights {
            self.draw_filters(model, &net, blocks);
        }
        if other_net || before.explanation != self.drawn.explanation {
            for (at, block) in blocks.iter().enumerate() {
                let maps = explanation.answer().and_then(|found| found.layers.get(block.layers.end - 1));
                draw_maps(&maps_id(at), maps, block.shape);
            }
            let shape = model.run.data.image();
            let pixels = &model.inside.explained;
            let fits = pixels.len() == shape.values();
            let nothing = vec![0; shape.values()];
            dom::draw_images("seen", if fits { pixels } else { &nothing }, shape, 1);
            let saliency = explanation.answer().map_or(&nothing[..shape.pixels()], |found| &found.saliency.shades);
            dom::draw_shades("seen-saliency", saliency, shape.side, 1);
        }
    }

    /// The first filters of each block, with the weights of the last checkpoint, or those before the first step.
    fn draw_filters(&mut self, model: &Model, net: &Network, blocks: &[Block]) {
        let filters: Vec<_> = blocks.iter().map(|block| shown_filters(net, block)).collect();
        let end = filters.iter().flatten().map(Filters::end).max().unwrap_or(0);
        for (at, (block, filters)) in blocks.iter().zip(&filters).enumerate() {
            let Some(filters) = filters else { continue };
            let tiles = match model.run.filters(block.layers.start) {
                Some((_, tiles)) => tiles,
                None => filters.pick(self.untrained(net, model.run.settings.seed, end)),
            };
            // Of a filter with a tile for each map, the first tile.
            let (of_each, len) = (filters.arrangement().0, filters.shape.values());
            let first: Vec<f32> =
                tiles.chunks_exact(len).step_by(of_each.max(1)).take(FILTERS.0).flatten().copied().collect();
            dom::draw_filters(&filters_id(at), &first, filters.shape, FILTERS.1);
        }
    }

    /// The initial weights up to `end`, or a few more. Sampling stops there: most weights are in the dense layers, whose filters are not
    /// shown.
    fn untrained(&mut self, net: &Network, seed: u32, end: usize) -> &[f32] {
        let fits = |known: &(u32, Network, Vec<f32>)| known.0 == seed && known.1 == *net;
        if !self.untrained.as_ref().is_some_and(fits) {
            let mut len = 0;
            let needed = net.parameters().iter().take_while(|parameter| {
                let before = len;
                len += parameter.len();
                before < end
            });
            let weights = random_weights(&net.parameters()[..needed.count()], seed);
            self.untrained = Some((seed, net.clone(), weights));
        }
        self.untrained.as_ref().map_or(&[], |known| &known.2)
    }
}

/// The filters of a block that are drawn. A dense layer has one as large as a map for each unit, which says little at this size,
/// unless it looks at the image itself.
fn shown_filters(net: &Network, block: &Block) -> Option<Filters> {
    let at = block.layers.start;
    let dense = net.layers().get(at).is_none_or(|(layer, _)| matches!(layer, Layer::Dense(..)));
    net.filters(at).filter(|_| !dense || at == 0)
}

/// What a layer does, in two or three words.
fn does(net: &Network, layer: usize) -> &'static str {
    match net.layers().get(layer) {
        Some((Layer::Conv(_) | Layer::Residual(_), _)) if layer == 0 => say!("finds patterns"),
        Some((Layer::Conv(_) | Layer::Residual(_), _)) => say!("finds larger patterns"),
        Some((Layer::Dense(..), _)) => say!("combines everything"),
        Some(_) => say!("prepares"),
        None => say!("one number per class"),
    }
}

fn filters_id(at: usize) -> String {
    format!("block-{at}-filters")
}

fn maps_id(at: usize) -> String {
    format!("block-{at}-maps")
}

/// The image that goes in, and which of its pixels the answer depends on most.
fn image_card(model: &Model) -> Element {
    let side = model.run.data.image().side;
    let button = element("button")
        .with("type", "button")
        .with("class", "block")
        .with("data-inside", "0")
        .with("title", say!("Look inside"))
        .child(text("b", say!("image")))
        .child(element("canvas").with("id", "seen"))
        .child(text("small", say!("pixels that matter")))
        .child(element("canvas").with("id", "seen-saliency"))
        .child(text("span", format!("{side}×{side}")));
    element("li").with("class", "image").key("image").child(button)
}

/// A block of layers as a button that opens the section inside the network.
fn card(model: &Model, net: &Network, at: usize, block: &Block, step: Option<&LayerStep>) -> Element {
    let Block { name, layers, shape, parameters } = block;
    let layer = layers.start;
    let size = if shape.side > 1 {
        format!("{} @ {side}×{side}", shape.channels, side = shape.side)
    } else {
        say!("{} units", shape.channels)
    };
    let weights = match parameters {
        0 => say!("no parameters").into(),
        count => say!("{} parameters", grouped(*count as u64)),
    };
    let mut button = element("button")
        .with("type", "button")
        .with("class", "block")
        .with("data-inside", layer.to_string())
        .with("title", say!("Look inside"))
        .child(text("b", translate(name)))
        .child(text("small", does(net, layer)));
    if let Some(filters) = shown_filters(net, block) {
        let words = shown(FILTERS.0, filters.count, say!("filters"));
        button = button.child(text("small", words)).child(element("canvas").with("id", filters_id(at)));
    }
    let last = layer == net.layers().len();
    if last && let Some(found) = model.current_answer() {
        let top = argmax(found);
        button = button.child(text("strong", model.class(top as u8))).child(text("span", sure(found[top].into())));
    }
    if !last {
        let what = match shape.side {
            1 => shown(UNITS.0, shape.channels, say!("activations")),
            _ => shown(MAPS.0, shape.channels, say!("maps")),
        };
        button = button.child(text("small", what)).child(element("canvas").with("id", maps_id(at)));
    }
    button = button.child(text("span", size)).child(text("span", weights).with("class", "hint"));
    if let Some(LayerStep { gradient, change, weights }) = step {
        let share = 100.0 * change / weights.max(f32::MIN_POSITIVE);
        let words =
            say!("gradient {}, weights moved by {}%", format_args!("{:.1e}", gradient), format_args!("{:.2}", share));
        button = button.child(text("span", words).with("class", "step"));
    }
    let class = if model.inside.layer == layer && model.is_open(Section::Inside) { "chosen" } else { "" };
    element("li").with("class", class).key(format!("{at} {name}")).child(button)
}

/// How many of all are drawn: `6 of 32 maps`.
fn shown(drawn: usize, all: usize, what: &str) -> String {
    if all > drawn { say!("{} of {} {}", drawn, all, what) } else { what.into() }
}

fn draw_maps(id: &str, maps: Option<&Maps>, shape: Shape) {
    let nothing = Maps { side: shape.side as u32, largest: 0.0, shades: vec![0; shape.values()] };
    let Maps { side, shades, .. } = maps.unwrap_or(&nothing);
    let side = *side as usize;
    let (drawn, columns) = if side == 1 { UNITS } else { MAPS };
    let len = shades.len().min(drawn * side * side);
    let count = len / (side * side).max(1);
    dom::draw_shades(id, &shades[..len], side, columns.min(count.max(1)));
}

/// What the last followed step did.
fn followed_words(model: &Model) -> String {
    match &model.picture.followed {
        Some(step) => say!(
            "Step {}: on its {} images, the loss went from {} to {}. Each block says how large its gradient was, and how far \
             its weights moved.",
            step.step,
            step.images,
            format_args!("{:.3}", step.before),
            format_args!("{:.3}", step.after)
        ),
        None => String::new(),
    }
}
