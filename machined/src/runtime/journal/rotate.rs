//! Which logs on disk have to go, so that there is never more than there may be. Pure.

use std::collections::BTreeMap;

use super::segments::Segment;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Of one log in one boot, in bytes.
    pub(super) log: u64,
    /// Of all together.
    pub(super) all: u64,
    /// Former boots whose logs are kept.
    pub(super) boots: usize,
}

/// Of one log in one boot.
const LOG: u64 = 16 << 20;
/// Of all logs together, where there is room.
const ALL: u64 = 256 << 20;
/// The part of a file system that logs may take, as a divisor.
const PART: u64 = 10;
/// Former boots: that of before an upgrade, that of the upgrade, and one to spare.
const BOOTS: usize = 3;

impl Limits {
    /// For a file system of so many bytes.
    pub(super) fn of(filesystem: u64) -> Self {
        let all = ALL.min(filesystem / PART);
        Self {
            log: LOG.min(all / 4),
            all,
            boots: BOOTS,
        }
    }
}

/// Part of a log of a boot, by the boot's number.
pub(super) type Part = (u64, Segment);

/// The parts that have to go. `current` is the boot that runs: the last part of each of its logs is being written, and stays.
pub(super) fn plan(parts: &[Part], current: u64, limits: Limits) -> Vec<Part> {
    let mut boots: Vec<u64> = parts.iter().map(|(boot, _)| *boot).collect();
    boots.retain(|boot| *boot != current);
    boots.sort_unstable();
    boots.dedup();
    let spare = boots.len().saturating_sub(limits.boots);
    let too_old: Vec<u64> = boots.into_iter().take(spare).collect();
    let (mut go, mut stay): (Vec<Part>, Vec<Part>) = parts
        .iter()
        .cloned()
        .partition(|(boot, _)| too_old.contains(boot));
    stay.sort();
    for log in logs(&stay).into_values() {
        let (_, older) = log.split_last().unwrap_or((&EMPTY, &[]));
        let all: u64 = log.iter().map(|(_, segment)| segment.bytes).sum();
        go.extend(oldest(older.iter().cloned(), all, limits.log));
    }
    stay.retain(|part| !go.contains(part));
    let last: Vec<Part> = logs(&stay)
        .into_iter()
        .filter(|((boot, _), _)| *boot == current)
        .filter_map(|(_, log)| log.last().cloned())
        .collect();
    let all: u64 = stay.iter().map(|(_, segment)| segment.bytes).sum();
    // The oldest boot first; in it whoever says most, its oldest first.
    let mut order: Vec<Part> = stay
        .iter()
        .filter(|part| !last.contains(part))
        .cloned()
        .collect();
    let sizes: BTreeMap<_, u64> = logs(&stay)
        .into_iter()
        .map(|(log, parts)| (log, parts.iter().map(|(_, segment)| segment.bytes).sum()))
        .collect();
    order.sort_by_key(|(boot, segment)| {
        let size = sizes.get(&(*boot, segment.name.clone())).copied();
        (*boot, std::cmp::Reverse(size), segment.clone())
    });
    go.extend(oldest(order.into_iter(), all, limits.all));
    go
}

const EMPTY: Part = (
    0,
    Segment {
        name: String::new(),
        start: 0,
        bytes: 0,
    },
);

/// The parts of each log, in order.
fn logs(parts: &[Part]) -> BTreeMap<(u64, String), Vec<Part>> {
    let mut logs: BTreeMap<_, Vec<Part>> = BTreeMap::new();
    for part in parts {
        let (boot, segment) = part;
        logs.entry((*boot, segment.name.clone()))
            .or_default()
            .push(part.clone());
    }
    logs
}

/// So many of them, from the first on, that no more than `most` is left of `all`.
fn oldest(parts: impl Iterator<Item = Part>, all: u64, most: u64) -> Vec<Part> {
    let mut left = all;
    let mut go = Vec::new();
    for part in parts {
        if left <= most {
            break;
        }
        left = left.saturating_sub(part.1.bytes);
        go.push(part);
    }
    go
}

#[cfg(test)]
mod tests;
