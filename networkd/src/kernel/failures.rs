//! What one run of an applier could not do, sorted: what waits for something outside, and what failed.
//!
//! One item that fails never stops the others. What waits is no failure, or a node with one unplugged link would never come to rest.

use cosi::{Error, Outcome};

/// Errors of the kernel that go away by themselves when a link, an address or a route appears: `ENODEV`, `ENETDOWN`,
/// `ENETUNREACH`, `EHOSTUNREACH`. The notification of that very change wakes the applier again.
const WAITS: [i32; 4] = [19, 100, 101, 113];

/// What a run could not do.
#[derive(Debug, Default)]
pub struct Failures {
    waiting: Vec<String>,
    failed: Vec<String>,
}

impl Failures {
    /// Starts with what could not even be planned.
    #[must_use]
    pub fn new(waiting: Vec<String>) -> Self {
        Self {
            waiting,
            failed: Vec::new(),
        }
    }

    /// Notes how one change went.
    pub fn note(&mut self, result: Result<(), netlink::Error>) {
        let Err(error) = result else { return };
        let text = cosi::report(&error);
        if error.errno().is_some_and(|n| WAITS.contains(&n)) {
            self.waiting.push(text);
        } else {
            self.failed.push(text);
        }
    }

    /// Notes something that waits.
    pub fn wait(&mut self, what: String) {
        self.waiting.push(what);
    }

    /// Notes something that failed.
    pub fn fail(&mut self, what: String) {
        self.failed.push(what);
    }

    /// How the run ends. Its errors are the sum, so that the next one is not hidden behind the first.
    ///
    /// # Errors
    /// Never; the form is what a run returns.
    pub fn outcome(self) -> Result<Outcome, Error> {
        Ok(match (self.failed.is_empty(), self.waiting.is_empty()) {
            (false, _) => Outcome::Partial(Error::msg(self.failed.join("; "))),
            (true, false) => Outcome::WaitingOn(self.waiting.join("; ")),
            (true, true) => Outcome::Done,
        })
    }
}
