//! NTP's packets (RFC 5905, section 7.3): 48 bytes each way; what comes after them is not read.
//!
//! Owns the layout, and what a usable answer is. A question holds nothing of this node's: its one time stamp is a number drawn by
//! chance, which only the server that was asked can know (draft-ietf-ntp-data-minimization).

use std::time::Duration;

use resources::net::LeapSecond;
use thiserror::Error;

/// The length of what is sent, and the least that is read.
const LENGTH: usize = 48;
/// RFC 5905, figure 12: a server without a better clock than us.
const UNSYNCHRONIZED: u8 = 16;
/// RFC 5905, figure 27 (`MAXDISP`): a server farther from the true time is of no use.
const MAX_DISTANCE: Duration = Duration::from_secs(16);
/// From 1900, where NTP begins, to 1970.
const UNIX_EPOCH: i64 = 2_208_988_800;
/// NTP counts seconds in 32 bits; with the first bit unset a time is after 2036 (RFC 4330, section 3).
const ERA: i64 = 1 << 32;
const NANOS: i64 = 1_000_000_000;

/// A server's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// What time it is.
    Time(Answer),
    /// Something else (section 7.4, the kiss of death).
    Kiss(Kiss),
}

/// What time it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When the question came, by the server's clock, in nanoseconds since 1970.
    pub received: i64,
    /// When the answer left, by the same.
    pub sent: i64,
    /// How far off that clock may be.
    pub distance: Duration,
    /// How many clocks stand between it and a reference clock, itself included.
    pub stratum: u8,
    /// What it goes by.
    pub reference: String,
    /// The leap second to come.
    pub leap: LeapSecond,
}

/// What a server says instead of the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kiss {
    /// Ask less often (`RATE`).
    Slower,
    /// Never ask again (`DENY`, `RSTR`).
    Never,
    /// Anything else; it means no more than "not now".
    Other(String),
}

/// Why bytes are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PacketError {
    /// Shorter than an answer.
    #[error("the answer is cut short")]
    Short,
    /// A question, a broadcast, or another version.
    #[error("the packet is no answer of an NTP server")]
    Foreign,
    /// It answers another question: an old one, or one that was guessed.
    #[error("the answer is not to our question")]
    Unasked,
    /// The server has no time itself.
    #[error("the server's own clock is not synchronized")]
    Unsynchronized,
    /// Its time is worth nothing.
    #[error("the server is too far from the true time by its own word")]
    Distant,
    /// It sent before it received.
    #[error("the answer makes no sense")]
    Nonsense,
}

/// The question that holds this number.
#[must_use]
pub fn request(nonce: u64) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    // No leap second known, version 4, a client.
    packet[0] = 0b00_100_011;
    packet[40..].copy_from_slice(&nonce.to_be_bytes());
    packet
}

/// Reads the answer to the question with this number.
///
/// # Errors
/// When it is none, or one of no use.
pub fn parse(bytes: &[u8], nonce: u64) -> Result<Reply, PacketError> {
    let packet: &[u8; LENGTH] = bytes.first_chunk().ok_or(PacketError::Short)?;
    let [head, stratum, _, precision, ..] = *packet;
    let (leap, version, mode) = (head >> 6, (head >> 3) & 7, head & 7);
    if mode != 4 || !matches!(version, 3 | 4) {
        return Err(PacketError::Foreign);
    }
    let [reference, origin, received, sent] =
        [12, 24, 32, 40].map(|at| u64::from_be_bytes(bytes_at(packet, at)));
    // First of all: whatever else it says, nobody else may say it.
    if origin != nonce {
        return Err(PacketError::Unasked);
    }
    let [a, b, c, d, ..] = reference.to_be_bytes();
    if stratum == 0 {
        return Ok(Reply::Kiss(match &[a, b, c, d] {
            b"RATE" => Kiss::Slower,
            b"DENY" | b"RSTR" => Kiss::Never,
            other => Kiss::Other(code(*other)),
        }));
    }
    let leap = match leap {
        0 => LeapSecond::None,
        1 => LeapSecond::Insert,
        2 => LeapSecond::Delete,
        _ => return Err(PacketError::Unsynchronized),
    };
    if stratum >= UNSYNCHRONIZED {
        return Err(PacketError::Unsynchronized);
    }
    let distance = short(packet, 4) / 2 + short(packet, 8) + fineness(precision);
    if distance >= MAX_DISTANCE {
        return Err(PacketError::Distant);
    }
    let answer = Answer {
        received: unix(received),
        sent: unix(sent),
        distance,
        stratum,
        reference: match stratum {
            1 => code([a, b, c, d]),
            _ => format!("{a}.{b}.{c}.{d}"),
        },
        leap,
    };
    match sent != 0 && received != 0 && answer.received <= answer.sent {
        true => Ok(Reply::Time(answer)),
        false => Err(PacketError::Nonsense),
    }
}

/// Seconds in 16 bits and their fraction in 16 more.
fn short(packet: &[u8; LENGTH], at: usize) -> Duration {
    let value = u32::from_be_bytes(bytes_at(packet, at));
    Duration::from_nanos((u64::from(value) * 1_000_000_000) >> 16)
}

/// A field of the packet.
fn bytes_at<const N: usize>(packet: &[u8; LENGTH], at: usize) -> [u8; N] {
    let field = packet.get(at..).and_then(|it| it.first_chunk());
    *field.expect("the last field begins 8 bytes before the end")
}

/// How finely the server's clock counts: a power of two of seconds, and none coarser than one.
fn fineness(precision: u8) -> Duration {
    let shift = i8::from_be_bytes([precision]).min(0).unsigned_abs();
    Duration::from_secs_f64(0.5_f64.powi(i32::from(shift)))
}

fn unix(stamp: u64) -> i64 {
    let [seconds, fraction] = [stamp >> 32, stamp & u64::from(u32::MAX)];
    let signed = |it: u64| i64::try_from(it).expect("32 bits fit into 63");
    let era = if seconds >> 31 == 0 { ERA } else { 0 };
    let seconds = signed(seconds) + era - UNIX_EPOCH;
    seconds * NANOS + signed((fraction * 1_000_000_000) >> 32)
}

/// Four letters from a stranger, made fit for showing.
fn code(letters: [u8; 4]) -> String {
    let shown = |it: &u8| it.is_ascii_alphanumeric();
    letters
        .iter()
        .take_while(|it| shown(it))
        .map(|it| char::from(*it))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as a server of stratum 2 gives it, 1 s after it was asked in 2026.
    fn answer(nonce: u64) -> [u8; LENGTH] {
        let mut packet = [0; LENGTH];
        packet[..4].copy_from_slice(&[0b00_100_100, 2, 6, 0xe9]);
        packet[4..8].copy_from_slice(&0x0000_8000_u32.to_be_bytes());
        packet[8..12].copy_from_slice(&0x0000_4000_u32.to_be_bytes());
        packet[12..16].copy_from_slice(&[192, 0, 2, 1]);
        packet[24..32].copy_from_slice(&nonce.to_be_bytes());
        let at = (1_800_000_000 + 2_208_988_800_u64) << 32;
        packet[32..40].copy_from_slice(&at.to_be_bytes());
        packet[40..].copy_from_slice(&(at + (1 << 32)).to_be_bytes());
        packet
    }

    fn with(change: impl FnOnce(&mut [u8; LENGTH])) -> Result<Reply, PacketError> {
        let mut packet = answer(7);
        change(&mut packet);
        parse(&packet, 7)
    }

    #[test]
    fn an_answer_is_read() {
        let Ok(Reply::Time(read)) = with(|_| {}) else {
            panic!("{:?}", with(|_| {}))
        };
        assert_eq!(read.received, 1_800_000_000 * NANOS);
        assert_eq!(read.sent, 1_800_000_001 * NANOS);
        assert_eq!((read.stratum, &*read.reference), (2, "192.0.2.1"));
        // Half of the delay of half a second, the quarter, and 2^-23.
        assert_eq!(read.distance.as_nanos(), 500_000_119);
    }

    #[test]
    fn after_2036_the_count_begins_anew() {
        assert_eq!(unix(0), (ERA - UNIX_EPOCH) * NANOS);
        assert_eq!(unix(u64::MAX) / NANOS + 1, ERA - UNIX_EPOCH);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        assert_eq!(parse(&answer(7)[..47], 7), Err(PacketError::Short));
        assert_eq!(parse(&answer(8), 7), Err(PacketError::Unasked));
        for (head, error) in [
            (0b00_100_011, PacketError::Foreign),
            (0b00_101_100, PacketError::Foreign),
            (0b11_100_100, PacketError::Unsynchronized),
        ] {
            assert_eq!(with(|it| it[0] = head), Err(error));
        }
        assert_eq!(with(|it| it[1] = 16), Err(PacketError::Unsynchronized));
        assert_eq!(with(|it| it[9] = 16), Err(PacketError::Distant));
        assert_eq!(with(|it| it[40..].fill(0)), Err(PacketError::Nonsense));
        assert_eq!(with(|it| it[32] = 0xff), Err(PacketError::Nonsense));
    }

    #[test]
    fn a_kiss_counts_only_from_who_was_asked() {
        let kiss = |letters: &[u8; 4]| {
            with(|it| {
                it[0] = 0b11_100_100;
                it[1] = 0;
                it[12..16].copy_from_slice(letters);
            })
        };
        assert_eq!(kiss(b"RATE"), Ok(Reply::Kiss(Kiss::Slower)));
        assert_eq!(kiss(b"DENY"), Ok(Reply::Kiss(Kiss::Never)));
        assert_eq!(kiss(b"RSTR"), Ok(Reply::Kiss(Kiss::Never)));
        let other = Reply::Kiss(Kiss::Other("A".to_owned()));
        assert_eq!(kiss(b"A\x1b[2"), Ok(other));
        let mut forged = answer(8);
        forged[1] = 0;
        forged[12..16].copy_from_slice(b"DENY");
        assert_eq!(parse(&forged, 7), Err(PacketError::Unasked));
    }

    #[test]
    fn a_question_gives_nothing_away() {
        let packet = request(0x0102_0304_0506_0708);
        assert_eq!(packet[0], 0x23);
        assert!(packet[1..40].iter().all(|it| *it == 0));
        assert_eq!(packet[40..], [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
