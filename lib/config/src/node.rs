//! A value of YAML that knows where it stood.
//!
//! Nodes are never changed, so that one can be a part of several: an alias and what it stands for, a config and what a
//! patch makes of it. Each knows what it weighs, so that what is put together of parts can be refused before it is walked.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::MAX_DEPTH;
use crate::problem::Place;

/// What all documents together may weigh after aliases are followed: four times the largest input.
pub(crate) const MAX_WEIGHT: usize = 4 * crate::MAX_BYTES;

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
    /// Text bytes and nodes below, aliases followed.
    pub(crate) weight: usize,
    /// Lists and maps on the longest way down, this one included.
    depth: usize,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Value {
    /// Text; `plain` when it was written without quotes, so `true` may mean the boolean.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Arc<Node>>),
    Map(Vec<Entry>),
}

/// A key of a map with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Arc<Node>,
}

impl Node {
    pub(crate) fn new(value: Value, place: Place) -> Self {
        let (weight, depth) = match &value {
            Value::Scalar { text, .. } => (text.len(), 0),
            Value::List(items) => items.iter().fold((0, 1), |sum, it| it.add_to(sum)),
            Value::Map(entries) => entries.iter().fold((0, 1), |(weight, depth), it| {
                it.value
                    .add_to((it.key.len().saturating_add(weight), depth))
            }),
        };
        Self {
            place,
            value,
            weight: weight.saturating_add(1),
            depth,
        }
    }

    fn add_to(&self, (weight, depth): (usize, usize)) -> (usize, usize) {
        (
            weight.saturating_add(self.weight),
            depth.max(self.depth + 1),
        )
    }

    /// Whether this is more than a reader would take: what is put together of good parts may be.
    pub(crate) fn is_too_large(&self) -> bool {
        self.weight > MAX_WEIGHT || self.depth > MAX_DEPTH
    }

    /// The entries, when this is a map.
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The text of a single value.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// What stands under a key of this map.
    pub(crate) fn get(&self, key: &str) -> Option<&Arc<Self>> {
        let entry = self.entries()?.iter().find(|it| it.key == key);
        entry.map(|entry| &entry.value)
    }

    /// Whether this says the same as another: where they stood does not count, nor the order of keys.
    pub(crate) fn says(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            _ if self.is_null() || other.is_null() => self.is_null() == other.is_null(),
            (Value::Scalar { text, plain }, Value::Scalar { text: t, plain: p }) => {
                text == t && (plain == p || !means_more_when_plain(text))
            }
            (Value::List(items), Value::List(others)) => {
                items.len() == others.len() && items.iter().zip(others).all(|(a, b)| a.says(b))
            }
            (Value::Map(entries), Value::Map(others)) => {
                let others: BTreeMap<&str, &Self> = others
                    .iter()
                    .map(|it| (it.key.as_str(), &*it.value))
                    .collect();
                let same = |it: &Entry| {
                    others
                        .get(it.key.as_str())
                        .is_some_and(|o| it.value.says(o))
                };
                entries.len() == others.len() && entries.iter().all(same)
            }
            _ => false,
        }
    }

    /// Whether this is the absence of a value.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null"))
    }
}

/// Whether a text without quotes is a boolean or a number where one is asked for.
fn means_more_when_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    matches!(text, "true" | "false") || digits.bytes().all(|it| it.is_ascii_digit())
}
