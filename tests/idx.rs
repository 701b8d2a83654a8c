//! Whatever its bytes, an IDX file gives a value or a typed error, never a panic.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(not(target_arch = "wasm32"))]

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use inkling_core::data::IMAGE;
use inkling_formats::{
    idx::{IdxError, MAX_DECOMPRESSED, decompress, parse},
    mnist::{FILES, SourceError},
};
use proptest::prelude::*;

fn images(count: u32, rows: u32, columns: u32, data: &[u8]) -> Vec<u8> {
    let head = [0x0803, count, rows, columns].map(u32::to_be_bytes).concat();
    [head.as_slice(), data].concat()
}

fn labels(count: u32, data: &[u8]) -> Vec<u8> {
    [&[0x0801u32.to_be_bytes(), count.to_be_bytes()].concat(), data].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_valid_pair_is_read_gzipped_or_not() {
    let pixels: Vec<u8> = (0..2 * IMAGE).map(|i| (i % 251) as u8).collect();
    let (images, labels) = (images(2, 28, 28, &pixels), labels(2, &[3, 9]));
    let data =
        parse(&decompress(&gzip(&images), MAX_DECOMPRESSED).unwrap(), &decompress(&labels, MAX_DECOMPRESSED).unwrap())
            .unwrap();
    assert_eq!((data.len(), data.image(1), data.labels.as_slice()), (2, &pixels[IMAGE..], &[3, 9][..]));
}

#[test]
fn every_fault_has_its_error() {
    let pixels = vec![7u8; IMAGE];
    let good = images(1, 28, 28, &pixels);
    let label = labels(1, &[5]);
    let image_error = |bytes: &[u8]| parse(bytes, &label).unwrap_err();
    let label_error = |bytes: &[u8]| parse(&good, bytes).unwrap_err();
    assert_eq!(image_error(&[]), IdxError::Header { needed: 4, found: 0 });
    assert_eq!(image_error(&good[..15]), IdxError::Header { needed: 16, found: 15 });
    assert_eq!(image_error(&label), IdxError::Magic { expected: 0x803, found: 0x801 });
    assert_eq!(image_error(&[&label[..], &[0; 8]].concat()), IdxError::Magic { expected: 0x803, found: 0x801 });
    assert_eq!(image_error(&images(1, 28, 27, &pixels[..756])), IdxError::Dimensions { rows: 28, columns: 27 });
    assert_eq!(image_error(&good[..good.len() - 1]), IdxError::Length { expected: 784, found: 783 });
    assert_eq!(image_error(&[&good[..], &[0]].concat()), IdxError::Length { expected: 784, found: 785 });
    let most = images(u32::MAX, 28, 28, &pixels);
    assert_eq!(image_error(&most), IdxError::Length { expected: u64::from(u32::MAX) * 784, found: 784 });
    assert_eq!(image_error(&images(0, 28, 28, &[])), IdxError::Empty);
    assert_eq!(label_error(&labels(2, &[1])), IdxError::Length { expected: 2, found: 1 });
    assert_eq!(label_error(&labels(2, &[1, 2])), IdxError::Counts { images: 1, labels: 2 });
    assert_eq!(label_error(&labels(1, &[10])), IdxError::Label { label: 10, position: 0 });
    assert_eq!(label_error(&good), IdxError::Magic { expected: 0x801, found: 0x803 });
}

#[test]
fn damaged_gzip_is_an_error() {
    let whole = gzip(&images(1, 28, 28, &[9; IMAGE]));
    for cut in [2, 10, whole.len() / 2, whole.len() - 1] {
        assert!(matches!(decompress(&whole[..cut], MAX_DECOMPRESSED), Err(IdxError::Gzip(_))), "cut at {cut}");
    }
    let mut flipped = whole.clone();
    let last = flipped.len() - 6; // in the checksum
    flipped[last] ^= 0xff;
    assert!(matches!(decompress(&flipped, MAX_DECOMPRESSED), Err(IdxError::Gzip(_))));
    assert_eq!(
        decompress(&gzip(&vec![0; (64 << 20) + 1]), MAX_DECOMPRESSED),
        Err(IdxError::TooLarge(MAX_DECOMPRESSED))
    );
}

#[test]
fn bytes_that_are_not_mnists_fail_the_checksum() {
    let error = FILES[3].verify(&gzip(&labels(1, &[5]))).unwrap_err();
    assert!(matches!(error, SourceError::Checksum { .. }));
    assert!(error.to_string().starts_with("t10k-labels-idx1-ubyte.gz: the checksum"));
}

proptest! {
    #[test]
    fn any_bytes_give_a_value_or_an_error(images in proptest::collection::vec(any::<u8>(), 0..2000), labels in proptest::collection::vec(any::<u8>(), 0..50)) {
        let _ = decompress(&images, MAX_DECOMPRESSED);
        let _ = parse(&images, &labels);
    }

    #[test]
    fn any_damage_to_a_valid_file_is_detected_or_harmless(at in 0usize..800, bits in 1u8.., cut in 0usize..900, zipped: bool) {
        let mut file = images(1, 28, 28, &[7; IMAGE]);
        if zipped { file = gzip(&file); }
        let at = at % file.len();
        file[at] ^= bits;
        file.truncate(file.len().min(cut));
        if let Ok(bytes) = decompress(&file, MAX_DECOMPRESSED)
            && let Ok(data) = parse(&bytes, &labels(1, &[5])) {
            prop_assert_eq!(data.pixels.len(), IMAGE);
        }
    }
}
