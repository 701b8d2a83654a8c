//! What the picture of the network shows: the current image, which goes through the network, and the next batch.

use inkling_core::{
    data::synthetic,
    protocol::{BatchView, Specimen, StepView},
    settings::DatasetName,
};

use super::{Model, asked::Asked};

/// What the picture of the network shows.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Where the current image comes from.
    pub input: Input,
    /// Goes through the network as long as there is no other image.
    stand_in: Option<StandIn>,
    /// The images of the next step.
    pub batch: Asked<BatchView>,
    /// The last step that the visitor followed.
    pub followed: Option<StepView>,
    /// Reports of training steps since the network was last asked.
    pub reports: u32,
    /// Whether the tab is hidden: then nothing is asked for the picture.
    pub hidden: bool,
    /// Whether the visitor wants little motion: then the picture changes after an epoch only.
    pub still: bool,
}

/// Where the current image comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Input {
    /// The sketch pad.
    #[default]
    Pad,
    /// The data set: this image, or any.
    Data(Option<Box<Specimen>>),
}

/// An image that stands in for one that the visitor has not chosen yet.
#[derive(Clone, Debug, PartialEq)]
struct StandIn {
    specimen: Specimen,
    of: Origin,
}

/// What a stand-in is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The images of the current run.
    Run,
    /// Drawn by the page, because the images of this data set are not here yet.
    Drawn(DatasetName),
}

/// The image that goes through the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Current<'a> {
    /// The visitor's sketch, `[C, H, W]`.
    Sketch(&'a [u8]),
    /// An image of the data set.
    Image(&'a Specimen),
    /// An image like those of the data set, which is not here yet.
    Example(&'a Specimen),
}

impl<'a> Current<'a> {
    /// Its pixels, `[C, H, W]`.
    pub fn pixels(self) -> &'a [u8] {
        match self {
            Self::Sketch(pixels) => pixels,
            Self::Image(specimen) | Self::Example(specimen) => &specimen.pixels,
        }
    }

    /// The image of the data set, with its class.
    pub fn specimen(self) -> Option<&'a Specimen> {
        match self {
            Self::Sketch(_) => None,
            Self::Image(specimen) | Self::Example(specimen) => Some(specimen),
        }
    }
}

impl Model {
    /// The image that goes through the network, if there is one of the right size.
    pub fn current(&self) -> Option<Current<'_>> {
        let chosen = match (&self.picture.input, self.pad.image()) {
            (Input::Pad, Some(pixels)) => Some(Current::Sketch(pixels)),
            (Input::Data(Some(specimen)), _) => Some(Current::Image(specimen)),
            _ => None,
        };
        let fits = |current: &Current| current.pixels().len() == self.run.data.image().values();
        let stand_in = || {
            self.picture.stand_in.as_ref().map(|StandIn { specimen, of }| match of {
                Origin::Run => Current::Image(specimen),
                Origin::Drawn(_) => Current::Example(specimen),
            })
        };
        chosen.filter(fits).or_else(stand_in).filter(fits)
    }

    /// What the network makes of the current image: the probability of each class.
    pub fn current_answer(&self) -> Option<&[f32]> {
        match self.current()? {
            Current::Sketch(_) => self.pad.prediction.answer().map(|found| &found.probabilities[..]),
            // That of the last image is no answer about this one.
            current if current.pixels() != self.inside.explained => None,
            _ => self.inside.explanation.answer().map(|found| &found.probabilities[..]),
        }
    }

    /// Another run begins: an image of the last one's data set says nothing about it.
    pub fn forget_current(&mut self) {
        self.picture.stand_in = None;
        self.picture.followed = None;
        if let Input::Data(specimen) = &mut self.picture.input {
            *specimen = None;
        }
        self.find_stand_in();
    }

    /// Finds an image to show until the visitor chooses one: of the run's batches, or one that is drawn.
    pub fn find_stand_in(&mut self) {
        let name = self.run.settings.dataset;
        let batch = self.picture.batch.answer().and_then(|batch| batch.specimens.first());
        let found = match (batch, &self.picture.stand_in) {
            (Some(_), Some(StandIn { of: Origin::Run, .. })) => return,
            (Some(specimen), _) => Some(StandIn { specimen: specimen.clone(), of: Origin::Run }),
            (None, Some(StandIn { of: Origin::Drawn(of), .. })) if *of == name => return,
            // Those of the last run stay until another data set is chosen.
            (None, Some(StandIn { of: Origin::Run, .. })) if self.run.dataset.is_some() => return,
            (None, _) => drawn(name).map(|specimen| StandIn { specimen, of: Origin::Drawn(name) }),
        };
        self.picture.stand_in = found;
    }
}

/// An image like those of a data set, if the page can draw one.
pub fn drawn(name: DatasetName) -> Option<Specimen> {
    const LEN: usize = 24;
    const SEED: u32 = 7;
    const NUMBER: usize = 5;
    let set = match name {
        DatasetName::Mnist | DatasetName::Synthetic => synthetic::digits(LEN, SEED),
        DatasetName::Letters => synthetic::letters(LEN, SEED),
        DatasetName::Shapes => synthetic::shapes(LEN, SEED),
        DatasetName::Own => return None,
    };
    let pixels = set.train.image(NUMBER).to_vec();
    Some(Specimen { number: NUMBER as u32, label: set.train.labels[NUMBER], answer: None, pixels })
}
