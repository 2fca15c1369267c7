//! An answer of a time server, to a question whose number it knows or does not.

use networkd::time_server::{Kiss, PacketError, Reply, parse, request};

/// The longest text of four letters.
const LETTERS: usize = 4;

pub(super) fn run(data: &[u8]) {
    let nonce = data
        .get(24..32)
        .and_then(|it| it.try_into().ok())
        .map_or(0, u64::from_be_bytes);
    assert_eq!(request(nonce).len(), 48);
    // Noise is never an answer to a question of chance.
    let stranger = parse(data, !nonce);
    assert!(stranger.is_err(), "{stranger:?}");
    match parse(data, nonce) {
        Ok(Reply::Time(answer)) => {
            assert!(answer.received <= answer.sent);
            assert!((1..16).contains(&answer.stratum));
            assert!(answer.distance.as_secs() < 16);
            assert!(answer.reference.len() <= "255.255.255.255".len());
            // From 1968 to 2104.
            let years = answer.received / 1_000_000_000 / 31_556_952;
            assert!((-2..=134).contains(&years), "{years}");
        }
        Ok(Reply::Kiss(Kiss::Other(code))) => {
            let plain = code.bytes().all(|it| it.is_ascii_alphanumeric());
            assert!(plain && code.len() <= LETTERS, "{code:?}");
        }
        Ok(Reply::Kiss(Kiss::Slower | Kiss::Never)) => {}
        Err(error) => assert_ne!(error, PacketError::Unasked, "it is the answer to this one"),
    }
}
