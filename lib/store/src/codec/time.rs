//! Points in time and spans, in the layout of `google.protobuf.Timestamp` and `google.protobuf.Duration`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prost::encoding::WireType;

use super::message::{put_bytes, take_bytes};
use super::{DecodeError, Depth, Field, Scalar, decode_fields};

/// Both messages are `seconds = 1` (int64) and `nanos = 2` (int32).
fn write(seconds: i64, nanos: i32, out: &mut Vec<u8>) {
    let mut inner = Vec::new();
    seconds.encode(1, &mut inner);
    nanos.encode(2, &mut inner);
    put_bytes(&inner, out);
}

fn read(wire: WireType, input: &mut &[u8], depth: Depth) -> Result<(i64, i32), DecodeError> {
    let (mut seconds, mut nanos) = (None, None);
    decode_fields(take_bytes(wire, input)?, |number, wire, input| {
        match number {
            1 => i64::merge(&mut seconds, wire, input, depth)?,
            2 => i32::merge(&mut nanos, wire, input, depth)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok((seconds.unwrap_or(0), nanos.unwrap_or(0)))
}

impl Scalar for Timestamp {
    const WIRE: WireType = WireType::LengthDelimited;
    const KIND: &'static str = "timestamp";

    fn absent() -> Option<Self> {
        Some(Self::UNIX_EPOCH)
    }

    fn is_absent(&self) -> bool {
        *self == Self::UNIX_EPOCH
    }

    fn write(&self, out: &mut Vec<u8>) {
        // The layout wants nanos that count forward, also before 1970.
        let (mut seconds, mut nanos) = (self.as_second(), self.subsec_nanosecond());
        if nanos < 0 {
            seconds -= 1;
            nanos += 1_000_000_000;
        }
        write(seconds, nanos, out);
    }

    fn read(wire: WireType, input: &mut &[u8], depth: Depth) -> Result<Self, DecodeError> {
        let (seconds, nanos) = read(wire, input, depth)?;
        Self::new(seconds, nanos).map_err(|_| DecodeError::Range {
            number: i128::from(seconds),
            kind: "Timestamp",
        })
    }
}

impl Scalar for SignedDuration {
    const WIRE: WireType = WireType::LengthDelimited;
    const KIND: &'static str = "duration";

    fn absent() -> Option<Self> {
        Some(Self::ZERO)
    }

    fn is_absent(&self) -> bool {
        self.is_zero()
    }

    fn write(&self, out: &mut Vec<u8>) {
        write(self.as_secs(), self.subsec_nanos(), out);
    }

    fn read(wire: WireType, input: &mut &[u8], depth: Depth) -> Result<Self, DecodeError> {
        let (seconds, nanos) = read(wire, input, depth)?;
        Self::from_secs(seconds)
            .checked_add(Self::from_nanos(i64::from(nanos)))
            .ok_or(DecodeError::Range {
                number: i128::from(seconds),
                kind: "SignedDuration",
            })
    }
}

/// Spans beyond 292 billion years are cut to that.
impl Scalar for Duration {
    const WIRE: WireType = WireType::LengthDelimited;
    const KIND: &'static str = "duration";

    fn absent() -> Option<Self> {
        Some(Self::ZERO)
    }

    fn is_absent(&self) -> bool {
        self.is_zero()
    }

    fn write(&self, out: &mut Vec<u8>) {
        SignedDuration::try_from(*self)
            .unwrap_or(SignedDuration::MAX)
            .write(out);
    }

    fn read(wire: WireType, input: &mut &[u8], depth: Depth) -> Result<Self, DecodeError> {
        let signed = SignedDuration::read(wire, input, depth)?;
        Self::try_from(signed).map_err(|_| DecodeError::Range {
            number: i128::from(signed.as_secs()),
            kind: "Duration",
        })
    }
}
