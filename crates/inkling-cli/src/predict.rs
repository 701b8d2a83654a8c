//! `predict`: what a network sees in pictures.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::ArgMatches;
use image::RgbaImage;
use inkling_core::{
    checkpoint::{Rounding, TrainerState},
    image::Shape,
    ink::Sheet,
    settings::DatasetName,
    sketch::{Target, normalise},
};
use inkling_train::{pass::Recipe, trainer::Trainer};
use pollster::block_on;
use serde::Serialize;

use crate::{
    backend,
    data::square,
    error::CliError,
    report::{print, put},
    trained::Trained,
};

/// A picture is looked at with this many pixels before it is made as small as the network's images.
const SHEET: u32 = 280;
/// As many classes are printed, the most probable first.
const SHOWN: usize = 3;

/// What a network sees in a picture.
#[derive(Serialize)]
struct Seen {
    file: String,
    class: usize,
    name: String,
    /// Of each class.
    probabilities: Vec<f32>,
}

/// Prints what the network sees.
pub fn predict(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let trained = Trained::open(matches)?;
    let names: Vec<String> = matches.get_many("names").into_iter().flatten().cloned().collect();
    let trainer = trainer(&trained)?;
    for path in matches.get_many::<PathBuf>("pictures").into_iter().flatten() {
        let probabilities = block_on(trainer.predict(&pixels(&trained, path)?, None))?;
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let class = order.first().copied().unwrap_or_default();
        let file = path.display().to_string();
        if matches.get_flag("json") {
            print(&Seen { file, class, name: trained.class(class, &names), probabilities });
        } else {
            let shown = order
                .iter()
                .take(SHOWN)
                .map(|&class| format!("{} {:.1} %", trained.class(class, &names), 100.0 * probabilities[class]));
            put(&format!("{file}: {}", shown.collect::<Vec<_>>().join(", ")));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn trainer(trained: &Trained) -> Result<Trainer, CliError> {
    let backend = backend::cpu(Rounding::Once)?;
    let recipe = Recipe::to_ask(&trained.settings, trained.net.clone());
    let restored = Trainer::restored(recipe, &TrainerState::new(0, &trained.weights), &backend.device);
    restored.ok_or_else(|| CliError::Failed("these are not the network's weights".into()))
}

/// The picture as the network's images are: drawn data sets and MNIST have bright ink in the middle of dark paper.
fn pixels(trained: &Trained, path: &Path) -> Result<Vec<u8>, CliError> {
    let wrong = |reason| CliError::Picture { path: path.into(), reason };
    let shape = trained.data().image();
    let file = fs::read(path).map_err(|source| CliError::Read { path: path.into(), source })?;
    match (trained.settings.dataset, Target::like_mnist(shape)) {
        (DatasetName::Mnist | DatasetName::Synthetic | DatasetName::Letters, Ok(target)) => {
            let sheet = sheet(&square(&file, SHEET).map_err(wrong)?);
            normalise(&sheet, target).ok_or_else(|| wrong("there is nothing on it".into()))
        }
        _ => square(&file, shape.side as u32).map(|picture| shape.of_rgba(picture.as_raw())).map_err(wrong),
    }
}

/// The ink on a picture. Paper is what its edges show, dark or bright.
fn sheet(picture: &RgbaImage) -> Sheet {
    let side = picture.width() as usize;
    let gray = Shape { channels: 1, side }.of_rgba(picture.as_raw());
    let edges = (0..side).flat_map(|i| [i, (side - 1) * side + i, i * side, i * side + side - 1]);
    let mut edges: Vec<u8> = edges.map(|at| gray[at]).collect();
    edges.sort_unstable();
    let paper = f32::from(edges[edges.len() / 2]);
    let far = gray.iter().map(|&shade| (f32::from(shade) - paper).abs()).fold(1.0, f32::max);
    Sheet { side, ink: gray.iter().map(|&shade| (f32::from(shade) - paper).abs() / far).collect() }
}
