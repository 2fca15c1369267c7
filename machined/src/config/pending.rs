//! What is not the active generation yet: one that is tried until a moment, one that waits for the next boot. Pure.
//!
//! ```text
//!              apply, try                confirm
//! active M ----------------> tried N ---------------> active N
//!     ^                         |
//!     +---- deadline, rollback, any other boot
//!
//!              apply, staged            another boot
//! active M ----------------> staged N --------------> active N
//! ```
//!
//! The pointer to the active generation stays on M meanwhile, so whatever becomes of the files of N, M runs. They need not be
//! removed in time either: what is not newer than the active generation was confirmed or replaced, and means nothing.

use std::str::FromStr;
use std::time::Duration;

use super::generation::{Name, NameError};

/// A moment, told by what no one can step: which boot it is of, and the time since that boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What the kernel calls the boot.
    pub boot: String,
    /// Since the kernel started, sleep included.
    pub since_boot: Duration,
}

/// A generation that is tried or staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) name: Name,
    /// The boot it was applied in.
    pub(super) boot: String,
    /// When the trial ends, since that boot; `None` for a staged one.
    pub(super) until: Option<Duration>,
}

/// Which generation is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The active one.
    Active,
    /// This one, and it becomes the active one.
    Promote(Name),
    /// This one, for so long.
    Try(Name, Duration),
}

/// Chooses among the active generation, a tried one and a staged one.
pub(super) fn choose(
    active: Option<&Name>,
    tried: Option<&Pending>,
    staged: Option<&Pending>,
    now: &Moment,
) -> Choice {
    let newer = |it: &&Pending| active.is_none_or(|active| it.name.number() > active.number());
    if let Some(staged) = staged.filter(newer).filter(|it| it.boot != now.boot) {
        return Choice::Promote(staged.name.clone());
    }
    let tried = tried.filter(newer).filter(|it| it.boot == now.boot);
    let left = tried.and_then(|it| Some((it, it.until?.checked_sub(now.since_boot)?)));
    match left {
        Some((tried, left)) if left > Duration::ZERO => Choice::Try(tried.name.clone(), left),
        _ => Choice::Active,
    }
}

/// The staged generation, if one still waits.
pub(super) fn waits<'a>(active: Option<&Name>, staged: Option<&'a Pending>) -> Option<&'a Name> {
    let staged = staged?;
    let newer = active.is_none_or(|active| staged.name.number() > active.number());
    newer.then_some(&staged.name)
}

impl std::fmt::Display for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, boot, until } = self;
        write!(f, "{name}\nboot {boot}\n")?;
        match until {
            Some(until) => writeln!(f, "until {}", until.as_millis()),
            None => Ok(()),
        }
    }
}

impl FromStr for Pending {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut lines = text.lines();
        let name = lines.next().ok_or(NameError)?.parse()?;
        let boot = lines.next().and_then(|it| it.strip_prefix("boot "));
        let until = lines.next().map(|it| {
            let until = it.strip_prefix("until ").and_then(|it| it.parse().ok());
            until.map(Duration::from_millis).ok_or(NameError)
        });
        let read = Self {
            name,
            boot: boot.ok_or(NameError)?.to_owned(),
            until: until.transpose()?,
        };
        // Half of it may read like a whole one.
        (read.to_string() == text).then_some(read).ok_or(NameError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pending(number: u64, boot: &str, until: Option<u64>) -> Pending {
        Pending {
            name: Name::new(number, "text"),
            boot: boot.to_owned(),
            until: until.map(Duration::from_millis),
        }
    }

    fn any_pending() -> impl Strategy<Value = Option<Pending>> {
        let fields = (1u64..6, "[ab]", proptest::option::of(0u64..10));
        proptest::option::of(fields.prop_map(|(number, boot, until)| pending(number, &boot, until)))
    }

    proptest! {
        #[test]
        fn nothing_old_runs_and_no_trial_outlives_its_time_or_its_boot(
            active in proptest::option::of(1u64..6),
            tried in any_pending(),
            staged in any_pending(),
            boot in "[ab]",
            since in 0u64..10,
        ) {
            let active = active.map(|it| Name::new(it, "text"));
            let since_boot = Duration::from_millis(since);
            let now = Moment { boot, since_boot };
            let number = active.as_ref().map_or(0, Name::number);
            match choose(active.as_ref(), tried.as_ref(), staged.as_ref(), &now) {
                Choice::Active => {}
                Choice::Promote(name) => {
                    let staged = staged.unwrap();
                    prop_assert!(name == staged.name && name.number() > number);
                    prop_assert_ne!(staged.boot, now.boot);
                }
                Choice::Try(name, left) => {
                    let tried = tried.unwrap();
                    prop_assert!(name == tried.name && name.number() > number);
                    prop_assert_eq!(tried.boot, now.boot);
                    prop_assert_eq!(tried.until, Some(since_boot + left));
                    prop_assert!(!left.is_zero());
                }
            }
        }

        #[test]
        fn what_is_written_is_read_and_no_part_of_it(pending in any_pending(), cut in any::<prop::sample::Index>()) {
            let Some(pending) = pending else { return Ok(()) };
            let text = pending.to_string();
            prop_assert_eq!(text.parse(), Ok(pending.clone()));
            let part: Result<Pending, _> = text[..cut.index(text.len())].parse();
            // A staged one is the beginning of a tried one; files are never read in part, but say so if they were.
            prop_assert!(part.is_err() || pending.until.is_some(), "{part:?}");
        }
    }

    #[test]
    fn a_trial_runs_in_its_boot_until_its_time() {
        let active = Name::new(1, "text");
        let tried = pending(2, "a", Some(60));
        let at = |boot: &str, since| {
            let since_boot = Duration::from_millis(since);
            let now = Moment {
                boot: boot.to_owned(),
                since_boot,
            };
            choose(Some(&active), Some(&tried), None, &now)
        };
        assert_eq!(
            at("a", 59),
            Choice::Try(tried.name.clone(), Duration::from_millis(1))
        );
        assert_eq!(at("a", 60), Choice::Active);
        assert_eq!(at("b", 0), Choice::Active);
        assert_eq!(waits(Some(&active), Some(&tried)), Some(&tried.name));
        assert_eq!(waits(Some(&tried.name), Some(&tried)), None);
    }
}
