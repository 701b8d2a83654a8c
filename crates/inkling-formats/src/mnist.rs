//! The four MNIST files, with their checksums and mirrors.

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::idx::{self, IdxError};
use inkling_core::data::Dataset;

/// Bytes that are hashed in one call.
const PIECE: usize = 256 << 10;

/// One of the four files of MNIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Name of the gzipped file at every source.
    pub name: &'static str,
    /// SHA-256 of the decompressed bytes, in hexadecimal.
    pub sha256: &'static str,
    /// Size of the gzipped file in bytes.
    pub size: u64,
}

/// Train images, train labels, test images, test labels.
pub const FILES: [File; 4] = [
    File {
        name: "train-images-idx3-ubyte.gz",
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        size: 9_912_422,
    },
    File {
        name: "train-labels-idx1-ubyte.gz",
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        size: 28_881,
    },
    File {
        name: "t10k-images-idx3-ubyte.gz",
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        size: 1_648_877,
    },
    File {
        name: "t10k-labels-idx1-ubyte.gz",
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        size: 4_542,
    },
];

/// Folders that contain the four files, in the order in which they are tried. The first is next to the page; the others
/// are public copies, pinned to a commit, on hosts that allow requests from any page.
pub const SOURCES: [&str; 3] = [
    "data/",
    "https://cdn.jsdelivr.net/gh/fgnt/mnist@ae608a02b796c9ee908c082585a5f006fe05258e/",
    "https://raw.githubusercontent.com/fgnt/mnist/ae608a02b796c9ee908c082585a5f006fe05258e/",
];

/// The URLs of the four files at the first source, which is next to the page.
pub fn first_source() -> [String; 4] {
    FILES.map(|file| format!("{}{}", SOURCES[0], file.name))
}

/// Why the bytes from a source are not the requested file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// The file is not a valid IDX file.
    #[error("{file}: {source}")]
    Idx {
        /// Name of the file.
        file: &'static str,
        /// What is wrong with it.
        source: IdxError,
    },
    /// The bytes differ from MNIST's.
    #[error("{file}: the checksum of the decompressed bytes is {found}, expected {expected}")]
    Checksum {
        /// Name of the file.
        file: &'static str,
        /// The published SHA-256.
        expected: &'static str,
        /// The SHA-256 of these bytes.
        found: String,
    },
    /// A file on disk could not be read.
    #[error("{path}: {reason}")]
    File {
        /// Path of the file.
        path: String,
        /// Error message of the operating system.
        reason: String,
    },
}

impl File {
    /// The decompressed bytes of a file that was verified before it was stored: its gzip checksum finds what has been damaged since. A
    /// file without one is verified again.
    ///
    /// # Errors
    /// [`SourceError`] for a damaged file.
    pub fn stored(&self, bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
        match idx::decompress(bytes, idx::MAX_DECOMPRESSED) {
            Ok(Cow::Owned(plain)) => Ok(plain),
            _ => self.verify(bytes),
        }
    }

    /// The decompressed bytes, if they are the published ones.
    ///
    /// # Errors
    /// [`SourceError`] for a damaged gzip stream or a different SHA-256.
    pub fn verify(&self, bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
        let plain = idx::decompress(bytes, idx::MAX_DECOMPRESSED)
            .map_err(|source| SourceError::Idx { file: self.name, source })?;
        // In pieces: a browser can't switch to optimized code in the middle of a call. One call for the 47 MB of the largest file
        // takes 1.3 s in a new worker, pieces take 0.2 s (docs/performance.md).
        let mut digest = Sha256::new();
        plain.chunks(PIECE).for_each(|piece| digest.update(piece));
        let found: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found == self.sha256 {
            Ok(plain.into_owned())
        } else {
            Err(SourceError::Checksum { file: self.name, expected: self.sha256, found })
        }
    }
}

/// Assembles the data set from four verified, decompressed files, in the order of [`FILES`].
///
/// # Errors
/// [`SourceError::Idx`] with the name of the file, if one is malformed.
pub fn assemble(files: &[Vec<u8>; 4]) -> Result<Dataset, SourceError> {
    let pair = |images: usize| {
        idx::parse(&files[images], &files[images + 1])
            .map_err(|source| SourceError::Idx { file: FILES[images].name, source })
    };
    Ok(Dataset::digits(pair(0)?, pair(2)?))
}

/// Reads the data set from the four files in a folder, gzipped or not, for native runs and tests.
///
/// # Errors
/// [`SourceError`] if a file is missing, damaged or not the published one.
pub fn read_folder(folder: &std::path::Path) -> Result<Dataset, SourceError> {
    let mut files: [Vec<u8>; 4] = Default::default();
    for (file, bytes) in FILES.iter().zip(&mut files) {
        let path = folder.join(file.name);
        let raw = std::fs::read(&path)
            .map_err(|error| SourceError::File { path: path.display().to_string(), reason: error.to_string() })?;
        *bytes = file.verify(&raw)?;
    }
    assemble(&files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    #[test]
    fn a_stored_file_is_taken_unless_it_was_damaged() {
        let plain: Vec<u8> = (0..5_000u32).map(|at| (at * at % 251) as u8).collect();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&plain).unwrap();
        let stored = encoder.finish().unwrap();
        assert_eq!(FILES[0].stored(&stored).unwrap(), plain);
        // The header, of ten bytes, may say when the file was made.
        for at in 10..stored.len() {
            let mut damaged = stored.clone();
            damaged[at] ^= 16;
            assert!(FILES[0].stored(&damaged).is_err(), "byte {at}");
        }
        assert!(FILES[0].stored(&stored[..stored.len() - 1]).is_err());
        assert!(FILES[0].stored(&plain).is_err(), "without a checksum, it must be the published file");
    }
}
