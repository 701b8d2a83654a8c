//! Valid, unusual and wrong files.

use super::{read::transposed, *};
use crate::npy;
use inkling_core::data::{DataShape, Dataset, Labelled, synthetic};
use proptest::prelude::*;
use std::io::Write;

fn file(name: &str, bytes: Vec<u8>) -> NamedFile {
    NamedFile { name: name.into(), bytes }
}

fn words(sizes: &[usize]) -> Vec<u8> {
    sizes.iter().flat_map(|&size| (size as u32).to_be_bytes()).collect()
}

fn idx_files(set: &Labelled, name: &str) -> [NamedFile; 2] {
    let (count, side) = (set.len(), set.shape.side);
    let images = [&[0, 0, 8, 3][..], &words(&[count, side, side]), &set.pixels].concat();
    let labels = [&[0, 0, 8, 1][..], &words(&[count]), &set.labels].concat();
    [file(&format!("{name}-images"), images), file(&format!("{name}-labels"), labels)]
}

fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [npy::MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), values].concat()
}

fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut out);
    for (at, (name, bytes)) in files.iter().enumerate() {
        let method = if at % 2 == 0 { rawzip::CompressionMethod::DEFLATE } else { rawzip::CompressionMethod::STORE };
        let (mut entry, config) = archive.new_file(name).compression_method(method).start().unwrap();
        let descriptor = if at % 2 == 0 {
            let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast());
            let mut writer = config.wrap(encoder);
            writer.write_all(bytes).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap().1
        };
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    out
}

fn data(files: Vec<NamedFile>) -> Result<(Dataset, String), OwnError> {
    match open(files)? {
        Opened::Arrays(arrays) => assemble(arrays),
        Opened::Pictures(_) => panic!("these are no pictures"),
    }
}

#[test]
fn four_files_in_any_order_are_training_and_test_sets_and_two_are_split() {
    let (large, small) = (synthetic::digits(300, 1).train, synthetic::digits(200, 2).train);
    let [a, b] = idx_files(&large, "train");
    let [c, d] = idx_files(&small, "t10k");
    let (found, note) = data(vec![d.clone(), a.clone(), c.clone(), b.clone()]).unwrap();
    assert_eq!(found, Dataset::digits(large.clone(), small.clone()));
    assert_eq!(note, "300 images to train with, 200 to test with: 28 by 28 pixels, gray, 10 classes.");
    // By name, even if the test set is the larger one; by size, if the names say nothing.
    let [e, f] = idx_files(&large, "my-test");
    let [g, h] = idx_files(&small, "mine");
    assert_eq!(data(vec![e, f, g.clone(), h.clone()]).unwrap().0.test, large);
    let [i, j] = idx_files(&large, "other");
    assert_eq!(data(vec![g, h, i, j]).unwrap().0.train, large);
    let (split, note) = data(vec![a, b]).unwrap();
    assert_eq!(split.train.len() + split.test.len(), large.len());
    assert!(note.contains("A seventh of each class"), "{note}");
    for class in 0..10 {
        let of = |set: &Labelled| set.labels.iter().filter(|&&label| label == class).count();
        assert!(of(&split.train) + of(&split.test) == 30 && (4..=5).contains(&of(&split.test)), "class {class}");
    }
}

#[test]
fn numpy_arrays_in_an_archive_are_read_with_any_type_of_number() {
    let digits = synthetic::digits(300, 1);
    let shape = format!("({}, 28, 28)", 300);
    let int64 = |labels: &[u8]| labels.iter().flat_map(|&l| i64::from(l).to_le_bytes()).collect::<Vec<_>>();
    let test = npy("|u1", "(50, 784)", &digits.test.pixels);
    let test_labels = npy("<i8", "(50,)", &int64(&digits.test.labels));
    let floats: Vec<u8> = digits.train.pixels.iter().flat_map(|&p| (f32::from(p) / 255.0).to_le_bytes()).collect();
    for (kind, pixels) in [("|u1", digits.train.pixels.clone()), ("<f4", floats)] {
        let files = [
            ("x_train.npy", npy(kind, &shape, &pixels)),
            ("y_train.npy", npy("<i8", "(300, 1)", &int64(&digits.train.labels))),
            ("x_test.npy", test.clone()),
            ("y_test.npy", test_labels.clone()),
        ];
        let (found, _) = data(vec![file("mnist.npz", zip(&files))]).unwrap();
        assert_eq!(found, digits, "{kind}");
    }
    let names: Vec<u8> = digits
        .train
        .labels
        .iter()
        .flat_map(|&label| {
            let word = format!("{:<3}", ["no", "yes"][usize::from(label % 2)]);
            word.chars().flat_map(|c| if c == ' ' { [0; 4] } else { u32::from(c).to_le_bytes() }).collect::<Vec<_>>()
        })
        .collect();
    let files = [("x.npy", npy("|u1", &shape, &digits.train.pixels)), ("y.npy", npy("<U3", "(300,)", &names))];
    assert_eq!(data(vec![file("a.npz", zip(&files))]).unwrap().0.names, ["no", "yes"]);
}

#[test]
fn colours_and_oblong_images_are_read_in_any_order_of_dimensions() {
    let shapes = synthetic::shapes(180, 3);
    let side = 32 * 32;
    let last: Vec<u8> = shapes
        .train
        .pixels
        .chunks(3 * side)
        .flat_map(|i| (0..side).flat_map(|p| [i[p], i[side + p], i[2 * side + p]]))
        .collect();
    for (dims, pixels) in
        [("(180, 3, 32, 32)", &shapes.train.pixels), ("(180, 32, 32, 3)", &last), ("(180, 3072)", &shapes.train.pixels)]
    {
        let files =
            vec![file("x.npy", npy("|u1", dims, pixels)), file("y.npy", npy("|u1", "(180,)", &shapes.train.labels))];
        let (found, note) = data(files).unwrap();
        assert_eq!((found.shape, found.train.image(0)), (DataShape::SHAPES, shapes.train.image(0)), "{dims}");
        assert!(note.contains("32 by 32 pixels, in colour, 9 classes"), "{note}");
    }
    // 8 rows of 10 columns: a row of paper above and below.
    let pixels = vec![9; 140 * 80];
    let labels: Vec<u8> = (0..140).map(|i| i % 2).collect();
    let files = vec![file("x.npy", npy("|u1", "(140, 8, 10)", &pixels)), file("y.npy", npy("|u1", "(140,)", &labels))];
    let (found, _) = data(files).unwrap();
    assert_eq!(found.shape.image(), Shape { channels: 1, side: 10 });
    assert_eq!(found.train.image(0), [vec![0; 10], vec![9; 80], vec![0; 10]].concat());
}

#[test]
fn a_table_and_classes_that_are_not_numbered_from_zero_are_read() {
    let digits = synthetic::digits(160, 1).train;
    let mut table = format!("label,{}\n", vec!["p"; 784].join(","));
    for at in 0..digits.len() {
        let pixels: Vec<_> = digits.image(at).iter().map(u8::to_string).collect();
        table += &format!("{},{}\n", ["one", "two"][usize::from(digits.labels[at] / 5)], pixels.join(","));
    }
    let (found, _) = data(vec![file("train.csv", table.into_bytes())]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((found.names.clone(), found.shape.classes()), (vec!["one".to_string(), "two".into()], 2));
    assert_eq!(found.train.image(0), digits.image(0));
    let [images, mut labels] = idx_files(&synthetic::letters(260, 3).train, "emnist-letters-train");
    labels.bytes[8..].iter_mut().for_each(|label| *label += 1);
    let (found, _) = data(vec![images, labels]).unwrap();
    assert_eq!((found.names[0].as_str(), found.names[25].as_str(), found.shape.classes()), ("1", "26", 26));
    let letter = synthetic::letters(260, 3).train.image(0).to_vec();
    assert_eq!(found.train.image(0), transposed(&letter, 28), "EMNIST's images lie on their side");
}

#[test]
fn pictures_have_the_class_of_their_folder() {
    let png = b"\x89PNG...".to_vec();
    let files = [("train/cat/1.png", png.clone()), ("train/.DS_Store", vec![1]), ("test\\dog\\2.png", png.clone())];
    let Opened::Pictures(found) =
        open(vec![file("latest test.zip", zip(&files)), file("licence.txt", vec![9])]).unwrap()
    else {
        panic!("no pictures")
    };
    let found: Vec<_> = found.iter().map(|picture| (picture.class.as_str(), picture.role)).collect();
    assert_eq!(found, [("cat", Role::Train), ("dog", Role::Test)]);
    let picture = |at: usize| Picture { class: format!("c{}", at % 2), role: Role::Train, file: file("x", vec![]) };
    let shape = Shape { channels: 3, side: 8 };
    let decoded = (0..150).map(|at| (picture(at), vec![at as u8; shape.values()])).collect();
    let (found, note) = pictures(shape, decoded).unwrap();
    assert_eq!((found.names, found.train.len(), found.test.len()), (vec!["c0".into(), "c1".into()], 130, 20));
    assert!(note.contains("in colour, 2 classes"));
}

#[test]
fn labels_go_with_the_images_whose_name_is_most_like_theirs() {
    let (digits, more) = (synthetic::digits(300, 1), synthetic::digits(300, 2));
    let array = |values: &[u8]| npy("|u1", "(300,)", values);
    let images = |set: &Labelled| npy("|u1", "(300, 28, 28)", &set.pixels);
    let files = vec![
        file("ids.npy", array(&vec![3; 300])),
        file("b_labels.npy", array(&more.train.labels)),
        file("a_labels.npy", array(&digits.train.labels)),
        file("a_images.npy", images(&digits.train)),
        file("b_images.npy", images(&more.train)),
    ];
    let (found, _) = data(files).unwrap();
    assert_eq!((found.train, found.test), (digits.train.clone(), more.train.clone()));
    // Images for validation beside a test set are trained on.
    let part = |name: &str, set: &Labelled| {
        [(format!("{name}_images.npy"), images(set)), (format!("{name}_labels.npy"), array(&set.labels))]
    };
    let parts = [part("train", &digits.train), part("val", &more.train), part("test", &more.train)].concat();
    let parts: Vec<_> = parts.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let (found, _) = data(vec![file("set.npz", zip(&parts))]).unwrap();
    assert_eq!((found.train.len(), found.test), (600, more.train));
}

#[test]
fn shades_are_the_same_in_every_format() {
    let labels = npy("|u1", "(140,)", &(0..140).map(|i| i % 2).collect::<Vec<u8>>());
    let expect = |pixels: NamedFile| {
        let files =
            if pixels.name.ends_with("csv") { vec![pixels] } else { vec![pixels, file("y.npy", labels.clone())] };
        data(files).unwrap().0.train.image(0)[..2].to_vec()
    };
    let line = |word: &str| format!("1,{word}{}\n0,{word}{}\n", ",0".repeat(63), ",0".repeat(63)).repeat(70);
    for (word, value) in [("1", 255), ("0.5", 128), ("200", 200)] {
        let mut floats = vec![0f32; 140 * 64];
        floats.iter_mut().step_by(64).for_each(|pixel| *pixel = word.parse().unwrap());
        let bytes: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(expect(file("x.npy", npy("<f4", "(140, 8, 8)", &bytes))), [value, 0], "{word}");
        assert_eq!(expect(file("x.csv", line(word).into_bytes())), [value, 0], "{word}");
        // Columns that are named by numbers, as pandas does.
        let head: Vec<_> = (0..64).map(|column| column.to_string()).collect();
        let named = format!("label,{}\n{}", head.join(","), line(word));
        assert_eq!(expect(file("x.csv", named.into_bytes())), [value, 0], "{word}");
    }
    // Two pixels: rows with a single 1 would be classes.
    let truth: Vec<u8> = (0..140 * 64).map(|at| u8::from(at % 64 == 0 || at % 64 == 9)).collect();
    assert_eq!(expect(file("x.npy", npy("|b1", "(140, 64)", &truth))), [255, 0]);
}

#[test]
fn classes_may_be_columns_and_numbers_of_half_size() {
    let digits = synthetic::digits(300, 1).train;
    let one_hot: Vec<u8> =
        digits.labels.iter().flat_map(|&label| (0..10).map(move |at| u8::from(at == label))).collect();
    let half = |value: u8| half::f16::from_f32(f32::from(value) / 255.0).to_le_bytes();
    let pixels: Vec<u8> = digits.pixels.iter().flat_map(|&value| half(value)).collect();
    let floats: Vec<u8> = one_hot.iter().flat_map(|&value| f32::from(value).to_le_bytes()).collect();
    for labels in [npy("|u1", "(300, 10)", &one_hot), npy("<f4", "(300, 10)", &floats)] {
        let files = vec![file("x.npy", npy("<f2", "(300, 784)", &pixels)), file("y.npy", labels)];
        let (found, note) = data(files).unwrap();
        assert!(note.contains("28 by 28 pixels, gray, 10 classes"), "{note}");
        assert_eq!(found.train.len() + found.test.len(), 300);
        assert_eq!((found.train.image(0), found.train.labels[0]), (digits.image(0), digits.labels[0]));
    }
    // Two ones in a row: these are images of 8 by 8 pixels, or nothing.
    let mut wrong = one_hot;
    wrong[..2].fill(1);
    let error = data(vec![file("y.npy", npy("|u1", "(300, 10)", &wrong))]).unwrap_err();
    assert!(error.to_string().contains("[300, 10] is no shape of images"), "{error}");
}

#[test]
fn a_table_without_classes_is_left_out() {
    let pixels = ",7".repeat(63);
    let labelled = format!("label{}\n{}", ",p".repeat(64), format!("a,7{pixels}\nb,7{pixels}\n").repeat(70));
    let bare = format!("p{}\n{}", ",p".repeat(63), format!("7{pixels}\n").repeat(20));
    let files = vec![file("train.csv", labelled.into_bytes()), file("test.csv", bare.clone().into_bytes())];
    let (found, note) = data(files).unwrap();
    assert_eq!(found.train.len() + found.test.len(), 140);
    assert!(note.starts_with("test.csv has no classes and is left out. "), "{note}");
    let error = data(vec![file("test.csv", bare.into_bytes())]).unwrap_err();
    assert_eq!(error.to_string(), "test.csv: it has pixels but no classes; add a column named label");
}

#[test]
fn errors_say_what_is_wrong() {
    let [a, b] = idx_files(&synthetic::digits(300, 1).train, "train");
    let [c, d] = idx_files(&synthetic::digits(60, 1).train, "train");
    let words = |files: Vec<NamedFile>| data(files).unwrap_err().to_string();
    let table = |line: &str| file("x.csv", format!("1{}\n{line}", ",7".repeat(64)).into_bytes());
    for (files, expected) in [
        (vec![], "there are no images"),
        (vec![b.clone()], "there are no images"),
        (vec![file("1.png", b"\x89PNG".to_vec())], "the pictures are in no folders"),
        (vec![file("a/test/1.png", b"\x89PNG".to_vec())], "the pictures are in no folders"),
        (vec![file("x.npy", npy("|u1", "(0, 9223372036854775807, 3)", &[]))], "it has no values"),
        (vec![file("x.npy", npy("|u1", "(2000000,)", &[0; 2_000_000]))], "it has 2000000 entries"),
        (
            vec![file("x.npy", npy("|u1", "(1000000, 64, 1)", &vec![0; 64_000_000]))],
            "its images take more than 192 MiB",
        ),
        (vec![file("x.csv", b"1,2,3,4,5".to_vec())], "a class and 4 pixels, which make no square"),
        (vec![a.clone()], "no labels match train-images: it has 300 images"),
        (vec![a.clone(), d.clone()], "no labels match train-images"),
        (vec![c, d], "images to train with; at least 120 are needed"),
        (vec![a.clone(), file("x", b"hello".to_vec())], "no labels match train-images"),
        (vec![file("x", b"hello".to_vec())], "x: this is not a file of images or labels"),
        (vec![file("x.npy", npy(">f4", "(1,)", &[0; 4]))], "its values are of type \">f4\""),
        (vec![file("x.npy", npy("<f4", "(9, 2)", &[0; 4]))], "promises 72 bytes of values, but the file has 4"),
        (vec![file("x.npy", npy("<f4", "(1, 1, 4)", &[0, 0, 128, 127].repeat(4)))], "its pixels go from inf to inf"),
        (vec![file("x.npy", npy("|u1", "(2, 3, 5, 7)", &[0; 210]))], "is no shape of images"),
        (vec![file("x.npy", npy("|u1", "(1, 99, 99)", &[0; 9801]))], "is no shape of images"),
        (vec![table("1,2")], "line 2 has 2 values instead of 65"),
        (vec![table(&format!("1{}", ",300".repeat(64)))], "line 2: \"300\" is not a pixel"),
        (vec![file("x.zip", b"PK\x03\x04".to_vec())], "the archive is damaged"),
    ] {
        assert!(words(files).contains(expected), "{expected}");
    }
    let one = Labelled { labels: vec![3; 300], ..synthetic::digits(300, 1).train };
    assert!(words(idx_files(&one, "x").into()).contains("there are 1 classes"));
    let [e, f] = idx_files(&one, "test");
    let (mut g, mut h) = (a, b);
    (g.name, h.name) = ("x".into(), "y".into());
    h.bytes[8..].iter_mut().for_each(|label| *label = (*label).max(4));
    assert!(words(vec![e, f, g, h]).contains("the class \"3\" has no images"));
}

proptest! {
    #[test]
    fn any_bytes_give_a_data_set_or_an_error(a in proptest::collection::vec(any::<u8>(), 0..300), b in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(Opened::Arrays(arrays)) = open(vec![file("a", a), file("b.csv", b)]) {
            prop_assert!(assemble(arrays).is_err());
        }
    }

    #[test]
    fn a_mutated_file_gives_a_sound_data_set_or_an_error(at in 0usize..400, byte: u8, cut in 0usize..200_000, kind in 0..3) {
        let digits = synthetic::digits(140, 1).train;
        let arrays = [
            ("x_train.npy", npy("|u1", "(140, 28, 28)", &digits.pixels)),
            ("y_train.npy", npy("|u1", "(140,)", &digits.labels)),
        ];
        let [images, labels] = idx_files(&digits, "train");
        let mut files = match kind {
            0 => vec![file("a.npz", zip(&arrays))],
            1 => vec![images, labels],
            _ => arrays.map(|(name, bytes)| file(name, bytes)).into(),
        };
        let bytes = &mut files[at % 2 % 2 * usize::from(kind > 0)].bytes;
        let place = at % bytes.len();
        bytes[place] = byte;
        bytes.truncate(bytes.len().min(cut + 100));
        if let Ok((data, _)) = data(files) {
            prop_assert!(data.is_sound());
        }
    }
}
