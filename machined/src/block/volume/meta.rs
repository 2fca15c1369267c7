//! Notes about a system disk, in its META partition: what is being done to it, written down before it is begun.
//!
//! Two slots, each with a whole record: a new one goes over the older, so that a torn write leaves the other. The
//! place is the same on every system disk, so the notes are found also when there is no partition table yet.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::guid::Guid;
use super::layout::Volume;
use super::table::Piece;

/// How far apart the slots are; no device writes so much at once that a torn write could reach the other one.
pub(super) const APART: u32 = 1 << 20;
/// The room for a record. A whole number of every sector size.
const ROOM: usize = 16 << 10;
/// What a record begins with.
const MAGIC: [u8; 8] = *b"GARBMETA";

/// The bytes of both slots.
pub(super) const BYTES: usize = APART as usize + ROOM;

/// What is noted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    /// The identifier of the disk that the notes are about; those of another one that was copied here mean nothing.
    pub(super) disk: Guid,
    /// The partition table stands; until then it may be written again.
    pub(super) partitioned: bool,
    /// What has become of the file systems; of one that is not named, nothing was ever begun.
    #[serde(default)]
    pub(super) volumes: BTreeMap<Volume, Made>,
    /// The operator wants them emptied at the next start.
    #[serde(default)]
    pub(super) reset: bool,
    /// What another version noted, kept for it.
    #[serde(flatten)]
    pub(super) other: serde_json::Map<String, serde_json::Value>,
}

/// What has become of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Made {
    /// It was begun: what stands there holds nothing yet, and may be made again.
    Begun,
    /// It is whole: what stands there is never made again.
    Whole,
}

/// What both slots say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notes {
    /// Nothing was ever noted.
    None,
    /// There was something, and none of it is whole.
    Damaged,
    /// The newest whole record, and its number.
    Noted(u64, Meta),
}

/// Reads both slots.
#[must_use]
pub(super) fn read(bytes: &[u8]) -> Notes {
    let slots = [0, APART as usize].map(|at| bytes.get(at..at + ROOM).unwrap_or_default());
    let newest = slots.iter().filter_map(|slot| record(slot));
    match newest.max_by_key(|(number, _)| *number) {
        Some((number, meta)) => Notes::Noted(number, meta),
        None if slots.iter().any(|slot| slot.starts_with(&MAGIC)) => Notes::Damaged,
        None => Notes::None,
    }
}

fn record(slot: &[u8]) -> Option<(u64, Meta)> {
    let rest = slot.strip_prefix(&MAGIC)?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    let text = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let number = u64::from_le_bytes(*number);
    if hash != &sum(number, text) {
        return None;
    }
    Some((number, serde_json::from_slice(text).ok()?))
}

/// The number is part of what is proven: of two whole records the newer one counts.
fn sum(number: u64, text: &[u8]) -> [u8; 32] {
    let bytes = [&number.to_le_bytes(), text].concat();
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &bytes).as_ref());
    hash
}

/// What to write so that these notes come after those.
#[must_use]
pub(super) fn piece(before: &Notes, meta: &Meta) -> Piece {
    let number = match before {
        Notes::Noted(number, _) => number + 1,
        Notes::None | Notes::Damaged => 1,
    };
    let text = serde_json::to_vec(meta).unwrap_or_default();
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(number.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(sum(number, &text));
    bytes.extend(text);
    debug_assert!(bytes.len() <= ROOM, "notes are a few hundred bytes");
    bytes.resize(ROOM, 0);
    Piece {
        at: Volume::Meta.start() + number % 2 * u64::from(APART),
        bytes,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put(bytes: &mut [u8], piece: &Piece, sectors: impl Fn(usize) -> bool) {
        let at = usize::try_from(piece.at - Volume::Meta.start()).unwrap();
        for (number, sector) in piece.bytes.chunks(512).enumerate() {
            if sectors(number) {
                let at = at + number * 512;
                bytes[at..at + 512].copy_from_slice(sector);
            }
        }
    }

    fn meta(number: u128) -> Meta {
        Meta {
            disk: Guid::new(number),
            volumes: BTreeMap::from([(Volume::State, Made::Begun)]),
            ..Meta::default()
        }
    }

    #[test]
    fn what_another_version_noted_is_kept() {
        let text = r#"{"disk":"c12a7328-f81f-11d2-ba4b-00a0c93ec93b","partitioned":true,"volumes":{"ROOT-A":"whole"},"slot":{"tries":3}}"#;
        let meta: Meta = serde_json::from_str(text).unwrap();
        assert_eq!(meta.volumes[&Volume::RootA], Made::Whole);
        let again = serde_json::to_string(&meta).unwrap();
        assert!(again.contains(r#""slot":{"tries":3}"#), "{again}");
    }

    #[test]
    fn rubbish_is_no_note_and_a_broken_note_is_told() {
        let mut bytes = vec![7; BYTES];
        assert_eq!(read(&bytes), Notes::None);
        assert_eq!(read(&[]), Notes::None);
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[16..20].fill(255);
        assert_eq!(read(&bytes), Notes::Damaged);
    }

    proptest! {
        #[test]
        fn a_torn_note_leaves_the_one_before(writes in 1u128..6, kept in any::<u32>(), flip in 0..ROOM) {
            let mut bytes = vec![0; BYTES];
            for number in 1..=writes {
                let next = piece(&read(&bytes), &meta(number));
                put(&mut bytes, &next, |_| true);
            }
            let before = read(&bytes);
            let expected = Notes::Noted(u64::try_from(writes).unwrap(), meta(writes));
            prop_assert_eq!(&before, &expected);
            let next = piece(&before, &meta(99));
            put(&mut bytes, &next, |number| kept >> number & 1 == 1);
            let after = read(&bytes);
            let new = matches!(&after, Notes::Noted(_, it) if *it == meta(99));
            prop_assert!(new || after == before, "{after:?}");

            // One damaged byte costs one record at most.
            put(&mut bytes, &next, |_| true);
            let at = usize::try_from(next.at - Volume::Meta.start()).unwrap();
            bytes[at + flip] ^= 1;
            let found = read(&bytes);
            prop_assert!(matches!(&found, Notes::Noted(_, it) if *it == meta(99)) || found == before);
        }
    }
}
