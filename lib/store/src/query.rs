//! Which resources of a kind a list or a watch is about: by labels, by a pattern over the id.

use std::collections::BTreeMap;

use regex_lite::{Regex, RegexBuilder};

use crate::metadata::Metadata;

/// What a label's value is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelOp {
    /// The label is there.
    Exists,
    /// It equals the value.
    Equal(String),
    /// It is one of the values.
    In(Vec<String>),
    /// It sorts before the value, byte by byte.
    Lt(String),
    /// It sorts before the value or equals it.
    Lte(String),
    /// It is a smaller number; both may carry a size suffix.
    LtNumeric(String),
    /// It is a smaller or an equal number.
    LteNumeric(String),
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelTerm {
    /// The label's name.
    pub key: String,
    /// The comparison.
    pub op: LabelOp,
    /// Whether the outcome is turned around. A comparison that has nothing to compare never matches, turned around
    /// or not.
    pub invert: bool,
}

impl LabelTerm {
    /// A condition that is not turned around.
    pub fn new(key: impl Into<String>, op: LabelOp) -> Self {
        Self {
            key: key.into(),
            op,
            invert: false,
        }
    }

    /// The same, turned around.
    #[must_use]
    pub fn inverted(mut self) -> Self {
        self.invert = !self.invert;
        self
    }

    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let outcome = match (&self.op, value) {
            (LabelOp::Exists, value) => Some(value.is_some()),
            (LabelOp::Equal(wanted), value) => Some(value == Some(wanted)),
            (LabelOp::In(wanted), value) => Some(value.is_some_and(|v| wanted.contains(v))),
            (_, None) => None,
            (LabelOp::Lt(limit), Some(value)) => Some(value < limit),
            (LabelOp::Lte(limit), Some(value)) => Some(value <= limit),
            (LabelOp::LtNumeric(limit), Some(value)) => {
                number(value).zip(number(limit)).map(|(v, l)| v < l)
            }
            (LabelOp::LteNumeric(limit), Some(value)) => {
                number(value).zip(number(limit)).map(|(v, l)| v <= l)
            }
        };
        outcome.is_some_and(|outcome| outcome != self.invert)
    }
}

/// Digits with an optional size suffix: `5`, `20k`, `4GiB`. Letters after the suffix are ignored.
fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    let end = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && *c == '-')))
        .map_or(text.len(), |(at, _)| at);
    let (digits, suffix) = text.split_at_checked(end)?;
    let digits: i64 = digits.parse().ok()?;
    let suffix = suffix.trim().to_ascii_lowercase();
    if !suffix.chars().all(|c| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut letters = suffix.chars();
    let power = match letters.next() {
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some('p') => 5,
        _ => 0,
    };
    let base: i64 = if letters.next() == Some('i') {
        1024
    } else {
        1000
    };
    digits.checked_mul(base.checked_pow(power)?)
}

/// Conditions that must all hold; none hold for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelQuery {
    /// The conditions.
    pub terms: Vec<LabelTerm>,
}

impl LabelQuery {
    /// The one condition that a label has a value.
    pub fn equal(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            terms: vec![LabelTerm::new(key, LabelOp::Equal(value.into()))],
        }
    }

    /// Whether all conditions hold.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.terms.iter().all(|term| term.matches(labels))
    }
}

/// The pattern is not a regular expression we run.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{pattern:?} is not a valid pattern")]
pub struct PatternError {
    /// The pattern as written.
    pattern: String,
    /// What is wrong with it.
    #[source]
    source: regex_lite::Error,
}

/// A regular expression over ids, matching anywhere in the id.
#[derive(Clone, Debug)]
pub struct IdQuery(Regex);

impl IdQuery {
    /// A compiled pattern may take this much: patterns come from the API, and ids are short.
    const SIZE_LIMIT: usize = 64 * 1024;

    /// Compiles the pattern.
    ///
    /// # Errors
    /// When it is malformed or too large.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        RegexBuilder::new(pattern)
            .size_limit(Self::SIZE_LIMIT)
            .build()
            .map(Self)
            .map_err(|source| PatternError {
                pattern: pattern.to_owned(),
                source,
            })
    }

    /// Whether the id matches.
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        self.0.is_match(id)
    }
}

/// Which resources of a kind are meant: any of the label queries, and the id pattern. The default means all.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// Alternatives; none means all.
    pub labels: Vec<LabelQuery>,
    /// The pattern of ids.
    pub ids: Option<IdQuery>,
}

impl Selector {
    /// Whether the resource is meant.
    #[must_use]
    pub fn matches(&self, metadata: &Metadata) -> bool {
        let labels = self.labels.is_empty()
            || self
                .labels
                .iter()
                .any(|query| query.matches(&metadata.labels));
        labels
            && self
                .ids
                .as_ref()
                .is_none_or(|ids| ids.matches(&metadata.id))
    }
}

#[cfg(test)]
mod tests;
