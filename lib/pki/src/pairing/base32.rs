//! Crockford's base 32 for whole groups of five bytes, forgiving on the way in.
//!
//! Written here because the forgiveness is the point: look-alikes, every kind of dash a copied text brings, and errors that name
//! the place without repeating the secret.

use std::fmt;

use super::PairingError;

/// Without I, L, O and U.
const ALPHABET: [char; 32] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J',
    'K', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
];

/// Writes `bytes` (a multiple of five) in groups of four characters.
pub(super) fn write_grouped(f: &mut impl fmt::Write, bytes: &[u8]) -> fmt::Result {
    for (index, five) in bytes.chunks(5).enumerate() {
        let word = five
            .iter()
            .fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        for place in (0..8).rev() {
            if place % 4 == 3 && (index > 0 || place != 7) {
                f.write_char('-')?;
            }
            let digit = usize::try_from(word >> (place * 5) & 31).unwrap_or(0);
            f.write_char(ALPHABET.get(digit).copied().unwrap_or('0'))?;
        }
    }
    Ok(())
}

/// [`write_grouped`] into a string.
pub(super) fn grouped(bytes: &[u8]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    write_grouped(&mut text, bytes).unwrap_or_default();
    text
}

/// Reads exactly `N` bytes (a multiple of five).
pub(super) fn parse<const N: usize>(text: &str) -> Result<[u8; N], PairingError> {
    let mut bytes = [0_u8; N];
    let mut found = 0;
    for (index, character) in text.chars().enumerate() {
        if is_separator(character) {
            continue;
        }
        let digit = digit(character).ok_or(PairingError::Character {
            character,
            position: index + 1,
        })?;
        for bit in 0..5 {
            let place = found * 5 + bit;
            if let Some(byte) = bytes.get_mut(place / 8) {
                *byte |= (digit >> (4 - bit) & 1) << (7 - place % 8);
            }
        }
        found += 1;
    }
    let expected = N / 5 * 8;
    if found == expected {
        Ok(bytes)
    } else {
        Err(PairingError::Length { found, expected })
    }
}

fn is_separator(character: char) -> bool {
    // The dashes from hyphen to horizontal bar, and the minus sign: word processors love to replace them.
    character == '-'
        || character.is_whitespace()
        || matches!(character, '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn digit(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET
        .iter()
        .zip(0_u8..)
        .find(|(known, _)| **known == character)
        .map(|(_, digit)| digit)
}
