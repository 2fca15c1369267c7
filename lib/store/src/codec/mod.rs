//! The proto bytes of specs: written field numbers in, bytes out, and back.
//!
//! Owns the traits that the derives of this crate implement, the scalar types a spec may use, and the description of
//! each message that the schema record is made of. Knows nothing of resources. Fields with their zero value are left
//! out, as proto3 does; unknown fields are skipped; an unknown enum number is an error, because a value that cannot
//! be told from another would be acted upon. A repeated occurrence of a single field replaces the earlier one.

mod collections;
mod descriptor;
mod error;
mod message;
mod scalars;
mod text;
mod time;

pub use descriptor::{Descriptor, FieldInfo, Label, Shape};
pub use error::DecodeError;
pub use message::{Depth, Message, decode_fields, finish, read_message, write_message};
pub use prost::encoding::WireType;

/// A value that one field number carries once: the unit that `Option` and `Vec` are built on.
///
/// Implement it through the derives or through [`text_scalar!`](crate::text_scalar) for types that have a text form.
pub trait Scalar: Sized {
    /// How its bytes are framed.
    const WIRE: WireType;
    /// The name of its kind in the schema record.
    const KIND: &'static str;

    /// Its fields or numbers, when it is a message or an enum.
    fn nested() -> Option<Descriptor> {
        None
    }

    /// The value that leaving the field out stands for; `None` when the field must be there.
    fn absent() -> Option<Self>;

    /// Whether it equals the value that leaving it out stands for.
    fn is_absent(&self) -> bool;

    /// Appends the value without its key.
    fn write(&self, out: &mut Vec<u8>);

    /// Takes one value of the given framing off the front.
    ///
    /// # Errors
    /// When the framing is another one, the bytes end early, or the value has no meaning in this type.
    fn read(wire: WireType, input: &mut &[u8], depth: Depth) -> Result<Self, DecodeError>;
}

/// A struct field's type: a [`Scalar`], an `Option` or `Vec` of one, or a map of strings.
pub trait Field: Sized {
    /// How often the number may occur.
    const LABEL: Label;
    /// The name of its scalar's kind in the schema record.
    const KIND: &'static str;

    /// Its fields or numbers, when it holds messages or enums.
    fn nested() -> Option<Descriptor> {
        None
    }

    /// Appends key and value, or nothing when leaving it out means the same.
    fn encode(&self, number: u32, out: &mut Vec<u8>);

    /// Takes one occurrence off the front and merges it with what came before.
    ///
    /// # Errors
    /// As [`Scalar::read`].
    fn merge(
        slot: &mut Option<Self>,
        wire: WireType,
        input: &mut &[u8],
        depth: Depth,
    ) -> Result<(), DecodeError>;

    /// The value when no occurrence was found; `None` when the field must be there.
    fn absent() -> Option<Self>;
}

impl<T: Scalar> Field for T {
    const LABEL: Label = Label::Single;
    const KIND: &'static str = T::KIND;

    fn nested() -> Option<Descriptor> {
        <T as Scalar>::nested()
    }

    fn encode(&self, number: u32, out: &mut Vec<u8>) {
        if !self.is_absent() {
            prost::encoding::encode_key(number, T::WIRE, out);
            self.write(out);
        }
    }

    fn merge(
        slot: &mut Option<Self>,
        wire: WireType,
        input: &mut &[u8],
        depth: Depth,
    ) -> Result<(), DecodeError> {
        *slot = Some(T::read(wire, input, depth)?);
        Ok(())
    }

    fn absent() -> Option<Self> {
        <T as Scalar>::absent()
    }
}
