//! What our processes use of the machine.

use std::time::Duration;

use procfs::process::{Process, SmapsRollup};

use crate::runtime::clock::ticks;

/// init's number, which never changes.
pub(super) const INIT: i32 = 1;

/// What one process uses.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Use {
    /// What it is called among services; `init` for the first.
    pub(super) name: String,
    /// The processor time of all its threads so far.
    pub(super) cpu: Duration,
    /// Bytes of its memory that are in RAM, shared ones whole.
    pub(super) resident: u64,
    /// The same with shared ones divided by those who share them; absent where the kernel does not tell us.
    pub(super) proportional: Option<u64>,
}

/// Reads what a process uses; nothing when it has just ended.
pub(super) fn read(name: String, pid: i32) -> Option<Use> {
    let process = Process::new(pid).ok()?;
    let stat = process.stat().ok()?;
    // `stat` counts pages in batches, so what walks them is asked first.
    let counted = stat.rss.saturating_mul(procfs::page_size());
    let walked = process.smaps_rollup().ok();
    let walked = |what| sum(walked.as_ref()?, what);
    Some(Use {
        name,
        cpu: ticks(stat.utime.saturating_add(stat.stime)),
        resident: walked("Rss").unwrap_or(counted),
        proportional: walked("Pss"),
    })
}

/// Bytes of one kind over all memory of a process.
fn sum(walked: &SmapsRollup, what: &str) -> Option<u64> {
    let maps = walked.memory_map_rollup.iter();
    let bytes = maps.filter_map(|map| map.extension.map.get(what));
    bytes.copied().reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_shares_some_of_it() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let own = read("machined".to_owned(), pid).unwrap();
        let proportional = own.proportional.unwrap();
        assert!(proportional > 0 && proportional <= own.resident, "{own:?}");
    }

    #[test]
    fn a_process_that_has_ended_uses_nothing() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        assert_eq!(read("gone".to_owned(), pid), None);
    }
}
