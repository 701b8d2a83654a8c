//! Questions to the network and their answers.
//!
//! Invariant: an answer is shown only for the network that gave it. `forget_answers` is called whenever the network
//! changes.

use inkling_core::{
    data::handwriting::Handwriting,
    message,
    occlusion::Patch,
    protocol::{Answer, Command, Query, Question},
    sketch::Preparation,
};

use super::Update;
use crate::page::{
    model::{
        Diagnosis,
        asked::Awaited,
        pad::{Prediction, SketchPad},
        picture::Current,
    },
    msg::Section,
};

/// Reports of training steps, which come ten times a second, between two questions for the picture.
const PICTURE_EVERY: u32 = 5;
/// Images shown at once.
pub const SHOWN: u32 = 40;

/// Each way to prepare a sketch, with its name; the first is what the network is given.
pub const PREPARATIONS: [(&str, Preparation); 4] = [
    (message!("as the network sees it"), Preparation { fit: true, centre: true, smooth: true }),
    (message!("not scaled to 20 by 20"), Preparation { fit: false, centre: true, smooth: true }),
    (message!("not centred by mass"), Preparation { fit: true, centre: false, smooth: true }),
    (message!("not smoothed"), Preparation { fit: true, centre: true, smooth: false }),
];

impl Update<'_> {
    pub(super) fn ask(&mut self, id: u32, question: Question) {
        self.send(Command::Ask { id, question });
    }

    pub(super) fn next_question(&mut self) -> u32 {
        self.model.last_question += 1;
        self.model.last_question
    }

    /// The session refuses a question; a warning says why.
    pub(super) fn refused(&mut self, id: u32) {
        self.model.questions_mut().into_iter().for_each(|asked| asked.refused(id));
    }

    /// Forgets all answers, because the network has changed or is gone.
    pub(in crate::page) fn forget_answers(&mut self) {
        self.model.questions_mut().into_iter().for_each(|asked| asked.forget());
        // The current image is examined again by the next network.
        self.model.doctor.images.clear();
    }

    pub(super) fn answered(&mut self, id: u32, answer: Answer) {
        let model = &mut *self.model;
        match answer {
            Answer::Predict { probabilities, steps } => {
                let prediction = probabilities.map(|probabilities| Prediction { probabilities, steps });
                model.pad.prediction.receive(id, prediction.clone());
                model.camera.prediction.receive(id, prediction);
            }
            Answer::Browse { total, specimens } => model.browse.found.receive(id, Some((specimens, total))),
            Answer::Explain(explanation) => {
                model.inside.explanation.receive(id, Some(*explanation));
                if model.inside.explanation.answered() == id {
                    model.inside.explained.clone_from(&model.inside.asked);
                }
            }
            Answer::Diagnose { probabilities, nearest } => {
                let mut prepared = probabilities;
                let without = prepared.split_off(model.doctor.images.len().min(prepared.len()));
                model.doctor.diagnosis.receive(id, Some(Diagnosis { prepared, without, nearest }));
            }
            Answer::Batch(batch) => {
                model.picture.batch.receive(id, Some(batch));
                model.find_stand_in();
            }
            Answer::Share(network) => model.share.receive(id, Some(network)),
            Answer::TimeLayers(seconds) => model.layer_times.receive(id, Some(seconds)),
            Answer::ReadHandwriting(read) => {
                model.digits.read.receive(id, Some(read.into_iter().map(|(class, _)| class).collect()));
            }
        }
    }

    /// Asks what the sketch is, if there is one and no answer is awaited.
    pub(super) fn ask_about_sketch(&mut self) {
        let pad = &mut self.model.pad;
        let Some(pixels) = pad.image().map(<[u8]>::to_vec).filter(|_| !pad.prediction.is_waiting()) else { return };
        if self.model.worker.is_ready() {
            let id = self.next_question();
            self.model.pad.prediction.ask(id);
            self.ask(id, Question::Predict { pixels, epoch: self.model.epoch });
        }
    }

    /// Asks again about everything that is shown, because the network has learned more.
    pub(super) fn ask_again(&mut self) {
        self.ask_about_sketch();
        self.browse_again();
        self.examine();
        self.ask_for_picture();
    }

    /// After a few steps: asks about the sketch; about what is open, if there is no answer yet; and from time to time for the picture.
    pub(super) fn ask_what_is_missing(&mut self) {
        self.ask_about_sketch();
        let found = &self.model.browse.found;
        if !found.is_waiting() && found.answer().is_none() {
            self.browse_again();
        }
        let diagnosis = &self.model.doctor.diagnosis;
        if !diagnosis.is_waiting() && diagnosis.answer().is_none() {
            self.examine();
        }
        let explained = self.model.inside.explanation.answer().is_some() || self.model.current().is_none();
        let picture = &mut self.model.picture;
        picture.reports += 1;
        if (picture.reports >= PICTURE_EVERY && !picture.still) || !explained {
            self.ask_for_picture();
        }
    }

    /// Asks for what the picture shows, unless nobody looks.
    pub(super) fn ask_for_picture(&mut self) {
        self.model.picture.reports = 0;
        self.ask_for_batch();
        self.ask_to_explain();
    }

    /// Asks which images the next step trains on.
    fn ask_for_batch(&mut self) {
        let picture = &self.model.picture;
        let asks = !picture.hidden && !picture.batch.is_waiting() && self.model.run.dataset.is_some();
        if asks && self.model.worker.is_ready() {
            let id = self.next_question();
            self.model.picture.batch.ask(id);
            self.ask(id, Question::Batch);
        }
    }

    /// Asks what happens inside the network for the current image.
    fn ask_to_explain(&mut self) {
        if self.model.picture.hidden || !self.model.worker.is_ready() || self.model.inside.explanation.is_waiting() {
            return;
        }
        if let Some(pixels) = self.model.current().map(|current| current.pixels().to_vec()) {
            let id = self.next_question();
            self.model.inside.asked.clone_from(&pixels);
            self.model.inside.explanation.ask(id);
            self.ask(id, Question::Explain { pixels });
        }
    }

    /// Asks about the current image, if it is another one than before.
    pub(super) fn follow_current_image(&mut self) {
        let Some(pixels) = self.model.current().map(Current::pixels) else { return };
        let (asked, examined) = (&self.model.inside.asked, self.model.doctor.images.first());
        let waits = self.model.doctor.diagnosis.is_waiting();
        let (explains, examines) = (pixels != asked, !waits && examined.is_none_or(|examined| pixels != examined));
        if explains {
            self.ask_to_explain();
        }
        if examines {
            self.examine();
        }
    }

    pub(super) fn browse(&mut self, query: Query) {
        if self.model.has_network() {
            self.model.browse.query = Query { count: SHOWN, ..query };
            let (id, query) = (self.next_question(), self.model.browse.query);
            self.model.browse.found.ask(id);
            self.ask(id, Question::Browse(query));
        }
    }

    pub(super) fn browse_again(&mut self) {
        if self.model.is_open(Section::Images) {
            self.browse(self.model.browse.query);
        }
    }

    /// Asks about the current image: how the network classifies it with each part erased; which training images are nearest to it; and,
    /// for a sketch, how the network classifies it with other preparations.
    pub(super) fn examine(&mut self) {
        if !self.model.is_open(Section::Doctor) || !self.model.has_network() {
            return;
        }
        let sketched = |pad: &SketchPad| -> Option<Vec<Vec<u8>>> {
            let target = pad.target.ok()?;
            PREPARATIONS.iter().map(|(_, preparation)| pad.sketch.prepared(*preparation, target)).collect()
        };
        let images = match self.model.current() {
            Some(Current::Sketch(_)) => sketched(&self.model.pad),
            Some(current) => Some(vec![current.pixels().to_vec()]),
            None => None,
        };
        let Some(images) = images else { return };
        let mut pixels = images.concat();
        let shape = self.model.run.data.image();
        pixels.extend(Patch::all(shape).iter().flat_map(|patch| patch.erased(&images[0], shape)));
        self.model.doctor.images = images;
        // The answer must belong to the images that are shown.
        self.model.doctor.diagnosis.forget();
        let id = self.next_question();
        self.model.doctor.diagnosis.ask(id);
        self.ask(id, Question::Diagnose { pixels });
    }

    /// Asks how long the layers take.
    pub(super) fn time_layers(&mut self) {
        if self.model.has_network() && !self.model.layer_times.is_waiting() {
            let id = self.next_question();
            self.model.layer_times.ask(id);
            self.ask(id, Question::TimeLayers);
        }
    }

    /// Asks how the network reads the visitor's digits.
    pub(super) fn read_digits(&mut self) {
        let digits = &self.model.digits.kept;
        let asks = self.model.is_open(Section::Handwriting) && self.model.has_network() && self.model.sees_digits();
        if asks && !digits.is_empty() {
            let digits: Handwriting = digits.clone();
            let id = self.next_question();
            self.model.digits.read.ask(id);
            self.ask(id, Question::ReadHandwriting(digits));
        }
    }
}
