//! The picture of the network at work: the current image, the batch, each block of layers with its filters and maps, and the
//! answer.

use inkling_core::{
    data::Shape,
    network::{Block, Network, grouped},
    parameters::random_weights,
    protocol::{BatchView, Explanation, LayerStep, Maps},
    settings::DatasetName,
};
use web_sys::Event;

use super::{
    Emit, Panel,
    tiles::canvas,
    words::{best, sure},
};
use crate::page::{
    dom,
    element::{Element, element, show, text},
    model::{
        Model,
        picture::{Current, Input},
    },
    msg::{Msg, WorkbenchMsg},
};

/// So many filters of a block are drawn, in rows of so many; the section inside the network has all.
const FILTERS: (usize, usize) = (8, 4);
/// The same for maps,
const MAPS: (usize, usize) = (6, 2);
/// and for units.
const UNITS: (usize, usize) = (128, 8);
/// Images of the batch that are drawn.
const OF_BATCH: usize = 6;

/// Shows the picture.
#[derive(Default)]
pub struct Picture {
    drawn: Drawn,
    /// The weights of a network before its run, and what they were drawn from.
    untrained: Option<(u32, Network, Vec<f32>)>,
}

/// What the canvases were drawn from: drawing them again at each message would be wasteful.
#[derive(Default, PartialEq)]
struct Drawn {
    net: Option<Network>,
    /// Run, step and seed of the weights.
    weights: (u32, Option<u32>, u32),
    explanation: u32,
    batch: u32,
    subject: Vec<u8>,
}

impl Panel for Picture {
    fn mount(&mut self, emit: Emit) {
        let tell = move |msg: WorkbenchMsg| emit(Msg::Workbench(msg));
        dom::listen("input-draw", "click", move |_: Event| tell(WorkbenchMsg::ChooseInput(Input::Pad)));
        dom::listen("input-data", "click", move |_: Event| tell(WorkbenchMsg::ChooseInput(Input::Data(None))));
        dom::listen("another", "click", move |_: Event| tell(WorkbenchMsg::LookAtAnother));
        dom::listen("batch-images", "click", move |event: Event| {
            if let Some(place) = dom::pressed(&event, "batch") {
                tell(WorkbenchMsg::LookAt(place));
            }
        });
        dom::listen("blocks", "click", move |event: Event| {
            if let Some(layer) = dom::pressed(&event, "inside") {
                tell(WorkbenchMsg::LookInside(layer));
            }
        });
    }

    fn draw(&mut self, model: &Model) {
        draw_input(model);
        draw_answer(model);
        let Some(net) = model.run.network() else {
            show("blocks", [text("li", "This network does not fit its images.").with("class", "hint")]);
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

impl Picture {
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
            batch: model.picture.batch.answer().map_or(0, |_| model.picture.batch.answered()),
            subject: model.current().map(|current| current.pixels().to_vec()).unwrap_or_default(),
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
        let shape = model.run.data.image();
        if before.batch != self.drawn.batch {
            draw_batch(model.picture.batch.answer(), shape);
        }
        if before.subject != self.drawn.subject {
            dom::draw_images("subject", &self.drawn.subject, shape, 1);
        }
    }

    /// The first filters of each block, with the weights of the last checkpoint, or those before the first step.
    fn draw_filters(&mut self, model: &Model, net: &Network, blocks: &[Block]) {
        for (at, block) in blocks.iter().enumerate() {
            let Some(filters) = shown_filters(net, block) else { continue };
            let tiles = match model.run.filters(block.layers.start) {
                Some((_, tiles)) => tiles,
                None => filters.pick(self.untrained(net, model.run.settings.seed)),
            };
            // Of a filter with a tile for each map, the first tile.
            let (of_each, len) = (filters.arrangement().0, filters.shape.values());
            let first: Vec<f32> =
                tiles.chunks_exact(len).step_by(of_each.max(1)).take(FILTERS.0).flatten().copied().collect();
            dom::draw_filters(&filters_id(at), &first, filters.shape, FILTERS.1);
        }
    }

    fn untrained(&mut self, net: &Network, seed: u32) -> &[f32] {
        let fits = |known: &(u32, Network, Vec<f32>)| known.0 == seed && known.1 == *net;
        if !self.untrained.as_ref().is_some_and(fits) {
            self.untrained = Some((seed, net.clone(), random_weights(net.parameters(), seed)));
        }
        self.untrained.as_ref().map_or(&[], |known| &known.2)
    }
}

/// The filters of a block that are drawn. A dense layer has one as large as a map for each unit, which says little at this size,
/// unless it looks at the image itself.
fn shown_filters(net: &Network, block: &Block) -> Option<inkling_core::network::Filters> {
    let at = block.layers.start;
    let dense = net.layers().get(at).is_none_or(|(layer, _)| matches!(layer, inkling_core::network::Layer::Dense(..)));
    net.filters(at).filter(|_| !dense || at == 0)
}

/// What a layer does, in two or three words.
fn does(net: &Network, layer: usize) -> &'static str {
    use inkling_core::network::Layer;
    match net.layers().get(layer) {
        Some((Layer::Conv(_) | Layer::Residual(_), _)) if layer == 0 => "finds patterns",
        Some((Layer::Conv(_) | Layer::Residual(_), _)) => "finds larger patterns",
        Some((Layer::Dense(..), _)) => "combines everything",
        Some(_) => "prepares",
        None => "one number per class",
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
        .with("title", "Look inside")
        .child(text("b", "image"))
        .child(element("canvas").with("id", "seen"))
        .child(text("small", "pixels that matter"))
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
        format!("{} units", shape.channels)
    };
    let weights = match parameters {
        0 => "no weights".into(),
        count => format!("{} weights", grouped(*count as u64)),
    };
    let mut button = element("button")
        .with("type", "button")
        .with("class", "block")
        .with("data-inside", layer.to_string())
        .with("title", "Look inside")
        .child(text("b", name.clone()))
        .child(text("small", does(net, layer)));
    if let Some(filters) = shown_filters(net, block) {
        let words = shown(FILTERS.0, filters.count, "filters");
        button = button.child(text("small", words)).child(element("canvas").with("id", filters_id(at)));
    }
    let last = layer == net.layers().len();
    if last && let Some(found) = probabilities(model) {
        let top = best(found);
        button = button.child(text("strong", model.class(top as u8))).child(text("span", sure(found[top].into())));
    }
    if !last {
        let what = match shape.side {
            1 => shown(UNITS.0, shape.channels, "activations"),
            _ => shown(MAPS.0, shape.channels, "maps"),
        };
        button = button.child(text("small", what)).child(element("canvas").with("id", maps_id(at)));
    }
    button = button.child(text("span", size)).child(text("span", weights).with("class", "hint"));
    if let Some(LayerStep { gradient, change, weights }) = step {
        let share = 100.0 * change / weights.max(f32::MIN_POSITIVE);
        let words = format!("gradient {gradient:.1e}, weights moved by {share:.2}%");
        button = button.child(text("span", words).with("class", "step"));
    }
    let class =
        if model.inside.layer == layer && model.is_open(crate::page::msg::Section::Inside) { "chosen" } else { "" };
    element("li").with("class", class).key(format!("{at} {name}")).child(button)
}

/// How many of all are drawn: `6 of 32 maps`.
fn shown(drawn: usize, all: usize, what: &str) -> String {
    if all > drawn { format!("{drawn} of {all} {what}") } else { what.into() }
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

fn draw_batch(batch: Option<&BatchView>, shape: Shape) {
    let Some(BatchView { specimens, augmented, .. }) = batch else { return };
    for (place, specimen) in specimens.iter().enumerate().take(OF_BATCH) {
        dom::draw_images(&format!("batch-{place}"), &specimen.pixels, shape, 1);
        let len = shape.values();
        if let Some(pixels) = augmented.get(place * len..(place + 1) * len) {
            dom::draw_images(&format!("batch-{place}-augmented"), pixels, shape, 1);
        }
    }
}

/// The current image, the batch and the balance of the classes.
fn draw_input(model: &Model) {
    let pad = model.picture.input == Input::Pad;
    dom::set_attribute("input-draw", "aria-pressed", if pad { "true" } else { "false" });
    dom::set_attribute("input-data", "aria-pressed", if pad { "false" } else { "true" });
    dom::set_hidden("pad-part", !pad);
    dom::set_hidden("data-part", pad);
    let words = match model.current() {
        Some(Current::Image(specimen)) => format!("Image {}: {}", specimen.number, model.a_class(specimen.label)),
        Some(Current::Example(specimen)) => {
            format!("An example, drawn here: {}. The data set comes with Train.", model.a_class(specimen.label))
        }
        Some(Current::Sketch(_)) => String::new(),
        None if model.run.settings.dataset == DatasetName::Own => "Choose your files under More.".into(),
        None => "The images come with Train.".into(),
    };
    dom::set_text("subject-text", &words);
    let batch = model.picture.batch.answer();
    dom::set_enabled("another", batch.is_some(), "input-draw");
    let shape = model.run.data.image();
    let tile = |(place, label): (usize, u8)| {
        let name = model.class(label);
        element("button")
            .with("type", "button")
            .with("data-batch", place.to_string())
            .with("aria-label", format!("{name}: send this image through the network"))
            .child(canvas(format!("batch-{place}"), shape))
            .child(canvas(format!("batch-{place}-augmented"), shape))
    };
    let labels = batch.map_or(&[][..], |batch| &batch.specimens).iter().map(|specimen| specimen.label);
    show("batch-images", labels.take(OF_BATCH).enumerate().map(tile));
    let words = match (batch, model.run.settings.dataset) {
        (Some(_), _) if model.run.settings.augment => "Below: augmented.",
        (Some(_), _) => "Not augmented.",
        (None, DatasetName::Mnist) => "MNIST’s images come with Train.",
        (None, _) => "The images come with Train.",
    };
    dom::set_text("batch-text", words);
    draw_balance(model, batch.map_or(&[][..], |batch| &batch.counts));
}

/// A bar for each class: how many training images it has.
fn draw_balance(model: &Model, counts: &[u32]) {
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let bar = |&count: &u32| element("i").with("style", format!("--p:{:.3}", f64::from(count) / f64::from(most)));
    show("class-balance", counts.iter().map(bar));
    // Longer names have no room.
    let short = counts.len() <= 12 && model.class_names().iter().all(|name| name.chars().count() <= 2);
    let name = |class: usize| text("b", model.class(class as u8));
    show("class-names-row", (0..if short { counts.len() } else { 0 }).map(name));
    dom::set_hidden("balance-part", counts.is_empty());
    let all: Vec<String> = counts
        .iter()
        .zip(0..)
        .map(|(count, class)| format!("{} {}", model.class(class), grouped((*count).into())))
        .collect();
    dom::set_attribute("class-balance", "aria-label", &format!("Training images of each class: {}", all.join(", ")));
}

/// What the network makes of the current image.
pub fn probabilities(model: &Model) -> Option<&[f32]> {
    match model.current() {
        Some(Current::Sketch(_)) => model.pad.prediction.answer().map(|found| &found.probabilities[..]),
        // That of the last image is no answer about this one.
        Some(current) if current.pixels() != model.inside.explained => None,
        Some(_) => model.inside.explanation.answer().map(|Explanation { probabilities, .. }| &probabilities[..]),
        None => None,
    }
}

/// The answer in a few words, and whether it is right, if that is known.
fn draw_answer(model: &Model) {
    let found = probabilities(model);
    let top = found.map(best);
    let answer = top.map_or("–".into(), |top| model.class(top as u8));
    dom::set_text("answer", &answer);
    let share = found.zip(top).map(|(found, top)| sure(found[top].into()));
    dom::set_text("answer-share", &share.unwrap_or_default());
    let label = model.current().and_then(Current::specimen).map(|specimen| specimen.label);
    let (words, kind) = match (label, top) {
        (Some(label), Some(top)) if usize::from(label) == top => ("✓ right".into(), "right"),
        (Some(label), Some(_)) => (format!("✗ it is {}", model.a_class(label)), "wrong"),
        _ => (String::new(), ""),
    };
    dom::set_text("answer-verdict", &words);
    dom::set_attribute("answer-verdict", "data-kind", kind);
    let untrained = model.run.progress.is_none_or(|progress| progress.step == 0) && !model.run.imported;
    let of = match model.current() {
        Some(Current::Sketch(_)) => "for your sketch",
        Some(Current::Image(_)) if model.picture.input == Input::Pad => "for an image of the data set, until you draw",
        Some(Current::Image(_)) => "for this image of the data set",
        Some(Current::Example(_)) => "for an example",
        None => "",
    };
    let words = match (found, untrained) {
        (Some(_), true) => format!("{of}: a guess, because it has learned nothing yet"),
        (Some(_), false) => of.into(),
        (None, _) => "The network is not here yet.".into(),
    };
    dom::set_text("answer-of", &words);
}

/// What the last followed step did.
fn followed_words(model: &Model) -> String {
    match &model.picture.followed {
        Some(step) => format!(
            "Step {}: on its {} images, the loss went from {:.3} to {:.3}. Each block says how large its gradient was, and how far \
             its weights moved.",
            step.step, step.images, step.before, step.after
        ),
        None => String::new(),
    }
}
