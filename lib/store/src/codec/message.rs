//! Messages: the loop over keys that every derived decoder shares.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_varint};

use super::{DecodeError, Descriptor, Field};

/// How many more messages may open inside this one.
#[derive(Clone, Copy, Debug)]
pub struct Depth(u8);

impl Depth {
    /// A whole document: protobuf implementations agree on 100 levels.
    pub const TOP: Self = Self(100);

    fn inner(self) -> Result<Self, DecodeError> {
        self.0.checked_sub(1).map(Self).ok_or(DecodeError::TooDeep)
    }
}

/// A struct with written field numbers; derived by `Spec` and `SpecMessage`.
pub trait Message: Sized {
    /// Its fields.
    const DESCRIPTOR: Descriptor;

    /// Appends all fields.
    fn encode_to(&self, out: &mut Vec<u8>);

    /// Reads all of the input.
    ///
    /// # Errors
    /// When the bytes are malformed, a required field is missing, or a value has no meaning.
    fn decode_from(input: &[u8], depth: Depth) -> Result<Self, DecodeError>;

    /// All fields as bytes.
    #[must_use]
    fn encode_to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_to(&mut out);
        out
    }

    /// Reads a whole document.
    ///
    /// # Errors
    /// As [`Message::decode_from`].
    fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_from(input, Depth::TOP)
    }
}

/// Walks over all fields of the input. `visit` takes the value off the front and says true, or leaves an unknown
/// field alone and says false.
///
/// # Errors
/// When the bytes are malformed, or `visit` says so.
pub fn decode_fields(
    mut input: &[u8],
    mut visit: impl FnMut(u32, WireType, &mut &[u8]) -> Result<bool, DecodeError>,
) -> Result<(), DecodeError> {
    while !input.is_empty() {
        let (number, wire) = decode_key(&mut input).map_err(DecodeError::Malformed)?;
        if !visit(number, wire, &mut input)? {
            prost::encoding::skip_field(wire, number, &mut input, DecodeContext::default())
                .map_err(DecodeError::Malformed)?;
        }
    }
    Ok(())
}

/// A field's final value: what was read, or what leaving it out stands for.
///
/// # Errors
/// [`DecodeError::Missing`] when it must be there.
pub fn finish<F: Field>(
    slot: Option<F>,
    message: &'static str,
    field: &'static str,
) -> Result<F, DecodeError> {
    slot.or_else(F::absent)
        .ok_or_else(|| DecodeError::Missing.within(message, field))
}

/// Takes a length and that many bytes off the front.
pub(super) fn take_bytes<'a>(
    wire: WireType,
    input: &mut &'a [u8],
) -> Result<&'a [u8], DecodeError> {
    expect(WireType::LengthDelimited, wire)?;
    let length = decode_varint(input).map_err(DecodeError::Malformed)?;
    let length = usize::try_from(length).map_err(|_| DecodeError::Truncated)?;
    let (bytes, rest) = input
        .split_at_checked(length)
        .ok_or(DecodeError::Truncated)?;
    *input = rest;
    Ok(bytes)
}

/// Appends a length and the bytes.
pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    // Lossless: usize has at most 64 bits on every target Rust has.
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

pub(super) fn expect(expected: WireType, found: WireType) -> Result<(), DecodeError> {
    if expected == found {
        Ok(())
    } else {
        Err(DecodeError::WireType { expected, found })
    }
}

/// Appends a nested message with its length.
pub fn write_message<M: Message>(message: &M, out: &mut Vec<u8>) {
    put_bytes(&message.encode_to_vec(), out);
}

/// Takes a nested message off the front.
///
/// # Errors
/// As [`Message::decode_from`], or when messages are nested too deeply.
pub fn read_message<M: Message>(
    wire: WireType,
    input: &mut &[u8],
    depth: Depth,
) -> Result<M, DecodeError> {
    M::decode_from(take_bytes(wire, input)?, depth.inner()?)
}
