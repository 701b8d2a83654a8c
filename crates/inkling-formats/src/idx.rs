//! Parses IDX files, gzipped or not, into images and labels. Any input gives a value or a typed error, never a panic.
//!
//! The format: two zero bytes, a type byte (8 = unsigned byte), the number of dimensions, each dimension as a
//! big-endian `u32`, then the data. Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten
//! digits".

use std::{borrow::Cow, io::Read};

use flate2::read::GzDecoder;
use thiserror::Error;

use inkling_core::data::{CLASSES, Labelled, SIDE, Shape};

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;
/// The most dimensions that are read: images, channels, rows and columns.
const MAX_DIMENSIONS: usize = 4;

/// Maximum size of a decompressed file of MNIST. The largest has 47,040,016 bytes.
pub const MAX_DECOMPRESSED: u64 = 64 << 20;

/// Why bytes are not an IDX file of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdxError {
    /// The gzip stream is corrupt or ends too early.
    #[error("the gzip stream is damaged or cut short ({0})")]
    Gzip(String),
    /// The gzip stream contains more than any file of this kind.
    #[error("the file decompresses to more than {} MiB", .0 >> 20)]
    TooLarge(u64),
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
    /// The values are not bytes.
    #[error("its values are of type {0:#04x}; only bytes (0x08) are read")]
    Type(u8),
    /// It has no dimensions, or too many.
    #[error("it has {0} dimensions; 1 (labels) to 4 (coloured images) are read")]
    Rank(u8),
    /// The images are not MNIST's.
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
/// [`IdxError::Gzip`] for a damaged stream, [`IdxError::TooLarge`] above `limit` bytes.
pub fn decompress(bytes: &[u8], limit: u64) -> Result<Cow<'_, [u8]>, IdxError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::new();
    // A stream ends with its decompressed size, and deflate makes nothing more than 1,032 times smaller. If there is no memory for all of it,
    // the vector grows step by step.
    let size = bytes.last_chunk().map_or(0, |size| u64::from(u32::from_le_bytes(*size)));
    let _ = out.try_reserve_exact(size.min(limit).min(bytes.len() as u64 * 1032) as usize);
    let mut decoder = GzDecoder::new(bytes).take(limit + 1);
    decoder.read_to_end(&mut out).map_err(|error| IdxError::Gzip(error.to_string()))?;
    if out.len() as u64 > limit {
        return Err(IdxError::TooLarge(limit));
    }
    Ok(Cow::Owned(out))
}

/// The contents of an IDX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx<'a> {
    /// Its dimensions: the number of entries, then the shape of an entry.
    pub dims: Vec<usize>,
    /// Its values; the last dimension varies fastest.
    pub values: &'a [u8],
}

/// Reads a decompressed IDX file of bytes.
///
/// # Errors
/// An [`IdxError`] that says which rule the bytes break.
pub fn open(bytes: &[u8]) -> Result<Idx<'_>, IdxError> {
    let &[zero, also_zero, kind, rank, ..] = bytes else {
        return Err(IdxError::Header { needed: 4, found: bytes.len() });
    };
    if (zero, also_zero) != (0, 0) {
        return Err(IdxError::Magic { expected: IMAGES_MAGIC, found: magic(bytes) });
    }
    if kind != 8 {
        return Err(IdxError::Type(kind));
    }
    if !(1..=MAX_DIMENSIONS).contains(&usize::from(rank)) {
        return Err(IdxError::Rank(rank));
    }
    let needed = 4 + 4 * usize::from(rank);
    let (head, values) = bytes.split_at_checked(needed).ok_or(IdxError::Header { needed, found: bytes.len() })?;
    let sizes = head.as_chunks().0.iter().skip(1).map(|&size| u32::from_be_bytes(size));
    let expected = sizes.clone().fold(1u64, |product, size| product.saturating_mul(u64::from(size)));
    if values.len() as u64 != expected {
        return Err(IdxError::Length { expected, found: values.len() as u64 });
    }
    if values.is_empty() {
        return Err(IdxError::Empty);
    }
    Ok(Idx { dims: sizes.map(|size| size as usize).collect(), values })
}

/// Parses the images and labels of two of MNIST's files, decompressed.
///
/// # Errors
/// An [`IdxError`] that says which rule the bytes break.
pub fn parse(images: &[u8], labels: &[u8]) -> Result<Labelled, IdxError> {
    let images = expect(images, IMAGES_MAGIC)?;
    if images.dims[1..] != [SIDE, SIDE] {
        return Err(IdxError::Dimensions { rows: images.dims[1] as u32, columns: images.dims[2] as u32 });
    }
    let labels = expect(labels, LABELS_MAGIC)?.values;
    if let Some(position) = labels.iter().position(|&label| usize::from(label) >= CLASSES) {
        return Err(IdxError::Label { label: labels[position], position });
    }
    if images.dims[0] != labels.len() {
        return Err(IdxError::Counts { images: images.dims[0], labels: labels.len() });
    }
    Ok(Labelled { shape: Shape::MNIST, pixels: images.values.to_vec(), labels: labels.to_vec() })
}

/// Reads a file that must start with this magic number.
fn expect(bytes: &[u8], expected: u32) -> Result<Idx<'_>, IdxError> {
    let found = magic(bytes);
    if bytes.len() >= 4 && found != expected {
        return Err(IdxError::Magic { expected, found });
    }
    open(bytes)
}

/// The first four bytes.
fn magic(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |&word| u32::from_be_bytes(word))
}
