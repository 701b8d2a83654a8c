//! Answers to what a visitor wants to know of the network and of its images.

use super::{Session, evaluation::BATCH};
use crate::{
    checkpoint::TrainerState,
    data::{Batch, CLASSES, Labelled, handwriting::Handwriting},
    explain::explain,
    protocol::{Command, Event, Format, Part, Query, Robust, Specimen},
    robustness,
    train::{ReadError, read_flat},
};

/// Training images that are shown as nearest to a sketch.
const NEAREST: usize = 8;
/// Test images that each point of a robustness curve is measured on.
const MEASURED: usize = 500;
/// The most images that one answer shows.
const MOST: u32 = 200;

impl Session {
    pub(super) async fn answer(&mut self, question: Command) -> Result<(), ReadError> {
        match question {
            Command::Predict { id, pixels, epoch } => self.predict(id, &pixels, epoch).await,
            Command::Save(format) => self.save(format).await,
            Command::Explain { id, pixels } => self.explain(id, &pixels).await,
            Command::Diagnose { id, pixels } => self.diagnose(id, &pixels).await,
            Command::Read { id, digits } => self.read(id, &digits).await,
            Command::TakeBack => self.take_back().await,
            Command::Browse(query) => {
                self.browse(query);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn predict(&mut self, id: u32, pixels: &[u8], epoch: Option<u32>) -> Result<(), ReadError> {
        let (mut probabilities, mut steps) = (None, 0);
        if let Some(training) = self.training.as_ref().filter(|training| training.knows()) {
            steps = training.trainer.steps_done();
            let past = epoch.map(|epoch| training.after(epoch));
            if past != Some(None) {
                probabilities = Some(training.trainer.predict(pixels, past.flatten()).await?);
            }
        }
        self.emit(Event::Prediction { id, probabilities, steps, epoch });
        Ok(())
    }

    async fn save(&mut self, format: Format) -> Result<(), ReadError> {
        let Some(training) = &self.training else { return Ok(()) };
        let values = read_flat("weights", training.trainer.model().parameters()).await?;
        let weights = TrainerState::new(training.trainer.steps_done(), &values);
        self.emit(Event::Save { format, weights });
        Ok(())
    }

    async fn explain(&mut self, id: u32, pixels: &[u8]) -> Result<(), ReadError> {
        let Some(training) = self.training.as_ref().filter(|training| training.knows()) else { return Ok(()) };
        let explanation = explain(&training.trainer, pixels).await?;
        self.emit(Event::Explained { id, explanation: Box::new(explanation) });
        Ok(())
    }

    async fn diagnose(&mut self, id: u32, pixels: &[u8]) -> Result<(), ReadError> {
        let Some(training) = self.training.as_ref().filter(|training| training.knows()) else { return Ok(()) };
        let probabilities = training.trainer.predict(pixels, None).await?;
        let probabilities = probabilities.chunks_exact(CLASSES).map(<[f32]>::to_vec).collect();
        let images = &training.data.train;
        let mut near: Vec<(u32, u32)> =
            training.split.train.iter().map(|&n| (distance(images.image(n as usize), pixels), n)).collect();
        near.sort_unstable();
        let nearest = near.iter().take(NEAREST).map(|&(_, number)| specimen(images, number, None)).collect();
        self.emit(Event::Diagnosed { id, probabilities, nearest });
        Ok(())
    }

    async fn read(&mut self, id: u32, digits: &Handwriting) -> Result<(), ReadError> {
        let Some(training) = self.training.as_ref().filter(|training| training.knows()) else { return Ok(()) };
        let images = digits.images();
        let evaluated = training.trainer.evaluate(Batch::plain(&images, 0..images.len())).await?;
        let answers = evaluated.predictions.into_iter().zip(evaluated.confidences).collect();
        self.emit(Event::Read { id, answers });
        Ok(())
    }

    /// The surest first, if the last evaluation of that part is known; else in the order of the file.
    fn browse(&mut self, query: Query) {
        let Some(training) = &self.training else { return };
        let Query { id, part, label, predicted, mistakes, from, count } = query;
        let images = if part == Part::Test { &training.data.test } else { &training.data.train };
        let answers = match part {
            Part::Train => None,
            Part::Validation => training.answers[0].as_ref(),
            Part::Test => training.answers[1].as_ref(),
        };
        let mut found: Vec<(u32, Option<(u8, f32)>)> = match (answers, part) {
            (Some(answers), _) => {
                let given = answers.predictions.iter().copied().zip(answers.confidences.iter().copied());
                answers.numbers.iter().copied().zip(given.map(Some)).collect()
            }
            (None, Part::Train) => training.split.train.iter().map(|&number| (number, None)).collect(),
            (None, Part::Validation) => training.split.validation.iter().map(|&number| (number, None)).collect(),
            (None, Part::Test) => (0..images.len() as u32).map(|number| (number, None)).collect(),
        };
        found.retain(|&(number, answer)| {
            let class = images.labels[number as usize];
            let taken_for = answer.map(|(class, _)| class);
            label.is_none_or(|label| label == class)
                && (predicted.is_none() || predicted == taken_for)
                && (!mistakes || taken_for.is_some_and(|taken_for| taken_for != class))
        });
        if mistakes || predicted.is_some() {
            let confidence = |answer: Option<(u8, f32)>| answer.map_or(0.0, |(_, confidence)| confidence);
            found.sort_by(|a, b| confidence(b.1).total_cmp(&confidence(a.1)).then(a.0.cmp(&b.0)));
        }
        let total = found.len() as u32;
        let shown = found.into_iter().skip(from as usize).take(count.min(MOST) as usize);
        let specimens = shown.map(|(number, answer)| specimen(images, number, answer)).collect();
        self.emit(Event::Specimens { id, total, specimens });
    }

    /// One more point of the curves.
    pub(super) async fn measure_robustness(&mut self) -> Result<(), ReadError> {
        let (Some((motion, amount)), Some(training)) = (self.robustness.pop_front(), &self.training) else {
            return Ok(());
        };
        let images = &training.data.test;
        let numbers: Vec<u32> = (0..images.len().min(MEASURED) as u32).collect();
        let mut right = 0;
        for numbers in numbers.chunks(BATCH) {
            let batch = robustness::moved(&images.pick(numbers).images, motion, amount);
            right += training.trainer.evaluate(batch).await?.right();
        }
        let accuracy = f64::from(right) / numbers.len().max(1) as f64;
        let left = self.robustness.len() as u32;
        self.emit(Event::Robustness { point: Robust { motion, amount, accuracy }, left });
        Ok(())
    }
}

fn specimen(images: &Labelled, number: u32, answer: Option<(u8, f32)>) -> Specimen {
    let place = number as usize;
    Specimen { number, label: images.labels[place], answer, pixels: images.image(place).to_vec() }
}

/// Squared distance of two images, pixel by pixel.
fn distance(a: &[u8], b: &[u8]) -> u32 {
    a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}
