//! ZIP archives: NumPy's NPZ, and folders of pictures.

use std::io::Read;

use flate2::bufread::DeflateDecoder;
use inkling_core::data::NamedFile;
use rawzip::{CompressionMethod, ZipArchive};
use thiserror::Error;

/// The first bytes of an archive.
pub(crate) const MAGIC: &[u8] = b"PK\x03\x04";
/// The most files that are read.
const MAX_FILES: usize = 200_000;

/// Why bytes are not an archive that can be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArchiveError {
    /// It is damaged.
    #[error("the archive is damaged ({0})")]
    Damaged(String),
    /// A file is compressed or encrypted in a way that is not read.
    #[error("{0} is compressed in an unusual way; save the archive with the usual compression (deflate)")]
    Method(String),
    /// It unpacks to too much.
    #[error("the archive unpacks to more than {} MiB", .0 >> 20)]
    TooLarge(usize),
    /// It has too many files.
    #[error("the archive has more than {MAX_FILES} files")]
    TooMany,
}

/// Whether a file is one that systems and programs add for themselves.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX" || part == "Thumbs.db")
}

/// The files in an archive, up to `limit` bytes in all. Folders and what systems add for themselves are left out.
pub(crate) fn open(bytes: &[u8], limit: usize) -> Result<Vec<NamedFile>, ArchiveError> {
    let damaged = |error: rawzip::Error| ArchiveError::Damaged(error.to_string());
    let archive = ZipArchive::from_slice(bytes).map_err(damaged)?;
    let (mut entries, mut files, mut size) = (archive.entries(), Vec::new(), 0);
    while let Some(entry) = entries.next_entry().map_err(damaged)? {
        let name = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
        if entry.is_dir() || is_hidden(&name) {
            continue;
        }
        if files.len() == MAX_FILES {
            return Err(ArchiveError::TooMany);
        }
        let method = entry.compression_method();
        let local = archive.get_entry(entry.wayfinder()).map_err(damaged)?;
        let reader: Box<dyn Read> = match method {
            CompressionMethod::STORE => Box::new(local.data()),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(local.data())),
            _ => return Err(ArchiveError::Method(name)),
        };
        let mut contents = Vec::new();
        let room = (limit - size) as u64;
        let read = local.verifying_reader(reader).take(room + 1).read_to_end(&mut contents);
        read.map_err(|error| ArchiveError::Damaged(format!("{name}: {error}")))?;
        size += contents.len();
        if size > limit {
            return Err(ArchiveError::TooLarge(limit));
        }
        files.push(NamedFile { name, bytes: contents });
    }
    Ok(files)
}
