//! The images: MNIST's folder, or the visitor's own files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::ArgMatches;
use image::{DynamicImage, ImageDecoder, ImageReader, Rgba, RgbaImage, imageops};
use inkling_core::{
    data::{Dataset, NamedFile, SharedDataset},
    image::{DataShape, Shape},
    protocol::{FileEvent, FileTask, Look},
    settings::DatasetName,
    summary::SavedRun,
};
use inkling_formats::{
    mnist::{FILES, SOURCES, read_folder},
    own::Picture,
    tasks::{Host, perform},
};
use pollster::block_on;

use crate::error::CliError;

/// MNIST from `folder`, and the folder's name; or a sentence that says how to get it.
pub fn mnist(folder: &Path) -> Result<(Dataset, String), String> {
    let name = folder.display().to_string();
    read_folder(folder).map(|data| (data, name)).map_err(|error| {
        let files = FILES.map(|file| file.name).join(", ");
        format!("MNIST is not there: {error}. Download {files} from {} and name their folder with --mnist.", SOURCES[1])
    })
}

/// The visitor's own images, if `--data` names some, and a note on what they are. Pictures become what `look` says.
pub fn own(matches: &ArgMatches, look: Look) -> Result<Option<(SharedDataset, String)>, CliError> {
    let Some(paths) = matches.get_many::<PathBuf>("data") else { return Ok(None) };
    let mut files = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        collect(path, &name, &mut files)?;
    }
    let task = FileTask::ReadData { files, look };
    match block_on(perform(task, &Decoder)) {
        FileEvent::DataRead { data, note } => Ok(Some((data, note))),
        FileEvent::DataRefused(reason) | FileEvent::Failed(reason) => Err(CliError::Data(reason)),
        _ => Err(CliError::Data("The data set was not read.".into())),
    }
}

/// What pictures become, so that they look like the images of a run.
pub fn look(data: DataShape) -> Look {
    let Shape { channels, side } = data.image();
    Look { side: side as u32, colour: channels > 1 }
}

/// Checks that `--data` is there if and only if the run is on the visitor's own images.
pub fn check(matches: &ArgMatches, run: Option<&SavedRun>) -> Result<(), CliError> {
    let own = run.is_some_and(|run| run.settings.dataset == DatasetName::Own);
    match (own, matches.contains_id("data")) {
        (true, false) => Err(CliError::Usage("this run is on your own images: name their files with --data".into())),
        (false, true) => {
            Err(CliError::Usage("--data is for runs on your own images, and this run uses another data set".into()))
        }
        _ => Ok(()),
    }
}

/// Adds the file, or the files in the folder, under names that begin with `name`.
fn collect(path: &Path, name: &str, files: &mut Vec<NamedFile>) -> Result<(), CliError> {
    let failed = |source| CliError::Read { path: path.into(), source };
    if !path.is_dir() {
        files.push(NamedFile { name: name.into(), bytes: fs::read(path).map_err(failed)? });
        return Ok(());
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
    let mut inside: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    inside.sort();
    for path in inside {
        let last = path.file_name().unwrap_or_default().to_string_lossy();
        if !last.starts_with('.') {
            collect(&path, &format!("{name}/{last}"), files)?;
        }
    }
    Ok(())
}

/// Decodes pictures as the page does, but for the rounding of the browser's scaling.
struct Decoder;

impl Host for Decoder {
    async fn decode(&self, picture: &Picture, look: Look) -> Result<Vec<u8>, String> {
        square(&picture.file.bytes, look.side).map(|pixels| look.shape().of_rgba(pixels.as_raw()))
    }

    fn report(&self, _: FileEvent) {}
}

/// The middle square of a picture, `side` by `side` pixels, on white, as it should be held.
pub fn square(file: &[u8], side: u32) -> Result<RgbaImage, String> {
    let reader =
        ImageReader::new(std::io::Cursor::new(file)).with_guessed_format().map_err(|error| error.to_string())?;
    let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let orientation = decoder.orientation().map_err(|error| error.to_string())?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    picture.apply_orientation(orientation);
    let (width, height) = (picture.width(), picture.height());
    let middle = width.min(height);
    let picture = picture.crop_imm((width - middle) / 2, (height - middle) / 2, middle, middle);
    let mut paper = RgbaImage::from_pixel(middle, middle, Rgba([255; 4]));
    imageops::overlay(&mut paper, &picture.to_rgba8(), 0, 0);
    Ok(imageops::resize(&paper, side, side, imageops::FilterType::Triangle))
}
