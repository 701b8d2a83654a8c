//! The page's side of the worker for files, which is fetched when there is something to write or to read, and ends when
//! that is done.

use super::{
    link::{Incoming, Link},
    page,
};
use crate::{
    BUILD,
    protocol::{Event, Filing},
};

/// Its binary.
pub const WORKER: &str = "worker_files";

/// A worker for files that has something to do.
pub struct Clerk {
    link: Link,
    /// What it is to be asked once it is ready; then `None`.
    waiting: Option<Vec<Filing>>,
    /// Answers that are still to come.
    awaited: usize,
}

impl Clerk {
    /// Has `task` done by `clerk`, or by a fresh one.
    ///
    /// # Errors
    /// What the browser says if it allows no worker.
    pub fn ask(clerk: &mut Option<Clerk>, task: Filing) -> Result<(), String> {
        let clerk = match clerk {
            Some(clerk) => clerk,
            None => {
                clerk.insert(Clerk { link: Link::open(WORKER, page::filed)?, waiting: Some(Vec::new()), awaited: 0 })
            }
        };
        clerk.awaited += 1;
        match &mut clerk.waiting {
            Some(waiting) => waiting.push(task),
            None => clerk.link.send(&task)?,
        }
        Ok(())
    }

    /// The answer to a task, if `clerk` gave one; it goes when it has nothing left to do. If it is unavailable, so is what
    /// else it was asked.
    pub fn hear(clerk: &mut Option<Clerk>, incoming: Incoming) -> Option<Event> {
        let event = match incoming {
            Incoming::Envelope(envelope) => envelope.event,
            Incoming::Broken(reason) => Event::Unavailable { reason, faulty: true },
        };
        let here = clerk.as_mut()?;
        match event {
            Event::Fetching { .. } => None,
            Event::Ready { build, .. } if build == BUILD => {
                let waiting = here.waiting.take().unwrap_or_default();
                let sent = waiting.iter().try_for_each(|task| here.link.send(task));
                sent.err().map(|reason| Self::lose(clerk, reason))
            }
            Event::Ready { .. } => Some(Self::lose(clerk, "it is of another version than the page; reload it".into())),
            Event::Unavailable { reason, .. } => Some(Self::lose(clerk, reason)),
            answer => {
                here.awaited -= 1;
                if here.awaited == 0 {
                    *clerk = None;
                }
                Some(answer)
            }
        }
    }

    fn lose(clerk: &mut Option<Clerk>, reason: String) -> Event {
        *clerk = None;
        Event::Unavailable { reason, faulty: true }
    }
}
