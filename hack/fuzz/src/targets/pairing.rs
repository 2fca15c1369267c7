//! What a person types, and what a guesser sends.

use pki::Fingerprint;
use pki::pairing::{Guard, MAX_WRONG, PairingError, PairingSecret, PairingString, Verdict};

use super::bytes;

pub(super) fn run(data: &[u8]) {
    guess(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match text.parse::<PairingString>() {
        Ok(pairing) => round_trip(&pairing),
        Err(error) => quiet(&error),
    }
    match text.parse::<PairingSecret>() {
        Ok(secret) => assert_eq!(secret.reveal().parse(), Ok(secret)),
        Err(error) => quiet(&error),
    }
    if let Ok(fingerprint) = text.parse::<Fingerprint>() {
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }
}

fn round_trip(pairing: &PairingString) {
    let shown = pairing.reveal();
    assert_eq!(shown.len(), 29);
    let spelt = [
        shown.clone(),
        shown.to_lowercase(),
        shown.replace('-', ""),
        shown.replace('-', " "),
        shown.replace('0', "o").replace('1', "l"),
    ];
    for text in spelt {
        assert_eq!(text.parse().as_ref(), Ok(pairing), "{text}");
    }
    assert!(
        !format!("{pairing:?}").contains(&pairing.secret.reveal()),
        "a debug print shows the secret"
    );
}

/// An error says what is wrong and not what was typed.
fn quiet(error: &PairingError) {
    assert!(error.to_string().len() < 160);
}

/// Guesses at a guard: right is right, and five wrong ones end the secret.
fn guess(mut data: &[u8]) {
    let mut guard = Guard::new(secret(0));
    let (mut current, mut wrong) = (0, 0);
    while !data.is_empty() {
        let presented = bytes::first(&mut data) % 4;
        let fresh = current + 1;
        let verdict = guard.check(&secret(presented), || Ok::<_, ()>(secret(fresh % 4)));
        let expected = if presented == current % 4 {
            Verdict::Right
        } else if wrong + 1 < MAX_WRONG {
            wrong += 1;
            Verdict::Wrong {
                left: MAX_WRONG - wrong,
            }
        } else {
            (current, wrong) = (fresh % 4, 0);
            Verdict::Replaced
        };
        assert_eq!(verdict, Ok(expected));
    }
}

fn secret(number: u8) -> PairingSecret {
    PairingSecret::from_bytes([number; 5])
}
