//! What init reads from the kernel command line.
//!
//! Owns: `garboard.root`. All other `garboard.` arguments are machined's. A root hash that is none is an error and not
//! an absent one: it must never lead to an unverified root.

use sys::cmdline::last;

/// The SHA-256 root hash of the verity tree, in small hexadecimal letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootHash(String);

/// The arguments that init obeys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    /// Which root this machine must boot; without it any root is taken, unverified.
    pub root: Option<RootHash>,
}

/// What is wrong with the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// The value is no SHA-256 hash.
    #[error("garboard.root={0} is not 64 hexadecimal digits")]
    Root(String),
}

impl CommandLine {
    /// Parses the text of `/proc/cmdline`.
    pub fn parse(text: &str) -> Result<Self, CommandLineError> {
        Ok(Self {
            root: last(text, "garboard.root")
                .map(RootHash::parse)
                .transpose()?,
        })
    }
}

impl RootHash {
    fn parse(text: &str) -> Result<Self, CommandLineError> {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(CommandLineError::Root(text.chars().take(80).collect()))
        }
    }

    /// The hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_a_root_hash() {
        let text = format!("console=ttyS0 garboard.root={} quiet", "Ab".repeat(32));
        assert_eq!(
            CommandLine::parse(&text).unwrap().root.unwrap().as_str(),
            "ab".repeat(32)
        );
        assert_eq!(CommandLine::parse("quiet").unwrap(), CommandLine::default());
    }

    #[test]
    fn a_bad_hash_is_an_error() {
        for value in ["", "ab", &"g".repeat(64), &"a".repeat(65)] {
            let text = format!("garboard.root={value}");
            assert_eq!(
                CommandLine::parse(&text),
                Err(CommandLineError::Root(value.into()))
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused(text in "(garboard.root=|[ -~])*") {
            if let Ok(CommandLine { root: Some(root) }) = CommandLine::parse(&text) {
                prop_assert_eq!(root.as_str().len(), 64);
            }
        }
    }
}
