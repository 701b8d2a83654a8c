//! What a data set looks like.

use serde::{Deserialize, Serialize};

use super::Specimen;

/// What is known of the data set of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// One entry per class; empty before the survey.
    pub classes: Vec<ClassSurvey>,
    /// Images looked at and images in all, while it is looking.
    pub looking: Option<(u32, u32)>,
    /// What it has found.
    pub twins: Option<Twins>,
}

/// One class of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassSurvey {
    /// Images of the training file.
    pub train: u32,
    /// Images of the test file.
    pub test: u32,
    /// The mean of the images of the training file, `[C, H, W]`.
    #[serde(with = "serde_bytes")]
    pub mean: Vec<u8>,
}

/// Images that nearly equal each other, and images that may have a wrong label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Twins {
    /// The test images that are nearest to a training image, the nearest first.
    pub pairs: Vec<Twin>,
    /// Number of test images that equal a training image.
    pub identical: u32,
    /// How many training images the network takes for another class; `None` if there is no network yet.
    pub mistakes: Option<u32>,
}

/// A test image and the training image that is nearest to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Twin {
    /// From the training file.
    pub train: Specimen,
    /// From the test file.
    pub test: Specimen,
    /// Distance of their pixels, as a share of the test image's distance from even gray.
    pub difference: f64,
}
