//! Numbers, booleans, text and bytes.

use prost::encoding::{WireType, decode_varint, encode_varint};

use super::message::{expect, put_bytes, take_bytes};
use super::{DecodeError, Depth, Scalar};

fn varint(wire: WireType, input: &mut &[u8]) -> Result<u64, DecodeError> {
    expect(WireType::Varint, wire)?;
    decode_varint(input).map_err(DecodeError::Malformed)
}

/// Unsigned numbers: the varint is the number.
macro_rules! unsigned {
    ($($ty:ty => $kind:literal),* $(,)?) => {$(
        impl Scalar for $ty {
            const WIRE: WireType = WireType::Varint;
            const KIND: &'static str = $kind;

            fn absent() -> Option<Self> {
                Some(0)
            }

            fn is_absent(&self) -> bool {
                *self == 0
            }

            fn write(&self, out: &mut Vec<u8>) {
                encode_varint(u64::from(*self), out);
            }

            fn read(wire: WireType, input: &mut &[u8], _: Depth) -> Result<Self, DecodeError> {
                let number = varint(wire, input)?;
                Self::try_from(number).map_err(|_| DecodeError::Range {
                    number: i128::from(number),
                    kind: stringify!($ty),
                })
            }
        }
    )*};
}

unsigned!(u16 => "uint32", u32 => "uint32", u64 => "uint64");

/// Signed numbers: two's complement in 64 bits, as proto's int32 and int64.
macro_rules! signed {
    ($($ty:ty => $kind:literal),* $(,)?) => {$(
        impl Scalar for $ty {
            const WIRE: WireType = WireType::Varint;
            const KIND: &'static str = $kind;

            fn absent() -> Option<Self> {
                Some(0)
            }

            fn is_absent(&self) -> bool {
                *self == 0
            }

            fn write(&self, out: &mut Vec<u8>) {
                encode_varint(i64::from(*self).cast_unsigned(), out);
            }

            fn read(wire: WireType, input: &mut &[u8], _: Depth) -> Result<Self, DecodeError> {
                let number = varint(wire, input)?.cast_signed();
                Self::try_from(number).map_err(|_| DecodeError::Range {
                    number: i128::from(number),
                    kind: stringify!($ty),
                })
            }
        }
    )*};
}

signed!(i16 => "int32", i32 => "int32", i64 => "int64");

impl Scalar for bool {
    const WIRE: WireType = WireType::Varint;
    const KIND: &'static str = "bool";

    fn absent() -> Option<Self> {
        Some(false)
    }

    fn is_absent(&self) -> bool {
        !self
    }

    fn write(&self, out: &mut Vec<u8>) {
        encode_varint(u64::from(*self), out);
    }

    fn read(wire: WireType, input: &mut &[u8], _: Depth) -> Result<Self, DecodeError> {
        Ok(varint(wire, input)? != 0)
    }
}

impl Scalar for String {
    const WIRE: WireType = WireType::LengthDelimited;
    const KIND: &'static str = "string";

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn read(wire: WireType, input: &mut &[u8], _: Depth) -> Result<Self, DecodeError> {
        let bytes = take_bytes(wire, input)?;
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(DecodeError::Utf8)
    }
}

/// Bytes, not a list of numbers: `u8` itself is no scalar.
impl Scalar for Vec<u8> {
    const WIRE: WireType = WireType::LengthDelimited;
    const KIND: &'static str = "bytes";

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_bytes(self, out);
    }

    fn read(wire: WireType, input: &mut &[u8], _: Depth) -> Result<Self, DecodeError> {
        Ok(take_bytes(wire, input)?.to_vec())
    }
}
