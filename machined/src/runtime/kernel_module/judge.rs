//! Whether a module is as it should be, from what can be seen of it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use resources::runtime::KernelModuleState;

/// Where the kernel has a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is loaded.
    Loaded,
    /// It is part of the kernel.
    BuiltIn,
}

/// A module that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) name: &'a str,
    pub(super) presence: Presence,
    /// The parameters it should have.
    pub(super) asked: &'a [(String, String)],
    /// Those that the kernel shows.
    pub(super) shown: &'a BTreeMap<String, String>,
    /// Those that its file declares; empty when it has no file.
    pub(super) declared: &'a BTreeSet<String>,
}

/// How a module that is there is doing, and why it is not as it should be.
pub(super) fn judge(seen: Seen<'_>) -> (KernelModuleState, String) {
    let Seen { name, presence, .. } = seen;
    let mut reasons: Vec<String> = seen
        .asked
        .iter()
        .filter_map(|(parameter, value)| differs(seen, parameter, value))
        .collect();
    match (reasons.is_empty(), presence) {
        (true, Presence::Loaded) => return (KernelModuleState::Loaded, String::new()),
        (true, Presence::BuiltIn) => return (KernelModuleState::BuiltIn, String::new()),
        (false, Presence::Loaded) => {}
        (false, Presence::BuiltIn) => reasons.push(format!(
            "it is built in and takes parameters from the kernel command line, `{name}.PARAMETER=VALUE`"
        )),
    }
    (KernelModuleState::Differs, reasons.join("; "))
}

/// What is wrong with one parameter; nothing when it is declared and the kernel shows it to nobody.
fn differs(seen: Seen<'_>, parameter: &str, asked: &str) -> Option<String> {
    match (seen.shown.get(parameter), seen.presence) {
        (Some(shown), _) if same(asked, shown) => None,
        (Some(shown), Presence::Loaded) => Some(format!(
            "`{parameter}` is {shown}, not {asked}, and stays so until the module is loaded anew at the next start"
        )),
        (Some(shown), Presence::BuiltIn) => Some(format!("`{parameter}` is {shown}, not {asked}")),
        (None, Presence::BuiltIn) => Some(format!("`{parameter}` is not shown")),
        (None, Presence::Loaded) if seen.declared.contains(parameter) => None,
        (None, Presence::Loaded) => Some(no_such(parameter, seen.declared)),
    }
}

fn no_such(parameter: &str, declared: &BTreeSet<String>) -> String {
    let known = declared.iter().map(String::as_str);
    let advice = match ::config::nearest(parameter, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if declared.is_empty() => "it has none".to_owned(),
        None => format!("it has {}", Vec::from_iter(known).join(", ")),
    };
    format!("it has no parameter `{parameter}`; {advice}")
}

/// Whether the kernel shows the value that was asked for: it takes numbers in three bases and truth in many words, and
/// shows them in its own.
pub(super) fn same(asked: &str, shown: &str) -> bool {
    let (asked, shown) = (asked.trim(), shown.trim());
    let truth = match shown {
        "Y" => Some(true),
        "N" => Some(false),
        _ => None,
    };
    if asked == shown || (truth.is_some() && truth == boolean(asked)) {
        return true;
    }
    let (mut asked, mut shown) = (asked.split(','), shown.split(','));
    loop {
        match (asked.next(), shown.next()) {
            (None, None) => return true,
            (Some(asked), Some(shown)) => {
                let number = number(asked);
                if asked != shown && (number.is_none() || number != self::number(shown)) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// As the kernel's `kstrtobool` reads it: by its first letter, or two.
fn boolean(text: &str) -> Option<bool> {
    match text.get(..1)? {
        "y" | "Y" | "t" | "T" | "1" => Some(true),
        "n" | "N" | "f" | "F" | "0" => Some(false),
        "o" | "O" => match text.get(1..2)? {
            "n" | "N" => Some(true),
            "f" | "F" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// As the kernel's `kstrtoll` reads it with base 0.
fn number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match (lower.strip_prefix("0x"), lower.strip_prefix('0')) {
        (Some(digits), _) => (16, digits),
        (None, Some(digits)) if !digits.is_empty() => (8, digits),
        _ => (10, lower.as_str()),
    };
    // The standard library takes a second sign.
    let bare = digits.bytes().all(|it| it.is_ascii_hexdigit());
    let number = i128::from_str_radix(digits, base).ok().filter(|_| bare)?;
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_the_kernel_spells_otherwise() {
        for (asked, shown) in [
            ("1", "Y"),
            ("on", "Y"),
            ("0", "N"),
            ("off", "N"),
            ("0x10", "16"),
            ("010", "8"),
            ("-1", "-1"),
            ("1,0x2", "1,2"),
            ("text", "text"),
            ("", ""),
        ] {
            assert!(same(asked, shown), "{asked} {shown}");
        }
        for (asked, shown) in [
            ("0", "Y"),
            ("1", "N"),
            ("maybe", "Y"),
            ("oh", "N"),
            ("1", "2"),
            ("1", "1,1"),
            ("1,2", "1"),
            ("--1", "1"),
            ("0x", "0"),
            ("text", "Text"),
        ] {
            assert!(!same(asked, shown), "{asked} {shown}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_numbers_in_any_base(left in any::<i32>(), right in any::<i32>()) {
            let hex = |number: i32| {
                let sign = if number < 0 { "-" } else { "" };
                format!("{sign}0x{:x}", number.unsigned_abs())
            };
            prop_assert!(same(&hex(left), &left.to_string()));
            prop_assert_eq!(same(&hex(left), &right.to_string()), left == right);
        }

        #[test]
        fn any_texts_are_compared(asked in "\\PC{0,8}", shown in "\\PC{0,8}") {
            prop_assert!(same(&asked, &asked));
            let _answer = same(&asked, &shown);
        }
    }

    fn judged(
        presence: Presence,
        asked: &[(&str, &str)],
        shown: &[(&str, &str)],
        declared: &[&str],
    ) -> (KernelModuleState, String) {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let asked: Vec<_> = asked.iter().map(own).collect();
        judge(Seen {
            name: "loop",
            presence,
            asked: &asked,
            shown: &shown.iter().map(own).collect(),
            declared: &declared.iter().map(|&it| it.to_owned()).collect(),
        })
    }

    #[test]
    fn a_module_that_is_there_is_held_against_what_was_asked() {
        let max_loop = [("max_loop", "8")];
        for (presence, shown, declared, reason) in [
            (Presence::Loaded, vec![("max_loop", "8")], vec![], ""),
            (Presence::Loaded, vec![], vec!["max_loop"], ""),
            (
                Presence::Loaded,
                vec![("max_loop", "0")],
                vec![],
                "`max_loop` is 0, not 8, and stays so until the module is loaded anew at the next start",
            ),
            (
                Presence::Loaded,
                vec![],
                vec!["max_loops", "max_part"],
                "it has no parameter `max_loop`; did you mean `max_loops`?",
            ),
            (
                Presence::Loaded,
                vec![],
                vec!["a", "b"],
                "it has no parameter `max_loop`; it has a, b",
            ),
            (
                Presence::BuiltIn,
                vec![("max_loop", "0")],
                vec![],
                "`max_loop` is 0, not 8; it is built in and takes parameters from the kernel command line, \
                 `loop.PARAMETER=VALUE`",
            ),
        ] {
            let (state, said) = judged(presence, &max_loop, &shown, &declared);
            assert_eq!(said, reason);
            let differs = state == KernelModuleState::Differs;
            assert_eq!(differs, !reason.is_empty(), "{state:?}");
        }
        let (state, _) = judged(Presence::BuiltIn, &[], &[], &[]);
        assert_eq!(state, KernelModuleState::BuiltIn);
    }
}
