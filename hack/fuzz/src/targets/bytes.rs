//! Taking an input apart.

/// Takes the first byte off; 0 when nothing is left.
pub(super) fn first(bytes: &mut &[u8]) -> u8 {
    match *bytes {
        [first, rest @ ..] => {
            *bytes = rest;
            *first
        }
        [] => 0,
    }
}

/// Takes a piece off whose length the first two bytes say; all that is left when they say more.
pub(super) fn piece<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let length = usize::from(u16::from_le_bytes([first(bytes), first(bytes)]));
    let (piece, rest) = bytes.split_at(length.min(bytes.len()));
    *bytes = rest;
    piece
}

/// Takes a big-endian number off.
pub(super) fn number(bytes: &mut &[u8]) -> u32 {
    u32::from_be_bytes([first(bytes), first(bytes), first(bytes), first(bytes)])
}
