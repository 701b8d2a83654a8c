//! The visitor's own data set: IDX files like MNIST's, NumPy's arrays, tables as Kaggle has them, and folders of pictures, in any
//! order, gzipped or not.

mod build;
mod read;
#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::{archive::ArchiveError, csv::CsvError, idx::IdxError, npy::NpyError};
pub use build::{assemble, pictures};
use inkling_core::{
    data::{DataShapeError, NamedFile, Role, Shape},
    image::MIN_IMAGES,
};
pub use read::open;

/// The most bytes of unpacked files: more than the 60,000 images of CIFAR-10 in NumPy's format.
const MAX_BYTES: usize = 192 << 20;
/// The most images of a set.
const MAX_IMAGES: usize = 1 << 20;
/// The most pixels of a picture before it is made smaller: a camera's. A few bytes can claim more than a tab has room for.
const MAX_PIXELS: usize = 50_000_000;

/// Why files do not form a data set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OwnError {
    /// A file is damaged, or of a kind that is not read.
    #[error("{file}: {source}")]
    File {
        /// Name of the file.
        file: String,
        /// What is wrong with it.
        source: FileError,
    },
    /// There are no images.
    #[error(
        "there are no images; choose images and labels as IDX, NPZ or CSV files, or a folder of pictures for each class"
    )]
    NoImages,
    /// Pictures are in no folders.
    #[error("the pictures are in no folders; put those of each class into a folder with the name of the class")]
    NoFolders,
    /// No picture could be decoded.
    #[error("none of the {0} pictures could be decoded; one may have up to {million} million pixels", million = MAX_PIXELS / 1_000_000)]
    Undecodable(usize),
    /// There are too many sets of images.
    #[error("there are {0} sets of images; choose one, or two: to train and to test with")]
    TooManySets(usize),
    /// A file of images has no matching labels.
    #[error("no labels match {name}: it has {images} images")]
    Unpaired {
        /// Name of the images.
        name: String,
        /// Their number.
        images: usize,
    },
    /// The training and the test images differ.
    #[error("the images to train with are {0}, those to test with {1}")]
    TwoShapes(Shape, Shape),
    /// Images can't be trained on.
    #[error("{0}")]
    Shape(#[from] DataShapeError),
    /// There are too few images.
    #[error("there are only {0} images to train with; at least {MIN_IMAGES} are needed")]
    TooFew(usize),
    /// A class has no images to train with.
    #[error("the class {0:?} has no images to train with")]
    EmptyClass(String),
    /// There is more than fits into a tab.
    #[error("the files unpack to more than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FileError {
    /// As IDX, or as a gzip stream.
    #[error(transparent)]
    Idx(#[from] IdxError),
    /// As NumPy's.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// As a table.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// As an archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Its images have no shape that an image may have.
    #[error("{0:?} is no shape of images: N x rows x columns, N x rows x columns x 3 or N x 3 x rows x columns is")]
    Dims(Vec<usize>),
    /// Its pixels are no shades.
    #[error("its pixels go from {0} to {1}; they must go from 0 to 255, from 0 to 1 or from -1 to 1")]
    Range(String, String),
    /// There are more labels or images than a tab has room for.
    #[error("it has {0} entries; a tab has room for {MAX_IMAGES}")]
    TooMany(usize),
    /// As square images, they take too much.
    #[error("its images take more than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// It is of another kind.
    #[error("this is not a file of images or labels; IDX, NPZ, NPY, CSV, ZIP, PNG, JPEG and WebP are read")]
    Unknown,
}

/// What the files contain.
#[derive(Debug, PartialEq)]
pub enum Opened {
    /// Numbers.
    Arrays(Vec<Array>),
    /// Pictures that the browser decodes.
    Pictures(Vec<Picture>),
}

/// A picture in a folder with the name of its class.
#[derive(Debug, PartialEq)]
pub struct Picture {
    /// Its class.
    class: String,
    role: Role,
    /// The file.
    pub file: NamedFile,
}

impl Picture {
    /// Whether its header says that it can be decoded in a tab.
    pub fn is_decodable(&self) -> bool {
        imagesize::blob_size(&self.file.bytes)
            .ok()
            .and_then(|size| size.width.checked_mul(size.height))
            .is_some_and(|pixels| (1..=MAX_PIXELS).contains(&pixels))
    }

    /// The same without its file, which takes more memory than its pixels.
    pub fn without_file(self) -> Self {
        Picture { file: NamedFile { bytes: Vec::new(), ..self.file }, ..self }
    }
}

/// Checks that `images` images of this shape fit into a tab.
///
/// # Errors
/// [`OwnError::TooLarge`].
pub fn check_room(images: usize, shape: Shape) -> Result<(), OwnError> {
    images.checked_mul(shape.values()).filter(|&size| size <= MAX_BYTES).map(|_| ()).ok_or(OwnError::TooLarge)
}

/// Numbers from a file.
#[derive(Debug, PartialEq)]
pub struct Array {
    /// Name of the file, and of the array in it.
    name: String,
    content: Content,
}

#[derive(Debug, PartialEq)]
enum Content {
    Images {
        shape: Shape,
        /// `[N, C, H, W]`
        pixels: Vec<u8>,
    },
    Labels(Vec<String>),
    /// Images whose classes nobody knows, as Kaggle's test set.
    Unlabelled,
}
