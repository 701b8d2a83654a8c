//! The input: the current image, the images of the next batch, and how many images each class has.

use inkling_core::{data::Shape, network::grouped, protocol::BatchView, say, settings::DatasetName};
use web_sys::Event;

use super::{Emit, Panel, tiles::canvas};
use crate::page::{
    dom,
    element::{element, show, text},
    model::{
        Model,
        picture::{Current, Input as Source},
    },
    msg::{Msg, WorkbenchMsg},
};

/// Images of the batch that are drawn.
const OF_BATCH: usize = 6;
/// Of more classes, the bars have no names.
const NAMED: usize = 12;

/// Shows the input. The sketch pad has a panel of its own.
#[derive(Default)]
pub struct Input {
    /// What the canvases were drawn from: the number of the batch's answer, and the current image.
    drawn: (u32, Vec<u8>),
}

impl Panel for Input {
    fn mount(&mut self, emit: Emit) {
        let tell = move |msg: WorkbenchMsg| emit(Msg::Workbench(msg));
        dom::listen("input-draw", "click", move |_: Event| tell(WorkbenchMsg::ChooseInput(Source::Pad)));
        dom::listen("input-data", "click", move |_: Event| tell(WorkbenchMsg::ChooseInput(Source::Data(None))));
        dom::listen("another", "click", move |_: Event| tell(WorkbenchMsg::LookAtAnother));
        dom::listen("batch-images", "click", move |event: Event| {
            if let Some(place) = dom::pressed(&event, "batch") {
                tell(WorkbenchMsg::LookAt(place));
            }
        });
    }

    fn draw(&mut self, model: &Model) {
        draw_current(model);
        draw_tiles(model);
        let batch = model.picture.batch.answer();
        draw_balance(model, batch.map_or(&[][..], |batch| &batch.counts));
        let wanted = (
            batch.map_or(0, |_| model.picture.batch.answered()),
            model.current().map(|current| current.pixels().to_vec()).unwrap_or_default(),
        );
        let shape = model.run.data.image();
        if self.drawn.0 != wanted.0 {
            draw_batch(batch, shape);
        }
        if self.drawn.1 != wanted.1 {
            dom::draw_images("subject", &wanted.1, shape, 1);
        }
        self.drawn = wanted;
    }
}

/// What the current image is, and the pad or the image.
fn draw_current(model: &Model) {
    let pad = model.picture.input == Source::Pad;
    dom::set_attribute("input-draw", "aria-pressed", if pad { "true" } else { "false" });
    dom::set_attribute("input-data", "aria-pressed", if pad { "false" } else { "true" });
    dom::set_hidden("pad-part", !pad);
    dom::set_hidden("data-part", pad);
    let words = match model.current() {
        Some(Current::Image(specimen)) => say!("Image {}: {}", specimen.number, model.a_class(specimen.label)),
        Some(Current::Example(specimen)) => {
            say!("An example, drawn here: {}. Press Train to load the data set.", model.a_class(specimen.label))
        }
        Some(Current::Sketch(_)) => String::new(),
        None if model.run.settings.dataset == DatasetName::Own => say!("Choose your files under More.").into(),
        None => say!("Press Train to load the images.").into(),
    };
    dom::set_text("subject-text", &words);
}

/// The batch, as buttons that send an image through the network.
fn draw_tiles(model: &Model) {
    let batch = model.picture.batch.answer();
    dom::set_enabled("another", batch.is_some(), "input-draw");
    let shape = model.run.data.image();
    let tile = |(place, label): (usize, u8)| {
        let name = model.class(label);
        element("button")
            .with("type", "button")
            .with("data-batch", place.to_string())
            .with("aria-label", say!("{}: send this image through the network", name))
            .child(canvas(format!("batch-{place}"), shape))
            .child(canvas(format!("batch-{place}-augmented"), shape))
    };
    let labels = batch.map_or(&[][..], |batch| &batch.specimens).iter().map(|specimen| specimen.label);
    show("batch-images", labels.take(OF_BATCH).enumerate().map(tile));
    let words = match (batch, model.run.settings.dataset) {
        (Some(_), _) if model.run.settings.augment => say!("Bottom row: augmented."),
        (Some(_), _) => say!("Not augmented."),
        (None, DatasetName::Mnist) => say!("Press Train to load MNIST."),
        (None, _) => say!("Press Train to load the images."),
    };
    dom::set_text("batch-text", words);
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

/// A bar for each class: how many training images it has.
fn draw_balance(model: &Model, counts: &[u32]) {
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let bar = |&count: &u32| element("i").with("style", format!("--p:{:.3}", f64::from(count) / f64::from(most)));
    show("class-balance", counts.iter().map(bar));
    // Longer names have no room.
    let short = counts.len() <= NAMED && model.class_names().iter().all(|name| name.chars().count() <= 2);
    let name = |class: usize| text("b", model.class(class as u8));
    show("class-names-row", (0..if short { counts.len() } else { 0 }).map(name));
    dom::set_hidden("balance-part", counts.is_empty());
    let all: Vec<String> = counts
        .iter()
        .zip(0..)
        .map(|(count, class)| format!("{} {}", model.class(class), grouped((*count).into())))
        .collect();
    dom::set_attribute("class-balance", "aria-label", &say!("Training images of each class: {}", all.join(", ")));
}
