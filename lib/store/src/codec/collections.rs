//! Fields that occur not exactly once: optional, repeated, maps.

use std::collections::BTreeMap;

use prost::encoding::{WireType, encode_key};

use super::message::{put_bytes, take_bytes};
use super::{DecodeError, Depth, Descriptor, Field, Label, Scalar, decode_fields};

impl<T: Scalar> Field for Option<T> {
    const LABEL: Label = Label::Optional;
    const KIND: &'static str = T::KIND;

    fn nested() -> Option<Descriptor> {
        T::nested()
    }

    fn encode(&self, number: u32, out: &mut Vec<u8>) {
        if let Some(value) = self {
            encode_key(number, T::WIRE, out);
            value.write(out);
        }
    }

    fn merge(
        slot: &mut Option<Self>,
        wire: WireType,
        input: &mut &[u8],
        depth: Depth,
    ) -> Result<(), DecodeError> {
        *slot = Some(Some(T::read(wire, input, depth)?));
        Ok(())
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Scalar> Field for Vec<T> {
    const LABEL: Label = Label::Repeated;
    const KIND: &'static str = T::KIND;

    fn nested() -> Option<Descriptor> {
        T::nested()
    }

    fn encode(&self, number: u32, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        if T::WIRE == WireType::LengthDelimited {
            for value in self {
                encode_key(number, T::WIRE, out);
                value.write(out);
            }
        } else {
            // proto3 packs numbers into one run.
            let mut run = Vec::new();
            for value in self {
                value.write(&mut run);
            }
            encode_key(number, WireType::LengthDelimited, out);
            put_bytes(&run, out);
        }
    }

    fn merge(
        slot: &mut Option<Self>,
        wire: WireType,
        input: &mut &[u8],
        depth: Depth,
    ) -> Result<(), DecodeError> {
        let list = slot.get_or_insert_default();
        if wire == T::WIRE || wire != WireType::LengthDelimited {
            list.push(T::read(wire, input, depth)?);
            return Ok(());
        }
        let mut run = take_bytes(wire, input)?;
        while !run.is_empty() {
            list.push(T::read(T::WIRE, &mut run, depth)?);
        }
        Ok(())
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl Field for BTreeMap<String, String> {
    const LABEL: Label = Label::Map;
    const KIND: &'static str = "string,string";

    fn encode(&self, number: u32, out: &mut Vec<u8>) {
        for (key, value) in self {
            let mut pair = Vec::new();
            key.encode(1, &mut pair);
            value.encode(2, &mut pair);
            encode_key(number, WireType::LengthDelimited, out);
            put_bytes(&pair, out);
        }
    }

    fn merge(
        slot: &mut Option<Self>,
        wire: WireType,
        input: &mut &[u8],
        depth: Depth,
    ) -> Result<(), DecodeError> {
        let (mut key, mut value) = (None, None);
        decode_fields(take_bytes(wire, input)?, |number, wire, input| {
            match number {
                1 => String::merge(&mut key, wire, input, depth)?,
                2 => String::merge(&mut value, wire, input, depth)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        slot.get_or_insert_default()
            .insert(key.unwrap_or_default(), value.unwrap_or_default());
        Ok(())
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}
