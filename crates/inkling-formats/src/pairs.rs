//! A data set from the visitor's files: IDX files like MNIST's (Fashion-MNIST, KMNIST and others), gzipped or not, in
//! any order.

use thiserror::Error;

use crate::idx::{self, IdxError};
use inkling_core::data::{Dataset, Labelled, NamedFile};

/// One in this many images is held out for the test set, if the files contain none.
const TEST_SHARE: usize = 7;

/// Why files do not form a data set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OwnError {
    /// A file is not IDX, or not of 28x28 pixels and classes 0 to 9.
    #[error("{file}: {source}")]
    Idx {
        /// Name of the file.
        file: String,
        /// What is wrong with it.
        source: IdxError,
    },
    /// There are neither two nor four files.
    #[error("choose two files (images and labels) or four (also images and labels of a test set), not {0}")]
    Count(usize),
    /// A file of images has no matching file of labels.
    #[error("no label file has as many labels as {0} has images")]
    Unpaired(String),
    /// There are too few images.
    #[error(
        "only {0} images to train with; at least 120 are needed (with two files, a seventh of the images is held out for testing)"
    )]
    TooFew(usize),
}

/// Assembles the data set in `files`. With two files, a seventh of the images is held out for the test set. With four,
/// those with `t10k` or `test` in their names are the test set, or else the smaller ones.
///
/// # Errors
/// An [`OwnError`] that says what to do.
pub fn assemble(files: &[NamedFile]) -> Result<Dataset, OwnError> {
    if files.len() != 2 && files.len() != 4 {
        return Err(OwnError::Count(files.len()));
    }
    let plain = |NamedFile { name, bytes }: &NamedFile| {
        let bytes = idx::decompress(bytes).map_err(|source| OwnError::Idx { file: name.clone(), source })?;
        Ok(NamedFile { name: name.clone(), bytes: bytes.into_owned() })
    };
    let files = files.iter().map(plain).collect::<Result<Vec<_>, OwnError>>()?;
    let (images, mut labels): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| file.bytes.starts_with(&[0, 0, 8, 3]));
    let is_test = |name: &str| name.contains("t10k") || name.contains("test");
    let mut sets = Vec::new();
    for NamedFile { name, bytes } in images {
        let count = |bytes: &[u8]| bytes.get(4..8).map(<[u8]>::to_vec);
        let fits = |file: &NamedFile| count(&file.bytes) == count(&bytes) && is_test(&file.name) == is_test(&name);
        let place = labels.iter().position(fits).ok_or_else(|| OwnError::Unpaired(name.clone()))?;
        let labels = labels.remove(place).bytes;
        let set = idx::parse(&bytes, &labels).map_err(|source| OwnError::Idx { file: name.clone(), source })?;
        sets.push((name, set));
    }
    if let Some(NamedFile { name, bytes }) = labels.into_iter().next() {
        // This file contains no images, and its labels match none: the error says why it is not a file of images.
        let source = idx::parse(&bytes, &[]).err().unwrap_or(IdxError::Empty);
        return Err(OwnError::Idx { file: name, source });
    }
    sets.sort_by_key(|(name, set)| (is_test(name), std::cmp::Reverse(set.len())));
    let mut sets = sets.into_iter().map(|(_, set)| set);
    let train = sets.next().unwrap_or_default();
    let (train, test) = match sets.next() {
        Some(test) => (train, test),
        None => held_out(&train),
    };
    if train.len() < 120 || test.is_empty() {
        return Err(OwnError::TooFew(train.len()));
    }
    Ok(Dataset { train, test })
}

/// Splits the images into training and test images: every seventh is a test image.
fn held_out(all: &Labelled) -> (Labelled, Labelled) {
    let (test, train): (Vec<u32>, Vec<u32>) =
        (0..all.len() as u32).partition(|&number| number as usize % TEST_SHARE == TEST_SHARE - 1);
    (all.pick(&train).images, all.pick(&test).images)
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkling_core::data::{SIDE, synthetic};
    use proptest::prelude::*;

    fn file(name: &str, bytes: Vec<u8>) -> NamedFile {
        NamedFile { name: name.into(), bytes }
    }

    fn files(set: &Labelled, name: &str) -> [NamedFile; 2] {
        let count = (set.len() as u32).to_be_bytes();
        let side = (SIDE as u32).to_be_bytes();
        let images = [&[0, 0, 8, 3][..], &count, &side, &side, &set.pixels].concat();
        let labels = [&[0, 0, 8, 1][..], &count, &set.labels].concat();
        [file(&format!("{name}-images"), images), file(&format!("{name}-labels"), labels)]
    }

    #[test]
    fn four_files_in_any_order_are_training_and_test_sets_and_two_are_split() {
        let (large, small) = (synthetic::generate(300, 1).train, synthetic::generate(200, 2).train);
        let [a, b] = files(&large, "train");
        let [c, d] = files(&small, "t10k");
        let found = assemble(&[d.clone(), a.clone(), c.clone(), b.clone()]).unwrap();
        assert_eq!(found, Dataset { train: large.clone(), test: small.clone() });
        // By name, even if the test set is the larger one; by size, if the names say nothing.
        let [e, f] = files(&large, "my-test");
        let [g, h] = files(&small, "mine");
        assert_eq!(assemble(&[e, f, g.clone(), h.clone()]).unwrap().test, large);
        let [i, j] = files(&large, "other");
        assert_eq!(assemble(&[g, h, i, j]).unwrap().train, large);
        let split = assemble(&[a, b]).unwrap();
        assert_eq!(split.train.len() + split.test.len(), large.len());
        assert_eq!(split.test.image(0), large.image(6));
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let [a, b] = files(&synthetic::generate(300, 1).train, "train");
        let [c, d] = files(&synthetic::generate(60, 1).train, "train");
        let words = |files: &[NamedFile]| assemble(files).unwrap_err().to_string();
        assert!(words(std::slice::from_ref(&a)).contains("two files"));
        assert!(words(&[a.clone(), d.clone()]).contains("no label file has as many"));
        assert!(words(&[c, d]).contains("120 are needed"));
        assert!(words(&[a.clone(), file("x", b"hello".to_vec())]).contains("no label file"));
        assert!(words(&[b.clone(), b.clone()]).contains("train-labels: "));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_data_set_or_an_error(a in proptest::collection::vec(any::<u8>(), 0..300), b in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(assemble(&[file("a", a), file("b", b)]).is_err());
        }
    }
}
