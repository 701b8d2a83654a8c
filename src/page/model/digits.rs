//! The visitor's own digits.

use inkling_core::data::handwriting::Handwriting;

use super::asked::Asked;

/// Teaching fewer digits than this does more harm than good.
pub const MIN_TO_TEACH: usize = 5;

/// The visitor's own digits.
#[derive(Clone, Debug, Default)]
pub struct Digits {
    /// The digits.
    pub kept: Handwriting,
    /// The digits before some were removed.
    pub removed: Option<Handwriting>,
    /// The predicted class of each digit.
    pub read: Asked<Vec<u8>>,
}

impl Digits {
    /// Number of digits that the network reads correctly, once it has read them all.
    pub fn right(&self) -> Option<usize> {
        let read = self.read.answer().filter(|read| read.len() == self.kept.len())?;
        Some(read.iter().zip(&self.kept.labels).filter(|(read, label)| read == label).count())
    }

    /// What digit `place` is mistaken for, if it is.
    pub fn mistake(&self, place: usize) -> Option<u8> {
        let read = *self.read.answer()?.get(place)?;
        (self.kept.labels.get(place) != Some(&read)).then_some(read)
    }
}
