//! What to do about one setting, and in which order about several. Pure.

use ::config::SysctlKey;

/// One setting as everybody has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// What the config wants it to be.
    pub(super) wanted: Option<&'a str>,
    /// What it was before we touched it; none when we do not.
    pub(super) before: Option<&'a str>,
    /// What we made of it last.
    pub(super) made: Option<&'a Made>,
    /// What it is; none when the kernel has no such setting.
    pub(super) now: Option<&'a str>,
    /// Whether what is not wanted may be taken for unwanted.
    pub(super) leave: bool,
}

/// A value we gave, and what the kernel made of it: `1,2,3` may become `1-3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) wanted: String,
    pub(super) shown: String,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is as it should be, or nothing can be done now.
    Nothing,
    /// Give it the value that is wanted.
    Set {
        /// It had that value, and somebody else changed it.
        drifted: bool,
    },
    /// Give it the value from before.
    Restore,
    /// It has the value from before, or is gone: it concerns us no more.
    Forget,
}

pub(super) fn step(seen: Seen<'_>) -> Step {
    match (seen.wanted, seen.before, seen.now) {
        (Some(wanted), _, Some(now)) => {
            let made = seen.made.filter(|it| it.wanted == wanted);
            let shown = made.is_some_and(|it| same(&it.shown, now));
            if shown || same(wanted, now) {
                Step::Nothing
            } else {
                Step::Set {
                    drifted: made.is_some(),
                }
            }
        }
        (None, Some(before), Some(now)) if seen.leave && !same(before, now) => Step::Restore,
        (None, Some(_), _) if seen.leave => Step::Forget,
        (Some(_), _, None) | (None, _, _) => Step::Nothing,
    }
}

/// Whether two texts are one value: the kernel parts numbers by tabs.
pub(super) fn same(left: &str, right: &str) -> bool {
    left.split_whitespace().eq(right.split_whitespace())
}

/// The order of writing. A setting may change others that say the same of less (`ip_forward` resets what links do,
/// `conf/all` reaches into each of them), so what says more comes first: fewer parts, then `all`, then `default`.
pub(super) fn order(key: &SysctlKey) -> (usize, Vec<(u8, String)>) {
    let path = key.path();
    let parts: Vec<(u8, String)> = path
        .split('/')
        .map(|part| {
            let rank = match part {
                "all" => 0,
                "default" => 1,
                _ => 2,
            };
            (rank, part.to_owned())
        })
        .collect();
    (parts.len(), parts)
}
