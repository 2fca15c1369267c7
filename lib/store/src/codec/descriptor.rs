//! What a message looks like on the wire, as data: the source of the schema record.

/// How often a field number may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Once, the zero value left out.
    Single,
    /// Once or not at all, the zero value written.
    Optional,
    /// Any number of times.
    Repeated,
    /// Any number of key and value pairs.
    Map,
}

impl Label {
    /// The word the schema record uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Optional => "optional",
            Self::Repeated => "repeated",
            Self::Map => "map",
        }
    }
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// The Rust field's name.
    pub name: &'static str,
    /// Its written number.
    pub number: u32,
    /// How often it may occur.
    pub label: Label,
    /// The kind of one occurrence, `string`, `uint32`, `message`, ...
    pub kind: &'static str,
    /// What is inside, for messages and enums; a function, since messages may contain themselves.
    pub nested: fn() -> Option<Descriptor>,
}

/// A message's fields, or an enum's numbers.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// The Rust type's name.
    pub name: &'static str,
    /// What it consists of.
    pub shape: Shape,
}

/// The two kinds of things with an inside.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Fields, as written in the struct.
    Message(&'static [FieldInfo]),
    /// Variants and their numbers.
    Enum(&'static [(&'static str, i32)]),
}
