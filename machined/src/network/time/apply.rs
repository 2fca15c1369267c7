//! Brings the clock to where most time servers say it is, and says how that stands.

use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use jiff::Timestamp;
use resources::net::{
    CLOCK, LeapSecond, TIME, TimeServerPhase, TimeServerSpec, TimeServerStatus, TimeSpec,
    TimeStatus,
};
use resources::runtime::Condition;
use sys::clock::{Correction, Leap, SetWatch};

use super::discipline::{Known, Order, is_large, order, time_constant};
use super::estimate::{STALE, Server, Voice, voices};
use super::kernel::{Kernel, Now};
use super::select::{Agreement, agree};

/// The condition that somebody vouches for the clock, or that nobody is to.
pub const CONDITION: &str = "time";

/// How often the clock is looked at when nothing happens: only to see that nobody has answered for long.
const LOOK: Duration = Duration::from_secs(60);

/// The kernel did not do what it was told.
#[derive(Debug, thiserror::Error)]
enum ClockError {
    #[error("reading the clocks")]
    Read(#[source] std::io::Error),
    #[error("moving the clock by {0} ns")]
    Move(i64, #[source] std::io::Error),
}

/// The controller.
#[derive(Debug)]
pub struct Apply {
    kernel: Box<dyn Kernel>,
    /// No clock is earlier.
    built: Timestamp,
    /// The latest answer that the clock went by, by the hardware's counter; what is older was used then.
    used: u64,
    /// When most servers last agreed, by the same.
    agreed: Option<u64>,
    /// Whether the last agreement asked for a jump that was not made.
    large: bool,
    status: TimeStatus,
}

cosi::declare! {
    Apply as "network.time.apply" {
        reads TimeSpec;
        reads TimeServerSpec;
        reads TimeServerStatus;
        writes TimeStatus;
        shares Condition;
    }
}

/// What a look at the servers found.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// Nobody is to be asked.
    Off,
    /// There is a time to go by.
    Agreed,
    /// There is none, and why.
    None(String),
}

impl Apply {
    /// Keeps a clock that was never right before `built`.
    #[must_use]
    pub fn new(kernel: impl Kernel, built: Timestamp) -> Self {
        Self {
            kernel: Box::new(kernel),
            built,
            used: 0,
            agreed: None,
            large: false,
            status: TimeStatus::default(),
        }
    }

    /// One look: what the servers say, what is done about it, and how it stands then. `set` says that somebody has just set the
    /// clock.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn look(
        &mut self,
        spec: &TimeSpec,
        servers: &[Server],
        set: bool,
    ) -> Result<TimeStatus, Error> {
        let now = self.kernel.now().map_err(ClockError::Read)?;
        let finding = match spec.enabled {
            true => self.follow(spec, servers, now, set)?,
            false => Finding::Off,
        };
        let recent = |agreed: u64| u128::from(now.raw.saturating_sub(agreed)) <= STALE.as_nanos();
        let reason = match finding {
            Finding::Off => Some("the config turns it off".to_owned()),
            Finding::None(_) if self.agreed.is_some_and(recent) => None,
            Finding::None(reason) => Some(reason),
            Finding::Agreed => None,
        };
        self.conclude(reason)?;
        Ok(self.status.clone())
    }

    fn follow(
        &mut self,
        spec: &TimeSpec,
        servers: &[Server],
        now: Now,
        set: bool,
    ) -> Result<Finding, Error> {
        let built = i64::try_from(self.built.as_nanosecond()).unwrap_or(i64::MAX);
        let all = voices(servers, now);
        let sane = |it: &Voice<'_>| now.real.saturating_add(it.reading.offset) >= built;
        let voices: Vec<Voice<'_>> = all.iter().filter(|it| sane(it)).cloned().collect();
        self.status.answering = count(voices.len());
        // Before the first agreement everybody asked is heard out, or it would be whoever is quickest.
        let asking = |it: &Server| {
            it.status.phase == TimeServerPhase::Asking && it.status.samples.is_empty()
        };
        if self.agreed.is_none() && servers.iter().any(asking) {
            return Ok(Finding::None(format!("waiting for {}", names(spec))));
        }
        let readings: Vec<_> = voices.iter().map(|it| it.reading).collect();
        let Some(agreement) = agree(&readings) else {
            return Ok(Finding::None(if !voices.is_empty() {
                format!(
                    "the time servers disagree; name three or more in the Time document: {}",
                    names(spec)
                )
            } else if all.is_empty() {
                format!("no answer from {}", names(spec))
            } else {
                format!("{} say it is before this system was built", names(spec))
            }));
        };
        let with: Vec<&Voice<'_>> = agreement
            .with
            .iter()
            .filter_map(|it| voices.get(*it))
            .collect();
        self.obey(&agreement, &with, now, set)
    }

    /// Does what the servers who agree want, if they have said anything new.
    fn obey(
        &mut self,
        agreement: &Agreement,
        with: &[&Voice<'_>],
        now: Now,
        set: bool,
    ) -> Result<Finding, Error> {
        let latest = with.iter().map(|it| it.heard).max().unwrap_or_default();
        let large = is_large(agreement.offset);
        if latest <= self.used && !(set && large) {
            return Ok(Finding::Agreed);
        }
        let known = Known {
            trusted: now.trusted || self.agreed.is_some(),
            expected: self.large || set,
        };
        let (leap, error) = (leap(with), Duration::from_nanos(agreement.error));
        let told = order(agreement.offset, known);
        match told {
            Order::Wait => {}
            Order::Slew(by) => {
                let often = with
                    .iter()
                    .map(|it| it.server.status.interval_seconds)
                    .min();
                let every = Duration::from_secs(often.unwrap_or_default().into());
                let correction = Correction {
                    offset: by,
                    time_constant: time_constant(every),
                    error,
                    leap,
                };
                let moved = self.kernel.slew(&correction);
                moved.map_err(|source| ClockError::Move(by, source))?;
            }
            Order::Step(by) => {
                let moved = self.kernel.step(by, error, leap);
                moved.map_err(|source| ClockError::Move(by, source))?;
                tracing::info!(
                    nanoseconds = by,
                    "the clock was stepped to the time servers' time"
                );
                self.status.steps += 1;
            }
        }
        self.used = latest;
        self.large = large && told == Order::Wait;
        if told == Order::Wait {
            return Ok(Finding::None(
                "the clock is far off; it is set when that is confirmed".to_owned(),
            ));
        }
        self.agreed = Some(now.raw);
        self.note(agreement, with, now);
        Ok(Finding::Agreed)
    }

    fn note(&mut self, agreement: &Agreement, with: &[&Voice<'_>], now: Now) {
        if let Some(best) = with.first() {
            self.status.server.clone_from(&best.server.spec.server);
            self.status.address = best.address().to_string();
            self.status.stratum = best.server.status.stratum + 1;
        }
        self.status.offset_nanos = agreement.offset;
        self.status.error_nanos = agreement.error;
        self.status.agreeing = count(with.len());
        self.status.frequency_ppb = now.frequency;
    }

    fn conclude(&mut self, reason: Option<String>) -> Result<(), Error> {
        // Again, since the clock may just have been stepped.
        let now = self.kernel.now().map_err(ClockError::Read)?;
        if reason.is_some() || self.agreed.is_none() {
            self.agreed = None;
            self.status = TimeStatus {
                answering: self.status.answering,
                frequency_ppb: now.frequency,
                steps: self.status.steps,
                reason: reason.unwrap_or_default(),
                ..TimeStatus::default()
            };
            return Ok(());
        }
        if !self.status.synchronized {
            self.status.since = Timestamp::from_nanosecond(now.real.into()).ok();
        }
        self.status.synchronized = true;
        self.status.reason.clear();
        Ok(())
    }
}

/// What most of them announce for the end of the day.
fn leap(with: &[&Voice<'_>]) -> Leap {
    let most = |leap: LeapSecond| {
        let announce = with.iter().filter(|it| it.server.status.leap == leap);
        announce.count() * 2 > with.len()
    };
    match (most(LeapSecond::Insert), most(LeapSecond::Delete)) {
        (true, _) => Leap::Insert,
        (_, true) => Leap::Delete,
        _ => Leap::None,
    }
}

/// The servers, for a person.
fn names(spec: &TimeSpec) -> String {
    spec.servers.join(", ")
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// What waits for the clock is told of it.
fn condition(spec: &TimeSpec, status: &TimeStatus) -> Condition {
    let (met, message) = match (spec.enabled, status.synchronized) {
        (false, _) => (
            true,
            "the config leaves the clock to the machine".to_owned(),
        ),
        (true, true) => (true, "time servers vouch for the clock".to_owned()),
        (true, false) => (false, status.reason.clone()),
    };
    Condition { met, message }
}

impl Controller for Apply {
    fn sources(&mut self) -> Vec<Source> {
        let watch = SetWatch::new().and_then(crate::runtime::readable);
        match watch {
            Ok(watch) => vec![Box::pin(stream::unfold(watch, |watch| async move {
                let mut ready = watch.readable().await.ok()?;
                ready.clear_ready();
                drop(ready);
                watch.get_ref().acknowledge().ok()?;
                Some(((), watch))
            }))],
            // The next answers show it as well.
            Err(error) => {
                tracing::warn!(%error, "the clock is not watched");
                Vec::new()
            }
        }
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, dirty: &Dirty) -> Result<Outcome, Error> {
        let Some(spec) = cx.get::<TimeSpec>(TIME) else {
            return Ok(Outcome::WaitingOn("the names of time servers".to_owned()));
        };
        let specs = cx.list::<TimeServerSpec>();
        let servers: Vec<Server> = specs
            .iter()
            .map(|it| Server {
                spec: (*it.spec).clone(),
                status: cx
                    .get::<TimeServerStatus>(it.id())
                    .map(|it| (*it.spec).clone())
                    .unwrap_or_default(),
            })
            .collect();
        let status = self.look(&spec.spec, &servers, dirty.is_triggered())?;
        cx.put(CONDITION, condition(&spec.spec, &status));
        cx.put(CLOCK, status);
        Ok(Outcome::Requeue(LOOK))
    }
}
