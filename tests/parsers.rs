//! The parsers where `usize` has 32 bits: sizes that a header promises must neither wrap nor be allocated.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(all(target_arch = "wasm32", feature = "files"))]

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use inkling_core::{checkpoint::TrainerState, data::NamedFile, network::Network, protocol::Format};
use inkling_formats::{
    idx::{self, IdxError},
    onnx, own, weights,
};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[wasm_bindgen_test]
fn an_idx_file_that_promises_more_than_the_address_space_is_refused() {
    // 5,478,276 images of 784 bytes are 2^32 + 1088 bytes.
    for count in [u32::MAX, 5_478_276, 1 << 31] {
        let images = [words(&[0x803, count, 28, 28]), vec![0; 1088]].concat();
        let found = idx::parse(&images, &words(&[0x801, count]));
        assert!(matches!(found, Err(IdxError::Length { found: 1088, .. })), "{count}: {found:?}");
    }
}

#[wasm_bindgen_test]
fn a_gzip_bomb_is_refused() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    (0..65).for_each(|_| encoder.write_all(&vec![0; 1 << 20]).unwrap());
    assert_eq!(
        idx::decompress(&encoder.finish().unwrap(), idx::MAX_DECOMPRESSED),
        Err(IdxError::TooLarge(idx::MAX_DECOMPRESSED))
    );
}

#[wasm_bindgen_test]
fn weight_files_with_impossible_sizes_are_refused() {
    let net = Network::default();
    let values = vec![0.5; net.count()];
    let huge = [u64::MAX, u64::MAX / 2, 1 << 32, (1 << 32) + 8, u64::from(u32::MAX)];
    for size in huge {
        let mut file = weights::file(Format::Safetensors, &net, &values).unwrap();
        file[..8].copy_from_slice(&size.to_le_bytes());
        assert!(weights::read(&net, &file).is_err(), "safetensors: a header of {size} bytes");
    }
    let whole = weights::file(Format::Burnpack, &net, &values).unwrap();
    for place in 0..64 {
        for byte in [0x7f, 0x80, 0xff] {
            let mut file = whole.clone();
            file[place..place + 4].fill(byte);
            // What stays readable has all of the weights.
            assert!(
                weights::read(&net, &file).is_ok_and(|read| read.len() == net.count())
                    || weights::read(&net, &file).is_err()
            );
        }
    }
    // Field 7 (the graph), with a length of 2^63 - 1.
    let graph = [0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert!(onnx::weights(&net, &graph).is_err());
    let whole = onnx::model(&net, &values);
    for place in 0..200 {
        let mut file = whole.clone();
        file[place] = 0xff;
        assert!(
            onnx::weights(&net, &file).is_ok_and(|read| read.len() == net.count())
                || onnx::weights(&net, &file).is_err()
        );
    }
}

#[wasm_bindgen_test]
fn a_state_of_odd_length_has_no_values_beyond_its_end() {
    let state = TrainerState::new(1, &[1.0, 2.0]);
    assert_eq!((state.len(), state.first(usize::MAX)), (2, vec![1.0, 2.0]));
}

#[wasm_bindgen_test]
fn a_network_whose_size_overflows_is_refused() {
    // 12,495 x 401,408 products are more than 2^32.
    let network = "conv 255 same, conv 512 7x7 same".parse::<Network>();
    assert!(network.is_err_and(|error| error.to_string().contains("a tab has room for")));
}

#[wasm_bindgen_test]
fn arrays_whose_dimensions_overflow_are_refused() {
    for shape in ["(0, 4294967295, 3)", "(65536, 65536, 4)", "(4294967296, 1)", "(16777216, 256, 1, 1)"] {
        let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
        let bytes = [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
        assert!(own::open(vec![NamedFile { name: "x.npy".into(), bytes }]).is_err(), "{shape}");
    }
}
