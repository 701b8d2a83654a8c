//! Answers to questions about the network and its images.

use super::{
    Request, Session,
    evaluation::{BATCH, Evaluation, Predictions},
    training::Training,
};
use crate::{
    explain::explain,
    layer_times::layer_times,
    model::Model,
    read::{ReadError, read_flat},
    trainer::Trainer,
};
use inkling_core::{
    checkpoint::TrainerState,
    data::{Batch, Labelled, handwriting::Handwriting},
    protocol::{Answer, BatchView, Event, Format, Part, Query, Question, RobustnessPoint, SharedNetwork, Specimen},
    robustness,
    settings::Settings,
    share,
    survey::distance,
};

/// Number of nearest training images shown for a sketch.
const NEAREST: usize = 8;
/// Number of test images for each point of a robustness curve.
const MEASURED: usize = 500;
/// Number of a batch's images that are shown.
const OF_BATCH: usize = 8;
/// Maximum number of images in one answer.
const MAX_IMAGES: u32 = 200;

impl Session {
    pub(super) async fn answer(&mut self, request: Request) -> Result<(), ReadError> {
        let (id, question) = match request {
            Request::Export(format) => return self.export(format).await,
            Request::TakeBack => return self.take_back().await,
            Request::Question(id, question) => (id, question),
        };
        // Another run may have begun since it was asked.
        if let Some(refusal) = self.refuse_question(&question) {
            self.warn(&refusal.to_string());
            self.emit(Event::Refused { id });
            return Ok(());
        }
        let answer = match (question, self.training.as_ref()) {
            (Question::Share, _) => self.share().await?.map(Answer::Share),
            (Question::Predict { pixels, epoch }, training) => {
                Some(predict(self.network(), training, &pixels, epoch).await?)
            }
            (Question::Explain { pixels }, _) => match self.network() {
                Some(trainer) => Some(Answer::Explain(Box::new(explain(trainer, &pixels).await?))),
                None => None,
            },
            (Question::Browse(query), Some(training)) => Some(browse(training, query)),
            (Question::Batch, Some(training)) => Some(batch(training, &self.settings)),
            (_, Some(training)) if !training.knows() => None,
            (Question::Diagnose { pixels }, Some(training)) => Some(diagnose(training, &pixels).await?),
            (Question::ReadHandwriting(digits), Some(training)) => Some(read(training, &digits).await?),
            (Question::TimeLayers, Some(training)) => {
                Some(Answer::TimeLayers(layer_times(&training.trainer, &training.data.train).await?))
            }
            (_, None) => None,
        };
        self.emit(match answer {
            Some(answer) => Event::Answer { id, answer },
            None => Event::Refused { id }, // there is no network yet
        });
        Ok(())
    }

    /// The network for a link, with its score on the test set before and after rounding; `None` while there is no network.
    async fn share(&mut self) -> Result<Option<Result<SharedNetwork, String>>, ReadError> {
        let Some(training) = self.training.as_ref().filter(|training| training.knows()) else { return Ok(None) };
        let (trainer, classes) = (&training.trainer, training.data.shape.classes());
        let weights = read_flat("weights", vec![trainer.model().weights()]).await?;
        let rounded = match share::round(trainer.model().network(), &weights) {
            Ok(rounded) => rounded,
            Err(error) => return Ok(Some(Err(error.to_string()))),
        };
        let recipe = trainer.recipe();
        let model = Model::new(&recipe.net, rounded.weights.clone(), recipe.kernels, trainer.device());
        let before = self.tested_by(Evaluation::new(classes)).await?;
        let accuracy = self.tested_by(Evaluation::of(model)).await?;
        Ok(Some(Ok(SharedNetwork { text: rounded.text(accuracy), bits: rounded.bits, accuracy, before })))
    }

    /// The share of the test images that are classified correctly.
    async fn tested_by(&mut self, mut evaluation: Evaluation) -> Result<f64, ReadError> {
        while let Some(training) = &mut self.training {
            if training.advance_evaluation(&mut evaluation, &mut self.team, Part::Test).await? {
                break;
            }
            self.report_progress(); // tells the page that a slow backend is alive
        }
        Ok(evaluation.confusion.accuracy())
    }

    async fn export(&mut self, format: Format) -> Result<(), ReadError> {
        let Some(training) = &self.training else { return Ok(()) };
        let values = read_flat("weights", vec![training.trainer.model().weights()]).await?;
        let weights = TrainerState::new(training.trainer.steps_done(), &values);
        self.emit(Event::Export { format, weights });
        Ok(())
    }

    /// Measures the next point of the robustness curves.
    pub(super) async fn measure_robustness(&mut self) -> Result<(), ReadError> {
        let (Some((motion, amount)), Some(training)) = (self.side_work.robustness.pop_front(), &self.training) else {
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
        let left = self.side_work.robustness.len() as u32;
        self.emit(Event::Robustness { point: RobustnessPoint { motion, amount, accuracy }, left });
        Ok(())
    }
}

async fn predict(
    network: Option<&Trainer>,
    training: Option<&Training>,
    pixels: &[u8],
    epoch: Option<u32>,
) -> Result<Answer, ReadError> {
    let Some(trainer) = network else {
        return Ok(Answer::Predict { probabilities: None, steps: 0 });
    };
    let past = epoch.map(|epoch| training.and_then(|training| training.after(epoch)));
    let probabilities = match past {
        Some(None) => None, // the weights after that epoch are no longer kept
        past => Some(trainer.predict(pixels, past.flatten()).await?),
    };
    Ok(Answer::Predict { probabilities, steps: trainer.steps_done() })
}

/// The first images of the next step, or of the epoch's last one if its steps are done.
fn batch(training: &Training, settings: &Settings) -> Answer {
    let images = &training.data.train;
    let numbers = training.next_numbers(settings);
    let numbers = &numbers[..numbers.len().min(OF_BATCH)];
    let picked = images.pick(numbers);
    let augmented = match settings.active_augmentation() {
        None => picked.images.pixels,
        Some(ranges) => {
            let batch = Batch::augmented(&picked, ranges, settings.seed, training.epoch);
            batch.pixels.iter().map(|ink| (ink * 255.0).round() as u8).collect()
        }
    };
    let mut counts = vec![0; training.data.shape.classes()];
    for &number in &training.split.train {
        counts[usize::from(images.labels[number as usize])] += 1;
    }
    let specimens = numbers.iter().map(|&number| specimen(images, number, None)).collect();
    Answer::Batch(BatchView { specimens, augmented, counts })
}

async fn diagnose(training: &Training, pixels: &[u8]) -> Result<Answer, ReadError> {
    let probabilities = training.trainer.predict(pixels, None).await?;
    let probabilities = probabilities.chunks_exact(training.data.shape.classes()).map(<[f32]>::to_vec).collect();
    let images = &training.data.train;
    let mut near: Vec<(u32, u32)> =
        training.split.train.iter().map(|&n| (distance(images.image(n as usize), pixels), n)).collect();
    near.sort_unstable();
    let nearest = near.iter().take(NEAREST).map(|&(_, number)| specimen(images, number, None)).collect();
    Ok(Answer::Diagnose { probabilities, nearest })
}

async fn read(training: &Training, digits: &Handwriting) -> Result<Answer, ReadError> {
    let images = digits.images();
    let evaluated = training.trainer.evaluate(Batch::plain(&images, 0..images.len())).await?;
    Ok(Answer::ReadHandwriting(evaluated.predictions.into_iter().zip(evaluated.confidences).collect()))
}

/// Lists the most confident predictions first if the query asks about predictions; otherwise keeps the order of the
/// file.
fn browse(training: &Training, query: Query) -> Answer {
    let Query { part, label, predicted, mistakes, from, count } = query;
    let images = if part == Part::Test { &training.data.test } else { &training.data.train };
    let mut found = candidates(training, part);
    found.retain(|&(number, answer)| {
        let class = images.labels[number as usize];
        let taken_for = answer.map(|(class, _)| class);
        label.is_none_or(|label| label == class)
            && (predicted.is_none() || predicted == taken_for)
            && (!mistakes || taken_for.is_some_and(|taken_for| taken_for != class))
    });
    if mistakes || predicted.is_some() {
        let confidence = |answer: Prediction| answer.map_or(0.0, |(_, confidence)| confidence);
        found.sort_by(|a, b| confidence(b.1).total_cmp(&confidence(a.1)).then(a.0.cmp(&b.0)));
    }
    let total = found.len() as u32;
    let shown = found.into_iter().skip(from as usize).take(count.min(MAX_IMAGES) as usize);
    Answer::Browse { total, specimens: shown.map(|(number, answer)| specimen(images, number, answer)).collect() }
}

/// The predicted class and its probability; `None` if the image has not been evaluated.
type Prediction = Option<(u8, f32)>;

/// The position in the file of every image of `part`, with the latest prediction.
fn candidates(training: &Training, part: Part) -> Vec<(u32, Prediction)> {
    let predictions = match part {
        Part::Train => training.predictions.train.as_ref(),
        Part::Validation => training.predictions.validation.as_ref(),
        Part::Test => training.predictions.test.as_ref(),
    };
    let unknown = |number| (number, None);
    match (predictions, part) {
        (Some(Predictions { numbers, classes, confidences, .. }), _) => {
            let answers = classes.iter().copied().zip(confidences.iter().copied()).map(Some);
            numbers.iter().copied().zip(answers).collect()
        }
        (None, Part::Train) => training.split.train.iter().copied().map(unknown).collect(),
        (None, Part::Validation) => training.split.validation.iter().copied().map(unknown).collect(),
        (None, Part::Test) => (0..training.data.test.len() as u32).map(unknown).collect(),
    }
}

fn specimen(images: &Labelled, number: u32, answer: Option<(u8, f32)>) -> Specimen {
    let place = number as usize;
    Specimen { number, label: images.labels[place], answer, pixels: images.image(place).to_vec() }
}
