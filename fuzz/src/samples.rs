//! Valid files and records, which the targets edit.

use std::sync::OnceLock;

use ciborium::Value;
use inkling_core::{
    checkpoint::{Checkpoint, Rounding, TrainerState},
    data::{DataShape, Dataset, KeptData, Labelled, NamedFile, Shape, handwriting::Handwriting, synthetic},
    healing::{Incident, Remedy},
    history::RunHistory,
    metrics::{ConfusionMatrix, Parts},
    network::Network,
    protocol::{
        BackendInfo, BackendName, Envelope, EpochRecord, Event, Format, Motion, Progress, RobustnessPoint, StepPoint,
        TestResult,
    },
    settings::Settings,
    summary::{RunSummary, SavedRun},
};
use inkling_formats::{idx, run as run_files, weights};

use crate::tree;

/// Images and labels of 150 synthetic digits.
pub fn idx_pair() -> &'static [Vec<u8>; 2] {
    static FILES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    FILES.get_or_init(|| {
        let digits = synthetic::digits(150, 1).train;
        let header = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        let images = [header(&[0x803, 150, 28, 28]), digits.pixels].concat();
        [images, [header(&[0x801, 150]), digits.labels].concat()]
    })
}

/// The same digits as NumPy's arrays in an archive, and a table.
pub fn data_files() -> &'static [NamedFile; 2] {
    static FILES: OnceLock<[NamedFile; 2]> = OnceLock::new();
    FILES.get_or_init(|| {
        let digits = synthetic::digits(150, 1).train;
        let array = |shape: &str, values: &[u8]| {
            let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
            [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), values].concat()
        };
        let files =
            [("x_train.npy", array("(150, 28, 28)", &digits.pixels)), ("y_train.npy", array("(150,)", &digits.labels))];
        let row = |at: usize| {
            let pixels: Vec<_> = digits.image(at).iter().map(u8::to_string).collect();
            format!("{},{}\n", digits.labels[at], pixels.join(","))
        };
        let table: String = (0..20).map(row).collect();
        [
            NamedFile { name: "digits.npz".into(), bytes: archive(&files).unwrap_or_default() },
            NamedFile { name: "test.csv".into(), bytes: table.into_bytes() },
        ]
    })
}

/// The headers of pictures of 100 by 80 pixels: PNG, JPEG with a segment before its size, and the three kinds of WebP.
pub fn pictures() -> [NamedFile; 5] {
    let riff = |kind: &[u8], header: &[u8]| [b"RIFF\x40\0\0\0WEBP", kind, b"\x20\0\0\0", header].concat();
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x64\0\0\0\x50\x08\x02\0\0\0".to_vec(),
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x0b\x08\0\x50\0\x64\x01\x01\x11\0".to_vec(),
        riff(b"VP8 ", b"\x30\x01\0\x9d\x01\x2a\x64\0\x50\0\0\0"),
        riff(b"VP8L", b"\x2f\x63\xc0\x13\0\0\0\0\0\0\0\0"),
        riff(b"VP8X", b"\x10\0\0\0\x63\0\0\x4f\0\0\0\0"),
    ]
    .map(|bytes| NamedFile { name: "class/picture".into(), bytes })
}

fn archive(files: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, rawzip::Error> {
    let mut out = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut out);
    for (name, bytes) in files {
        let (mut entry, config) = archive.new_file(name).start()?;
        let mut writer = config.wrap(&mut entry);
        std::io::Write::write_all(&mut writer, bytes)?;
        let (_, descriptor) = writer.finish()?;
        entry.finish(descriptor)?;
    }
    archive.finish()?;
    Ok(out)
}

/// A small network: an execution copies its file.
pub fn network() -> Network {
    "conv 4, pool, conv 8, pool, pool, dense 16, dropout 0.3".parse().unwrap_or_default()
}

fn weights_file(format: Format) -> Vec<u8> {
    let net = network();
    let values: Vec<f32> = (0..net.count()).map(|place| place as f32 * 1e-6).collect();
    weights::file(format, &net, &values).unwrap_or_default()
}

pub fn safetensors() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| weights_file(Format::Safetensors))
}

pub fn burnpack() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| weights_file(Format::Burnpack))
}

pub fn onnx() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| weights_file(Format::Onnx))
}

fn epoch(epoch: u32, seconds: f64) -> EpochRecord {
    EpochRecord {
        epoch,
        step: 9 * epoch,
        train_loss: 1.0,
        train_accuracy: 0.5,
        validation_loss: 0.9,
        validation_accuracy: 0.6,
        averaged: None,
        images_per_second: 1000.0,
        seconds,
        parts: Parts::default(),
    }
}

fn test() -> TestResult {
    let mut confusion = ConfusionMatrix::new(10);
    (0..100).for_each(|image| confusion.add(image % 10, image % 7));
    let (interval, calibration) = ([0.4, 0.6], Default::default());
    TestResult { accuracy: 0.5, interval, loss: 1.0, confusion, calibration, right: vec![0, 1, 1, 0], seconds: 1.0 }
}

/// A run of three epochs, kept in the second.
pub fn run() -> &'static Value {
    static RUN: OnceLock<Value> = OnceLock::new();
    RUN.get_or_init(|| saved(Settings { epochs: 3, ..Settings::default() }).map_or(Value::Null, |run| tree::of(&run)))
}

/// The JSON in the file of such a run, of a network so small that the file is short.
pub fn run_text() -> &'static [u8] {
    static TEXT: OnceLock<Vec<u8>> = OnceLock::new();
    TEXT.get_or_init(|| {
        let net = "dense 2".parse().unwrap_or_default();
        let file = saved(Settings { epochs: 3, net, ..Settings::default() }).and_then(|run| run_files::file(&run).ok());
        let text = file.and_then(|file| idx::decompress(&file, idx::MAX_DECOMPRESSED).ok().map(Vec::from));
        text.unwrap_or_default()
    })
}

fn saved(settings: Settings) -> Option<SavedRun> {
    let numbers = 3 * settings.network(DataShape::DIGITS).ok()?.count();
    let mut run = RunSummary::new(1, settings, BackendInfo::default(), None);
    let mut say = |event| assert!(run.apply(&Envelope { run: 1, event }));
    say(Event::Progress(Progress { steps: 27, epochs: 3, ..Progress::default() }));
    say(Event::Steps((1..=9).map(|step| StepPoint { step, loss: 2.0, accuracy: 0.3 }).collect()));
    say(Event::Epoch { record: epoch(1, 1.0), confusion: test().confusion });
    let (loss, hits, seconds) = (1.0, 1.0, 1.0);
    let best = Some((1, 1.0));
    say(Event::Checkpoint(Box::new(Checkpoint {
        epoch: 2,
        done: 2,
        loss,
        hits,
        seconds,
        best,
        data: Some(5),
        rounding: Some(Rounding::Once),
        workers: Some(2),
        trainer: TrainerState::new(11, &vec![0.5; numbers]),
    })));
    let backend = BackendName::Cpu;
    run.incidents.push(Incident { backend, reason: "it went".into(), step: 10, from: 9, remedy: Remedy::Again });
    run.adjustments.push((4, Settings::default().adjustable()));
    run.robustness.push(RobustnessPoint { motion: Motion::Zoom, amount: 0.1, accuracy: 0.5 });
    run.saved()
}

/// Three finished runs.
pub fn history() -> &'static Value {
    static HISTORY: OnceLock<Value> = OnceLock::new();
    HISTORY.get_or_init(|| {
        let mut history = RunHistory::default();
        for seed in 0..3 {
            let mut run = RunSummary::new(1, Settings { seed, ..Settings::default() }, BackendInfo::default(), None);
            run.history.push(epoch(1, f64::from(seed)));
            run.test = Some(test());
            history.add(&run);
        }
        tree::of(&history)
    })
}

/// 150 images in two classes with names.
pub fn images() -> &'static Value {
    static IMAGES: OnceLock<Value> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let set = |count: usize| Labelled {
            shape: Shape { channels: 1, side: 8 },
            pixels: vec![9; 64 * count],
            labels: (0..count).map(|at| (at % 2) as u8).collect(),
        };
        let (train, test) = (set(130), set(20));
        let names = vec!["cat".into(), "dog".into()];
        let data = DataShape::new(train.shape, 2).map(|shape| Dataset { shape, names, train, test });
        tree::of(&data.ok().map(|data| KeptData { data: data.into(), note: "150 images".into() }))
    })
}

/// Five digits.
pub fn handwriting() -> &'static Value {
    static DIGITS: OnceLock<Value> = OnceLock::new();
    DIGITS.get_or_init(|| {
        let mut digits = Handwriting::default();
        (0..5).for_each(|digit| assert!(digits.add(&[digit; 784], digit)));
        tree::of(&digits)
    })
}
