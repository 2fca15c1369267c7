//! What can be wrong with a selector.

use std::fmt;

use super::{MAX_CHARS, parse, token};

/// Why a text is no selector, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DiskSelectorError {
    /// The character it is about, counted from one; none when it is about the whole.
    pub column: Option<usize>,
    /// What is wrong there.
    pub fault: DiskSelectorFault,
}

/// What is wrong with a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskSelectorFault {
    /// Nothing there.
    #[error("a disk selector must not be empty; `size > 0B` fits every disk with a medium")]
    Empty,
    /// Longer than anybody needs.
    #[error("a disk selector has at most {MAX_CHARS} characters, this one has {0}")]
    Long(usize),
    /// Too many parentheses in each other.
    #[error("parentheses stand at most {} deep in each other", parse::MAX_DEPTH)]
    Deep,
    /// A character that means nothing, and what may have been meant.
    #[error("{0:?} means nothing here{1}")]
    Character(char, &'static str),
    /// A text that does not end.
    #[error("the text has no {0} at its end; in YAML, ` #` begins a comment")]
    Unclosed(char),
    /// A character that no text has.
    #[error("{0:?} cannot stand in a text{1}")]
    InText(char, &'static str),
    /// No size.
    #[error("`{0}` is no size: a whole number with its unit right behind it, {units}", units = token::units())]
    Size(String),
    /// A number of bytes that no disk has.
    #[error("`{0}` is larger than any disk")]
    Huge(String),
    /// A name nobody knows, and what may have been meant.
    #[error("unknown {0} `{1}`; {2}")]
    Unknown(&'static str, String, String),
    /// Something else belongs here.
    #[error("expected {0}, found {1}")]
    Expected(String, String),
    /// A field that is compared in a way it cannot be.
    #[error("`{0}` has no order: compare it with `==` or `!=`")]
    Unordered(&'static str),
    /// A field that is no text.
    #[error("`{0}` is no text: nothing stands behind a dot")]
    NoText(&'static str),
    /// A field that is neither true nor false.
    #[error("`{0}` alone says neither yes nor no: {1}")]
    NoCondition(&'static str, &'static str),
    /// What CEL would read as a comparison with the opposite of a field.
    #[error(
        "`!` belongs to `{0}` alone, not to the comparison: put that in parentheses, or turn it round"
    )]
    NotOfField(&'static str),
    /// A text that is in every text.
    #[error("an empty text is in every text: every disk would fit")]
    EmptyText,
}

impl DiskSelectorFault {
    pub(super) fn at(self, column: usize) -> DiskSelectorError {
        DiskSelectorError {
            column: Some(column),
            fault: self,
        }
    }

    /// About the selector as a whole.
    pub(super) fn whole(self) -> DiskSelectorError {
        DiskSelectorError {
            column: None,
            fault: self,
        }
    }
}

impl fmt::Display for DiskSelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "disk selector, column {column}: {}", self.fault),
            None => self.fault.fmt(f),
        }
    }
}
