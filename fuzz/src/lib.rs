//! The targets: each reads hostile bytes as one kind of file or record, and then uses what was accepted as the page would.
//!
//! Files and records are made from valid ones: the fuzzer's bytes are a list of edits ([`edit`], [`tree`]), so that it gets
//! past checksums, magic numbers and headers. A target fails if something panics, does not end, or holds more than
//! [`memory::BOUND`] at once.

mod edit;
mod memory;
mod samples;
mod tree;

use std::{
    io::Write,
    sync::{LazyLock, OnceLock},
};

use flate2::{Compression, write::GzEncoder};
use inkling_core::{
    charts::{self, Curve, Metric, Theme},
    data::{KeptData, NamedFile, Split, handwriting::Handwriting},
    history::RunHistory,
    image::DataShape,
    network::Network,
    protocol::BackendInfo,
    remote::ServerLink,
    restore::Restore,
    settings::Settings,
    share,
    sketch::Target,
    summary::{RunSummary, SavedRun},
};
use inkling_formats::{
    idx as idx_files, mnist, onnx as onnx_files,
    own::{self, Opened},
    run as run_files, weights,
};
use plotters::prelude::*;

use edit::Edits;

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Images and labels as two edited IDX files.
pub fn idx(data: &[u8]) {
    let [images, labels] = samples::idx_pair();
    let mut edits = Edits::new(data);
    let (images, labels) = (edits.apply(images), edits.apply(labels));
    if let Ok(set) = idx_files::parse(&images, &labels) {
        assert_eq!(set.pixels.len(), set.len() * 784);
        assert!(set.labels.iter().all(|&label| label < 10));
    }
}

/// An edited gzip stream, and a gzip stream of edited bytes.
pub fn gzip(data: &[u8]) {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    let mut edits = Edits::new(data);
    let file = edits.apply(FILE.get_or_init(|| gzipped(&samples::idx_pair()[1])));
    let plain = idx_files::decompress(&file, idx_files::MAX_DECOMPRESSED).map(|plain| plain.len());
    assert!(plain.is_err() || plain.is_ok_and(|len| len <= 64 << 20));
    assert!(mnist::FILES[3].verify(&file).is_err(), "these are not MNIST's labels");
    assert!(
        idx_files::decompress(data, idx_files::MAX_DECOMPRESSED).is_ok_and(|plain| *plain == *data)
            || data.starts_with(&[0x1f, 0x8b])
    );
}

/// The visitor's own data set: two or four edited IDX files, some gzipped, or edited files of other kinds.
pub fn data_set(data: &[u8]) {
    let (&[choice, ..], mut edits) =
        (data.first_chunk::<1>().unwrap_or(&[0]), Edits::new(data.get(1..).unwrap_or_default()));
    let [images, labels] = samples::idx_pair();
    let files = (0..if choice & 1 == 0 { 2 } else { 4 }).map(|place: u8| {
        let bytes = edits.apply(if place % 2 == 0 { images } else { labels });
        let name = if choice >> 4 & 1 << place != 0 { "test" } else { "train" };
        NamedFile { name: name.into(), bytes: if choice >> 1 & 1 == 0 { bytes } else { gzipped(&bytes) } }
    });
    let files = match choice >> 2 & 7 {
        0..=4 => files.collect(),
        5 => samples::pictures().map(|file| NamedFile { bytes: edits.apply(&file.bytes), ..file }).into(),
        _ => samples::data_files()
            .iter()
            .map(|file| NamedFile { bytes: edits.apply(&file.bytes), ..file.clone() })
            .collect(),
    };
    match own::open(files) {
        Ok(Opened::Arrays(arrays)) => {
            if let Ok((set, _)) = own::assemble(arrays) {
                assert!(set.is_sound());
            }
        }
        Ok(Opened::Pictures(pictures)) => pictures.iter().for_each(|picture| _ = picture.is_decodable()),
        Err(_) => {}
    }
}

fn read_weights(data: &[u8], file: &[u8]) {
    let net = samples::network();
    for file in [&Edits::new(data).apply(file)[..], data] {
        if let Ok(weights) = weights::read(&net, file) {
            assert!(weights.len() == net.count() && weights.iter().all(|weight| weight.is_finite()));
        }
    }
}

/// An edited safetensors file.
pub fn safetensors(data: &[u8]) {
    read_weights(data, samples::safetensors());
}

/// An edited burnpack file.
pub fn burnpack(data: &[u8]) {
    read_weights(data, samples::burnpack());
}

/// An edited ONNX file.
pub fn onnx(data: &[u8]) {
    for file in [&Edits::new(data).apply(samples::onnx())[..], data] {
        let net = samples::network();
        if let Ok(weights) = onnx_files::weights(&net, file) {
            assert_eq!(weights.len(), net.count());
        }
    }
}

/// A run with edited values, as a file or the browser's database may hold it.
pub fn run(data: &[u8]) {
    let Some(run) = tree::edited::<SavedRun>(samples::run(), data) else { return };
    if run.check().is_err() {
        return;
    }
    let _ = (run.sentence(), run.is_finished());
    let mut page = RunSummary::restored(1, run, BackendInfo::default());
    page.back_to_checkpoint();
    let _ = (page.history_csv(), page.filters(0), page.filters(1), page.steps_per_epoch());
    if let Some(report) = page.confusion_matrix.as_ref().map(|matrix| matrix.report()) {
        let _ = (report.text(|class| class.to_string()), report.markdown(|class| class.to_string()));
    }
    for (metric, train) in [(Metric::Loss, &page.curves.loss), (Metric::Accuracy, &page.curves.accuracy)] {
        let place = |step: u32| f64::from(step) / page.steps_per_epoch();
        let curve = Curve {
            train: train.into(),
            validation: page.history.iter().map(|epoch| (f64::from(epoch.epoch), epoch.validation_loss)).collect(),
            resumed: page.incidents.iter().map(|incident| place(incident.from)).collect(),
            changed: page.adjustments.iter().map(|&(step, _)| place(step)).collect(),
            others: Vec::new(),
            epochs: f64::from(page.settings.epochs),
            metric,
        };
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (320, 160)).into_drawing_area();
        assert!(charts::curve(&area, &curve, &Theme::LIGHT, 1.0).is_ok());
    }
    let again = page.saved();
    assert!(again.is_some_and(|run| run.check().is_ok()), "what was restored can be kept again");
}

/// A run file as the command reads it, with its JSON edited.
pub fn run_file(data: &[u8]) {
    assert!(!data.is_empty() || run_files::read(&gzipped(samples::run_text())).is_ok(), "without an edit it is valid");
    for text in [&Edits::new(data).apply(samples::run_text())[..], data] {
        let Ok(run) = run_files::read(&gzipped(text)) else { continue };
        let again = run_files::file(&run).and_then(|file| run_files::read(&file));
        assert!(again.is_ok_and(|again| again == run), "what was read can be written and read again");
    }
}

/// A history of runs with edited values.
pub fn history(data: &[u8]) {
    let Some(history) = tree::edited::<RunHistory>(samples::history(), data) else { return };
    let mut history = history.numbered();
    if history.check().is_err() {
        return;
    }
    let _ = history.differing();
    let numbers: Vec<u32> = history.runs.iter().map(|run| run.number).collect();
    for pair in numbers.windows(2) {
        let _ = history.compare(pair[0], pair[1]);
    }
    if let Some(&number) = numbers.first() {
        history.rename(number, "another");
        history.remove(number);
    }
    let merged = history.merged(&RunHistory::default(), &RunHistory::default());
    assert!(merged.check().is_ok());
}

/// The visitor's digits with edited values.
pub fn handwriting(data: &[u8]) {
    let Some(mut digits) = tree::edited::<Handwriting>(samples::handwriting(), data) else { return };
    if digits.check().is_err() {
        return;
    }
    assert_eq!(digits.part(true).len() + digits.part(false).len(), digits.len());
    digits.add(&[7; 784], 3);
    digits.remove(0);
    assert!(digits.clone().merged(&digits, &Handwriting::default()).check().is_ok());
}

/// The visitor's own data set, as the browser keeps it, with edited values.
pub fn images(data: &[u8]) {
    let Some(kept) = tree::edited::<KeptData>(samples::images(), data) else { return };
    if kept.check().is_ok() {
        let data = kept.data;
        let _ = (data.fingerprint(), Target::like(&data.train), Split::stratified(&data.train.labels, Some(60), 1));
        let all = (0..data.test.len()).chain([0]);
        assert!(all.into_iter().all(|at| data.test.image(at).len() == data.shape.image().values()));
    }
}

/// The query of an address, and its fragment: weights, or the link of a server.
pub fn address(data: &[u8]) {
    static SMALL: LazyLock<Network> = LazyLock::new(|| {
        let net = "pool, pool, pool".parse().unwrap();
        Settings { net, ..Settings::default() }.network(DataShape::DIGITS).unwrap()
    });
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (query, fragment) = text.split_once('#').unwrap_or((text, ""));
    if let Ok((weights, accuracy)) = share::read(&SMALL, fragment) {
        assert!(weights.len() == SMALL.count() && weights.iter().all(|weight| weight.is_finite()));
        assert!((0.0..=1.0).contains(&accuracy));
    }
    if let Ok(link) = fragment.parse::<ServerLink>() {
        assert_eq!(link.to_string().parse(), Ok(link));
    }
    let (settings, errors) = Settings::from_query(query);
    assert!(settings.validate().is_ok(), "{settings:?}");
    errors.iter().for_each(|error| assert!(!error.to_string().is_empty()));
    assert_eq!(Settings::from_query(&settings.to_query()), (settings, Vec::new()));
}
