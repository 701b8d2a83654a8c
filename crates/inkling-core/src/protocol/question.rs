//! Questions about the network and the images, and their answers.

use serde::{Deserialize, Serialize};

use crate::data::handwriting::Handwriting;

/// A question to the session. Each is answered by the [`Answer`] of the same name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Question {
    /// What is this?
    Predict {
        /// Pixels of one image, `[C, H, W]`, 0 (paper) to 255 (ink).
        #[serde(with = "serde_bytes")]
        pixels: Vec<u8>,
        /// Use the weights after this epoch; `None` uses the current ones.
        epoch: Option<u32>,
    },
    /// Which images of the data set match?
    Browse(Query),
    /// What happens inside the network for this image?
    Explain {
        /// Pixels of one image, `[C, H, W]`.
        #[serde(with = "serde_bytes")]
        pixels: Vec<u8>,
    },
    /// What are these, and which training images are nearest to the first?
    Diagnose {
        /// Pixels `[N, C, H, W]`, at least one image.
        #[serde(with = "serde_bytes")]
        pixels: Vec<u8>,
    },
    /// How does the network read the visitor's handwriting?
    ReadHandwriting(Handwriting),
    /// How long does a training pass spend in each layer?
    TimeLayers,
    /// Which images does the next step train on?
    Batch,
    /// The network for a link, and how well it does once its weights are rounded.
    Share,
}

/// The answer to the [`Question`] of the same name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// What the network makes of an image.
    Predict {
        /// Probability of each class, or `None` while there is no network.
        probabilities: Option<Vec<f32>>,
        /// Training steps that the network has seen.
        steps: u32,
    },
    /// Images of the data set.
    Browse {
        /// How many match in all.
        total: u32,
        /// The requested page of them.
        specimens: Vec<Specimen>,
    },
    /// What happens inside the network.
    Explain(Box<Explanation>),
    /// What the network makes of several images.
    Diagnose {
        /// Probability of each class for each image.
        probabilities: Vec<Vec<f32>>,
        /// The training images nearest to the first image, by the distance of their pixels.
        nearest: Vec<Specimen>,
    },
    /// The predicted class of each digit, and its probability.
    ReadHandwriting(Vec<(u8, f32)>),
    /// Seconds for each layer, the last dense one included; 0 for a layer that is one operation with the one before it.
    TimeLayers(Vec<f64>),
    /// The first images of the next step.
    Batch(BatchView),
    /// The network as text for a link, or why it can't be shared.
    Share(Result<SharedNetwork, String>),
}

/// A network as a text for a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SharedNetwork {
    /// The text ([`crate::share`]).
    pub text: String,
    /// Bits of a weight.
    pub bits: u32,
    /// Share of the test images that the rounded network classifies correctly,
    pub accuracy: f64,
    /// and that the network itself does.
    pub before: f64,
}

/// The first images of a training step's batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchView {
    /// The images as they are in the data set.
    pub specimens: Vec<Specimen>,
    /// The same images as the network gets them, `[N, C, H, W]`: augmented, if augmentation is on.
    #[serde(with = "serde_bytes")]
    pub augmented: Vec<u8>,
    /// Number of images of each class in the training set.
    pub counts: Vec<u32>,
}

/// A training step that was followed. Losses are means over its batch, without dropout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// Number of the step, from 1.
    pub step: u32,
    /// Number of images in the batch.
    pub images: u32,
    /// Loss before the step.
    pub before: f64,
    /// Loss after the step.
    pub after: f64,
    /// What the step did to each layer, the last dense one included; `None` for a layer without weights.
    pub layers: Vec<Option<LayerStep>>,
}

/// What a step did to the weights of a layer: root mean squares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerStep {
    /// Of the gradient.
    pub gradient: f32,
    /// Of the change of the weights.
    pub change: f32,
    /// Of the weights before the step.
    pub weights: f32,
}

/// A part of the data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Images to train on.
    Train,
    /// Images held out to watch the training.
    #[default]
    Validation,
    /// Images that score the network.
    Test,
}

impl Part {
    /// All parts, in the order of a menu.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name in a menu.
    pub fn key(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// Which images to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Images of this part.
    pub part: Part,
    /// Only images of this class.
    pub label: Option<u8>,
    /// Only images that the last evaluation predicted as this class.
    pub predicted: Option<u8>,
    /// Only images that the last evaluation got wrong.
    pub mistakes: bool,
    /// Skip this many.
    pub from: u32,
    /// Return at most this many.
    pub count: u32,
}

/// An image of the data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Specimen {
    /// Its position in its file.
    pub number: u32,
    /// Its class.
    pub label: u8,
    /// The class that the last evaluation predicted, and its probability.
    pub answer: Option<(u8, f32)>,
    /// Pixels `[C, H, W]`.
    #[serde(with = "serde_bytes")]
    pub pixels: Vec<u8>,
}

/// What happens inside the network for one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Training steps that these weights have seen.
    pub steps: u32,
    /// The network's output, one for each class.
    pub logits: Vec<f32>,
    /// Softmax of the logits.
    pub probabilities: Vec<f32>,
    /// What each layer makes of the image, but for the last one: maps, or a value for each unit.
    pub layers: Vec<Maps>,
    /// How much each pixel changes the logit of the most probable class: the magnitude of the gradient (Simonyan et al.
    /// 2013), `[H, W]`; of the colour that changes it most.
    pub saliency: Maps,
}

/// Non-negative maps as shades of gray.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Maps {
    /// Rows and columns of a map.
    pub side: u32,
    /// The value that 255 stands for: the largest of all maps.
    pub largest: f32,
    /// The maps one after another, row by row, 0 to 255.
    #[serde(with = "serde_bytes")]
    pub shades: Vec<u8>,
}

/// Accuracy on test images that were all moved in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustnessPoint {
    /// How they were moved.
    pub motion: Motion,
    /// By how much: degrees, a share of the width, or the zoom factor minus one.
    pub amount: f64,
    /// Share of images that was predicted correctly.
    pub accuracy: f64,
}

/// A way to move an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Motion {
    /// Rotated, in degrees.
    Rotation,
    /// Shifted to the right, as a share of the width.
    Shift,
    /// Enlarged, as a factor minus one.
    Zoom,
}

/// How much a network knows: for each set, the number of images that it predicts correctly, and the number of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knowledge {
    /// The visitor's digits that teach it.
    pub own: (u32, u32),
    /// The visitor's digits that were set aside.
    pub aside: (u32, u32),
    /// The test set.
    pub test: (u32, u32),
}
