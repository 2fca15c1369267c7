//! What sends to one destination: it reads, lets wait, connects, sends, and tries again.
//!
//! ```text
//! Calling --reached--> Open --broken, stuck--> Resting --rested--> Calling
//!    '------------------not reached---------------^
//! ```

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::time::Duration;

use ::config::LogUrl;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use resources::runtime::{LogDestinationState, LogDestinationStatus};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::cursor::Cursor;
use super::line::{Common, Line};
use super::link::{BreakError, Link, LinkError};
use super::queue::Queue;
use super::read::{Batch, Sources};
use crate::network::lookup::Lookup;

/// How long after something happened it is written down and shown. A death by force sends again what was sent in that time.
const NOTE: Duration = Duration::from_secs(2);

/// Lines that are sent in one turn, so that reading and sending take turns.
const TURN: usize = 64;

/// How patient the task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// The least time between two attempts.
    pub(super) first: Duration,
    /// The most.
    pub(super) last: Duration,
    /// How long a connection may take nothing while there is something to send.
    pub(super) stuck: Duration,
}

impl Default for Pace {
    /// From a second, which a restart of a collector takes, to a minute, which is soon enough for one that was gone for long.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            last: Duration::from_secs(60),
            stuck: Duration::from_secs(60),
        }
    }
}

impl Pace {
    /// How long to rest after so many failures in a row. By chance up to half as much again, or the nodes that lost a collector
    /// together would come back together.
    fn rest(self, failures: u32, chance: u16) -> Duration {
        let doubled = self.first * 2_u32.pow(failures.min(10));
        let least = doubled.min(self.last * 2 / 3).max(self.first);
        let more = least / 2 * u32::from(chance) / u32::from(u16::MAX);
        (least + more).min(self.last)
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("connecting")]
    Link(#[source] LinkError),
    #[error("connected")]
    Break(#[source] BreakError),
    #[error("it took nothing for {} s", .0.as_secs())]
    Stuck(Duration),
}

enum Phase {
    /// Until the call is answered or not.
    Calling(BoxFuture<'static, Result<Link, LinkError>>),
    /// Until the connection breaks, or takes nothing for too long.
    Open {
        link: Link,
        since: Instant,
        /// Since when something waits to be taken by the socket.
        waits: Option<Instant>,
    },
    /// Until the time has come to call again.
    Resting(Instant),
}

/// What is being sent.
#[derive(Debug)]
enum What {
    Line(Line),
    Lost(u64),
}

#[derive(Debug)]
struct Flying {
    what: What,
    bytes: Vec<u8>,
    sent: usize,
}

/// Sends to one destination. Dropped, it writes down how far it came.
pub(super) struct Task {
    url: LogUrl,
    lookup: Lookup,
    pace: Pace,
    tags: Vec<(String, String)>,
    node: watch::Receiver<String>,
    queue: Queue,
    flying: Option<Flying>,
    cursor: Cursor,
    phase: Phase,
    failures: u32,
    status: LogDestinationStatus,
    report: watch::Sender<LogDestinationStatus>,
    /// Since when there is something to write down.
    news: Option<Instant>,
}

/// What a task is made of.
pub(super) struct Parts {
    pub(super) url: LogUrl,
    pub(super) lookup: Lookup,
    pub(super) pace: Pace,
    pub(super) tags: Vec<(String, String)>,
    pub(super) node: watch::Receiver<String>,
    pub(super) cursor: Cursor,
    pub(super) report: watch::Sender<LogDestinationStatus>,
    /// How many bytes of lines may wait.
    pub(super) most: usize,
}

impl Task {
    pub(super) fn new(parts: Parts) -> Self {
        let mut queue = Queue::new(parts.most);
        queue.unsay(parts.cursor.unsaid());
        Self {
            phase: call(&parts.url, &parts.lookup),
            url: parts.url,
            lookup: parts.lookup,
            pace: parts.pace,
            tags: parts.tags,
            node: parts.node,
            queue,
            flying: None,
            cursor: parts.cursor,
            failures: 0,
            status: LogDestinationStatus {
                since: Some(Timestamp::now()),
                ..LogDestinationStatus::default()
            },
            report: parts.report,
            news: None,
        }
    }

    /// Sends what there is to send, and never ends. It may be dropped at any await.
    pub(super) async fn run(mut self, mut sources: Sources) {
        loop {
            let due = self.news.map(|it| it + NOTE);
            tokio::select! {
                batch = sources.next() => self.take(batch),
                () = self.step() => {}
                () = until(due) => self.note(),
            }
            // There may always be more to read, and others have their turn.
            tokio::task::yield_now().await;
        }
    }

    /// Lets lines wait.
    fn take(&mut self, batch: Batch) {
        self.queue.lose(batch.lost);
        for line in batch.lines {
            for gone in self.queue.push(line) {
                self.cursor.advance(&gone.source, gone.after);
            }
        }
        self.cursor.set_unsaid(self.unsaid());
        self.news();
    }

    /// Goes on with the connection. Cancel-safe: what was sent of a line is known.
    async fn step(&mut self) {
        let idle = self.flying.is_none() && self.queue.is_empty();
        let failure = match &mut self.phase {
            Phase::Calling(call) => match call.await {
                Ok(link) => return self.open(link),
                Err(error) => Failure::Link(error),
            },
            Phase::Resting(until) => {
                sleep_until(*until).await;
                self.phase = call(&self.url, &self.lookup);
                return;
            }
            Phase::Open { link, waits, .. } => {
                *waits = (!idle).then(|| waits.unwrap_or_else(Instant::now));
                let patience = waits.map(|it| it + self.pace.stuck);
                tokio::select! {
                    error = link.gone() => Failure::Break(error),
                    room = link.room(), if !idle => match room {
                        Ok(()) => match self.send() {
                            Ok(()) => return,
                            Err(error) => Failure::Break(BreakError::Send(error)),
                        },
                        Err(error) => Failure::Break(error),
                    },
                    () = until(patience) => Failure::Stuck(self.pace.stuck),
                }
            }
        };
        self.fail(&failure);
    }

    fn open(&mut self, link: Link) {
        self.phase = Phase::Open {
            link,
            since: Instant::now(),
            waits: None,
        };
        tracing::info!(to = %self.url, "logs are sent");
        self.state(LogDestinationState::Connected, String::new());
    }

    fn fail(&mut self, failure: &Failure) {
        match self.flying.take() {
            // It was sent in part at most, and is sent again as a whole.
            Some(Flying {
                what: What::Line(line),
                ..
            }) => self.queue.unpop(line),
            Some(Flying {
                what: What::Lost(lost),
                ..
            }) => self.queue.unsay(lost),
            None => {}
        }
        if let Phase::Open { since, .. } = &self.phase
            && since.elapsed() >= self.pace.last
        {
            self.failures = 0;
        }
        let chance = RandomState::new().hash_one(self.failures).to_le_bytes();
        let rest = self
            .pace
            .rest(self.failures, u16::from_le_bytes([chance[0], chance[1]]));
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Resting(Instant::now() + rest);
        let error = cosi::report(failure);
        if self.status.state != LogDestinationState::Failed {
            tracing::warn!(to = %self.url, error, "logs are not sent");
        }
        self.state(LogDestinationState::Failed, error);
    }

    fn state(&mut self, state: LogDestinationState, error: String) {
        if self.status.state != state {
            self.status.since = Some(Timestamp::now());
        }
        self.status.state = state;
        self.status.error = error;
        self.note();
    }

    /// Sends as much as there is room for, and no more than a turn.
    fn send(&mut self) -> io::Result<()> {
        for _ in 0..TURN {
            let Some(mut flying) = self.flying.take().or_else(|| self.next()) else {
                break;
            };
            let Phase::Open { link, waits, .. } = &mut self.phase else {
                break;
            };
            let sent = link.send(flying.bytes.get(flying.sent..).unwrap_or_default());
            match sent {
                Ok(sent) => {
                    *waits = Some(Instant::now());
                    flying.sent += sent;
                }
                Err(error) => {
                    self.flying = Some(flying);
                    return match error.kind() {
                        io::ErrorKind::WouldBlock => Ok(()),
                        _ => Err(error),
                    };
                }
            }
            if flying.sent < flying.bytes.len() {
                self.flying = Some(flying);
            } else {
                self.landed(&flying.what);
            }
        }
        Ok(())
    }

    /// What is to be sent next: first that something is missing before it.
    fn next(&mut self) -> Option<Flying> {
        let common = Common {
            node: self.node.borrow().clone(),
            tags: self.tags.clone(),
        };
        let (what, bytes) = match self.queue.say() {
            Some(lost) => (What::Lost(lost), common.write_lost(lost, Timestamp::now())),
            None => {
                let line = self.queue.pop()?;
                let bytes = common.write(&line);
                (What::Line(line), bytes)
            }
        };
        Some(Flying {
            what,
            bytes,
            sent: 0,
        })
    }

    fn landed(&mut self, what: &What) {
        if let What::Line(line) = what {
            self.cursor.advance(&line.source, line.after);
            self.status.sent += 1;
        }
        self.cursor.set_unsaid(self.unsaid());
        self.news();
    }

    /// Lines that were lost without a word that arrived.
    fn unsaid(&self) -> u64 {
        let flying = match &self.flying {
            Some(Flying {
                what: What::Lost(lost),
                ..
            }) => *lost,
            _ => 0,
        };
        self.queue.unsaid().saturating_add(flying)
    }

    fn news(&mut self) {
        self.news.get_or_insert_with(Instant::now);
    }

    /// Writes down how far it came, and shows it.
    fn note(&mut self) {
        self.news = None;
        self.cursor.save();
        self.status.lost = self.queue.lost();
        let status = &self.status;
        self.report.send_if_modified(|shown| {
            let other = shown != status;
            shown.clone_from(status);
            other
        });
    }
}

fn call(url: &LogUrl, lookup: &Lookup) -> Phase {
    Phase::Calling(Box::pin(Link::open(url.clone(), lookup.clone())))
}

/// Until then, or for ever.
async fn until(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_rest_is_shorter_or_longer_than_it_may_be(failures: u32, chance: u16) {
            let pace = Pace::default();
            let rest = pace.rest(failures, chance);
            prop_assert!((pace.first..=pace.last).contains(&rest));
            prop_assert!(pace.rest(failures.saturating_add(1), chance) >= rest);
        }
    }

    #[test]
    fn rests_grow_and_differ() {
        let seconds = |failures, chance| Pace::default().rest(failures, chance).as_secs_f64();
        assert_eq!(seconds(0, 0), 1.0);
        assert_eq!(seconds(0, u16::MAX), 1.5);
        assert_eq!(seconds(3, 0), 8.0);
        assert_eq!(seconds(99, 0), 40.0);
        assert_eq!(seconds(99, u16::MAX), 60.0);
    }
}
