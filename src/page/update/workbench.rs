//! Images, the inside of the network, the visitor's digits, the history of runs and the visitor's data.

use std::mem;

use inkling_core::{
    data::{NamedFile, handwriting::Handwriting},
    protocol::{Command, Part, Query},
};

use super::{Update, answers::SHOWN};
use crate::page::{
    effect::Effect,
    model::OwnData,
    msg::{Section, WorkbenchMsg},
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
            WorkbenchMsg::ExplainSketch => {
                if let Some(pixels) = self.model.pad.image().map(<[u8]>::to_vec) {
                    self.explain(pixels, "Your sketch".into());
                }
            }
            WorkbenchMsg::TimeMachine(epoch) => self.travel(epoch),
            WorkbenchMsg::Examine => self.examine(),
            WorkbenchMsg::MeasureRobustness => {
                self.model.run.begin_robustness();
                self.send(Command::MeasureRobustness);
            }
            WorkbenchMsg::KeepDigit(label) => self.keep_digit(label),
            WorkbenchMsg::RemoveDigit(place) => {
                let digits = &mut self.model.digits;
                digits.removed = Some(digits.kept.clone());
                digits.kept.remove(place);
                self.save_digits();
            }
            WorkbenchMsg::RemoveDigits => {
                let digits = &mut self.model.digits;
                digits.removed = Some(mem::take(&mut digits.kept));
                self.save_digits();
            }
            WorkbenchMsg::RestoreDigits => {
                if let Some(before) = self.model.digits.removed.take() {
                    self.model.digits.kept = before;
                    self.save_digits();
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
                self.model.classes = names.split(',').map(|name| name.trim().to_string()).take(10).collect();
            }
            WorkbenchMsg::UseData(files) => self.use_data(files),
        }
    }

    /// Shows the images of one cell of the confusion matrix.
    fn show_cell(&mut self, label: u8, predicted: u8) {
        let part = self.model.run.confusion_matrix_of.unwrap_or(Part::Validation);
        self.model.set_open(Section::Images, true);
        self.effects.extend([Effect::Open(Section::Images), Effect::ScrollTo(Section::Images)]);
        self.browse(Query { part, label: Some(label), predicted: Some(predicted), ..Query::default() });
    }

    /// Shows what happens inside the network for the image at `place`.
    fn inspect(&mut self, place: usize) {
        let specimen = self.model.browse.found.answer().and_then(|(specimens, _)| specimens.get(place));
        let Some(specimen) = specimen.cloned() else { return };
        // The caption leaves out the prediction, which may change with the next epoch: the explanation has it.
        let caption = format!("Image {}: {}", specimen.number, self.model.a_class(specimen.label));
        self.effects.extend([Effect::Open(Section::Inside), Effect::ScrollTo(Section::Inside)]);
        self.explain(specimen.pixels, caption);
    }

    fn travel(&mut self, epoch: u32) {
        let last = self.model.run.snapshots.len() as u32;
        self.model.epoch = (1..=last).contains(&epoch).then_some(epoch);
        self.model.pad.prediction.forget();
        self.ask_about_sketch();
    }

    /// The sketch is a digit of class `label`; the pad is cleared for the next one.
    fn keep_digit(&mut self, label: u8) {
        let Some(image) = self.model.pad.image().map(<[u8]>::to_vec) else { return };
        if self.model.digits.kept.add(&image, label) {
            self.model.digits.removed = None;
            self.model.pad.clear();
            self.save_digits();
        } else {
            self.warn(format!("No more than {} digits are kept. Remove some first.", Handwriting::MAX_DIGITS));
        }
    }

    fn save_digits(&mut self) {
        self.effects.push(Effect::SaveHandwriting(self.model.digits.kept.clone()));
        self.digits_changed();
    }

    pub(super) fn digits_changed(&mut self) {
        self.model.digits.read.forget();
        self.read_digits();
    }

    fn use_data(&mut self, files: Vec<NamedFile>) {
        if self.model.run.state.is_active() {
            return self.warn("A run is in progress. Stop it before choosing other data.".into());
        }
        self.model.data = OwnData::Offered(files);
        self.send_data();
    }

    /// Gives the worker the visitor's data set, if there is one.
    pub(in crate::page) fn send_data(&mut self) {
        if let OwnData::Offered(files) | OwnData::Accepted(files) = &self.model.data {
            let files = files.clone();
            self.send(Command::UseData { run: self.model.run.run, files });
        }
    }
}
