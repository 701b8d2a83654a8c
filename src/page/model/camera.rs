//! The camera: what the visitor has collected with it, and what the network makes of what it sees.

use inkling_core::data::NamedFile;

use super::{asked::Asked, pad::Prediction};

/// The most pictures that are collected. Of 64 by 64 pixels, they take about 30 MB.
pub const MAX_PICTURES: usize = 3_000;

/// The camera and its pictures.
#[derive(Clone, Debug, Default)]
pub struct Camera {
    /// Whether it is on.
    pub state: CameraState,
    /// How often it was turned on.
    pub turn: u32,
    /// The class for which it takes pictures, while the visitor holds the button.
    pub collecting: Option<String>,
    /// The pictures of each class.
    pub classes: Vec<Collected>,
    /// The classes before one was removed.
    pub removed: Option<Vec<Collected>>,
    /// What went wrong last.
    pub problem: String,
    /// What the network makes of what it sees.
    pub prediction: Asked<Prediction>,
}

/// Whether the camera is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CameraState {
    /// It is off.
    #[default]
    Off,
    /// The browser asks the visitor.
    Starting,
    /// It is on.
    On,
}

/// The pictures of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Collected {
    /// Name of the class.
    pub name: String,
    /// PNG files.
    pub pictures: Vec<Vec<u8>>,
}

impl Camera {
    /// Number of pictures.
    pub fn pictures(&self) -> usize {
        self.classes.iter().map(|class| class.pictures.len()).sum()
    }

    /// Keeps a picture for the class that is being collected.
    pub fn keep(&mut self, picture: Vec<u8>) {
        let Some(name) = self.collecting.clone() else { return };
        self.removed = None;
        match self.classes.iter_mut().find(|class| class.name == name) {
            Some(class) => class.pictures.push(picture),
            None => self.classes.push(Collected { name, pictures: vec![picture] }),
        }
    }

    /// The pictures as files in a folder for each class.
    pub fn files(&self) -> Vec<NamedFile> {
        let pictures =
            self.classes.iter().flat_map(|class| class.pictures.iter().map(|picture| (&class.name, picture)));
        let file = |(number, (name, picture)): (usize, (&String, &Vec<u8>))| NamedFile {
            name: format!("camera/{name}/{number}.png"),
            bytes: picture.clone(),
        };
        pictures.enumerate().map(file).collect()
    }
}
