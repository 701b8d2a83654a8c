//! What augmentation makes of a digit, with the ranges of this moment: of the sketch, or of a synthetic digit.

use std::cell::RefCell;

use crate::{
    augment::{Augmentation, warp},
    data::{IMAGE, SIDE, synthetic},
    random::{Purpose, generator},
    web::{dom, page::Page},
};

/// What a picture was made of: the sketch, the ranges and the seed.
type Made = (Option<Vec<u8>>, Augmentation, u32);

thread_local! {
    /// What is on the canvas.
    static DRAWN: RefCell<Option<Made>> = const { RefCell::new(None) };
}

const COLUMNS: usize = 8;
const ROWS: usize = 2;

/// Draws the digit many times.
pub fn draw(page: &Page) {
    let Some(ranges) = page.settings.active_augmentation().filter(|_| dom::is_open("fold")) else { return };
    let key = Some((page.sketch.image().map(<[u8]>::to_vec), *ranges, page.settings.seed));
    if DRAWN.replace(key.clone()) == key {
        return;
    }
    let digit = page.sketch.image().map_or_else(|| synthetic::generate(24, 7).train.image(5).to_vec(), <[u8]>::to_vec);
    let mut shades = Vec::with_capacity(COLUMNS * ROWS * IMAGE);
    let mut out = [0.0; IMAGE];
    for place in 0..COLUMNS * ROWS {
        let map = ranges.sample(&mut generator(page.settings.seed, Purpose::Augment, 0, place as u64));
        warp(&digit, &map, &mut out);
        shades.extend(out.iter().map(|ink| (ink * 255.0).round() as u8));
    }
    dom::draw_shades("preview", &shades, SIDE, COLUMNS);
}
