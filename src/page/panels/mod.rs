//! The panels of the page: one file each.
//!
//! Invariant: a panel draws from the model and emits messages. It knows neither the app nor other panels, and it
//! changes nothing but its own elements.

mod answer;
mod blocks;
mod camera;
mod chart;
mod controls;
mod curves;
mod data;
mod doctor;
mod files;
mod handwriting;
mod images;
mod input;
mod inside;
mod lesson;
mod linked;
mod matrix;
mod network;
mod offer;
mod preview;
mod report;
mod runs;
mod sections;
mod server;
mod sketch;
mod status;
mod summary;
mod survey;
mod tiles;
mod time;
mod trust;
mod words;

use super::{model::Model, msg::Msg};

/// Where a panel sends what the visitor does.
pub type Emit = fn(Msg);

/// A button by its id, and the message that it emits.
type Button<M> = (&'static str, fn() -> M);

/// A part of the page.
pub trait Panel {
    /// Listens to its elements. Called once.
    fn mount(&mut self, _emit: Emit) {}

    /// Takes note of the model after every message, in a hidden tab as well.
    fn note(&mut self, _model: &Model) {}

    /// Shows the model. Called before a frame is painted.
    fn draw(&mut self, _model: &Model) {}

    /// Whether it must be drawn as soon as a prediction arrives.
    fn shows_predictions(&self) -> bool {
        false
    }
}

/// The panels of the picture, of the bar and of the timeline.
pub fn overview() -> Vec<Box<dyn Panel>> {
    vec![
        Box::new(sections::Sections::default()),
        Box::new(controls::Controls::default()),
        Box::new(status::Status),
        Box::new(data::Data),
        Box::new(curves::Curves),
        Box::new(matrix::Matrix::default()),
        Box::new(offer::Offer::default()),
        Box::new(server::ServerOffer::default()),
        Box::new(linked::Linked),
        Box::new(input::Input::default()),
        Box::new(blocks::Blocks::default()),
        Box::new(answer::Answer),
        Box::new(sketch::Sketch),
        Box::new(lesson::Lesson),
        Box::new(summary::Summary::default()),
    ]
}

/// The panels of sections: the inspectors. They form a separate program, which is fetched when a section first opens.
pub fn inspectors() -> Vec<Box<dyn Panel>> {
    vec![
        Box::new(network::Editor),
        Box::new(time::Time),
        Box::new(preview::Preview::default()),
        Box::new(report::Report),
        Box::new(files::Files::default()),
        Box::new(doctor::Doctor),
        Box::new(handwriting::Handwriting::default()),
        Box::new(camera::Camera),
        Box::new(survey::Survey::default()),
        Box::new(images::Images::default()),
        Box::new(inside::Inside),
        Box::new(trust::Trust),
        Box::new(runs::Runs),
    ]
}
