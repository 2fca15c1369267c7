//! Types that travel as their text form.

/// Lets a type that has `Display` and `FromStr` be a spec's field: it travels as a string.
///
/// Leaving the field out is an error on decoding, since not every type has an empty text; wrap it in `Option` when it
/// may be absent. `text_scalar!(Type)`.
#[macro_export]
macro_rules! text_scalar {
    ($($ty:ty),* $(,)?) => {$(
        impl $crate::codec::Scalar for $ty {
            const WIRE: $crate::codec::WireType = $crate::codec::WireType::LengthDelimited;
            const KIND: &'static str = "string";

            fn absent() -> Option<Self> {
                None
            }

            fn is_absent(&self) -> bool {
                false
            }

            fn write(&self, out: &mut Vec<u8>) {
                $crate::codec::Scalar::write(&::std::string::ToString::to_string(self), out);
            }

            fn read(
                wire: $crate::codec::WireType,
                input: &mut &[u8],
                depth: $crate::codec::Depth,
            ) -> Result<Self, $crate::codec::DecodeError> {
                let text = <String as $crate::codec::Scalar>::read(wire, input, depth)?;
                text.parse().map_err(|_| $crate::codec::DecodeError::Text {
                    kind: stringify!($ty),
                })
            }
        }
    )*};
}

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

text_scalar!(IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr);
