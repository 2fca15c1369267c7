//! What documents look like: the shape of every kind, derived from the types that read it.
//!
//! One declaration serves all who must know the fields without a document at hand: patches (which lists merge), the
//! JSON Schema, the reference, and redaction. Shapes describe and never check: reading a document does that.

mod example;
mod json;
mod reference;

pub use example::example;
pub use json::json;
pub use reference::reference;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

/// A type with a shape in YAML; `#[derive(Schema)]` writes this.
pub trait Schema {
    /// Whether a field of this type must be written.
    const REQUIRED: bool = true;

    /// What the type looks like.
    fn shape() -> Shape;

    /// Puts [`crate::REDACTED`] in the place of every secret.
    fn redact(&mut self) {}
}

/// What a value looks like in YAML.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer {
        /// The smallest one.
        least: i128,
        /// The largest one.
        most: i128,
    },
    /// A text that is read further.
    Text {
        /// What it must be.
        about: String,
        /// Whether it is never shown.
        secret: bool,
    },
    /// A text that may be written as a number or a truth value too, which stand for their text.
    Scalar {
        /// What it must be.
        about: String,
    },
    /// One of some words.
    Choice {
        /// What is chosen.
        about: String,
        /// The words.
        words: Vec<Word>,
    },
    /// A list.
    List {
        /// What its entries look like.
        of: Box<Shape>,
        /// How many there are at least.
        least: usize,
        /// How many there are at most, when that is limited.
        most: Option<usize>,
        /// The field that tells entries apart, for patches; without one, patches replace the list.
        merge_key: Option<&'static str>,
    },
    /// A map whose keys are the writer's.
    Map {
        /// What its keys look like.
        keys: Box<Shape>,
        /// What its values look like.
        of: Box<Shape>,
    },
    /// A map with known fields.
    Record(Record),
}

/// A word of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it is written.
    pub word: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// A map with known fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What it is.
    pub about: String,
    /// Its fields, in the order they are written in.
    pub fields: Vec<Field>,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Whether it must be written.
    pub required: bool,
    /// What it is when it is not written; none where that is simply absent.
    pub default: Option<Value>,
    /// What it holds.
    pub shape: Shape,
}

/// What the documents of a kind look like, apart from `apiVersion` and `kind`.
#[derive(Clone, Debug, PartialEq)]
pub struct KindSchema {
    /// The kind.
    pub kind: &'static str,
    /// The field that tells documents of the kind apart, when there can be more than one.
    pub name: Option<&'static str>,
    /// Its fields.
    pub shape: Shape,
}

impl Record {
    /// The first paragraph of what it is, in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        summary(&self.about)
    }
}

impl Shape {
    /// What a record is, in one line; nothing for anything else.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::Record(record) => record.summary(),
            _ => String::new(),
        }
    }

    /// What the value of this key looks like; `None` for a key that nobody knows, or when this is no map.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Record(record) => {
                let field = record.fields.iter().find(|field| field.name == key);
                field.map(|field| &field.shape)
            }
            Self::Map { of, .. } => Some(of),
            _ => None,
        }
    }

    /// What the first field of this name is for, here or in what is below.
    pub(crate) fn about_field(&self, name: &str) -> Option<&'static str> {
        match self {
            Self::Record(record) => {
                let here = record.fields.iter().find(|it| it.name == name);
                let mut below = record.fields.iter();
                here.map(|it| it.about)
                    .or_else(|| below.find_map(|it| it.shape.about_field(name)))
            }
            Self::List { of, .. } | Self::Map { of, .. } => of.about_field(name),
            _ => None,
        }
    }

    /// The same shape, described in other words.
    #[must_use]
    pub fn about(mut self, words: &str) -> Self {
        match &mut self {
            Self::Text { about, .. }
            | Self::Scalar { about }
            | Self::Choice { about, .. }
            | Self::Record(Record { about, .. }) => words.clone_into(about),
            _ => {}
        }
        self
    }

    /// A list whose entries patches tell apart by this field.
    #[must_use]
    pub fn keyed(mut self, key: &'static str) -> Self {
        if let Self::List { merge_key, .. } = &mut self {
            *merge_key = Some(key);
        }
        self
    }

    /// A list with at least this many entries.
    #[must_use]
    pub fn at_least(mut self, count: usize) -> Self {
        if let Self::List { least, .. } = &mut self {
            *least = count;
        }
        self
    }

    /// A list with at most this many entries.
    #[must_use]
    pub fn at_most(mut self, count: usize) -> Self {
        if let Self::List { most, .. } = &mut self {
            *most = Some(count);
        }
        self
    }
}

/// A sentence that goes on after a colon. What begins with two capitals is an abbreviation.
pub(crate) fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => first
            .to_lowercase()
            .chain([second])
            .chain(letters)
            .collect(),
        _ => text.to_owned(),
    }
}

/// The first paragraph of a text, in one line.
pub(crate) fn summary(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    words.join(" ")
}

/// A default as it would be written.
pub fn written<T: serde::Serialize>(value: &T) -> Option<Value> {
    serde_json::to_value(value).ok()
}

impl Schema for bool {
    fn shape() -> Shape {
        Shape::Boolean
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl Schema for $integer {
            fn shape() -> Shape {
                Shape::Integer { least: Self::MIN.into(), most: Self::MAX.into() }
            }
        })*
    };
}

integers!(u8 u16 u32 u64 i8 i16 i32 i64);

impl Schema for String {
    fn shape() -> Shape {
        Shape::Text {
            about: "any text".to_owned(),
            secret: false,
        }
    }
}

impl Schema for IpAddr {
    fn shape() -> Shape {
        Shape::Text {
            about: "An IPv4 or IPv6 address.".to_owned(),
            secret: false,
        }
    }
}

impl<T: Schema> Schema for Option<T> {
    const REQUIRED: bool = false;

    fn shape() -> Shape {
        T::shape()
    }

    fn redact(&mut self) {
        self.iter_mut().for_each(T::redact);
    }
}

impl<T: Schema> Schema for Vec<T> {
    fn shape() -> Shape {
        Shape::List {
            of: Box::new(T::shape()),
            least: 0,
            most: None,
            merge_key: None,
        }
    }

    fn redact(&mut self) {
        self.iter_mut().for_each(T::redact);
    }
}

impl<K: Schema, T: Schema> Schema for BTreeMap<K, T> {
    fn shape() -> Shape {
        Shape::Map {
            keys: Box::new(K::shape()),
            of: Box::new(T::shape()),
        }
    }

    fn redact(&mut self) {
        self.values_mut().for_each(T::redact);
    }
}
