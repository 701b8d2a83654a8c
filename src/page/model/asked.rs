//! A question to the network and its newest answer.

/// A question to the network and its newest answer.
#[derive(Clone, Debug)]
pub struct Asked<A> {
    last: u32,
    waiting: bool,
    answer: Option<A>,
}

impl<A> Default for Asked<A> {
    fn default() -> Self {
        Asked { last: 0, waiting: false, answer: None }
    }
}

impl<A> Asked<A> {
    /// Asks again. Returns the number of the question.
    pub fn ask(&mut self) -> u32 {
        self.last += 1;
        self.waiting = true;
        self.last
    }

    /// Takes the answer to question `id`. Ignores the answer to an earlier question.
    pub fn receive(&mut self, id: u32, answer: Option<A>) {
        if self.waiting && id == self.last {
            (self.waiting, self.answer) = (false, answer);
        }
    }

    /// The question has changed: its answer is no longer awaited, and the last answer stays visible.
    pub fn outdate(&mut self) {
        self.waiting = false;
    }

    /// The network has changed: the last answer no longer counts.
    pub fn forget(&mut self) {
        (self.waiting, self.answer) = (false, None);
    }

    /// Whether an answer is awaited.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// The newest answer.
    pub fn answer(&self) -> Option<&A> {
        self.answer.as_ref()
    }
}
