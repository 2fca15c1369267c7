//! Trees into typed values through serde, with the place of every error.
//!
//! The innermost node that refuses gives the place; unknown names carry the nearest known one.
//! Text is text however it is written: `hostname: no` is the name `no`, and only a field that is
//! a boolean reads `true`.

mod error;

pub(crate) use error::{DecodeError, unknown};

use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};

use crate::node::{Entry, Node, Value};
use crate::problem::Place;

/// Reads a typed value out of a node.
pub(crate) fn decode<T: for<'de> serde::Deserialize<'de>>(node: &Node) -> Result<T, DecodeError> {
    T::deserialize(Reader { node }).map_err(|error| error.at(node.place))
}

/// Reads a typed value out of some entries of the map that stood at `place`.
pub(crate) fn decode_entries<T: for<'de> serde::Deserialize<'de>>(
    entries: &[Entry],
    place: Place,
) -> Result<T, DecodeError> {
    let reader = de::value::MapAccessDeserializer::new(Entries::new(entries));
    T::deserialize(reader).map_err(|error| error.at(place))
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
}

impl<'a> Reader<'a> {
    fn found(self) -> Unexpected<'a> {
        match &self.node.value {
            _ if self.node.is_null() => Unexpected::Unit,
            Value::Scalar { text, .. } => Unexpected::Str(text),
            Value::List(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
        }
    }

    fn mismatch<T>(self, expected: &dyn Expected) -> Result<T, DecodeError> {
        let error: DecodeError = de::Error::invalid_type(self.found(), expected);
        Err(match self.node.is_null() {
            true => error.help("give it a value, or remove the line"),
            false => error,
        })
    }

    /// Something else than the list or map that belongs here.
    fn not_several<T>(self, expected: &str, help: &str) -> Result<T, DecodeError> {
        let null = self.node.is_null();
        self.mismatch(&expected)
            .map_err(|error| if null { error } else { error.help(help) })
    }

    /// A single value that is not the word or number it should be; no secret is one of these.
    fn not_a<T>(self, expected: &str, help: Option<String>) -> Result<T, DecodeError> {
        match &self.node.value {
            Value::Scalar { text, .. } if !self.node.is_null() && text.len() <= 40 => {
                let found = text.escape_debug();
                let message = format!("expected {expected}, found the text `{found}`");
                Err(DecodeError {
                    help,
                    ..DecodeError::new(message)
                })
            }
            _ => self.mismatch(&expected),
        }
    }

    fn plain(self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar { text, plain: true } => Some(text),
            _ => None,
        }
    }

    fn boolean<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.plain() {
            Some("true") => visitor.visit_bool(true),
            Some("false") => visitor.visit_bool(false),
            _ => {
                let text = self.node.text().unwrap_or_default().to_lowercase();
                let meant = match text.as_str() {
                    "true" | "yes" | "on" | "y" | "1" => Some("true"),
                    "false" | "no" | "off" | "n" | "0" => Some("false"),
                    _ => None,
                };
                let help = meant.map(|it| format!("write `{it}`, without quotes"));
                self.not_a("`true` or `false`", help)
            }
        }
    }

    fn integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let text = self.plain().unwrap_or_default();
        // Plain decimal only: `0x10` and `1_000` mean different things to different readers.
        let decimal = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        match text.parse::<u64>() {
            Ok(number) if decimal => visitor.visit_u64(number),
            Err(_) if decimal => Err(DecodeError::new("the number is too large")),
            _ => match text.parse::<i64>() {
                Ok(number) if text.starts_with('-') => visitor.visit_i64(number),
                _ => {
                    let help = "write it in decimal digits alone: no quotes, no unit";
                    self.not_a("a whole number", Some(help.to_owned()))
                }
            },
        }
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Scalar { text, .. } if !self.node.is_null() => visitor.visit_str(text),
            _ => self.mismatch(&"text"),
        }
    }

    fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            _ => self.not_several(
                "a list",
                "write each item after `- `, or all in brackets, also if there is only one",
            ),
        }
    }

    fn map<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Entries::new(entries)),
            _ => self.not_several("a map", "write lines of `key: value` below it, indented"),
        }
    }
}

macro_rules! forward {
    ($to:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.$to(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = DecodeError;

    forward!(boolean: deserialize_bool);
    forward!(integer: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);
    forward!(text: deserialize_str deserialize_string deserialize_char deserialize_identifier
        deserialize_f32 deserialize_f64 deserialize_bytes deserialize_byte_buf);
    forward!(list: deserialize_seq);
    forward!(map: deserialize_map);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            _ if self.node.is_null() => visitor.visit_unit(),
            Value::Scalar { .. } => self.text(visitor),
            Value::List(_) => self.list(visitor),
            Value::Map(_) => self.map(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.node.is_null() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.node.is_null() {
            return visitor.visit_unit();
        }
        self.mismatch(&"nothing")
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.list(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Scalar { text, .. } if !self.node.is_null() => {
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            _ => self.mismatch(&"a single word"),
        }
    }
}

struct Items<'a>(std::slice::Iter<'a, std::sync::Arc<Node>>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        self.0
            .next()
            .map(|node| {
                seed.deserialize(Reader { node })
                    .map_err(|error| error.at(node.place))
            })
            .transpose()
    }
}

struct Entries<'a> {
    rest: std::slice::Iter<'a, Entry>,
    value: Option<&'a Node>,
}

impl<'a> Entries<'a> {
    fn new(entries: &'a [Entry]) -> Self {
        Self {
            rest: entries.iter(),
            value: None,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        let Some(entry) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(&entry.value);
        let key: de::value::StrDeserializer<'_, DecodeError> =
            entry.key.as_str().into_deserializer();
        seed.deserialize(key)
            .map(Some)
            .map_err(|error| error.at(entry.place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        match self.value.take() {
            Some(node) => seed
                .deserialize(Reader { node })
                .map_err(|error| error.at(node.place)),
            None => Err(DecodeError::new("a value without a key")),
        }
    }
}
