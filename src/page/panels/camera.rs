//! The camera: collect pictures of classes, use them as a data set, and see what the network makes of what it sees.

use inkling_core::{image::MIN_IMAGES, message, say};
use web_sys::{Event, HtmlInputElement, KeyboardEvent};

use super::{
    Button, Emit, Panel,
    words::{argmax, count},
};
use crate::page::{
    dom,
    element::{Element, element, show, text},
    model::{
        Model,
        camera::{CameraState, Collected},
    },
    msg::{CameraMsg, Msg, Section},
};

/// The fewest pictures: [`MIN_IMAGES`] are left when a seventh of each class, or a little more, is set aside as the test set.
const MIN_PICTURES: usize = MIN_IMAGES * 5 / 4;

/// Shows the camera and what it has collected.
pub struct Camera;

impl Panel for Camera {
    fn mount(&mut self, emit: Emit) {
        let tell = move |msg: CameraMsg| emit(Msg::Camera(msg));
        let hold = move || {
            let name = dom::element::<HtmlInputElement>("camera-class").map(|input| input.value()).unwrap_or_default();
            tell(CameraMsg::Hold(name));
        };
        let buttons: [Button<CameraMsg>; 3] = [
            ("camera-switch", || CameraMsg::Switch),
            ("camera-restore", || CameraMsg::Restore),
            ("camera-use", || CameraMsg::Use),
        ];
        for (id, msg) in buttons {
            dom::listen(id, "click", move |_: Event| tell(msg()));
        }
        dom::listen("camera-take", "pointerdown", move |_: Event| hold());
        for end in ["pointerup", "pointercancel", "pointerleave", "blur", "keyup"] {
            dom::listen("camera-take", end, move |_: Event| tell(CameraMsg::Release));
        }
        dom::listen("camera-take", "keydown", move |event: KeyboardEvent| {
            if matches!(event.key().as_str(), " " | "Enter") && !event.repeat() {
                event.prevent_default();
                hold();
            }
        });
        // A long touch opens a menu, which would end it.
        dom::listen("camera-take", "contextmenu", |event: Event| event.prevent_default());
        dom::listen("camera-classes", "click", move |event: Event| {
            if let Some(place) = dom::pressed(&event, "class") {
                tell(CameraMsg::Remove(place));
            }
        });
    }

    fn draw(&mut self, model: &Model) {
        if !model.is_open(Section::Camera) {
            return;
        }
        let camera = &model.camera;
        let words = match camera.state {
            CameraState::Off => say!("Turn the camera on"),
            CameraState::Starting => say!("Waiting for the camera…"),
            CameraState::On => say!("Turn the camera off"),
        };
        dom::set_text("camera-switch", words);
        dom::set_hidden("camera-view", camera.state == CameraState::Off);
        dom::set_enabled("camera-take", camera.state == CameraState::On, "camera-switch");
        dom::set_text(
            "camera-take",
            if camera.collecting.is_some() { say!("Collecting…") } else { say!("Hold to collect") },
        );
        show("camera-classes", camera.classes.iter().enumerate().map(|(place, class)| row(place, class)));
        dom::set_hidden("camera-restore", camera.removed.is_none());
        dom::set_text("camera-said", &sentence(model));
        let usable = missing(model).is_none() && !model.run.state.is_active() && !model.data.reading;
        dom::set_enabled("camera-use", usable, "camera-switch");
        dom::set_text("camera-answer", &answer(model));
    }

    fn shows_predictions(&self) -> bool {
        true
    }
}

fn row(place: usize, class: &Collected) -> Element {
    let remove = text("button", "×")
        .with("type", "button")
        .with("data-class", place.to_string())
        .with("aria-label", say!("Remove the pictures of {}", class.name));
    let words = format!(" {}", count(class.pictures.len(), [message!("{} picture"), message!("{} pictures")]));
    element("li").key(&class.name).child(text("b", &class.name)).child(text("span", words)).child(remove)
}

/// What a data set still lacks.
fn missing(model: &Model) -> Option<String> {
    let camera = &model.camera;
    let pictures = MIN_PICTURES.saturating_sub(camera.pictures());
    match (camera.classes.len(), pictures) {
        (0 | 1, _) => Some(say!("At least two classes are needed").into()),
        (_, 0) => None,
        (_, more) => Some(say!("{} more are needed", count(more, [message!("{} picture"), message!("{} pictures")]))),
    }
}

fn sentence(model: &Model) -> String {
    let camera = &model.camera;
    match (missing(model), camera.problem.as_str()) {
        (_, problem) if !problem.is_empty() => problem.into(),
        (Some(missing), _) => format!("{missing}."),
        (None, _) if model.run.state.is_active() => say!("Stop the run to use other pictures.").into(),
        (None, _) => say!(
            "{} in {} classes.",
            count(camera.pictures(), [message!("{} picture"), message!("{} pictures")]),
            camera.classes.len()
        ),
    }
}

/// What the network makes of what the camera sees.
fn answer(model: &Model) -> String {
    match model.camera.prediction.answer() {
        Some(prediction) => {
            let best = argmax(&prediction.probabilities);
            let share = 100.0 * prediction.probabilities.get(best).copied().unwrap_or_default();
            say!("It sees {} ({}%).", model.a_class(best as u8), format_args!("{:.0}", share))
        }
        None => String::new(),
    }
}
