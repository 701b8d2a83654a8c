//! The shapes of images and of data sets.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Rows and columns of MNIST's images.
pub const SIDE: usize = 28;
/// Pixels of MNIST's images.
pub const IMAGE: usize = SIDE * SIDE;
/// Number of MNIST's classes: the ten digits.
pub const CLASSES: usize = 10;

/// Rows and columns that an image may have.
pub const SIDES: std::ops::RangeInclusive<usize> = 8..=64;
/// Numbers of classes that a data set may have.
pub const CLASS_COUNTS: std::ops::RangeInclusive<usize> = 2..=100;

/// The fewest images to train with.
pub const MIN_IMAGES: usize = 120;

/// Shape of a square image, or of one image's values inside the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Number of maps: 1 for a gray image, 3 for a coloured one; number of values, after a dense layer.
    pub channels: usize,
    /// Rows and columns of a map; 1 after a dense layer.
    pub side: usize,
}

impl Shape {
    /// A gray image of 28 by 28 pixels, as in MNIST.
    pub const MNIST: Self = Shape { channels: 1, side: SIDE };

    /// Number of values.
    pub const fn values(self) -> usize {
        self.channels * self.side * self.side
    }

    /// Number of pixels, whatever their colour.
    pub const fn pixels(self) -> usize {
        self.side * self.side
    }

    /// An image of this shape from pixels as red, green, blue and opacity. Gray is the luma of Rec. 601, as JPEG has it.
    pub fn of_rgba(self, pixels: &[u8]) -> Vec<u8> {
        let (colours, _) = pixels.as_chunks::<4>();
        if self.channels == 1 {
            let gray = |&[r, g, b, _]: &[u8; 4]| 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b);
            return colours.iter().map(|colour| gray(colour).round() as u8).collect();
        }
        (0..3).flat_map(|channel| colours.iter().map(move |colour| colour[channel])).collect()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.side {
            1 => write!(f, "{}", self.channels),
            side => write!(f, "{} x {side} x {side}", self.channels),
        }
    }
}

/// What a network is trained on: the shape of the images, and the number of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct DataShape {
    image: Shape,
    classes: usize,
}

#[derive(Serialize, Deserialize)]
struct Unchecked {
    channels: usize,
    side: usize,
    classes: usize,
}

/// Why images can't be trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DataShapeError {
    /// They are too small or too large.
    #[error("the images are {0} by {0} pixels; from {low} by {low} to {high} by {high} can be trained", low = SIDES.start(), high = SIDES.end())]
    Side(usize),
    /// They are neither gray nor coloured.
    #[error("the images have {0} channels; they must have 1 (gray) or 3 (red, green and blue)")]
    Channels(usize),
    /// There are too few or too many classes.
    #[error("there are {0} classes; from {low} to {high} can be told apart", low = CLASS_COUNTS.start(), high = CLASS_COUNTS.end())]
    Classes(usize),
}

impl DataShape {
    /// Ten digits of 28 by 28 gray pixels, as in MNIST.
    pub const DIGITS: Self = DataShape { image: Shape::MNIST, classes: CLASSES };
    /// Letters as MNIST would have them.
    pub const LETTERS: Self = DataShape { image: Shape::MNIST, classes: 26 };
    /// Coloured shapes.
    pub const SHAPES: Self = DataShape { image: Shape { channels: 3, side: 32 }, classes: 9 };

    /// Images of this shape, in this many classes.
    ///
    /// # Errors
    /// [`DataShapeError`] if a network can't be trained on them.
    pub fn new(image: Shape, classes: usize) -> Result<Self, DataShapeError> {
        if !matches!(image.channels, 1 | 3) {
            Err(DataShapeError::Channels(image.channels))
        } else if !SIDES.contains(&image.side) {
            Err(DataShapeError::Side(image.side))
        } else if !CLASS_COUNTS.contains(&classes) {
            Err(DataShapeError::Classes(classes))
        } else {
            Ok(DataShape { image, classes })
        }
    }

    /// Shape of an image.
    pub const fn image(self) -> Shape {
        self.image
    }

    /// Number of classes.
    pub const fn classes(self) -> usize {
        self.classes
    }
}

impl Default for DataShape {
    fn default() -> Self {
        Self::DIGITS
    }
}

impl TryFrom<Unchecked> for DataShape {
    type Error = DataShapeError;

    fn try_from(Unchecked { channels, side, classes }: Unchecked) -> Result<Self, DataShapeError> {
        DataShape::new(Shape { channels, side }, classes)
    }
}

impl From<DataShape> for Unchecked {
    fn from(DataShape { image: Shape { channels, side }, classes }: DataShape) -> Self {
        Unchecked { channels, side, classes }
    }
}
