//! What of the things that were done to a disk is on it after a cut.
//!
//! A disk writes what it holds in memory when it likes and in the order it likes, by single sectors, until it is told to
//! flush. Two writes to one sector do not change places, though: its memory has the later one only. So what a sector can
//! hold is any of what was written to it since the last flush, or what it held then; and to take the writes in their
//! order, each with some of its sectors or none, reaches all of that.

use super::luck::Luck;
use super::record::Entry;

/// The least that a disk writes as a whole.
const SECTOR: usize = 512;

/// Something to write to the image of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Data.
    Data {
        /// Where, in bytes.
        at: u64,
        /// The data.
        data: &'a [u8],
    },
    /// Zeros.
    Zeros {
        /// Where, in bytes.
        at: u64,
        /// How many.
        length: u64,
    },
}

/// What is on a disk that had these things done to it when its power went.
pub(super) fn pieces<'a>(done: &[Entry<'a>], luck: &mut Luck) -> Vec<Piece<'a>> {
    let certain = done.iter().rposition(Entry::flushes).unwrap_or(0);
    // Some disks had written almost all by then, some almost nothing.
    let mercy = luck.below(QUARTERS + 1);
    let mut pieces = Vec::new();
    for (number, entry) in done.iter().enumerate() {
        let Some(piece) = entry.whole() else {
            continue;
        };
        let stays = number < certain || matches!(entry, Entry::Write { stays: true, .. });
        if stays || luck.below(QUARTERS) < mercy {
            pieces.push(piece);
        } else if luck.below(2) == 0 {
            torn(piece, luck, &mut pieces);
        }
    }
    pieces
}

/// What chances are counted in.
const QUARTERS: usize = 4;

/// Some sectors of a piece: its beginning, its end, or here and there.
fn torn<'a>(piece: Piece<'a>, luck: &mut Luck, pieces: &mut Vec<Piece<'a>>) {
    match piece {
        Piece::Data { at, data } => {
            let sectors = data.len().div_ceil(SECTOR);
            let (border, way) = (luck.below(sectors + 1), luck.below(3));
            for (number, sector) in (0_u64..).zip(data.chunks(SECTOR)) {
                let before = usize::try_from(number).is_ok_and(|number| number < border);
                let there = match way {
                    0 => before,
                    1 => !before,
                    _ => luck.below(2) == 0,
                };
                if there {
                    let at = at + number * SECTOR as u64;
                    pieces.push(Piece::Data { at, data: sector });
                }
            }
        }
        // It may be as long as the disk: in two parts only.
        Piece::Zeros { at, length } => {
            let sectors = length / SECTOR as u64;
            let some = luck.next().checked_rem(sectors + 1).unwrap_or(0) * SECTOR as u64;
            let (at, length) = if luck.below(2) == 0 {
                (at, some)
            } else {
                (at + some, length - some)
            };
            if length > 0 {
                pieces.push(Piece::Zeros { at, length });
            }
        }
    }
}
