//! The string's form, the forgiveness in reading it, and the guard against guessing.

use std::convert::Infallible;

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

use super::{Guard, MAX_WRONG, PairingError, PairingSecret, PairingString, Pin, Verdict};
use crate::Fingerprint;

fn string(pin: [u8; 10], secret: [u8; 5]) -> PairingString {
    PairingString {
        pin: Pin(pin),
        secret: PairingSecret::from_bytes(secret),
    }
}

#[test]
fn known_strings() {
    assert_eq!(
        string([0; 10], [0xff; 5]).reveal(),
        "0000-0000-0000-0000-ZZZZ-ZZZZ"
    );
    // Crockford digits of 0x0001020304 are 0,0,0,G,4,0,R,4 and so on; checked by hand.
    let counted = string([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [10, 11, 12, 13, 14]);
    assert_eq!(counted.reveal(), "000G-40R4-0M30-E209-185G-R38E");
}

#[test]
fn the_pin_is_the_top_of_the_hash() {
    let key = Fingerprint::of_spki(b"a key");
    assert_eq!(Pin::of(&key).0, key.as_bytes()[..10]);
    assert!(Pin::of(&key).matches(&key));
    assert!(!Pin::of(&key).matches(&Fingerprint::of_spki(b"another")));
}

#[test]
fn errors_name_the_place_and_never_the_text() {
    let parse = |text: &str| text.parse::<PairingString>().unwrap_err();
    assert_eq!(
        parse("0000-000u"),
        PairingError::Character {
            character: 'u',
            position: 9
        }
    );
    assert_eq!(
        parse("0000"),
        PairingError::Length {
            found: 4,
            expected: 24
        }
    );
    assert_eq!(
        parse(&"0".repeat(1_000_000)),
        PairingError::Length {
            found: 1_000_000,
            expected: 24
        }
    );
    assert!(!format!("{:?}", string([0; 10], [0xff; 5])).contains("ZZZZ"));
}

proptest! {
    #[test]
    fn reads_back_whatever_it_shows(pin: [u8; 10], secret: [u8; 5]) {
        let original = string(pin, secret);
        prop_assert_eq!(original.reveal().parse(), Ok(original.clone()));
        prop_assert_eq!(original.secret.reveal().parse(), Ok(original.secret));
    }

    #[test]
    fn takes_any_case_dashes_and_look_alikes(
        pin: [u8; 10],
        secret: [u8; 5],
        noise in proptest::collection::vec((any::<bool>(), 0..7_usize, any::<bool>()), 29),
    ) {
        let original = string(pin, secret);
        let mut typed = String::new();
        for (character, (lower, separator, alike)) in original.reveal().chars().zip(noise) {
            let character = match character {
                '-' => continue,
                '0' if alike => 'O',
                '1' if alike => if separator % 2 == 0 { 'I' } else { 'L' },
                other => other,
            };
            typed.push(if lower { character.to_ascii_lowercase() } else { character });
            typed.push_str(["", "", "", "-", " ", "\u{2013}", "\t\n"][separator]);
        }
        prop_assert_eq!(typed.parse(), Ok(original));
    }

    #[test]
    fn never_panics_and_never_takes_a_wrong_length(text in "\\PC{0,64}") {
        let length = text.chars().filter(char::is_ascii_alphanumeric).count();
        if text.parse::<PairingString>().is_ok() {
            prop_assert_eq!(length, 24);
        }
    }

    /// The guard against a model that is just the history of attempts since the last replacement.
    #[test]
    fn the_guard_replaces_after_five_wrong(
        attempts in proptest::collection::vec((0..3_u8).prop_map(|pick| pick == 0), 0..40),
    ) {
        let mut guard = Guard::new(PairingSecret::from_bytes([0; 5]));
        let mut wrong = 0;
        let mut made = 0_u8;
        for right in attempts {
            let valid = [made; 5];
            let presented = if right { valid } else { [0xee; 5] };
            let verdict = guard.check(&PairingSecret::from_bytes(presented), || {
                made += 1;
                Ok::<_, Infallible>(PairingSecret::from_bytes([made; 5]))
            });
            let expected = if right {
                Verdict::Right
            } else if wrong + 1 < MAX_WRONG {
                wrong += 1;
                Verdict::Wrong { left: MAX_WRONG - wrong }
            } else {
                wrong = 0;
                Verdict::Replaced
            };
            prop_assert_eq!(verdict, Ok(expected));
            prop_assert!(*guard.secret() == PairingSecret::from_bytes([made; 5]));
        }
    }
}

#[test]
fn without_randomness_nothing_is_right() {
    let secret = PairingSecret::from_bytes([1; 5]);
    let wrong = PairingSecret::from_bytes([2; 5]);
    let mut guard = Guard::new(secret.clone());
    for _ in 1..MAX_WRONG {
        guard.check(&wrong, || Err(())).unwrap();
    }
    assert_eq!(guard.check(&wrong, || Err(())), Err(()));
    assert_eq!(guard.check(&secret, || Err(())), Err(()));
    assert_eq!(
        guard.check(&secret, || Ok::<_, ()>(wrong.clone())),
        Ok(Verdict::Replaced)
    );
    assert_eq!(guard.check(&wrong, || Err(())), Ok(Verdict::Right));
}
