//! The lesson: what the current step says and asks, and a frame around what it is about.

use inkling_core::{
    lesson::{Question, Spot},
    say,
};
use web_sys::Event;

use super::{Button, Emit, Panel};
use crate::page::{
    dom,
    element::{Element, element, show, text},
    model::{Model, course::Course},
    msg::{LessonMsg, Msg},
};

/// Shows the lesson.
pub struct Lesson;

impl Panel for Lesson {
    fn mount(&mut self, emit: Emit) {
        let tell = move |msg: LessonMsg| emit(Msg::Lesson(msg));
        let buttons: [Button<LessonMsg>; 3] = [
            ("lesson-next", || LessonMsg::Next),
            ("lesson-back", || LessonMsg::Back),
            ("lesson-end", || LessonMsg::End),
        ];
        for (id, msg) in buttons {
            dom::listen(id, "click", move |_: Event| tell(msg()));
        }
        dom::listen("lesson-choices", "click", move |event: Event| {
            if let Some(choice) = dom::pressed(&event, "choice") {
                tell(LessonMsg::Choose(choice));
            }
        });
    }

    fn draw(&mut self, model: &Model) {
        let course = model.course.as_ref();
        let step = course.and_then(Course::step);
        dom::set_hidden("lesson", step.is_none());
        for spot in Spot::ALL {
            let lit = step.is_some_and(|step| step.look == Some(spot));
            dom::set_attribute(element_of(spot), "data-lit", if lit { "true" } else { "false" });
        }
        let Some((course, step)) = course.zip(step) else { return };
        dom::set_text("lesson-title", &course.lesson.title);
        dom::set_text("lesson-place", &say!("Step {} of {}", course.place + 1, course.lesson.steps.len()));
        dom::set_text("lesson-text", &step.text);
        let question = step.question.as_ref();
        dom::set_hidden("lesson-question", question.is_none());
        if let Some(question) = question {
            dom::set_text("lesson-asks", &question.text);
            show("lesson-choices", question.choices.iter().enumerate().map(|(at, words)| choice(course, at, words)));
        }
        let said = match (course.is_right(), question) {
            (Some(true), Some(Question { why, .. })) => say!("✓ Right. {}", why),
            (Some(false), Some(Question { wrong, .. })) => say!("✗ Not quite. {}", wrong),
            _ if !course.done => step.wait.clone(),
            _ => String::new(),
        };
        dom::set_text("lesson-said", &said);
        let kind = match course.is_right() {
            Some(true) => "right",
            Some(false) => "wrong",
            None => "",
        };
        dom::set_attribute("lesson-said", "data-kind", kind);
        dom::set_enabled("lesson-back", course.place > 0, "lesson-text");
        dom::set_enabled("lesson-next", course.may_go_on(), "lesson-text");
        dom::set_text("lesson-next", if course.is_last() { say!("Finish") } else { say!("Next") });
    }
}

fn choice(course: &Course, at: usize, words: &str) -> Element {
    let chosen = course.chosen == Some(at);
    element("li").child(
        text("button", words)
            .with("type", "button")
            .with("data-choice", at.to_string())
            .with("aria-pressed", if chosen { "true" } else { "false" }),
    )
}

fn element_of(spot: Spot) -> &'static str {
    match spot {
        Spot::Bar => "controls",
        Spot::Input => "input",
        Spot::Network => "network",
        Spot::Answer => "out",
        Spot::Timeline => "timeline",
    }
}
