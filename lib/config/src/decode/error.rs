//! Why a tree is not the typed value, in words.

use std::fmt::Display;

use serde::de::{self, Expected, Unexpected};

use crate::nearest::nearest;
use crate::problem::{Place, looks_secret};

/// Why a tree is not the typed value.
#[derive(Debug)]
pub(crate) struct DecodeError {
    pub(crate) place: Option<Place>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// The field that is not there, when that is why.
    pub(crate) missing: Option<&'static str>,
}

impl DecodeError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            place: None,
            message: message.into(),
            help: None,
            missing: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place.get_or_insert(place);
        self
    }
}

impl Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {}", noun(&found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let error = match found {
            Unexpected::Signed(number) => Self::new(format!("{number} is out of range")),
            Unexpected::Unsigned(number) => Self::new(format!("{number} is out of range")),
            _ => return Self::invalid_type(found, expected),
        };
        match range(&expected.to_string()) {
            Some((least, most)) => error.help(format!("a number from {least} to {most} goes here")),
            None => error,
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            missing: Some(field),
            ..Self::new(format!("missing field `{field}`"))
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        unknown("field", field, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        unknown("value", variant, expected)
    }
}

/// What fits the type that serde calls so.
fn range(integer: &str) -> Option<(i128, i128)> {
    Some(match integer {
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" => (0, u64::MAX.into()),
        "i8" => (i8::MIN.into(), i8::MAX.into()),
        "i16" => (i16::MIN.into(), i16::MAX.into()),
        "i32" => (i32::MIN.into(), i32::MAX.into()),
        "i64" => (i64::MIN.into(), i64::MAX.into()),
        _ => return None,
    })
}

/// A name nobody knows, with the nearest known one or else all of them.
pub(crate) fn unknown(what: &str, word: &str, known: &[&'static str]) -> DecodeError {
    let shown: String = word.chars().take(64).collect();
    // A slip may have put a key where a name belongs.
    let shown = if looks_secret(&shown) { "..." } else { &shown };
    let help = match nearest(word, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known: {}", known.join(", ")),
    };
    DecodeError {
        help: Some(help),
        ..DecodeError::new(format!("unknown {what} `{}`", shown.escape_debug()))
    }
}

fn noun(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Seq => "a list",
        Unexpected::Map => "a map",
        Unexpected::Unit | Unexpected::Option => "nothing",
        _ => "a single value",
    }
}
