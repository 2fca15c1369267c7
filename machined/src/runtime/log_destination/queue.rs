//! Lines that wait, up to a bound; then the oldest go. Pure.

use std::collections::VecDeque;

use super::line::Line;

/// How much waits for one destination, in bytes: a few thousand lines, which a node of 256 MiB does not feel.
pub(super) const MOST: usize = 512 * 1024;

/// The lines.
#[derive(Debug)]
pub(super) struct Queue {
    most: usize,
    cost: usize,
    lines: VecDeque<Line>,
    /// Lost since that was last said.
    unsaid: u64,
    /// Lost in all.
    lost: u64,
}

impl Queue {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            cost: 0,
            lines: VecDeque::new(),
            unsaid: 0,
            lost: 0,
        }
    }

    /// Lets a line wait behind the others; the lines that had to go for it.
    pub(super) fn push(&mut self, line: Line) -> Vec<Line> {
        self.cost += line.cost();
        self.lines.push_back(line);
        let mut gone = Vec::new();
        while self.cost > self.most {
            let Some(oldest) = self.pop() else { break };
            gone.push(oldest);
        }
        self.lose(gone.len() as u64);
        gone
    }

    /// A line that was taken and not sent is first again. Nothing goes for it: there is one at most.
    pub(super) fn unpop(&mut self, line: Line) {
        self.cost += line.cost();
        self.lines.push_front(line);
    }

    /// The oldest line.
    pub(super) fn pop(&mut self) -> Option<Line> {
        let line = self.lines.pop_front()?;
        self.cost -= line.cost();
        Some(line)
    }

    /// Counts lines that never came here.
    pub(super) fn lose(&mut self, lines: u64) {
        self.unsaid = self.unsaid.saturating_add(lines);
        self.lost = self.lost.saturating_add(lines);
    }

    /// How many were lost that nobody was told of, who now is.
    pub(super) fn say(&mut self) -> Option<u64> {
        let lost = std::mem::take(&mut self.unsaid);
        (lost > 0).then_some(lost)
    }

    /// They were not told after all.
    pub(super) fn unsay(&mut self, lost: u64) {
        self.unsaid = self.unsaid.saturating_add(lost);
    }

    /// How many were lost that nobody was told of.
    pub(super) fn unsaid(&self) -> u64 {
        self.unsaid
    }

    /// Lost in all.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether there is something to send.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.unsaid == 0
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn line(after: u64, length: usize) -> Line {
        Line {
            source: "a".into(),
            after,
            time: Timestamp::UNIX_EPOCH,
            level: None,
            message: "x".repeat(length),
        }
    }

    proptest! {
        /// Every line is either given out, in order, or counted; and what waits has a bound.
        #[test]
        fn nothing_goes_uncounted(turns in proptest::collection::vec((0_usize..300, 0_usize..3), 1..200)) {
            let mut queue = Queue::new(2000);
            let (mut given, mut gone, mut last) = (0, 0, 0);
            for (number, (length, takes)) in turns.iter().enumerate() {
                let went = queue.push(line(number as u64 + 1, *length));
                gone += went.len() as u64;
                prop_assert!(queue.cost <= 2000);
                for _ in 0..*takes {
                    let Some(taken) = queue.pop() else { continue };
                    prop_assert!(taken.after > last);
                    last = taken.after;
                    given += 1;
                }
            }
            prop_assert_eq!(queue.lost(), gone);
            let waiting = queue.lines.len() as u64;
            prop_assert_eq!(given + gone + waiting, turns.len() as u64);
            let cost: usize = queue.lines.iter().map(Line::cost).sum();
            prop_assert_eq!(queue.cost, cost);
        }
    }

    #[test]
    fn what_was_lost_is_said_once_unless_it_was_not_heard() {
        let mut queue = Queue::new(200);
        assert!(queue.is_empty());
        assert!(queue.push(line(1, 100)).is_empty());
        assert_eq!(queue.push(line(2, 100)), [line(1, 100)]);
        assert_eq!(queue.say(), Some(1));
        assert_eq!((queue.say(), queue.unsaid()), (None, 0));
        queue.unsay(1);
        queue.lose(2);
        assert_eq!(queue.say(), Some(3));
        let taken = queue.pop().unwrap();
        assert!(queue.is_empty());
        queue.unpop(taken.clone());
        assert_eq!(queue.pop(), Some(taken));
        assert_eq!(queue.lost(), 3);
    }

    #[test]
    fn a_line_that_is_too_long_for_any_queue_is_lost() {
        let mut queue = Queue::new(100);
        assert_eq!(queue.push(line(1, 100)).len(), 1);
        assert_eq!(queue.lost(), 1);
    }
}
