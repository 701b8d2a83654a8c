//! What the file worker does for the page, and the command for itself.

use std::sync::Arc;

use inkling_core::{
    checkpoint::TrainerState,
    data::{NamedFile, SharedDataset, synthetic},
    protocol::{FileEvent, FileTask, Look},
};

use crate::{
    code,
    own::{self, Opened, OwnError, Picture},
    svg, weights,
};

/// A task says how far it is after this many pictures.
const REPORT_EVERY: usize = 25;

/// What a task needs from where it runs: a browser, or a command.
pub trait Host {
    /// The pixels of a picture as `look` wants them, `[C, H, W]`.
    ///
    /// # Errors
    /// Why it can't be decoded.
    fn decode(&self, picture: &Picture, look: Look) -> impl Future<Output = Result<Vec<u8>, String>>;

    /// Says how far the task is.
    fn report(&self, event: FileEvent);
}

/// Performs a task. If it fails, the answer is a sentence for the visitor.
pub async fn perform(task: FileTask, host: &impl Host) -> FileEvent {
    let done = match task {
        FileTask::Write { format, net, weights } => weights::file(format, &net, &weights.values())
            .map(|bytes| {
                let name = format!("inkling-step-{}.{}", weights.step, format.extension());
                FileEvent::Saved { name, bytes }
            })
            .map_err(|error| format!("The weights could not be saved: {error}.")),
        FileTask::WriteCode { language, net, settings } => Ok(FileEvent::Saved {
            name: language.file_name().into(),
            bytes: code::script(language, &net, &settings).into_bytes(),
        }),
        FileTask::WriteData { own, settings } => match own.or_else(|| synthetic::drawn(&settings).map(Arc::new)) {
            Some(data) => weights::data_file(&data)
                .map(|bytes| FileEvent::Saved { name: "inkling-data.safetensors".into(), bytes })
                .map_err(|error| format!("The data set could not be saved: {error}.")),
            None => Err("The data set could not be saved: its images are not here.".into()),
        },
        FileTask::Draw { name, drawing, scheme } => {
            Ok(FileEvent::Saved { name, bytes: svg::draw(&drawing, scheme).into_bytes() })
        }
        FileTask::Read { net, file } => {
            weights::open(&net.or_else(|| weights::described(&file)).unwrap_or_default(), &file)
                .map(|(net, weights)| FileEvent::Opened { net, weights: TrainerState::new(0, &weights) })
                .map_err(|error| format!("The file was not opened: {error}."))
        }
        FileTask::ReadData { files, look } => read(files, look, host)
            .await
            .map(|(data, note)| FileEvent::DataRead { data, note })
            .or_else(|error| Ok(FileEvent::DataRefused(format!("The data set was not accepted: {error}.")))),
    };
    done.unwrap_or_else(FileEvent::Failed)
}

async fn read(files: Vec<NamedFile>, look: Look, host: &impl Host) -> Result<(SharedDataset, String), OwnError> {
    let (data, note) = match own::open(files)? {
        Opened::Arrays(arrays) => own::assemble(arrays)?,
        Opened::Pictures(pictures) => {
            let total = pictures.len() as u32;
            own::check_room(pictures.len(), look.shape())?;
            let (mut decoded, mut broken) = (Vec::new(), Vec::new());
            for (done, picture) in pictures.into_iter().enumerate() {
                if done % REPORT_EVERY == 0 {
                    host.report(FileEvent::Reading { done: done as u32, total });
                }
                let pixels = match picture.is_decodable() {
                    true => host.decode(&picture, look).await.ok(),
                    false => None,
                };
                match pixels.filter(|pixels| pixels.len() == look.shape().values()) {
                    Some(pixels) => decoded.push((picture.without_file(), pixels)),
                    None => broken.push(picture.file.name),
                }
            }
            if decoded.is_empty() {
                return Err(OwnError::Undecodable(broken.len()));
            }
            let (data, note) = own::pictures(look.shape(), decoded)?;
            match broken.first() {
                None => (data, note),
                Some(first) => {
                    let words = format!("{} of the pictures could not be decoded, such as {first}. ", broken.len());
                    (data, words + &note)
                }
            }
        }
    };
    Ok((data.into(), note))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// A PNG's header for this many pixels in a row.
    fn png(width: u32, last: u8) -> Vec<u8> {
        [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &width.to_be_bytes(), &100u32.to_be_bytes(), &[last]].concat()
    }

    /// Decodes a picture to its last byte; 0 is broken.
    #[derive(Default)]
    struct Fake(RefCell<Vec<FileEvent>>);

    impl Host for Fake {
        async fn decode(&self, picture: &Picture, look: Look) -> Result<Vec<u8>, String> {
            let last = picture.file.bytes.last().copied().filter(|&byte| byte > 0).ok_or("broken")?;
            Ok(vec![last; look.shape().values()])
        }

        fn report(&self, event: FileEvent) {
            self.0.borrow_mut().push(event);
        }
    }

    #[test]
    fn pictures_become_a_data_set_and_broken_ones_are_counted() {
        let picture = |at: usize| NamedFile {
            name: format!("{}/{at}.png", ["cat", "dog"][at % 2]),
            // One claims 20 gigabytes.
            bytes: png(if at == 7 { 50_000_000 } else { 100 }, (at % 200) as u8),
        };
        let (browser, look) = (Fake::default(), Look { side: 16, colour: true });
        let task = FileTask::ReadData { files: (0..201).map(picture).collect(), look };
        let FileEvent::DataRead { data, note } = pollster::block_on(perform(task, &browser)) else { panic!("refused") };
        assert!(data.is_sound());
        assert_eq!((data.shape.image(), &data.names[..]), (look.shape(), &["cat".to_string(), "dog".into()][..]));
        assert_eq!(data.train.len() + data.test.len(), 198);
        assert!(note.starts_with("3 of the pictures could not be decoded, such as cat/0.png. "), "{note}");
        assert_eq!(browser.0.borrow().len(), 9);
        let task = FileTask::ReadData { files: vec![picture(0)], look };
        let FileEvent::DataRefused(words) = pollster::block_on(perform(task, &browser)) else { panic!("accepted") };
        assert_eq!(words, format!("The data set was not accepted: {}.", OwnError::Undecodable(1)));
    }
}
