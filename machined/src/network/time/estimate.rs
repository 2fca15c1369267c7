//! From what servers answered to how far our clock is behind each of them now. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use resources::net::{TimeSample, TimeServerPhase, TimeServerSpec, TimeServerStatus};

use super::kernel::Now;
use super::select::Reading;

/// How far the hardware's counter may run off in a second while its speed is known (RFC 5905, `PHI`), in parts per million.
const DRIFT: u64 = 15;
/// An answer older than this says nothing any more: eight of the longest intervals between two questions, as RFC 5905's reach has it.
pub const STALE: Duration = Duration::from_secs(8 * 1024);
/// By how much the two clocks that nobody can set may differ without the machine having slept: one of them is corrected, by up to
/// half a second at once and half a thousandth all the time.
const AWAKE: u64 = 1_000_000_000;

/// A server as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Where it is asked, and what it is called.
    pub spec: TimeServerSpec,
    /// What it answered.
    pub status: TimeServerStatus,
}

/// What one server has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Voice<'a> {
    /// Who.
    pub server: &'a Server,
    /// What.
    pub reading: Reading,
    /// When it was heard, by the hardware's counter, in nanoseconds.
    pub heard: u64,
}

/// What the servers have to say now. Where three or more of them are named, each name has one voice, however many addresses it
/// has; else each address.
#[must_use]
pub fn voices(servers: &[Server], now: Now) -> Vec<Voice<'_>> {
    let all: Vec<Voice<'_>> = servers.iter().filter_map(|it| voice(it, now)).collect();
    let names: BTreeSet<&str> = all.iter().map(|it| &*it.server.spec.server).collect();
    if names.len() < 3 {
        return all;
    }
    let mut best: BTreeMap<&str, Voice<'_>> = BTreeMap::new();
    for voice in all {
        let name = &*voice.server.spec.server;
        let better = |old: &Voice<'_>| voice.reading.error < old.reading.error;
        if best.get(name).is_none_or(better) {
            best.insert(name, voice);
        }
    }
    best.into_values().collect()
}

/// The best of a server's answers: the quickest, unless it is old.
fn voice(server: &Server, now: Now) -> Option<Voice<'_>> {
    if server.status.phase == TimeServerPhase::Denied {
        return None;
    }
    let samples = server.status.samples.iter();
    let read = samples.filter_map(|it| Some((reading(it, now)?, it.raw_nanos)));
    let (reading, heard) = read.min_by_key(|(reading, _)| reading.error)?;
    Some(Voice {
        server,
        reading,
        heard,
    })
}

/// How far our clock is behind now, by an answer from before; `None` when it says nothing any more.
#[must_use]
pub fn reading(sample: &TimeSample, now: Now) -> Option<Reading> {
    let passed = now.raw.checked_sub(sample.raw_nanos)?;
    let awake_and_asleep = now.boot.checked_sub(sample.boot_nanos)?;
    if u128::from(passed) > STALE.as_nanos()
        || awake_and_asleep.abs_diff(passed) > AWAKE + passed / 1000
    {
        return None;
    }
    let ran = i128::from(passed) + i128::from(passed) * i128::from(now.frequency) / 1_000_000_000;
    let there = i128::from(sample.server_nanos) + ran;
    let error = sample.delay_nanos / 2 + sample.distance_nanos + passed / 1_000_000 * DRIFT;
    Some(Reading {
        offset: i64::try_from(there - i128::from(now.real)).ok()?,
        error,
    })
}

/// The address of a voice.
impl Voice<'_> {
    /// Where it was heard from.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.server.spec.address
    }
}
