//! What augmentation does to a digit with the current ranges: to the sketch, or to a synthetic digit.

use inkling_core::{
    augment::{Augmentation, warp},
    data::{IMAGE, SIDE, synthetic},
    random::{Purpose, generator},
};

use super::Panel;
use crate::page::{dom, model::Model, msg::Section};

const COLUMNS: usize = 8;
const ROWS: usize = 2;

/// Shows a digit as augmentation changes it.
#[derive(Default)]
pub struct Preview {
    /// What the canvas shows: the sketch, the ranges and the seed.
    shown: Option<(Option<Vec<u8>>, Augmentation, u32)>,
}

impl Panel for Preview {
    fn draw(&mut self, model: &Model) {
        let open = model.is_open(Section::Settings);
        let Some(ranges) = model.settings.active_augmentation().filter(|_| open) else { return };
        let wanted = Some((model.pad.image().map(<[u8]>::to_vec), *ranges, model.settings.seed));
        if self.shown == wanted {
            return;
        }
        let digit =
            model.pad.image().map_or_else(|| synthetic::generate(24, 7).train.image(5).to_vec(), <[u8]>::to_vec);
        let mut shades = Vec::with_capacity(COLUMNS * ROWS * IMAGE);
        let mut out = [0.0; IMAGE];
        for place in 0..COLUMNS * ROWS {
            let map = ranges.sample(&mut generator(model.settings.seed, Purpose::Augment, 0, place as u64));
            warp(&digit, &map, &mut out);
            shades.extend(out.iter().map(|ink| (ink * 255.0).round() as u8));
        }
        dom::draw_shades("preview", &shades, SIDE, COLUMNS);
        self.shown = wanted;
    }
}
