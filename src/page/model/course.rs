//! The lesson that the visitor takes.

use inkling_core::{
    lesson::{Lesson, Step, Until},
    protocol::RunState,
};

use super::Model;

/// A lesson in progress.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The lesson.
    pub lesson: Lesson,
    /// Place of the current step.
    pub place: usize,
    /// The visitor's last choice, if the step asks something.
    pub chosen: Option<usize>,
    /// Whether the visitor has done what the step asks for.
    pub done: bool,
}

impl Course {
    /// The lesson at its beginning.
    pub fn new(lesson: Lesson) -> Self {
        Course { lesson, place: 0, chosen: None, done: false }
    }

    /// The current step.
    pub fn step(&self) -> Option<&Step> {
        self.lesson.steps.get(self.place)
    }

    /// Goes to another step.
    pub fn go(&mut self, place: usize) {
        if place < self.lesson.steps.len() {
            (self.place, self.chosen, self.done) = (place, None, false);
        }
    }

    /// Whether the last choice is right; `None` before the first choice.
    pub fn is_right(&self) -> Option<bool> {
        let question = self.step()?.question.as_ref()?;
        self.chosen.map(|chosen| chosen == question.right)
    }

    /// Whether the visitor may go on.
    pub fn may_go_on(&self) -> bool {
        let asks = self.step().is_some_and(|step| step.question.is_some());
        self.done && (!asks || self.is_right() == Some(true))
    }

    /// Whether this is the last step.
    pub fn is_last(&self) -> bool {
        self.place + 1 == self.lesson.steps.len()
    }
}

impl Model {
    /// Notes whether the visitor has done what the lesson asks for. What was done once counts.
    pub fn follow_lesson(&mut self) {
        let Some(step) = self.course.as_ref().and_then(Course::step) else { return };
        let done = match step.until {
            None => true,
            Some(Until::Sketch) => self.pad.image().is_some(),
            Some(Until::Epoch) => !self.run.history.is_empty(),
            Some(Until::Paused) => self.run.state == RunState::Paused,
            Some(Until::Finished) => self.run.state == RunState::Finished,
            Some(Until::Past) => self.epoch.is_some(),
        };
        if let Some(course) = &mut self.course {
            course.done |= done;
        }
    }
}
