//! The visitor's own data set: IDX files like MNIST's, NumPy's arrays, tables as Kaggle has them, and folders of pictures, in any
//! order, gzipped or not.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::{
    archive::{self, ArchiveError},
    csv::{self, CsvError},
    idx::{self, IdxError},
    npy::{self, NpyError},
};
use inkling_core::{
    data::{DataShape, DataShapeError, Dataset, Labelled, NamedFile, Shape},
    image::SIDES,
};

/// One in this many images of a class is held out for the test set, if the files have none.
const TEST_SHARE: usize = 7;
/// The fewest images to train with.
const MIN_IMAGES: usize = 120;
/// The most bytes of unpacked files: more than the 60,000 images of CIFAR-10 in NumPy's format.
const MAX_BYTES: usize = 192 << 20;
/// The most images of a set.
const MAX_IMAGES: usize = 1 << 20;
/// The largest class is said to be much larger than the smallest from this factor on.
const UNBALANCED: usize = 3;

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
    #[error("none of the {0} pictures could be decoded")]
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
}

/// What a set of images is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Train,
    Validation,
    Test,
}

impl Role {
    /// What the words of a name say.
    fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let mut words = name.split(|letter: char| !letter.is_alphanumeric());
        if words.clone().any(|word| word.starts_with("test") || word == "t10k") {
            Role::Test
        } else if words.any(|word| matches!(word, "val" | "valid" | "validation" | "dev")) {
            Role::Validation
        } else {
            Role::Train
        }
    }
}

/// Unpacks `files` and finds out what they are. Pictures count only if there are no numbers.
///
/// # Errors
/// An [`OwnError`] that says what to do.
pub fn open(files: Vec<NamedFile>) -> Result<Opened, OwnError> {
    let mut plain = Vec::new();
    let mut room = MAX_BYTES;
    for file in files {
        let from = plain.len();
        unpack(file, room, &mut plain)?;
        let size: usize = plain[from..].iter().map(|file| file.bytes.len()).sum();
        room = room.checked_sub(size).ok_or(OwnError::TooLarge)?;
    }
    plain.retain(|file| !is_hidden(&file.name));
    let (mut arrays, mut pictures, mut unknown) = (Vec::new(), Vec::new(), None);
    for file in plain {
        if is_picture(&file) {
            pictures.push(file);
            continue;
        }
        match read(&file, &mut arrays) {
            Ok(()) => {}
            // A text beside the data, such as a licence.
            Err(FileError::Unknown) => _ = unknown.get_or_insert(file.name),
            Err(source) => return Err(OwnError::File { file: file.name, source }),
        }
    }
    match (arrays.is_empty(), pictures.is_empty(), unknown) {
        (false, ..) => Ok(Opened::Arrays(arrays)),
        (true, false, _) => match pictures.into_iter().filter_map(picture).collect::<Vec<_>>() {
            none if none.is_empty() => Err(OwnError::NoFolders),
            pictures => Ok(Opened::Pictures(pictures)),
        },
        (true, true, Some(file)) => Err(OwnError::File { file, source: FileError::Unknown }),
        (true, true, None) => Err(OwnError::NoImages),
    }
}

/// What systems and programs add for themselves.
fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX" || part == "Thumbs.db")
}

/// The file itself, or the files in an archive, up to `room` bytes.
fn unpack(file: NamedFile, room: usize, out: &mut Vec<NamedFile>) -> Result<(), OwnError> {
    let decompressed = |file: NamedFile, room: usize| {
        let wrong = |source: IdxError| OwnError::File { file: file.name.clone(), source: source.into() };
        let bytes = idx::decompress(&file.bytes, room as u64).map_err(wrong)?.into_owned();
        Ok::<_, OwnError>(NamedFile { name: file.name.clone(), bytes })
    };
    if !file.bytes.starts_with(archive::MAGIC) {
        out.push(decompressed(file, room)?);
        return Ok(());
    }
    let prefix = file.name.trim_end_matches(".npz").trim_end_matches(".zip");
    let wrong = |source: ArchiveError| OwnError::File { file: file.name.clone(), source: source.into() };
    let mut room = room;
    for inner in archive::open(&file.bytes, room).map_err(wrong)? {
        let name = format!("{prefix}/{}", inner.name.replace('\\', "/"));
        let inner = decompressed(NamedFile { name, ..inner }, room)?;
        room = room.checked_sub(inner.bytes.len()).ok_or(OwnError::TooLarge)?;
        out.push(inner);
    }
    Ok(())
}

fn is_picture(file: &NamedFile) -> bool {
    let starts = |magic: &[u8]| file.bytes.starts_with(magic);
    starts(b"\x89PNG") || starts(b"\xff\xd8\xff") || (starts(b"RIFF") && file.bytes.get(8..12) == Some(b"WEBP"))
}

/// A picture's class is the folder that it is in; a folder around that one may say what it is for. `None` if it is in no folder,
/// or only in one that says what it is for.
fn picture(file: NamedFile) -> Option<Picture> {
    let folders: Vec<&str> = file.name.split('/').collect();
    let (_, folders) = folders.split_last()?;
    let (class, around) = folders.split_last()?;
    let purpose = |folder: &str| Role::of(folder) != Role::Train || folder.eq_ignore_ascii_case("train");
    if class.trim().is_empty() || purpose(class) {
        return None;
    }
    // The first is the archive, or the folder that was picked: its name says nothing about a part of it.
    let role = around.iter().skip(1).map(|folder| Role::of(folder)).max().unwrap_or(Role::Train);
    Some(Picture { class: class.chars().take(100).collect(), role, file })
}

/// Reads a file of numbers.
fn read(file: &NamedFile, out: &mut Vec<Array>) -> Result<(), FileError> {
    let NamedFile { name, bytes } = file;
    let lower = name.to_lowercase();
    let few = |count: usize| if count <= MAX_IMAGES { Ok(()) } else { Err(FileError::TooMany(count)) };
    let mut add = |content| out.push(Array { name: name.clone(), content });
    if bytes.starts_with(npy::MAGIC) {
        let array = npy::open(bytes)?;
        few(array.dims.first().copied().unwrap_or(1))?;
        if array.dims.iter().skip(1).all(|&size| size == 1) {
            add(Content::Labels(array.texts().collect()));
        } else {
            let values = match array.bytes() {
                // Truth values, and black and white.
                Some(bytes) if bytes.iter().all(|&byte| byte <= 1) => bytes.iter().map(|byte| 255 * byte).collect(),
                Some(bytes) => bytes.to_vec(),
                None => shades(array.numbers())?,
            };
            add(images(&array.dims, values)?);
        }
    } else if bytes.starts_with(&[0, 0]) {
        let idx::Idx { dims, values } = idx::open(bytes)?;
        few(dims.first().copied().unwrap_or(1))?;
        if dims.len() == 1 {
            add(Content::Labels(values.iter().map(u8::to_string).collect()));
        } else {
            add(upright(&lower, images(&dims, values.to_vec())?));
        }
    } else if lower.trim_end_matches(".gz").ends_with(".csv") {
        let csv::Table { labels, width, pixels } = csv::open(bytes, |pixels| square(pixels).is_some())?;
        few(labels.len())?;
        add(upright(&lower, images(&[labels.len(), width], pixels)?));
        add(Content::Labels(labels));
    } else {
        return Err(FileError::Unknown);
    }
    Ok(())
}

/// EMNIST's images have their rows as columns; the others stay.
fn upright(name: &str, content: Content) -> Content {
    match content {
        Content::Images { shape, pixels } if name.contains("emnist") => {
            Content::Images { shape, pixels: transposed(&pixels, shape.side) }
        }
        other => other,
    }
}

/// The channels and the side of a square image that has this many values.
fn square(values: usize) -> Option<(usize, usize)> {
    let root = |pixels: usize| SIDES.into_iter().find(|side| side * side == pixels);
    root(values)
        .map(|side| (1, side))
        .or_else(|| values.is_multiple_of(3).then(|| root(values / 3)).flatten().map(|side| (3, side)))
}

/// Numbers as shades from 0 to 255.
fn shades(numbers: impl Iterator<Item = f64> + Clone) -> Result<Vec<u8>, FileError> {
    let ends = |(low, high): (f64, f64), number: f64| (low.min(number), high.max(number));
    let (low, high) = numbers.clone().fold((f64::INFINITY, f64::NEG_INFINITY), ends);
    let finite = numbers.clone().all(f64::is_finite);
    let (from, scale) = match () {
        () if low >= 0.0 && high <= 1.0 => (0.0, 255.0),
        () if low >= -1.0 && high <= 1.0 => (-1.0, 127.5),
        () if low >= 0.0 && high <= 255.0 => (0.0, 1.0),
        () => return Err(FileError::Range(low.to_string(), high.to_string())),
    };
    if !finite {
        return Err(FileError::Range("no number".into(), high.to_string()));
    }
    Ok(numbers.map(|number| ((number - from) * scale).round() as u8).collect())
}

/// Values as images. What is not square is put in the middle of a square.
fn images(dims: &[usize], values: Vec<u8>) -> Result<Content, FileError> {
    let unknown = || FileError::Dims(dims.to_vec());
    let few = |channels: &usize| matches!(channels, 1 | 3);
    let (channels, rows, columns, planar) = match *dims {
        [_, values] => square(values).map(|(channels, side)| (channels, side, side, true)).ok_or_else(unknown)?,
        [_, rows, columns] => (1, rows, columns, true),
        [_, rows, columns, channels] if few(&channels) => (channels, rows, columns, false),
        [_, channels, rows, columns] if few(&channels) => (channels, rows, columns, true),
        _ => return Err(unknown()),
    };
    let side = rows.max(columns);
    if values.is_empty() || rows.min(columns) == 0 || !SIDES.contains(&side) {
        return Err(unknown());
    }
    let shape = Shape { channels, side };
    if planar && rows == columns {
        return Ok(Content::Images { shape, pixels: values });
    }
    let (top, left) = ((side - rows) / 2, (side - columns) / 2);
    let len = channels * rows * columns;
    let size = (values.len() / len).checked_mul(shape.values()).filter(|&size| size <= MAX_BYTES);
    let mut pixels = vec![0; size.ok_or(FileError::TooLarge)?];
    for (image, out) in values.chunks_exact(len).zip(pixels.chunks_exact_mut(shape.values())) {
        for (at, &value) in image.iter().enumerate() {
            let (channel, row, column) = if planar {
                (at / (rows * columns), at / columns % rows, at % columns)
            } else {
                (at % channels, at / channels / columns, at / channels % columns)
            };
            out[channel * side * side + (top + row) * side + left + column] = value;
        }
    }
    Ok(Content::Images { shape, pixels })
}

/// Each plane with its rows as columns.
fn transposed(planes: &[u8], side: usize) -> Vec<u8> {
    let plane = |plane: &[u8]| (0..side * side).map(|at| plane[at % side * side + at / side]).collect::<Vec<u8>>();
    planes.chunks_exact(side * side).flat_map(plane).collect()
}

/// Images with the names of their classes.
struct Named {
    shape: Shape,
    pixels: Vec<u8>,
    labels: Vec<String>,
    role: Role,
}

/// A data set of arrays, and a sentence about it. Images go with as many labels, with those whose name is most like theirs. Those
/// with `test` or `t10k` in their names are the test set, or else the smaller ones. Without a test set, a seventh of each class is
/// held out.
///
/// # Errors
/// An [`OwnError`] that says what to do.
pub fn assemble(arrays: Vec<Array>) -> Result<(Dataset, String), OwnError> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for Array { name, content } in arrays {
        match content {
            Content::Images { shape, pixels } => images.push((name, shape, pixels)),
            Content::Labels(classes) => labels.push((name, classes)),
        }
    }
    if images.len() > 3 {
        return Err(OwnError::TooManySets(images.len()));
    }
    let mut sets = Vec::new();
    for (name, shape, pixels) in images {
        let count = pixels.len() / shape.values();
        let likeness = |other: &str| {
            let same = other.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
            (Role::of(other) == Role::of(&name), same)
        };
        let fitting = labels.iter().enumerate().filter(|(_, other)| other.1.len() == count);
        // Of equals, the first.
        let best = fitting.rev().max_by_key(|(_, other)| likeness(&other.0)).map(|(place, _)| place);
        let place = best.ok_or_else(|| OwnError::Unpaired { name: name.clone(), images: count })?;
        sets.push(Named { shape, pixels, labels: labels.remove(place).1, role: Role::of(&name) });
    }
    build(sets)
}

/// A data set of decoded pictures, `[C, H, W]` each, and a sentence about it.
///
/// # Errors
/// An [`OwnError`] that says what to do.
pub fn pictures(shape: Shape, decoded: Vec<(Picture, Vec<u8>)>) -> Result<(Dataset, String), OwnError> {
    let mut sets = [Role::Train, Role::Validation, Role::Test].map(|role| Named {
        shape,
        pixels: Vec::new(),
        labels: Vec::new(),
        role,
    });
    for (picture, pixels) in decoded {
        let set = &mut sets[picture.role as usize];
        set.pixels.extend(pixels);
        set.labels.push(picture.class);
    }
    build(sets.into_iter().filter(|set| !set.labels.is_empty()).collect())
}

/// Images to train with and images to test with, if there are any. With a test set, images for validation are trained on as well:
/// a run chooses its own.
fn roles(mut sets: Vec<Named>) -> Result<(Named, Option<Named>), OwnError> {
    sets.sort_by_key(|set| (set.role, std::cmp::Reverse(set.labels.len())));
    let count = sets.len();
    let mut sets = sets.into_iter();
    match (sets.next(), sets.next(), sets.next(), sets.next()) {
        (Some(train), test, None, None) => Ok((train, test)),
        (Some(mut train), Some(more), Some(test), None)
            if (more.role, test.role) == (Role::Validation, Role::Test) && more.shape == train.shape =>
        {
            train.pixels.extend(more.pixels);
            train.labels.extend(more.labels);
            Ok((train, Some(test)))
        }
        (None, ..) => Err(OwnError::NoImages),
        _ => Err(OwnError::TooManySets(count)),
    }
}

/// Gives each class its number, and holds out a test set where the files bring none.
fn build(sets: Vec<Named>) -> Result<(Dataset, String), OwnError> {
    let (train, test) = roles(sets)?;
    let (numbers, names) = classes(train.labels.iter().chain(test.iter().flat_map(|test| &test.labels)));
    let shape = DataShape::new(train.shape, numbers.len())?;
    let numbered = |Named { shape, pixels, labels, .. }: Named| {
        let labels = labels.iter().filter_map(|label| numbers.get(label).copied()).collect();
        Labelled { shape, pixels, labels }
    };
    let held_out = test.is_none();
    let train = numbered(train);
    let (train, test) = match test {
        Some(test) => (train, numbered(test)),
        None => hold_out(&train),
    };
    if test.shape != train.shape {
        return Err(OwnError::TwoShapes(train.shape, test.shape));
    }
    if train.len() < MIN_IMAGES || test.is_empty() {
        return Err(OwnError::TooFew(train.len()));
    }
    let mut counts = vec![0; shape.classes()];
    train.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    if let Some(empty) = counts.iter().position(|&count| count == 0) {
        let name = names.get(empty).cloned().unwrap_or_else(|| empty.to_string());
        return Err(OwnError::EmptyClass(name));
    }
    let note = sentence(shape, &train, &test, held_out, &counts);
    Ok((Dataset { shape, names, train, test }, note))
}

/// The number of each class, and the names of the classes; without names if they are the numbers from 0.
fn classes<'a>(labels: impl Iterator<Item = &'a String>) -> (BTreeMap<String, u8>, Vec<String>) {
    let mut found: Vec<&String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for label in labels {
        if seen.insert(label) {
            found.push(label);
        }
    }
    // Numbers in their order, before words in theirs.
    found.sort_by_key(|label| (label.parse::<u64>().unwrap_or(u64::MAX), (*label).clone()));
    let plain = found.iter().enumerate().all(|(number, label)| **label == number.to_string());
    let names = if plain { Vec::new() } else { found.iter().map(|label| (*label).clone()).collect() };
    (found.into_iter().cloned().zip((0..=u8::MAX).cycle()).collect(), names)
}

/// Splits the images into training and test images: every seventh of each class is a test image.
fn hold_out(all: &Labelled) -> (Labelled, Labelled) {
    let mut counts = [0usize; 256];
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (number, &label) in all.labels.iter().enumerate() {
        let count = &mut counts[usize::from(label)];
        // Shifted by class: many small classes also have some test images.
        let is_test = *count > 0 && (*count + usize::from(label)) % TEST_SHARE == TEST_SHARE - 1;
        let set = if is_test { &mut test } else { &mut train };
        set.push(number as u32);
        *count += 1;
    }
    (all.pick(&train).images, all.pick(&test).images)
}

fn sentence(shape: DataShape, train: &Labelled, test: &Labelled, held_out: bool, counts: &[usize]) -> String {
    let Shape { channels, side } = shape.image();
    let colour = if channels == 3 { "in colour" } else { "gray" };
    let mut words = format!(
        "{} images to train with, {} to test with: {side} by {side} pixels, {colour}, {} classes.",
        train.len(),
        test.len(),
        shape.classes()
    );
    if held_out {
        words += " A seventh of each class is set aside to test with, because there is no test set.";
    }
    let (smallest, largest) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    if largest >= UNBALANCED * smallest.max(1) {
        words += &format!(
            " The largest class has {largest} images, the smallest {smallest}: the network will favour the large ones."
        );
    }
    words + " Press Train."
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkling_core::data::synthetic;
    use proptest::prelude::*;
    use std::io::Write;

    fn file(name: &str, bytes: Vec<u8>) -> NamedFile {
        NamedFile { name: name.into(), bytes }
    }

    fn words(sizes: &[usize]) -> Vec<u8> {
        sizes.iter().flat_map(|&size| (size as u32).to_be_bytes()).collect()
    }

    fn idx_files(set: &Labelled, name: &str) -> [NamedFile; 2] {
        let (count, side) = (set.len(), set.shape.side);
        let images = [&[0, 0, 8, 3][..], &words(&[count, side, side]), &set.pixels].concat();
        let labels = [&[0, 0, 8, 1][..], &words(&[count]), &set.labels].concat();
        [file(&format!("{name}-images"), images), file(&format!("{name}-labels"), labels)]
    }

    fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        [npy::MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), values].concat()
    }

    fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut out);
        for (at, (name, bytes)) in files.iter().enumerate() {
            let method =
                if at % 2 == 0 { rawzip::CompressionMethod::DEFLATE } else { rawzip::CompressionMethod::STORE };
            let (mut entry, config) = archive.new_file(name).compression_method(method).start().unwrap();
            let descriptor = if at % 2 == 0 {
                let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast());
                let mut writer = config.wrap(encoder);
                writer.write_all(bytes).unwrap();
                let (encoder, descriptor) = writer.finish().unwrap();
                encoder.finish().unwrap();
                descriptor
            } else {
                let mut writer = config.wrap(&mut entry);
                writer.write_all(bytes).unwrap();
                writer.finish().unwrap().1
            };
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap();
        out
    }

    fn data(files: Vec<NamedFile>) -> Result<(Dataset, String), OwnError> {
        match open(files)? {
            Opened::Arrays(arrays) => assemble(arrays),
            Opened::Pictures(_) => panic!("these are no pictures"),
        }
    }

    #[test]
    fn four_files_in_any_order_are_training_and_test_sets_and_two_are_split() {
        let (large, small) = (synthetic::digits(300, 1).train, synthetic::digits(200, 2).train);
        let [a, b] = idx_files(&large, "train");
        let [c, d] = idx_files(&small, "t10k");
        let (found, note) = data(vec![d.clone(), a.clone(), c.clone(), b.clone()]).unwrap();
        assert_eq!(found, Dataset::digits(large.clone(), small.clone()));
        assert_eq!(note, "300 images to train with, 200 to test with: 28 by 28 pixels, gray, 10 classes. Press Train.");
        // By name, even if the test set is the larger one; by size, if the names say nothing.
        let [e, f] = idx_files(&large, "my-test");
        let [g, h] = idx_files(&small, "mine");
        assert_eq!(data(vec![e, f, g.clone(), h.clone()]).unwrap().0.test, large);
        let [i, j] = idx_files(&large, "other");
        assert_eq!(data(vec![g, h, i, j]).unwrap().0.train, large);
        let (split, note) = data(vec![a, b]).unwrap();
        assert_eq!(split.train.len() + split.test.len(), large.len());
        assert!(note.contains("A seventh of each class"), "{note}");
        for class in 0..10 {
            let of = |set: &Labelled| set.labels.iter().filter(|&&label| label == class).count();
            assert!(of(&split.train) + of(&split.test) == 30 && (4..=5).contains(&of(&split.test)), "class {class}");
        }
    }

    #[test]
    fn numpy_arrays_in_an_archive_are_read_with_any_type_of_number() {
        let digits = synthetic::digits(300, 1);
        let shape = format!("({}, 28, 28)", 300);
        let int64 = |labels: &[u8]| labels.iter().flat_map(|&l| i64::from(l).to_le_bytes()).collect::<Vec<_>>();
        let test = npy("|u1", "(50, 784)", &digits.test.pixels);
        let test_labels = npy("<i8", "(50,)", &int64(&digits.test.labels));
        let floats: Vec<u8> = digits.train.pixels.iter().flat_map(|&p| (f32::from(p) / 255.0).to_le_bytes()).collect();
        for (kind, pixels) in [("|u1", digits.train.pixels.clone()), ("<f4", floats)] {
            let files = [
                ("x_train.npy", npy(kind, &shape, &pixels)),
                ("y_train.npy", npy("<i8", "(300, 1)", &int64(&digits.train.labels))),
                ("x_test.npy", test.clone()),
                ("y_test.npy", test_labels.clone()),
            ];
            let (found, _) = data(vec![file("mnist.npz", zip(&files))]).unwrap();
            assert_eq!(found, digits, "{kind}");
        }
        let names: Vec<u8> = digits
            .train
            .labels
            .iter()
            .flat_map(|&label| {
                let word = format!("{:<3}", ["no", "yes"][usize::from(label % 2)]);
                word.chars()
                    .flat_map(|c| if c == ' ' { [0; 4] } else { u32::from(c).to_le_bytes() })
                    .collect::<Vec<_>>()
            })
            .collect();
        let files = [("x.npy", npy("|u1", &shape, &digits.train.pixels)), ("y.npy", npy("<U3", "(300,)", &names))];
        assert_eq!(data(vec![file("a.npz", zip(&files))]).unwrap().0.names, ["no", "yes"]);
    }

    #[test]
    fn colours_and_oblong_images_are_read_in_any_order_of_dimensions() {
        let shapes = synthetic::shapes(180, 3);
        let side = 32 * 32;
        let last: Vec<u8> = shapes
            .train
            .pixels
            .chunks(3 * side)
            .flat_map(|i| (0..side).flat_map(|p| [i[p], i[side + p], i[2 * side + p]]))
            .collect();
        for (dims, pixels) in [
            ("(180, 3, 32, 32)", &shapes.train.pixels),
            ("(180, 32, 32, 3)", &last),
            ("(180, 3072)", &shapes.train.pixels),
        ] {
            let files = vec![
                file("x.npy", npy("|u1", dims, pixels)),
                file("y.npy", npy("|u1", "(180,)", &shapes.train.labels)),
            ];
            let (found, note) = data(files).unwrap();
            assert_eq!((found.shape, found.train.image(0)), (DataShape::SHAPES, shapes.train.image(0)), "{dims}");
            assert!(note.contains("32 by 32 pixels, in colour, 9 classes"), "{note}");
        }
        // 8 rows of 10 columns: a row of paper above and below.
        let pixels = vec![9; 140 * 80];
        let labels: Vec<u8> = (0..140).map(|i| i % 2).collect();
        let files =
            vec![file("x.npy", npy("|u1", "(140, 8, 10)", &pixels)), file("y.npy", npy("|u1", "(140,)", &labels))];
        let (found, _) = data(files).unwrap();
        assert_eq!(found.shape.image(), Shape { channels: 1, side: 10 });
        assert_eq!(found.train.image(0), [vec![0; 10], vec![9; 80], vec![0; 10]].concat());
    }

    #[test]
    fn a_table_and_classes_that_are_not_numbered_from_zero_are_read() {
        let digits = synthetic::digits(160, 1).train;
        let mut table = format!("label,{}\n", vec!["p"; 784].join(","));
        for at in 0..digits.len() {
            let pixels: Vec<_> = digits.image(at).iter().map(u8::to_string).collect();
            table += &format!("{},{}\n", ["one", "two"][usize::from(digits.labels[at] / 5)], pixels.join(","));
        }
        let (found, _) = data(vec![file("train.csv", table.into_bytes())]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((found.names.clone(), found.shape.classes()), (vec!["one".to_string(), "two".into()], 2));
        assert_eq!(found.train.image(0), digits.image(0));
        let [images, mut labels] = idx_files(&synthetic::letters(260, 3).train, "emnist-letters-train");
        labels.bytes[8..].iter_mut().for_each(|label| *label += 1);
        let (found, _) = data(vec![images, labels]).unwrap();
        assert_eq!((found.names[0].as_str(), found.names[25].as_str(), found.shape.classes()), ("1", "26", 26));
        let letter = synthetic::letters(260, 3).train.image(0).to_vec();
        assert_eq!(found.train.image(0), transposed(&letter, 28), "EMNIST's images lie on their side");
    }

    #[test]
    fn pictures_have_the_class_of_their_folder() {
        let png = b"\x89PNG...".to_vec();
        let files = [("train/cat/1.png", png.clone()), ("train/.DS_Store", vec![1]), ("test\\dog\\2.png", png.clone())];
        let Opened::Pictures(found) =
            open(vec![file("latest test.zip", zip(&files)), file("licence.txt", vec![9])]).unwrap()
        else {
            panic!("no pictures")
        };
        let found: Vec<_> = found.iter().map(|picture| (picture.class.as_str(), picture.role)).collect();
        assert_eq!(found, [("cat", Role::Train), ("dog", Role::Test)]);
        let picture = |at: usize| Picture { class: format!("c{}", at % 2), role: Role::Train, file: file("x", vec![]) };
        let shape = Shape { channels: 3, side: 8 };
        let decoded = (0..150).map(|at| (picture(at), vec![at as u8; shape.values()])).collect();
        let (found, note) = pictures(shape, decoded).unwrap();
        assert_eq!((found.names, found.train.len(), found.test.len()), (vec!["c0".into(), "c1".into()], 130, 20));
        assert!(note.contains("in colour, 2 classes"));
    }

    #[test]
    fn labels_go_with_the_images_whose_name_is_most_like_theirs() {
        let (digits, more) = (synthetic::digits(300, 1), synthetic::digits(300, 2));
        let array = |values: &[u8]| npy("|u1", "(300,)", values);
        let images = |set: &Labelled| npy("|u1", "(300, 28, 28)", &set.pixels);
        let files = vec![
            file("ids.npy", array(&vec![3; 300])),
            file("b_labels.npy", array(&more.train.labels)),
            file("a_labels.npy", array(&digits.train.labels)),
            file("a_images.npy", images(&digits.train)),
            file("b_images.npy", images(&more.train)),
        ];
        let (found, _) = data(files).unwrap();
        assert_eq!((found.train, found.test), (digits.train.clone(), more.train.clone()));
        // Images for validation beside a test set are trained on.
        let part = |name: &str, set: &Labelled| {
            [(format!("{name}_images.npy"), images(set)), (format!("{name}_labels.npy"), array(&set.labels))]
        };
        let parts = [part("train", &digits.train), part("val", &more.train), part("test", &more.train)].concat();
        let parts: Vec<_> = parts.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let (found, _) = data(vec![file("set.npz", zip(&parts))]).unwrap();
        assert_eq!((found.train.len(), found.test), (600, more.train));
    }

    #[test]
    fn shades_are_the_same_in_every_format() {
        let labels = npy("|u1", "(140,)", &(0..140).map(|i| i % 2).collect::<Vec<u8>>());
        let expect = |pixels: NamedFile| {
            let files =
                if pixels.name.ends_with("csv") { vec![pixels] } else { vec![pixels, file("y.npy", labels.clone())] };
            data(files).unwrap().0.train.image(0)[..2].to_vec()
        };
        let line = |word: &str| format!("1,{word}{}\n0,{word}{}\n", ",0".repeat(63), ",0".repeat(63)).repeat(70);
        for (word, value) in [("1", 255), ("0.5", 128), ("200", 200)] {
            let mut floats = vec![0f32; 140 * 64];
            floats.iter_mut().step_by(64).for_each(|pixel| *pixel = word.parse().unwrap());
            let bytes: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
            assert_eq!(expect(file("x.npy", npy("<f4", "(140, 8, 8)", &bytes))), [value, 0], "{word}");
            assert_eq!(expect(file("x.csv", line(word).into_bytes())), [value, 0], "{word}");
            // Columns that are named by numbers, as pandas does.
            let head: Vec<_> = (0..64).map(|column| column.to_string()).collect();
            let named = format!("label,{}\n{}", head.join(","), line(word));
            assert_eq!(expect(file("x.csv", named.into_bytes())), [value, 0], "{word}");
        }
        let truth: Vec<u8> = (0..140 * 64).map(|at| u8::from(at % 64 == 0)).collect();
        assert_eq!(expect(file("x.npy", npy("|b1", "(140, 64)", &truth))), [255, 0]);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let [a, b] = idx_files(&synthetic::digits(300, 1).train, "train");
        let [c, d] = idx_files(&synthetic::digits(60, 1).train, "train");
        let words = |files: Vec<NamedFile>| data(files).unwrap_err().to_string();
        let table = |line: &str| file("x.csv", format!("1{}\n{line}", ",7".repeat(64)).into_bytes());
        for (files, expected) in [
            (vec![], "there are no images"),
            (vec![b.clone()], "there are no images"),
            (vec![file("1.png", b"\x89PNG".to_vec())], "the pictures are in no folders"),
            (vec![file("a/test/1.png", b"\x89PNG".to_vec())], "the pictures are in no folders"),
            (vec![file("x.npy", npy("|u1", "(0, 9223372036854775807, 3)", &[]))], "it has no values"),
            (vec![file("x.npy", npy("|u1", "(2000000,)", &[0; 2_000_000]))], "it has 2000000 entries"),
            (
                vec![file("x.npy", npy("|u1", "(1000000, 64, 1)", &vec![0; 64_000_000]))],
                "its images take more than 192 MiB",
            ),
            (vec![file("x.csv", b"1,2,3,4,5".to_vec())], "a class and 4 pixels, which make no square"),
            (vec![a.clone()], "no labels match train-images: it has 300 images"),
            (vec![a.clone(), d.clone()], "no labels match train-images"),
            (vec![c, d], "images to train with; at least 120 are needed"),
            (vec![a.clone(), file("x", b"hello".to_vec())], "no labels match train-images"),
            (vec![file("x", b"hello".to_vec())], "x: this is not a file of images or labels"),
            (vec![file("x.npy", npy(">f4", "(1,)", &[0; 4]))], "its values are of type \">f4\""),
            (vec![file("x.npy", npy("<f4", "(9, 2)", &[0; 4]))], "promises 72 bytes of values, but the file has 4"),
            (
                vec![file("x.npy", npy("<f4", "(1, 1, 4)", &[0, 0, 128, 127].repeat(4)))],
                "its pixels go from inf to inf",
            ),
            (vec![file("x.npy", npy("|u1", "(2, 3, 5, 7)", &[0; 210]))], "is no shape of images"),
            (vec![file("x.npy", npy("|u1", "(1, 99, 99)", &[0; 9801]))], "is no shape of images"),
            (vec![table("1,2")], "line 2 has 2 values instead of 65"),
            (vec![table(&format!("1{}", ",300".repeat(64)))], "line 2: \"300\" is not a pixel"),
            (vec![file("x.zip", b"PK\x03\x04".to_vec())], "the archive is damaged"),
        ] {
            assert!(words(files).contains(expected), "{expected}");
        }
        let one = Labelled { labels: vec![3; 300], ..synthetic::digits(300, 1).train };
        assert!(words(idx_files(&one, "x").into()).contains("there are 1 classes"));
        let [e, f] = idx_files(&one, "test");
        let (mut g, mut h) = (a, b);
        (g.name, h.name) = ("x".into(), "y".into());
        h.bytes[8..].iter_mut().for_each(|label| *label = (*label).max(4));
        assert!(words(vec![e, f, g, h]).contains("the class \"3\" has no images"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_data_set_or_an_error(a in proptest::collection::vec(any::<u8>(), 0..300), b in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Opened::Arrays(arrays)) = open(vec![file("a", a), file("b.csv", b)]) {
                prop_assert!(assemble(arrays).is_err());
            }
        }

        #[test]
        fn a_mutated_file_gives_a_sound_data_set_or_an_error(at in 0usize..400, byte: u8, cut in 0usize..200_000, kind in 0..3) {
            let digits = synthetic::digits(140, 1).train;
            let arrays = [
                ("x_train.npy", npy("|u1", "(140, 28, 28)", &digits.pixels)),
                ("y_train.npy", npy("|u1", "(140,)", &digits.labels)),
            ];
            let [images, labels] = idx_files(&digits, "train");
            let mut files = match kind {
                0 => vec![file("a.npz", zip(&arrays))],
                1 => vec![images, labels],
                _ => arrays.map(|(name, bytes)| file(name, bytes)).into(),
            };
            let bytes = &mut files[at % 2 % 2 * usize::from(kind > 0)].bytes;
            let place = at % bytes.len();
            bytes[place] = byte;
            bytes.truncate(bytes.len().min(cut + 100));
            if let Ok((data, _)) = data(files) {
                prop_assert!(data.is_sound());
            }
        }
    }
}
