//! The survey of a data set, a bit at a time. It uses the network only between two steps of a run, and changes nothing.

use inkling_core::{
    metrics::Stopwatch,
    protocol::{Event, Part, RunState, Twins},
    survey::{TwinSearch, classes},
};

use super::{Session, evaluation::Evaluation};
use crate::read::ReadError;

/// Pairs of images that are compared in one unit of work: about 20 ms on one core.
const PAIRS: usize = 2_000_000;

/// A survey in progress.
pub(super) enum Surveying {
    /// It looks for test images that nearly equal a training image.
    Twins(TwinSearch),
    /// It scores the training images.
    Labels(Twins, Box<Evaluation>),
}

impl Session {
    pub(super) fn begin_survey(&mut self) {
        let Some(data) = self.training.as_ref().map(|training| training.data.clone()) else { return };
        self.emit(Event::Classes(classes(&data)));
        self.side_work.survey = Some(Surveying::Twins(TwinSearch::new(&data)));
    }

    /// The next unit of the survey. The run's own clocks stop during it.
    pub(super) async fn advance_survey(&mut self) -> Result<(), ReadError> {
        self.watches(Stopwatch::stop);
        let result = self.survey_unit().await;
        if self.state == RunState::Training {
            self.watches(Stopwatch::start);
        }
        result
    }

    async fn survey_unit(&mut self) -> Result<(), ReadError> {
        let (Some(survey), Some(training)) = (self.side_work.survey.take(), &mut self.training) else { return Ok(()) };
        let of = training.split.train.len() as u32;
        let (next, done, of) = match survey {
            Surveying::Twins(mut search) => {
                let over = search.advance(&training.data, (PAIRS / training.data.train.len()).max(1));
                let twins = over.then(|| search.twins(&training.data));
                match twins {
                    None => {
                        let (done, of) = (search.done() as u32, training.data.test.len() as u32);
                        (Surveying::Twins(search), done, of)
                    }
                    // A network in training would change while it is asked.
                    Some(twins) if self.state == RunState::Training || !training.knows() => {
                        self.emit(Event::Surveyed(twins));
                        return Ok(());
                    }
                    Some(twins) => {
                        let scores = Box::new(Evaluation::new(training.data.shape.classes()));
                        (Surveying::Labels(twins, scores), 0, of)
                    }
                }
            }
            Surveying::Labels(twins, mut scores) => {
                if training.advance_evaluation(&mut scores, &mut self.team, Part::Train).await? {
                    let mistakes = Some(scores.confusion.total() - scores.confusion.correct());
                    training.predictions.train = Some(scores.predictions);
                    self.emit(Event::Surveyed(Twins { mistakes, ..twins }));
                    return Ok(());
                }
                let done = scores.done as u32;
                (Surveying::Labels(twins, scores), done, of)
            }
        };
        self.side_work.survey = Some(next);
        self.emit(Event::Surveying { done, of });
        Ok(())
    }
}
