//! The variables that all services get.

use std::fmt;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;

/// Variables for all services, and a mark by which two sets of them are told apart without a secret in it that could be read.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Shared {
    pairs: Vec<(String, String)>,
    mark: String,
}

impl Shared {
    /// Those written as `NAME=VALUE`; what is not written so is none.
    pub(super) fn of(lines: &[String]) -> Self {
        if lines.is_empty() {
            return Self::default();
        }
        let pairs = lines.iter().filter_map(|line| line.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        // No line has a zero byte in it.
        let text = lines.join("\0");
        Self {
            pairs: pairs.collect(),
            mark: HEXLOWER.encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()),
        }
    }

    /// By name and value.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.pairs.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Another one for other variables; empty for none.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.pairs.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}
