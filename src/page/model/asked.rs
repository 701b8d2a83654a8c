//! A question to the network and its newest answer.

/// A question to the network and its newest answer.
#[derive(Clone, Debug)]
pub struct Asked<A> {
    last: u32,
    waiting: bool,
    /// Checks for which it has been waiting.
    checks: u32,
    answer: Option<A>,
    /// Number of the question that it answers.
    answered: u32,
}

impl<A> Default for Asked<A> {
    fn default() -> Self {
        Asked { last: 0, waiting: false, checks: 0, answer: None, answered: 0 }
    }
}

impl<A> Asked<A> {
    /// Asks again, with a number that no other question has.
    pub fn ask(&mut self, id: u32) {
        (self.last, self.waiting, self.checks) = (id, true, 0);
    }

    /// Takes the answer to question `id`. Ignores the answer to an earlier question.
    pub fn receive(&mut self, id: u32, answer: Option<A>) {
        if self.waiting && id == self.last {
            (self.waiting, self.answer, self.answered) = (false, answer, id);
        }
    }

    /// The question has changed: its answer is no longer awaited, and the last answer stays visible.
    pub fn outdate(&mut self) {
        self.waiting = false;
    }

    /// Number of the question that was answered last: another number, another answer.
    pub fn answered(&self) -> u32 {
        self.answered
    }

    /// The newest answer.
    pub fn answer(&self) -> Option<&A> {
        self.answer.as_ref()
    }
}

/// A question of any kind, as far as its answer does not matter.
pub trait Awaited {
    /// Question `id` will not be answered.
    fn refused(&mut self, id: u32);
    /// Counts a check during which the answer did not come. After `patience` checks, it is no longer awaited; returns true
    /// at that moment.
    fn wait(&mut self, patience: u32) -> bool;
    /// The network has changed: the last answer no longer counts.
    fn forget(&mut self);
    /// Whether an answer is awaited.
    fn is_waiting(&self) -> bool;
}

impl<A> Awaited for Asked<A> {
    fn refused(&mut self, id: u32) {
        self.waiting &= id != self.last;
    }

    fn wait(&mut self, patience: u32) -> bool {
        self.checks += u32::from(self.waiting);
        let over = self.waiting && self.checks >= patience;
        self.waiting &= !over;
        over
    }

    fn forget(&mut self) {
        (self.waiting, self.answer) = (false, None);
    }

    fn is_waiting(&self) -> bool {
        self.waiting
    }
}
