//! NumPy's files of one array (NPY, versions 1 to 3). Source: "NEP 1 — A simple file format for NumPy arrays".

use thiserror::Error;

/// The first bytes of a file.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header that is read: real ones have about a hundred bytes.
const MAX_HEADER: usize = 10_000;

/// A longer text is cut off.
const LONGEST_TEXT: usize = 100;

/// Why bytes are not an array that can be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NpyError {
    /// The file ends in its header, or the header is not a description of an array.
    #[error("its header is damaged")]
    Header,
    /// The values are of another type.
    #[error(
        "its values are of type {0:?}; whole numbers, floats of 16, 32 or 64 bits and texts are read, little-endian"
    )]
    Type(String),
    /// Columns come before rows.
    #[error("its values are in Fortran order; save it with numpy.ascontiguousarray")]
    Order,
    /// There are no values.
    #[error("it has no values")]
    Empty,
    /// There are fewer or more values than the header promises.
    #[error("its header promises {expected} bytes of values, but the file has {found}")]
    Length {
        /// Bytes promised.
        expected: u64,
        /// Bytes after the header.
        found: u64,
    },
}

/// An array.
pub(crate) struct Npy<'a> {
    pub dims: Vec<usize>,
    kind: Kind,
    size: usize,
    values: &'a [u8],
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Unsigned,
    Signed,
    Float,
    /// Texts of this many UTF-32 letters.
    Text,
}

/// Reads a file.
pub(crate) fn open(bytes: &[u8]) -> Result<Npy<'_>, NpyError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(NpyError::Header)?;
    let (len, rest) = match *rest {
        [1, _, a, b, ref rest @ ..] => (usize::from(u16::from_le_bytes([a, b])), rest),
        [2 | 3, _, a, b, c, d, ref rest @ ..] => (u32::from_le_bytes([a, b, c, d]) as usize, rest),
        _ => return Err(NpyError::Header),
    };
    let (header, values) = rest.split_at_checked(len).filter(|_| len <= MAX_HEADER).ok_or(NpyError::Header)?;
    let header = std::str::from_utf8(header).map_err(|_| NpyError::Header)?;
    let after = |key: &str| {
        let start = header.find(&format!("'{key}'"))? + key.len() + 2;
        header[start..].trim_start().strip_prefix(':').map(str::trim_start)
    };
    let kind = after("descr").and_then(|text| text.strip_prefix('\'')?.split('\'').next()).ok_or(NpyError::Header)?;
    if after("fortran_order").ok_or(NpyError::Header)?.starts_with("True") {
        return Err(NpyError::Order);
    }
    let shape = after("shape").and_then(|text| text.strip_prefix('(')?.split(')').next()).ok_or(NpyError::Header)?;
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let dims = sizes.map(str::parse).collect::<Result<Vec<usize>, _>>().map_err(|_| NpyError::Header)?;
    let unknown = || NpyError::Type(kind.chars().take(20).collect());
    let (kind, size) = element(kind).ok_or_else(unknown)?;
    let count = dims.iter().fold(size as u64, |product, &size| product.saturating_mul(size as u64));
    if count != values.len() as u64 {
        return Err(NpyError::Length { expected: count, found: values.len() as u64 });
    }
    if values.is_empty() {
        return Err(NpyError::Empty);
    }
    Ok(Npy { dims, kind, size, values })
}

/// The kind of an element and its size in bytes.
fn element(descr: &str) -> Option<(Kind, usize)> {
    let mut letters = descr.chars();
    let (order, kind) = (letters.next()?, letters.next()?);
    let size: usize = letters.as_str().parse().ok()?;
    // Numbers of one byte have no order.
    if !matches!(order, '<' | '|') && size > 1 {
        return None;
    }
    match (kind, size) {
        ('u', 1 | 2 | 4 | 8) => Some((Kind::Unsigned, size)),
        ('b', 1) => Some((Kind::Unsigned, 1)), // truth values
        ('i', 1 | 2 | 4 | 8) => Some((Kind::Signed, size)),
        ('f', 2 | 4 | 8) => Some((Kind::Float, size)),
        ('U', 1..=1000) => Some((Kind::Text, 4 * size)),
        _ => None,
    }
}

impl Npy<'_> {
    /// The values, if they are bytes.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        (self.kind == Kind::Unsigned && self.size == 1).then_some(self.values)
    }

    /// The values as numbers; a text is not a number.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = f64> + Clone {
        self.values.chunks_exact(self.size).map(|bytes| self.number(bytes))
    }

    /// The values as texts of at most 100 letters.
    pub(crate) fn texts(&self) -> impl Iterator<Item = String> {
        self.values.chunks_exact(self.size).map(|bytes| match self.kind {
            Kind::Text => {
                let letters = bytes.as_chunks().0.iter().map(|&letter| u32::from_le_bytes(letter));
                letters
                    .take_while(|&letter| letter != 0)
                    .take(LONGEST_TEXT)
                    .map(|l| char::from_u32(l).unwrap_or('\u{fffd}'))
                    .collect()
            }
            _ => self.number(bytes).to_string().chars().take(LONGEST_TEXT).collect(),
        })
    }

    fn number(&self, bytes: &[u8]) -> f64 {
        let mut wide = [0; 8];
        wide[..bytes.len().min(8)].copy_from_slice(&bytes[..bytes.len().min(8)]);
        let unused = 64 - 8 * self.size.min(8) as u32;
        match (self.kind, self.size) {
            (Kind::Unsigned, _) => u64::from_le_bytes(wide) as f64,
            (Kind::Signed, _) => (i64::from_le_bytes(wide) << unused >> unused) as f64,
            (Kind::Float, 2) => half::f16::from_le_bytes([wide[0], wide[1]]).into(),
            (Kind::Float, 4) => f32::from_le_bytes([wide[0], wide[1], wide[2], wide[3]]).into(),
            (Kind::Float, _) => f64::from_le_bytes(wide),
            (Kind::Text, _) => f64::NAN,
        }
    }
}
