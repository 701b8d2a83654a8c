//! IDX bytes, gzipped or not, to images and labels. Any bytes at all give a value or a typed error, never a panic.
//!
//! The format: two zero bytes, a type byte (8 = unsigned byte), the number of dimensions, each dimension as a big-endian
//! `u32`, then the data. Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".

use std::{borrow::Cow, io::Read};

use flate2::read::GzDecoder;
use thiserror::Error;

use super::{CLASSES, IMAGE, Labelled, SIDE};

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;

/// The most that a file may decompress to: the largest MNIST file has 47,040,016 bytes.
const MAX_DECOMPRESSED: u64 = 64 << 20;

/// Why bytes are not the IDX file that they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdxError {
    /// The gzip stream is corrupt or ends too early.
    #[error("the gzip stream is damaged or cut short ({0})")]
    Gzip(String),
    /// The gzip stream holds more than any file of this kind.
    #[error("the file decompresses to more than {} MiB", MAX_DECOMPRESSED >> 20)]
    TooLarge,
    /// Shorter than its own header.
    #[error("the file has {found} bytes, its header alone needs {needed}")]
    Header {
        /// Bytes that a header needs.
        needed: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// Another kind of file.
    #[error("not an IDX file of this kind: it starts with {found:#010x}, expected {expected:#010x}")]
    Magic {
        /// The magic number of the wanted kind.
        expected: u32,
        /// What the file starts with.
        found: u32,
    },
    /// Images of another size.
    #[error("the images are {rows}x{columns}, expected {SIDE}x{SIDE}")]
    Dimensions {
        /// Rows an image.
        rows: u32,
        /// Columns an image.
        columns: u32,
    },
    /// Fewer or more bytes of data than the header announces.
    #[error("the header announces {expected} bytes of data, the file has {found}")]
    Length {
        /// Bytes announced.
        expected: u64,
        /// Bytes after the header.
        found: u64,
    },
    /// No image at all.
    #[error("the file holds no image")]
    Empty,
    /// Images and labels that do not belong together.
    #[error("{images} images but {labels} labels")]
    Counts {
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A label that is not a digit.
    #[error("label {label} at position {position} is not a digit from 0 to 9")]
    Label {
        /// The label.
        label: u8,
        /// Its index in the file.
        position: usize,
    },
}

/// The IDX bytes in `bytes`: decompressed if they are gzip, as they are if a server already decompressed them.
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

/// Images and labels of two IDX files (decompressed).
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

/// The `D` dimensions of the header, and the data behind it.
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
