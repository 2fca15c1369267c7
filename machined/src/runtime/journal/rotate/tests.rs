use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    log: 100,
    all: 300,
    boots: 3,
};

fn part(boot: u64, name: &str, start: u64, bytes: u64) -> Part {
    let name = name.to_owned();
    (boot, Segment { name, start, bytes })
}

#[test]
fn the_beginning_of_a_long_log_goes_and_its_end_stays() {
    let parts: Vec<_> = (0..5).map(|at| part(7, "a", at * 40, 40)).collect();
    let short = part(7, "b", 0, 90);
    let gone = plan(&[parts.clone(), vec![short]].concat(), 7, LIMITS);
    assert_eq!(gone, parts[..3]);
}

#[test]
fn boots_that_are_too_long_ago_go_whole() {
    let parts: Vec<_> = (1..=6).map(|boot| part(boot, "a", 0, 1)).collect();
    assert_eq!(plan(&parts, 6, LIMITS), parts[..2]);
}

#[test]
fn when_all_is_too_much_the_oldest_boot_gives_first_and_who_said_most() {
    let parts = [
        part(1, "loud", 0, 50),
        part(1, "loud", 50, 50),
        part(1, "quiet", 0, 10),
        part(2, "loud", 0, 100),
        part(3, "loud", 0, 100),
        part(3, "quiet", 0, 30),
    ];
    assert_eq!(plan(&parts, 3, LIMITS), parts[..1]);
}

#[test]
fn a_small_disk_keeps_little() {
    let small = Limits::of(512 << 20);
    assert!(small.all < 52 << 20 && small.log <= small.all / 4);
    assert_eq!(Limits::of(u64::MAX).all, ALL);
}

proptest! {
    #[test]
    fn what_is_left_is_little_enough_new_enough_and_without_holes(
        sizes in vec((0_u64..6, 0..3_usize, 0_u64..70), 0..40),
        log in 1_u64..200,
        all in 1_u64..600,
        boots in 0_usize..4,
    ) {
        let limits = Limits { log, all, boots };
        let current = 5;
        let mut ends: BTreeMap<(u64, usize), u64> = BTreeMap::new();
        let mut parts = Vec::new();
        for (boot, name, bytes) in sizes {
            let end = ends.entry((boot, name)).or_default();
            // An empty one has no place of its own.
            let bytes = bytes + 1;
            parts.push(part(boot, ["a", "b", "c"][name], *end, bytes));
            *end += bytes;
        }
        let gone = plan(&parts, current, limits);
        prop_assert!(gone.iter().all(|part| parts.contains(part)));
        prop_assert_eq!(gone.iter().collect::<BTreeSet<_>>().len(), gone.len(), "twice");
        let left: Vec<_> = parts.iter().filter(|part| !gone.contains(part)).cloned().collect();
        // The part that each log of the boot is written to stays, whatever it takes.
        let written: u64 = logs(&parts)
            .into_iter()
            .filter(|((boot, _), _)| *boot == current)
            .filter_map(|(_, log)| log.last().cloned())
            .inspect(|part| assert!(left.contains(part), "{part:?}"))
            .map(|(_, segment)| segment.bytes)
            .sum();
        let total: u64 = left.iter().map(|(_, segment)| segment.bytes).sum();
        prop_assert!(total <= limits.all.max(written), "{} left", total);
        let kept: BTreeSet<_> = left.iter().map(|(boot, _)| *boot).filter(|it| *it != current).collect();
        prop_assert!(kept.len() <= limits.boots);
        for ((boot, name), log) in logs(&left) {
            let size: u64 = log.iter().map(|(_, segment)| segment.bytes).sum();
            let last = log.last().map_or(0, |(_, segment)| segment.bytes);
            prop_assert!(size <= limits.log.max(last));
            // Whatever goes of a log goes from its beginning.
            for two in log.windows(2) {
                prop_assert_eq!(two[0].1.end(), two[1].1.start, "a hole in {} of {}", &name, boot);
            }
        }
        // Nothing goes without need.
        let before: u64 = parts.iter().map(|(_, segment)| segment.bytes).sum();
        let need = before > limits.all
            || logs(&parts).values().any(|log| log.iter().map(|it| it.1.bytes).sum::<u64>() > limits.log)
            || parts.iter().map(|it| it.0).filter(|it| *it != current).collect::<BTreeSet<_>>().len() > boots;
        prop_assert!(need || gone.is_empty());
    }
}
