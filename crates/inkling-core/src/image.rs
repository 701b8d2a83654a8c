//! The shape of an image and the number of classes.

/// Rows and columns of an image.
pub const SIDE: usize = 28;
/// Pixels of an image.
pub const IMAGE: usize = SIDE * SIDE;
/// Number of classes: the ten digits.
pub const CLASSES: usize = 10;
