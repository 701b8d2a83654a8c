//! Parses IDX files, gzipped or not, into images and labels. Any input gives a value or a typed error, never a panic.
//!
//! The format: two zero bytes, a type byte (8 = unsigned byte), the number of dimensions, each dimension as a
//! big-endian `u32`, then the data. Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten
//! digits".

use std::{borrow::Cow, io::Read};

use flate2::read::GzDecoder;
use thiserror::Error;

use inkling_core::data::{CLASSES, IMAGE, Labelled, SIDE};

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;

/// Maximum size of a decompressed file. The largest MNIST file has 47,040,016 bytes.
const MAX_DECOMPRESSED: u64 = 64 << 20;

/// Why bytes are not an IDX file of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdxError {
    /// The gzip stream is corrupt or ends too early.
    #[error("the gzip stream is damaged or cut short ({0})")]
    Gzip(String),
    /// The gzip stream contains more than any file of this kind.
    #[error("the file decompresses to more than {} MiB", MAX_DECOMPRESSED >> 20)]
    TooLarge,
    /// The file is shorter than its own header.
    #[error("the file has {found} bytes, but its header alone needs {needed}")]
    Header {
        /// Size of the header in bytes.
        needed: usize,
        /// Size of the file in bytes.
        found: usize,
    },
    /// The file is of another kind.
    #[error("not the expected kind of IDX file: it starts with {found:#010x}, expected {expected:#010x}")]
    Magic {
        /// The magic number of the expected kind.
        expected: u32,
        /// The first four bytes of the file.
        found: u32,
    },
    /// The images are of another size.
    #[error("the images are {rows}x{columns}, expected {SIDE}x{SIDE}")]
    Dimensions {
        /// Rows per image.
        rows: u32,
        /// Columns per image.
        columns: u32,
    },
    /// The file has fewer or more bytes of data than the header promises.
    #[error("the header promises {expected} bytes of data, but the file has {found}")]
    Length {
        /// Bytes promised.
        expected: u64,
        /// Bytes after the header.
        found: u64,
    },
    /// The file contains no images or labels.
    #[error("the file contains no images or labels")]
    Empty,
    /// The numbers of images and labels differ.
    #[error("{images} images but {labels} labels")]
    Counts {
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A label is not a digit.
    #[error("label {label} at position {position} is not a digit from 0 to 9")]
    Label {
        /// The label.
        label: u8,
        /// Its index in the file.
        position: usize,
    },
}

/// The IDX bytes in `bytes`: decompressed if they are gzip, otherwise unchanged (a server may already have decompressed
/// them).
///
/// # Errors
/// [`IdxError::Gzip`] for a damaged stream, [`IdxError::TooLarge`] above 64 MiB.
pub fn decompress(bytes: &[u8]) -> Result<Cow<'_, [u8]>, IdxError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::new();
    let mut decoder = GzDecoder::new(bytes).take(MAX_DECOMPRESSED + 1);
    decoder.read_to_end(&mut out).map_err(|error| IdxError::Gzip(error.to_string()))?;
    if out.len() as u64 > MAX_DECOMPRESSED {
        return Err(IdxError::TooLarge);
    }
    Ok(Cow::Owned(out))
}

/// Parses the images and labels of two decompressed IDX files.
///
/// # Errors
/// An [`IdxError`] that says which rule the bytes break.
pub fn parse(images: &[u8], labels: &[u8]) -> Result<Labelled, IdxError> {
    let pixels = parse_images(images)?;
    let labels = parse_labels(labels)?;
    let count = pixels.len() / IMAGE;
    if count != labels.len() {
        return Err(IdxError::Counts { images: count, labels: labels.len() });
    }
    Ok(Labelled { pixels, labels })
}

/// Pixels of an image file, `[N, 28, 28]`.
fn parse_images(bytes: &[u8]) -> Result<Vec<u8>, IdxError> {
    let ([count, rows, columns], data) = header::<3>(bytes, IMAGES_MAGIC)?;
    if (rows, columns) != (SIDE as u32, SIDE as u32) {
        return Err(IdxError::Dimensions { rows, columns });
    }
    whole(data, u64::from(count) * IMAGE as u64)
}

/// Labels of a label file, `[N]`, each 0 to 9.
fn parse_labels(bytes: &[u8]) -> Result<Vec<u8>, IdxError> {
    let ([count], data) = header::<1>(bytes, LABELS_MAGIC)?;
    let labels = whole(data, u64::from(count))?;
    match labels.iter().position(|&label| usize::from(label) >= CLASSES) {
        Some(position) => Err(IdxError::Label { label: labels[position], position }),
        None => Ok(labels),
    }
}

/// The `D` dimensions in the header, and the data after it.
fn header<const D: usize>(bytes: &[u8], magic: u32) -> Result<([u32; D], &[u8]), IdxError> {
    let needed = 4 + 4 * D;
    let (head, data) = bytes.split_at_checked(needed).ok_or(IdxError::Header { needed, found: bytes.len() })?;
    let word = |i: usize| u32::from_be_bytes([head[4 * i], head[4 * i + 1], head[4 * i + 2], head[4 * i + 3]]);
    if word(0) != magic {
        return Err(IdxError::Magic { expected: magic, found: word(0) });
    }
    Ok((std::array::from_fn(|i| word(i + 1)), data))
}

/// `data`, if it has exactly the announced length.
fn whole(data: &[u8], expected: u64) -> Result<Vec<u8>, IdxError> {
    if data.len() as u64 != expected {
        return Err(IdxError::Length { expected, found: data.len() as u64 });
    }
    if data.is_empty() {
        return Err(IdxError::Empty);
    }
    Ok(data.to_vec())
}
