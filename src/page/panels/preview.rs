//! What augmentation does to an image with the current ranges: to the sketch, or to an image of the data set.

use std::sync::Arc;

use inkling_core::{
    augment::{Augmentation, warp},
    data::{Dataset, Shape},
    random::{Purpose, generator},
    settings::DatasetName,
    sketch::{Sketch, Target},
};

use super::Panel;
use crate::page::{
    dom,
    model::{Model, picture::drawn},
    msg::Section,
};

const COLUMNS: usize = 8;
const ROWS: usize = 2;

/// What the preview depends on. Comparing it is cheaper than drawing an image to compare.
#[derive(PartialEq)]
struct Source {
    dataset: DatasetName,
    /// Which own data set.
    own: Option<*const Dataset>,
    sketch: Sketch,
    ranges: Augmentation,
    seed: u32,
}

/// Shows an image as augmentation changes it.
#[derive(Default)]
pub struct Preview {
    /// What the canvas was drawn from.
    shown: Option<Source>,
}

impl Panel for Preview {
    fn draw(&mut self, model: &Model) {
        let open = model.is_open(Section::Settings);
        let Some(ranges) = model.settings.active_augmentation().filter(|_| open) else { return };
        let wanted = Some(Source {
            dataset: model.settings.dataset,
            own: model.data.set.as_ref().map(Arc::as_ptr),
            sketch: model.pad.sketch.clone(),
            ranges: *ranges,
            seed: model.settings.seed,
        });
        if self.shown == wanted {
            return;
        }
        let Some((image, shape)) = example(model) else { return };
        let len = shape.values();
        let mut pixels = Vec::with_capacity(COLUMNS * ROWS * len);
        let mut out = vec![0.0; len];
        for place in 0..COLUMNS * ROWS {
            let mut rng = generator(model.settings.seed, Purpose::Augment, 0, place as u64);
            warp(&image, shape, &ranges.sample(shape.side, &mut rng), &mut out);
            pixels.extend(out.iter().map(|ink| (ink * 255.0).round() as u8));
        }
        dom::draw_images("preview", &pixels, shape, COLUMNS);
        self.shown = wanted;
    }
}

/// The sketch, where it resembles the data set that is chosen; otherwise an image like those of the data set.
fn example(model: &Model) -> Option<(Vec<u8>, Shape)> {
    let name = model.settings.dataset;
    let digits = matches!(name, DatasetName::Mnist | DatasetName::Synthetic | DatasetName::Letters);
    let sketch = model.pad.sketch.image(Target::MNIST).filter(|_| digits);
    match (name, &model.data.set, sketch) {
        (DatasetName::Own, Some(data), _) => Some((data.train.image(0).to_vec(), data.train.shape)),
        (_, _, Some(sketch)) => Some((sketch, Shape::MNIST)),
        _ => Some((drawn(name)?.pixels, name.shape(None).image())),
    }
}
