//! Why bytes are not a spec.

use prost::encoding::WireType;

/// Why bytes are not a value of the wanted type.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A field could not be read; the source says why.
    #[error("field {field} of {message}")]
    Field {
        /// The message's Rust type.
        message: &'static str,
        /// The field's Rust name.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<DecodeError>,
    },
    /// The field has no zero value and was left out.
    #[error("the field is required")]
    Missing,
    /// The bytes are not protobuf.
    #[error("malformed protobuf")]
    Malformed(#[source] prost::DecodeError),
    /// The bytes end inside a value.
    #[error("the bytes end inside a value")]
    Truncated,
    /// The value is framed as another kind.
    #[error("expected wire type {expected:?}, found {found:?}")]
    WireType {
        /// The framing of the field's type.
        expected: WireType,
        /// The framing that was found.
        found: WireType,
    },
    /// The text is not UTF-8.
    #[error("the text is not UTF-8")]
    Utf8(#[source] std::str::Utf8Error),
    /// The number does not fit its type.
    #[error("the number {number} does not fit {kind}")]
    Range {
        /// What was found.
        number: i128,
        /// The type it should fit.
        kind: &'static str,
    },
    /// The enum has no such number.
    #[error("{name} has no number {number}")]
    UnknownVariant {
        /// The enum's Rust type.
        name: &'static str,
        /// What was found.
        number: i64,
    },
    /// The text has no meaning in its type; it is not repeated here, for it may be a secret.
    #[error("the text is not a valid {kind}")]
    Text {
        /// The type it should be.
        kind: &'static str,
    },
    /// Messages contain each other too deeply.
    #[error("messages are nested too deeply")]
    TooDeep,
}

impl DecodeError {
    /// The same, with the field it happened in.
    #[must_use]
    pub fn within(self, message: &'static str, field: &'static str) -> Self {
        Self::Field {
            message,
            field,
            source: Box::new(self),
        }
    }
}
