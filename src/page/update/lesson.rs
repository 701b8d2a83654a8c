//! The lesson that the visitor takes.

use inkling_core::{lesson::Lesson, say};

use super::Update;
use crate::page::{effect::Effect, model::course::Course, msg::LessonMsg};

impl Update<'_> {
    pub(super) fn lesson(&mut self, msg: LessonMsg) {
        match msg {
            LessonMsg::Found(Ok(lesson)) => self.begin_lesson(lesson),
            LessonMsg::Found(Err(reason)) => self.warn(say!("The lesson can't be shown: {}.", reason)),
            LessonMsg::Choose(choice) => {
                if let Some(course) = &mut self.model.course {
                    course.chosen = Some(choice);
                }
            }
            LessonMsg::Next => match self.model.course.as_mut().filter(|course| course.may_go_on()) {
                Some(course) if course.is_last() => self.end_lesson(),
                Some(course) => {
                    course.go(course.place + 1);
                    self.effects.push(Effect::Focus("lesson-text".into()));
                }
                None => {}
            },
            LessonMsg::Back => {
                if let Some(course) = &mut self.model.course {
                    course.go(course.place.saturating_sub(1));
                }
            }
            LessonMsg::End => self.end_lesson(),
        }
    }

    fn begin_lesson(&mut self, lesson: Lesson) {
        // A run in progress keeps its settings.
        if !self.model.run.state.is_active() {
            let before = self.model.settings.net.clone();
            // `Lesson::check` has tried them.
            let _ = self.model.settings.apply(&lesson.settings);
            self.remember_network(before);
            self.show_settings();
            self.prepare();
        }
        self.model.course = Some(Course::new(lesson));
    }

    fn end_lesson(&mut self) {
        self.model.course = None;
        self.effects.push(Effect::Focus("train".into()));
    }
}
