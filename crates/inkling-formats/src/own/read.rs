//! From files to numbers and pictures.

use super::{Array, Content, FileError, MAX_BYTES, MAX_IMAGES, Opened, OwnError, Picture};
use crate::{
    archive::{self, ArchiveError},
    csv,
    idx::{self, IdxError},
    npy,
};
use inkling_core::{
    data::{NamedFile, Role, Shape},
    image::{CLASS_COUNTS, SIDES},
};

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
    plain.retain(|file| !archive::is_hidden(&file.name));
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
    if class.trim().is_empty() || Role::is_named_by(class) {
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
        } else if let Some(classes) = one_hot(&array) {
            add(Content::Labels(classes.iter().map(usize::to_string).collect()));
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
        let csv::Table { labels, width, pixels } = match csv::open(bytes, |pixels| square(pixels).is_some()) {
            Err(csv::CsvError::NoClasses) => {
                add(Content::Unlabelled);
                return Ok(());
            }
            table => table?,
        };
        few(labels.len())?;
        add(upright(&lower, images(&[labels.len(), width], pixels)?));
        add(Content::Labels(labels));
    } else {
        return Err(FileError::Unknown);
    }
    Ok(())
}

/// The class of each row, if the array has a column for each class, with one 1 in each row and 0 elsewhere.
fn one_hot(array: &npy::Npy) -> Option<Vec<usize>> {
    let &[rows, classes] = array.dims.as_slice() else { return None };
    let mut numbers = array.numbers();
    let class = |_| {
        let mut place = None;
        for column in 0..classes {
            match numbers.next()? {
                0.0 => {}
                1.0 if place.is_none() => place = Some(column),
                _ => return None,
            }
        }
        place
    };
    CLASS_COUNTS.contains(&classes).then(|| (0..rows).map(class).collect())?
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
pub(super) fn transposed(planes: &[u8], side: usize) -> Vec<u8> {
    let plane = |plane: &[u8]| (0..side * side).map(|at| plane[at % side * side + at / side]).collect::<Vec<u8>>();
    planes.chunks_exact(side * side).flat_map(plane).collect()
}
