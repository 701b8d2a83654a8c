//! A session on burn-flex, with a log of its events.
#![allow(dead_code)] // not every test uses all of it

use std::{cell::RefCell, rc::Rc};

use inkling_core::{
    protocol::{Envelope, Event},
    settings::{DatasetName, Settings},
};
use inkling_train::{
    device::{Backend, BackendKind},
    replicas::{NoReplicas, Replicas},
    session::Session,
};
use pollster::block_on;

pub type Log = Rc<RefCell<Vec<Envelope>>>;

pub fn session() -> (Session, Log) {
    session_with(NoReplicas)
}

/// A session with these replicas.
pub fn session_with(replicas: impl Replicas + 'static) -> (Session, Log) {
    let log = Log::default();
    let sink = log.clone();
    let backend = block_on(Backend::open(BackendKind::Cpu)).unwrap();
    (Session::new(backend, replicas, move |envelope| sink.borrow_mut().push(envelope)), log)
}

pub fn tiny() -> Settings {
    Settings { dataset: DatasetName::Synthetic, images: 120, batch: 32, epochs: 2, ..Settings::default() }
}

pub fn finish(session: &mut Session) {
    while block_on(session.work()) {}
}

/// Everything that `pick` takes from the events.
pub fn all<T>(log: &Log, pick: impl Fn(&Event) -> Option<T>) -> Vec<T> {
    log.borrow().iter().filter_map(|envelope| pick(&envelope.event)).collect()
}
