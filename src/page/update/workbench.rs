//! Images, the inside of the network, the visitor's digits, the history of runs and the visitor's data.

use std::mem;

use inkling_core::{
    data::{KeptData, NamedFile, SharedDataset, handwriting::Handwriting},
    protocol::{Command, FileTask, Part, Query},
    say,
    settings::DatasetName,
    sketch::Target,
};

use super::{Update, answers::SHOWN};
use crate::page::{
    effect::Effect,
    model::{
        OwnData,
        asked::Awaited,
        picture::{Current, Input},
    },
    msg::{Record, Section, WorkbenchMsg},
};

impl Update<'_> {
    pub(super) fn workbench(&mut self, msg: WorkbenchMsg) {
        match msg {
            WorkbenchMsg::Browse(query) => self.browse(query),
            WorkbenchMsg::ShowCell { label, predicted } => self.show_cell(label, predicted),
            WorkbenchMsg::Turn { forward } => {
                let query = self.model.browse.query;
                let from = if forward { query.from + SHOWN } else { query.from.saturating_sub(SHOWN) };
                self.browse(Query { from, ..query });
            }
            WorkbenchMsg::Inspect(place) => self.inspect(place),
            WorkbenchMsg::KeepData(keep) => self.keep_data(keep),
            WorkbenchMsg::ShowLayer(layer) => self.model.inside.layer = layer,
            WorkbenchMsg::LookInside(layer) => {
                self.model.inside.layer = layer;
                self.open_section(Section::Inside);
            }
            WorkbenchMsg::TimeLayers => self.time_layers(),
            WorkbenchMsg::ChooseInput(input) => self.model.picture.input = input,
            WorkbenchMsg::LookAt(place) => self.look_at(place),
            WorkbenchMsg::LookAtAnother => {
                let current = self.model.current().and_then(Current::specimen).map(|specimen| specimen.number);
                let specimens = self.model.picture.batch.answer().map_or(&[][..], |batch| &batch.specimens);
                let place = specimens.iter().position(|specimen| Some(specimen.number) == current);
                self.look_at(place.map_or(0, |place| (place + 1) % specimens.len()));
            }
            WorkbenchMsg::TimeMachine(epoch) => self.travel(epoch),
            WorkbenchMsg::MeasureRobustness => {
                if self.model.worker.is_ready() {
                    self.model.run.begin_robustness();
                    self.send(Command::MeasureRobustness);
                }
            }
            WorkbenchMsg::Survey => {
                if self.model.worker.is_ready() {
                    self.model.run.begin_survey();
                    self.send(Command::Survey);
                }
            }
            WorkbenchMsg::ShowMistakes => {
                self.show_images(Query { part: Part::Train, mistakes: true, ..Query::default() })
            }
            WorkbenchMsg::KeepDigit(label) => self.keep_digit(label),
            WorkbenchMsg::RemoveDigit(place) => {
                let digits = &mut self.model.digits;
                digits.removed = Some(digits.kept.clone());
                digits.kept.remove(place);
                self.keep_digits();
            }
            WorkbenchMsg::RemoveDigits => {
                let digits = &mut self.model.digits;
                digits.removed = Some(mem::take(&mut digits.kept));
                self.keep_digits();
            }
            WorkbenchMsg::RestoreDigits => {
                if let Some(before) = self.model.digits.removed.take() {
                    self.model.digits.kept = before;
                    self.keep_digits();
                }
            }
            WorkbenchMsg::Teach => self.send(Command::FineTune(self.model.digits.kept.clone())),
            WorkbenchMsg::TakeBack => self.send(Command::TakeBack),
            WorkbenchMsg::Rename(run, name) => {
                self.model.history.rename(run, &name);
                self.save_history();
            }
            WorkbenchMsg::Remove(run) => {
                self.model.history.remove(run);
                self.save_history();
            }
            WorkbenchMsg::Compare { place, run } => {
                if let Some(chosen) = self.model.compared.get_mut(place) {
                    *chosen = Some(run);
                }
            }
            WorkbenchMsg::NameClasses(names) => {
                self.model.classes = names.split(',').map(|name| name.trim().to_string()).take(100).collect();
            }
            WorkbenchMsg::ChooseLook(look) => self.model.data.look = look,
            WorkbenchMsg::UseData(files) => self.use_data(files),
        }
    }

    /// Shows the images of one cell of the confusion matrix.
    fn show_cell(&mut self, label: u8, predicted: u8) {
        let part = self.model.run.confusion_matrix_of.unwrap_or(Part::Validation);
        self.show_images(Query { part, label: Some(label), predicted: Some(predicted), ..Query::default() });
    }

    fn show_images(&mut self, query: Query) {
        if self.model.is_open(Section::Images) {
            return self.browse(query);
        }
        // The section asks for them when it opens.
        self.model.browse.query = query;
        self.open_section(Section::Images);
    }

    /// Shows why the network answers as it does for the image at `place`.
    fn inspect(&mut self, place: usize) {
        let specimen = self.model.browse.found.answer().and_then(|(specimens, _)| specimens.get(place));
        let Some(specimen) = specimen.cloned() else { return };
        self.model.picture.input = Input::Data(Some(Box::new(specimen)));
        self.open_section(Section::Doctor);
    }

    /// The image at `place` of the batch goes through the network.
    fn look_at(&mut self, place: usize) {
        let specimens = self.model.picture.batch.answer().map(|batch| &batch.specimens);
        if let Some(specimen) = specimens.and_then(|specimens| specimens.get(place)) {
            self.model.picture.input = Input::Data(Some(Box::new(specimen.clone())));
        }
    }

    fn travel(&mut self, epoch: u32) {
        self.model.epoch = self.model.run.snapshot(epoch).map(|snapshot| snapshot.epoch);
        self.model.pad.prediction.forget();
        self.ask_about_sketch();
    }

    /// The sketch is a digit of class `label`; the pad is cleared for the next one.
    fn keep_digit(&mut self, label: u8) {
        if !self.model.sees_digits() {
            return;
        }
        let Some(image) = self.model.pad.image().map(<[u8]>::to_vec) else { return };
        if self.model.digits.kept.add(&image, label) {
            self.model.digits.removed = None;
            self.model.pad.clear();
            self.keep_digits();
        } else {
            self.warn(say!("You can keep at most {} digits. Remove some first.", Handwriting::MAX_DIGITS));
        }
    }

    fn keep_digits(&mut self) {
        self.save_digits();
        self.digits_changed();
    }

    pub(super) fn digits_changed(&mut self) {
        self.model.digits.read.forget();
        self.read_digits();
    }

    pub(super) fn use_data(&mut self, files: Vec<NamedFile>) {
        if self.model.run.state.is_active() {
            return self.warn(say!("A run is in progress. Stop it before choosing other data.").into());
        }
        if self.model.data.reading {
            return self.warn(say!("Your files are still being read. Choose others in a moment.").into());
        }
        if !files.is_empty() {
            self.model.data.reading = true;
            self.model.data.note = say!("Reading your files…").into();
            self.file_task(FileTask::ReadData { files, look: self.model.data.look });
        }
    }

    /// The file worker has read the visitor's data set.
    pub(super) fn data_read(&mut self, data: SharedDataset, note: String) {
        let misfit = self.model.misfit(&self.model.settings).is_some();
        self.take_data(data, note);
        if self.model.data.kept {
            self.save_images();
        }
        // The settings of a run that was started meanwhile stay.
        if !self.model.run.state.is_active() {
            self.model.settings.dataset = DatasetName::Own;
            self.effects.push(Effect::SetAddress(self.model.settings.to_query()));
        }
        self.check_network(misfit);
        self.send_data();
        self.prepare();
    }

    fn take_data(&mut self, data: SharedDataset, note: String) {
        let target = Some(Target::like(&data.train));
        let OwnData { kept, look, .. } = self.model.data;
        self.model.data = OwnData { set: Some(data), target, kept, reading: false, note, look };
    }

    /// The browser has kept the visitor's data set. One that was read in the meantime takes its place.
    pub(super) fn images_found(&mut self, KeptData { data, note }: KeptData) {
        self.model.data.kept = true;
        if self.model.data.set.is_some() {
            return self.save_images();
        }
        let misfit = self.model.misfit(&self.model.settings).is_some();
        let reading = self.model.data.reading;
        self.take_data(data, note);
        self.model.data.reading = reading;
        self.check_network(misfit);
        self.send_data();
        self.prepare();
    }

    /// Keeps the visitor's data set in the browser, or no longer.
    fn keep_data(&mut self, keep: bool) {
        self.model.data.kept = keep;
        if keep {
            self.save_images();
        } else {
            self.model.unread.retain(|unread| unread.0 != Record::Images);
            self.effects.push(Effect::Forget(Record::Images));
        }
    }

    /// The files are no data set. One that was read before stays.
    pub(super) fn data_refused(&mut self, words: String) {
        (self.model.data.reading, self.model.data.note) = (false, words.clone());
        self.warn(words);
    }

    /// Gives the worker the visitor's data set, if there is one.
    pub(in crate::page) fn send_data(&mut self) {
        if let Some(data) = self.model.data.set.clone() {
            self.send(Command::UseData(data));
        }
    }
}
