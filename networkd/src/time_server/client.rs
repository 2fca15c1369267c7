//! One server's client: when to ask, what to make of the answer. Pure.
//!
//! ```text
//!             +-- no answer, later each time --+
//!             v                                |
//!   start -> asking -- answer --> answering -- no answer --> silent
//!             |                     ^  |  every 32 s .. 1024 s |
//!             | forbidden           |  +-----------------------+-- answer
//!             v                     +--------------------------+
//!           denied (for good)
//! ```
//!
//! A server that was new or silent, or one whose answers may be of use no longer because the clock was set or the node has moved, is
//! asked four times in a row; that is all the hurry there is.

use std::collections::VecDeque;
use std::time::Duration;

use resources::net::{TimeSample, TimeServerPhase, TimeServerStatus};
use sys::clock::Moment;

use super::packet::{Answer, Kiss, PacketError, Reply};

/// The shortest time between two questions of a quiet life.
pub const MIN_INTERVAL: Duration = Duration::from_secs(32);
/// The longest.
pub const MAX_INTERVAL: Duration = Duration::from_secs(1024);
/// Questions in a row when an answer is wanted soon (RFC 5905's burst has up to eight).
const BURST: u32 = 4;
/// Between them (RFC 5905, section 13.1, `BTIME`).
const BURST_GAP: Duration = Duration::from_secs(2);
/// How long an answer is waited for; one that took longer would be worth little.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many answers are kept (RFC 5905's clock filter has eight stages).
const KEPT: usize = 8;
/// Answers that came out as foretold, before the server is asked half as often.
const STEADY: u32 = 3;
/// How far the hardware's counter may run off in a second while its speed is known (RFC 5905, `PHI`), in parts per million.
const DRIFT: u64 = 15;
/// What networks do to a packet without anybody being at fault.
const JITTER: Duration = Duration::from_millis(1);

/// What happens to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The deadline is reached.
    Tick,
    /// Something came back.
    Heard(Heard),
    /// The question could not be sent, or was turned away on the way.
    Lost(String),
    /// The clock was set, or the node has other addresses: ask anew.
    Wake,
}

/// What came back, and what was known of the time then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// What it says.
    pub reply: Result<Reply, PacketError>,
    /// When it came.
    pub at: Moment,
    /// By how much the hardware's counter is made to run faster, in parts per billion.
    pub frequency: i64,
}

/// The client.
#[derive(Debug, Clone)]
pub struct Client {
    status: TimeServerStatus,
    samples: VecDeque<TimeSample>,
    interval: Duration,
    least: Duration,
    burst: u32,
    steady: u32,
    /// Questions without an answer since the last one, or since the node was woken.
    failures: u32,
    /// When the question that is under way left.
    asked: Option<Moment>,
    /// When the last question left, since boot.
    last: Option<Duration>,
    /// When something is to be done next, since boot; never when absent.
    next: Option<Duration>,
}

impl Client {
    /// One that asks at once.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self {
            status: TimeServerStatus::default(),
            samples: VecDeque::new(),
            interval: MIN_INTERVAL,
            least: MIN_INTERVAL,
            burst: BURST,
            steady: 0,
            failures: 0,
            asked: None,
            last: None,
            next: Some(now),
        }
    }

    /// When to come back with [`Event::Tick`], since boot.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.next
    }

    /// Whether a question is under way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.asked.is_some()
    }

    /// What the node shows.
    #[must_use]
    pub fn status(&self) -> TimeServerStatus {
        TimeServerStatus {
            interval_seconds: u32::try_from(self.interval.as_secs()).unwrap_or(u32::MAX),
            samples: self.samples.iter().cloned().collect(),
            ..self.status.clone()
        }
    }

    /// Takes in an event; whether a question is to be sent now. `chance` is any number; it spreads what many nodes do.
    #[must_use]
    pub fn step(&mut self, now: Moment, event: Event, chance: u32) -> bool {
        match event {
            Event::Tick if self.next.is_none_or(|at| now.boot < at) => false,
            Event::Tick if self.asked.is_some() => {
                self.unanswered(now.boot, "no answer".to_owned(), chance);
                false
            }
            Event::Tick => {
                self.asked = Some(now);
                self.last = Some(now.boot);
                self.next = Some(now.boot + PATIENCE);
                true
            }
            Event::Heard(heard) => {
                self.heard(now.boot, heard, chance);
                false
            }
            Event::Lost(reason) => {
                if self.asked.is_some() {
                    self.unanswered(now.boot, reason, chance);
                }
                false
            }
            Event::Wake => {
                self.wake(now.boot);
                false
            }
        }
    }

    fn heard(&mut self, now: Duration, heard: Heard, chance: u32) {
        let Heard {
            reply,
            at,
            frequency,
        } = heard;
        let Some(asked) = self.asked else { return };
        match reply {
            // Anybody can send such; the answer may still come.
            Err(PacketError::Unasked | PacketError::Foreign | PacketError::Short) => {}
            Err(error) => self.unanswered(now, error.to_string(), chance),
            Ok(Reply::Kiss(kiss)) => self.kissed(now, kiss, chance),
            Ok(Reply::Time(answer)) => match sample(&answer, asked, at) {
                Some(sample) => self.answered(now, &answer, sample, frequency, chance),
                None => self.unanswered(now, PacketError::Nonsense.to_string(), chance),
            },
        }
    }

    fn answered(
        &mut self,
        now: Duration,
        answer: &Answer,
        sample: TimeSample,
        frequency: i64,
        chance: u32,
    ) {
        self.asked = None;
        let foretold = self
            .samples
            .back()
            .map(|old| agree(old, &sample, frequency));
        self.samples.push_back(sample);
        if self.samples.len() > KEPT {
            self.samples.pop_front();
        }
        self.status.phase = TimeServerPhase::Answering;
        self.status.unanswered = 0;
        self.failures = 0;
        self.status.error.clear();
        self.status.stratum = answer.stratum.into();
        self.status.reference.clone_from(&answer.reference);
        self.status.leap = answer.leap;
        self.burst = self.burst.saturating_sub(1);
        if self.burst > 0 {
            self.next = Some(now + BURST_GAP);
            return;
        }
        match foretold {
            Some(true) => self.steady += 1,
            Some(false) => {
                self.steady = 0;
                self.interval = (self.interval / 2).max(self.least);
            }
            None => self.steady = 0,
        }
        if self.steady >= STEADY {
            self.steady = 0;
            self.interval = (self.interval * 2).min(MAX_INTERVAL);
        }
        self.next = Some(now + spread(self.interval, chance));
    }

    fn kissed(&mut self, now: Duration, kiss: Kiss, chance: u32) {
        match kiss {
            Kiss::Slower => {
                self.least = (self.interval.max(self.least) * 2).min(MAX_INTERVAL);
                self.interval = self.least;
                self.burst = 0;
                self.asked = None;
                self.status.phase = TimeServerPhase::Silent;
                self.status.error = "the server wants to be asked less often".to_owned();
                self.next = Some(now + spread(self.interval, chance));
            }
            Kiss::Never => {
                self.asked = None;
                self.next = None;
                self.samples.clear();
                self.status.phase = TimeServerPhase::Denied;
                self.status.error =
                    "the server forbids us to ask; name another one in the Time document"
                        .to_owned();
            }
            Kiss::Other(code) => {
                self.unanswered(now, format!("the server gives no time: {code}"), chance);
            }
        }
    }

    fn unanswered(&mut self, now: Duration, error: String, chance: u32) {
        self.asked = None;
        self.steady = 0;
        self.status.phase = TimeServerPhase::Silent;
        self.status.error = error;
        self.status.unanswered = self.status.unanswered.saturating_add(1);
        self.failures = self.failures.saturating_add(1);
        let wait = BURST_GAP * 2_u32.pow(self.failures.min(10));
        let wait = wait.min(MAX_INTERVAL);
        // Who asked us to be slow is not to be hurried by its own silence.
        let wait = if self.least > MIN_INTERVAL {
            wait.max(self.least)
        } else {
            wait
        };
        self.burst = if self.least > MIN_INTERVAL { 0 } else { BURST };
        self.next = Some(now + spread(wait, chance));
    }

    fn wake(&mut self, now: Duration) {
        if self.next.is_none() || self.asked.is_some() {
            return;
        }
        self.steady = 0;
        self.failures = 0;
        self.interval = self.least;
        self.burst = if self.least > MIN_INTERVAL { 0 } else { BURST };
        // However often the node is woken, a server hears of it at its own pace: soon if it has never answered, as then the
        // network was not there.
        let pause = if self.samples.is_empty() {
            BURST_GAP
        } else {
            self.least
        };
        let soonest = self.last.map_or(now, |last| now.max(last + pause));
        self.next = self.next.map(|next| next.min(soonest));
    }
}

/// Up to a sixteenth longer, so that nodes that started together do not ask together.
fn spread(wait: Duration, chance: u32) -> Duration {
    wait + wait / 16 * (chance % 1024) / 1024
}

/// What an answer says of the time at the moment it came; `None` when it took less time than the server had it.
fn sample(answer: &Answer, asked: Moment, at: Moment) -> Option<TimeSample> {
    let elapsed = at.raw.checked_sub(asked.raw)?;
    let held = u64::try_from(answer.sent.checked_sub(answer.received)?).ok()?;
    let held = Duration::from_nanos(held);
    // The server's clock may run a little faster than ours.
    if held > elapsed + JITTER {
        return None;
    }
    let delay = elapsed.saturating_sub(held);
    let nanos = |it: Duration| u64::try_from(it.as_nanos()).ok();
    Some(TimeSample {
        server_nanos: answer
            .sent
            .checked_add(i64::try_from(delay.as_nanos() / 2).ok()?)?,
        raw_nanos: nanos(at.raw)?,
        boot_nanos: nanos(at.boot)?,
        delay_nanos: nanos(delay)?,
        distance_nanos: nanos(answer.distance)?,
    })
}

/// Whether the later sample is what the earlier one and the hardware's counter foretell.
fn agree(old: &TimeSample, new: &TimeSample, frequency: i64) -> bool {
    let passed = new.raw_nanos.saturating_sub(old.raw_nanos);
    let told = i128::from(new.server_nanos) - i128::from(old.server_nanos);
    let counted = i128::from(passed) + i128::from(passed) * i128::from(frequency) / 1_000_000_000;
    let unsure = (u128::from(old.delay_nanos) + u128::from(new.delay_nanos)) / 2
        + u128::from(passed) * u128::from(DRIFT) / 1_000_000
        + JITTER.as_nanos();
    (told - counted).unsigned_abs() <= unsure
}
