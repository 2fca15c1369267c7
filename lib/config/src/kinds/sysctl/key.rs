//! The name of a kernel setting.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

use super::guard;

/// Far above the longest key there is, and a file name's limit for each part.
const MAX_BYTES: usize = 255;

/// A setting of the kernel, in one spelling: with dots, or with slashes if one of its parts has a dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct SysctlKey(String);

/// Why a text is no key, or none that a config may set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SysctlKeyError {
    /// Longer than any key.
    #[error("a sysctl key has at most {MAX_BYTES} bytes, this one has {0}")]
    Long(usize),
    /// A path instead of a key.
    #[error("a sysctl key is a path below /proc/sys without that beginning: `{0}`")]
    Absolute(String),
    /// Nothing, or two separators in a row, or one at an end.
    #[error("a sysctl key must not have an empty part between its separators")]
    EmptyPart,
    /// Leads out of `/proc/sys`.
    #[error("a sysctl key must not have a part `{0}`")]
    Dots(&'static str),
    /// A folder of settings.
    #[error(
        "a sysctl key has two parts at least, as in `vm.max_map_count`: `{0}` is no single setting"
    )]
    Short(String),
    /// A pattern.
    #[error(
        "a sysctl key names one setting: write a document for each of those that `*` stands for"
    )]
    Pattern,
    /// A character that no setting has.
    #[error("a sysctl key must not contain {0:?}")]
    Character(char),
    /// Not for a config to set.
    #[error("`{key}` cannot be set here: {reason}")]
    Refused {
        /// The setting.
        key: String,
        /// Why, and what to do instead where there is something.
        reason: &'static str,
    },
}

impl SysctlKey {
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its file below `/proc/sys`.
    #[must_use]
    pub fn path(&self) -> String {
        // A key in the spelling with dots has no slash, and has two parts at least.
        if self.0.contains('/') {
            self.0.clone()
        } else {
            self.0.replace('.', "/")
        }
    }
}

impl FromStr for SysctlKey {
    type Err = SysctlKeyError;

    fn from_str(text: &str) -> Result<Self, SysctlKeyError> {
        if text.len() > MAX_BYTES {
            return Err(SysctlKeyError::Long(text.len()));
        }
        if text.starts_with('/') {
            return Err(SysctlKeyError::Absolute(text.to_owned()));
        }
        let path = path(text);
        check(&path)?;
        let key = if path.contains('.') {
            path.clone()
        } else {
            path.replace('/', ".")
        };
        match guard::refused(&path) {
            Some(reason) => Err(SysctlKeyError::Refused { key, reason }),
            None => Ok(Self(key)),
        }
    }
}

/// The first separator says which of the two it is, as sysctl.d(5) has it; the other one is a dot in a name.
fn path(text: &str) -> String {
    match text.find(['.', '/']).and_then(|at| text.get(at..)) {
        Some(rest) if rest.starts_with('.') => text
            .chars()
            .map(|it| match it {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
        _ => text.to_owned(),
    }
}

fn check(path: &str) -> Result<(), SysctlKeyError> {
    let mut parts = 0;
    for part in path.split('/') {
        match part {
            "" => return Err(SysctlKeyError::EmptyPart),
            "." => return Err(SysctlKeyError::Dots(".")),
            ".." => return Err(SysctlKeyError::Dots("..")),
            _ => parts += 1,
        }
    }
    if path.contains('*') {
        return Err(SysctlKeyError::Pattern);
    }
    if let Some(character) = path.chars().find(|it| !it.is_ascii_graphic()) {
        return Err(SysctlKeyError::Character(character));
    }
    if parts < 2 {
        return Err(SysctlKeyError::Short(path.to_owned()));
    }
    Ok(())
}

impl fmt::Display for SysctlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::types::as_text!(SysctlKey);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_spellings_are_one_key() {
        for (text, key, path) in [
            (
                "net.ipv4.ip_forward",
                "net.ipv4.ip_forward",
                "net/ipv4/ip_forward",
            ),
            (
                "net/ipv4/ip_forward",
                "net.ipv4.ip_forward",
                "net/ipv4/ip_forward",
            ),
            (
                "net/ipv4/conf/eth0.100/forwarding",
                "net/ipv4/conf/eth0.100/forwarding",
                "net/ipv4/conf/eth0.100/forwarding",
            ),
            (
                "net.ipv4.conf.eth0/100.forwarding",
                "net/ipv4/conf/eth0.100/forwarding",
                "net/ipv4/conf/eth0.100/forwarding",
            ),
        ] {
            let parsed: SysctlKey = text.parse().expect(text);
            assert_eq!((parsed.as_str(), parsed.path().as_str()), (key, path));
        }
    }

    #[test]
    fn what_is_no_key() {
        for (text, error) in [
            ("", SysctlKeyError::EmptyPart),
            ("net..core", SysctlKeyError::EmptyPart),
            ("vm.", SysctlKeyError::EmptyPart),
            ("../../etc/passwd", SysctlKeyError::EmptyPart),
            ("net/../vm/swappiness", SysctlKeyError::Dots("..")),
            ("net/./core", SysctlKeyError::Dots(".")),
            ("net.//.vm", SysctlKeyError::Dots("..")),
            ("vm", SysctlKeyError::Short("vm".to_owned())),
            (
                "/proc/sys/vm/swappiness",
                SysctlKeyError::Absolute("/proc/sys/vm/swappiness".to_owned()),
            ),
            ("net.ipv4.conf.*.rp_filter", SysctlKeyError::Pattern),
            ("vm.swappi ness", SysctlKeyError::Character(' ')),
            ("vm.swappin\u{e9}ss", SysctlKeyError::Character('\u{e9}')),
        ] {
            assert_eq!(text.parse::<SysctlKey>(), Err(error), "{text}");
        }
        let long = format!("vm.{}", "a".repeat(253));
        assert_eq!(long.parse::<SysctlKey>(), Err(SysctlKeyError::Long(256)));
    }

    proptest! {
        #[test]
        fn a_key_stays_below_its_folder_and_reads_back(text in "([a-c_*]{0,3}[./]{0,2}){1,5}") {
            if let Ok(key) = text.parse::<SysctlKey>() {
                let path = key.path();
                prop_assert!(path.split('/').all(|it| !matches!(it, "" | "." | "..")), "{}", path);
                prop_assert_eq!(key.as_str().parse::<SysctlKey>(), Ok(key.clone()));
                prop_assert_eq!(path.parse::<SysctlKey>(), Ok(key));
            }
        }
    }
}
