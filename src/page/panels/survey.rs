//! What the data set looks like: its classes, test images that nearly equal a training image, and labels that may be wrong.

use inkling_core::{
    image::Shape,
    network::grouped,
    protocol::{ClassSurvey, RunState, Specimen, Twin, Twins},
    say,
};
use web_sys::Event;

use super::{Emit, Panel, tiles::canvas, words::percent};
use crate::page::{
    dom,
    element::{Element, element, show, text},
    model::Model,
    msg::{Msg, Section, WorkbenchMsg},
};

/// Images that differ by less than this share of their contrast are hard to tell apart.
const NEARLY_EQUAL: f64 = 0.1;

/// Shows what is known of the data set.
#[derive(Default)]
pub struct Survey {
    /// What the canvases were drawn from.
    shown: (Vec<ClassSurvey>, Option<Twins>),
}

impl Panel for Survey {
    fn mount(&mut self, emit: Emit) {
        dom::listen("survey-begin", "click", move |_: Event| emit(Msg::Workbench(WorkbenchMsg::Survey)));
        dom::listen("labels-show", "click", move |_: Event| emit(Msg::Workbench(WorkbenchMsg::ShowMistakes)));
    }

    fn draw(&mut self, model: &Model) {
        let run = &model.run;
        let there = run.dataset.is_some() && model.worker.is_ready() && run.state != RunState::Failed;
        dom::set_hidden("survey-empty", there);
        dom::set_hidden("survey-panel", !there);
        if !there || !model.is_open(Section::Survey) {
            return;
        }
        let survey = &run.survey;
        dom::set_enabled("survey-begin", survey.looking.is_none(), "survey-text");
        let words = match survey.looking {
            Some((done, of)) if of > 0 => {
                say!("Looked at {} of {} images.", grouped(done.into()), grouped(of.into()))
            }
            Some(_) => say!("Looking…").into(),
            None => String::new(),
        };
        dom::set_text("survey-text", &words);
        dom::set_hidden("survey-found", survey.classes.is_empty());
        if survey.classes.is_empty() {
            return;
        }
        let shape = run.data.image();
        dom::set_text("classes-text", &balance(model, &survey.classes));
        let class = |(class, found): (usize, &ClassSurvey)| class_tile(model, class, found, shape);
        show("survey-classes", survey.classes.iter().enumerate().map(class));
        let twins = survey.twins.as_ref();
        dom::set_text("twins-text", &twins.map_or(say!("Looking…").into(), twins_words));
        let pairs = twins.map_or(&[][..], |twins| &twins.pairs);
        show("twins", pairs.iter().enumerate().map(|(place, twin)| pair(model, place, twin, shape)));
        let mistakes = twins.and_then(|twins| twins.mistakes);
        dom::set_text("labels-text", &labels_words(model, twins));
        dom::set_enabled("labels-show", model.has_network() && mistakes.is_some_and(|count| count > 0), "survey-begin");
        if self.shown.0 != survey.classes || self.shown.1 != survey.twins {
            for (class, found) in survey.classes.iter().enumerate() {
                dom::draw_images(&mean_id(class), &found.mean, shape, 1);
            }
            for (place, twin) in pairs.iter().enumerate() {
                dom::draw_images(&twin_id(place, "train"), &twin.train.pixels, shape, 1);
                dom::draw_images(&twin_id(place, "test"), &twin.test.pixels, shape, 1);
            }
            self.shown = (survey.classes.clone(), survey.twins.clone());
        }
    }
}

fn mean_id(class: usize) -> String {
    format!("mean-{class}")
}

fn twin_id(place: usize, set: &str) -> String {
    format!("twin-{place}-{set}")
}

fn picture(id: String, shape: Shape, words: String) -> Element {
    canvas(id, shape).with("role", "img").with("aria-label", words)
}

/// Whether all classes are about equally frequent.
fn balance(model: &Model, classes: &[ClassSurvey]) -> String {
    let all = || classes.iter().zip(0..);
    let (most, least) = (all().max_by_key(|(class, _)| class.train), all().min_by_key(|(class, _)| class.train));
    let (Some((most, frequent)), Some((least, rare))) = (most, least) else { return String::new() };
    let [frequent, rare] = [frequent, rare].map(|class| model.class(class));
    let counts = say!("Training and test images of each class, and the mean of its training images.");
    match f64::from(most.train) / f64::from(least.train.max(1)) {
        ratio if ratio < 1.5 => say!("{} All classes are about equally frequent.", counts),
        ratio => say!(
            "{} {} is {} times as frequent as {}. “Balance classes” in the settings gives each the \
             same weight.",
            counts,
            frequent,
            format_args!("{:.1}", ratio),
            rare
        ),
    }
}

fn class_tile(model: &Model, class: usize, found: &ClassSurvey, shape: Shape) -> Element {
    let name = model.class(class as u8);
    let [train, test] = [found.train, found.test].map(|count| grouped(count.into()));
    element("li")
        .child(picture(mean_id(class), shape, say!("Mean training image of {}", name)))
        .child(text("b", name))
        .child(text("span", train).with("title", say!("training images")))
        .child(text("span", test).with("class", "hint").with("title", say!("test images")))
}

fn twins_words(twins: &Twins) -> String {
    let equal = match twins.identical {
        0 => say!("No test image equals a training image").into(),
        1 => say!("One test image equals a training image").into(),
        count => say!("{} test images equal a training image", grouped(count.into())),
    };
    let nearly = |twin: &&Twin| twin.difference > 0.0 && twin.difference < NEARLY_EQUAL;
    let near = match twins.pairs.iter().filter(nearly).count() {
        0 => say!("none is").into(),
        1 => say!("one is").into(),
        count if count == twins.pairs.len() => say!("at least {} are", count),
        count => say!("{} are", count),
    };
    say!(
        "{}, and {} nearly the same. The most similar pairs, with the training image on the left, and how much they differ (100%: as much \
         as the image differs from even gray):",
        equal,
        near
    )
}

fn pair(model: &Model, place: usize, twin: &Twin, shape: Shape) -> Element {
    let words =
        |set: &str, specimen: &Specimen| say!("{} image {}: {}", set, specimen.number, model.a_class(specimen.label));
    let [train, test] = [&twin.train, &twin.test].map(|specimen| model.class(specimen.label));
    let names = if train == test { train } else { format!("{train} / {test}") };
    element("li")
        .child(picture(twin_id(place, "train"), shape, words(say!("Training"), &twin.train)))
        .child(picture(twin_id(place, "test"), shape, words(say!("Test"), &twin.test)))
        .child(text("b", names))
        .child(text("span", percent(twin.difference)).with("class", "hint"))
}

fn labels_words(model: &Model, twins: Option<&Twins>) -> String {
    match twins.map(|twins| twins.mistakes) {
        None => say!("Looking…").into(),
        Some(None) => {
            say!("Look again when the network is trained: then it is asked about every training image.").into()
        }
        Some(Some(0)) => say!("The network agrees with every label.").into(),
        Some(Some(count)) => {
            let of = model.run.dataset.as_ref().map_or(0, |data| data.loaded.train);
            say!(
                "The network takes {} of {} training images for another class. Check the most confident ones first.",
                grouped(count.into()),
                grouped(of.into())
            )
        }
    }
}
