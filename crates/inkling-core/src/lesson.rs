//! Lessons: what the page says step by step, and asks. A lesson is a JSON file; docs/lessons.md describes it.

use serde::{Deserialize, Serialize};

use crate::{
    restore::{Damage, Restore},
    settings::Settings,
};

/// The most steps of a lesson.
const MAX_STEPS: usize = 50;
/// The longest text, in characters.
const MAX_TEXT: usize = 1_000;
/// The most choices of a question.
const MAX_CHOICES: usize = 6;

/// A lesson.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// Its title.
    pub title: String,
    /// The settings it begins with, as in the page's address. Others stay as they are.
    #[serde(default)]
    pub settings: String,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// A step of a lesson.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it says.
    pub text: String,
    /// What to look at.
    #[serde(default)]
    pub look: Option<Spot>,
    /// What the visitor must do before the next step.
    #[serde(default)]
    pub until: Option<Until>,
    /// What it says until then.
    #[serde(default)]
    pub wait: String,
    /// What it asks.
    #[serde(default)]
    pub question: Option<Question>,
}

/// A part of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spot {
    /// The bar with the buttons and the first settings.
    Bar,
    /// The sketch pad, the current image and the batch.
    Input,
    /// The network.
    Network,
    /// The answer and the confusion matrix.
    Answer,
    /// The curves.
    Timeline,
}

impl Spot {
    /// All parts.
    pub const ALL: [Self; 5] = [Self::Bar, Self::Input, Self::Network, Self::Answer, Self::Timeline];
}

/// What a visitor must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Until {
    /// Draw something.
    Sketch,
    /// Train until the first epoch is over.
    Epoch,
    /// Pause a run.
    Paused,
    /// Train to the end.
    Finished,
    /// Go back to an earlier epoch.
    Past,
}

/// A question with one right choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// What is asked.
    pub text: String,
    /// What may be answered.
    pub choices: Vec<String>,
    /// Place of the right choice, from 0.
    pub right: usize,
    /// A hint after a wrong answer.
    pub wrong: String,
    /// The explanation after the right answer.
    pub why: String,
}

impl Restore for Lesson {
    fn check(&self) -> Result<(), Damage> {
        let length = |what, found| Err(Damage::Length { what, found });
        if !(1..=MAX_STEPS).contains(&self.steps.len()) {
            return length("the list of steps", self.steps.len());
        }
        if let Some(error) = Settings::default().apply(&self.settings).into_iter().next() {
            return Err(Damage::Setting(error.to_string()));
        }
        for step in &self.steps {
            let asked = step.question.iter();
            let texts = asked.clone().flat_map(|q| q.choices.iter().chain([&q.text, &q.wrong, &q.why]));
            let all = texts.chain([&self.title, &step.text, &step.wait]);
            if let Some(long) = all.map(|text| text.chars().count()).find(|&len| len > MAX_TEXT) {
                return length("a text", long);
            }
            for Question { choices, right, .. } in asked {
                if !(2..=MAX_CHOICES).contains(&choices.len()) {
                    return length("the choices of a question", choices.len());
                }
                if *right >= choices.len() {
                    return Err(Damage::Contradiction("a question has no right choice"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(change: impl Fn(&mut Lesson)) -> Result<(), String> {
        let question = Question {
            text: "?".into(),
            choices: vec!["a".into(), "b".into()],
            right: 1,
            wrong: String::new(),
            why: String::new(),
        };
        let step =
            Step { text: "Look.".into(), look: None, until: None, wait: String::new(), question: Some(question) };
        let mut lesson = Lesson { title: "T".into(), settings: "epochs=2".into(), steps: vec![step] };
        change(&mut lesson);
        lesson.check().map_err(|damage| damage.to_string())
    }

    #[test]
    fn a_lesson_that_cannot_be_taken_is_refused_with_a_reason() {
        assert_eq!(lesson(|_| {}), Ok(()));
        let asked = |lesson: &mut Lesson, change: fn(&mut Question)| {
            lesson.steps[0].question.as_mut().map(change);
        };
        let refused = |change: &dyn Fn(&mut Lesson)| lesson(change).unwrap_err();
        assert!(refused(&|l| l.steps.clear()).contains("the list of steps has 0 entries"));
        assert!(refused(&|l| l.settings = "epochs=0".into()).contains("Epochs must be"));
        assert!(refused(&|l| l.title = "x".repeat(2_000)).contains("a text has 2000 entries"));
        assert!(refused(&|l| asked(l, |q| q.choices.truncate(1))).contains("the choices of a question"));
        assert!(refused(&|l| asked(l, |q| q.right = 2)).contains("no right choice"));
    }

    #[test]
    fn the_lessons_of_the_page_can_be_taken() {
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../www/lessons")).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let lesson: Lesson = serde_json::from_str(&text).unwrap();
            assert_eq!(lesson.check(), Ok(()), "{}", lesson.title);
            assert!(lesson.steps.iter().all(|step| step.until.is_none() || !step.wait.is_empty()), "{}", lesson.title);
        }
    }
}
