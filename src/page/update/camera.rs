//! The camera: collecting pictures of classes, and asking the network what it sees.

use std::mem;

use inkling_core::{data::Role, protocol::Question, say, settings::DatasetName};

use super::Update;
use crate::page::{
    effect::Effect,
    model::{
        asked::Awaited,
        camera::{CameraState, MAX_PICTURES},
    },
    msg::{CameraMsg, Msg},
};

/// The pause between two pictures.
const TAKE_MS: i32 = 80;
/// The pause between two looks.
const LOOK_MS: i32 = 200;

impl Update<'_> {
    pub(super) fn camera(&mut self, msg: CameraMsg) {
        let camera = &mut self.model.camera;
        match msg {
            CameraMsg::Switch if camera.state == CameraState::Off => {
                camera.turn += 1;
                (camera.state, camera.problem) = (CameraState::Starting, String::new());
                self.effects.push(Effect::OpenCamera(camera.turn));
            }
            CameraMsg::Switch => self.close_camera(),
            // It was turned off, and perhaps on again, while the browser asked.
            CameraMsg::Opened(turn, result) if turn == camera.turn && camera.state == CameraState::Starting => {
                match result {
                    Ok(()) => {
                        camera.state = CameraState::On;
                        self.look_later();
                    }
                    Err(error) => self.lose_camera(&error),
                }
            }
            CameraMsg::Opened(_, Ok(())) if camera.state == CameraState::Off => self.effects.push(Effect::CloseCamera),
            CameraMsg::Opened(..) => {}
            CameraMsg::Lost(turn) if turn == camera.turn => {
                self.lose_camera(say!("it was disconnected, or another program is using it"))
            }
            CameraMsg::Lost(_) => {}
            CameraMsg::Hold(name) => self.collect(name.trim()),
            CameraMsg::Release => camera.collecting = None,
            CameraMsg::TakeNext => self.take_picture(),
            CameraMsg::Taken(Ok(picture)) => {
                camera.keep(picture);
                self.later_camera(TAKE_MS, CameraMsg::TakeNext);
            }
            CameraMsg::Taken(Err(error)) => {
                camera.collecting = None;
                camera.problem = say!("The picture was not taken: {}.", error);
            }
            CameraMsg::Remove(place) if place < camera.classes.len() => {
                camera.removed = Some(camera.classes.clone());
                camera.classes.remove(place);
            }
            CameraMsg::Remove(_) => {}
            CameraMsg::Restore => {
                if let Some(before) = camera.removed.take() {
                    camera.classes = before;
                }
            }
            CameraMsg::Use => {
                let files = camera.files();
                self.use_data(files);
            }
            CameraMsg::Look(turn) if turn == camera.turn && camera.state == CameraState::On => {
                let own = self.model.run.settings.dataset == DatasetName::Own && self.model.has_network();
                if own && !self.model.camera.prediction.is_waiting() {
                    self.effects.push(Effect::LookThroughCamera(self.model.run.data.image()));
                }
                self.look_later();
            }
            CameraMsg::Look(_) => {}
            CameraMsg::Seen(pixels) => {
                let fits = pixels.len() == self.model.run.data.image().values();
                if fits && self.model.has_network() && self.model.camera.state == CameraState::On {
                    let id = self.next_question();
                    self.model.camera.prediction.ask(id);
                    self.ask(id, Question::Predict { pixels, epoch: None });
                }
            }
        }
    }

    fn later_camera(&mut self, milliseconds: i32, msg: CameraMsg) {
        self.effects.push(Effect::After(milliseconds, Box::new(Msg::Camera(msg))));
    }

    fn look_later(&mut self) {
        self.later_camera(LOOK_MS, CameraMsg::Look(self.model.camera.turn));
    }

    /// Takes pictures for this class until the visitor releases the button.
    fn collect(&mut self, name: &str) {
        let camera = &mut self.model.camera;
        if camera.state != CameraState::On || camera.collecting.is_some() {
            return;
        }
        // The name of a class is the name of a folder.
        let name = name.replace(['/', '\\'], " ");
        let problem = match name.as_str() {
            "" => say!("Give the class a name first."),
            name if Role::is_named_by(name) => {
                say!("Names such as “train” and “test” are reserved. Choose another name for the class.")
            }
            _ => "",
        };
        camera.problem = problem.into();
        if !problem.is_empty() {
            return;
        }
        camera.collecting = Some(name);
        self.take_picture();
    }

    fn take_picture(&mut self) {
        let camera = &mut self.model.camera;
        if camera.pictures() >= MAX_PICTURES && camera.collecting.take().is_some() {
            camera.problem = say!("You can collect at most {} pictures. Remove a class first.", MAX_PICTURES);
        }
        if camera.state == CameraState::On && camera.collecting.is_some() {
            self.effects.push(Effect::TakePicture(self.model.data.look.side));
        }
    }

    fn lose_camera(&mut self, reason: &str) {
        self.close_camera();
        self.model.camera.problem = say!("The camera can't be used: {}.", reason.trim_end_matches('.'));
    }

    /// Turns the camera off. What it has collected stays.
    pub(super) fn close_camera(&mut self) {
        let camera = &mut self.model.camera;
        camera.collecting = None;
        camera.prediction.forget();
        if mem::take(&mut camera.state) != CameraState::Off {
            self.effects.push(Effect::CloseCamera);
        }
    }
}
