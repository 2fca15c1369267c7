//! The pairing string on a node's console, and the rules for the secret in it.
//!
//! `XXXX-XXXX-XXXX-XXXX-XXXX-XXXX` in Crockford's base 32: the first sixteen characters ([`Pin`], public) are the top 80 bits of
//! the hash of the server's key, the last eight ([`PairingSecret`]) 40 random bits. Whoever types the string checks the first half
//! against the TLS peer before sending the second, so an impostor in between learns nothing; 80 bits keep a second key with the
//! same half out of reach, 40 bits and five attempts keep guessing hopeless.
//!
//! Parsing takes what people type: any case, any dashes or spaces, `O` for zero and `I` or `L` for one. Randomness is the
//! caller's, or [`PairingSecret::random`]. The [`Guard`] is a pure state machine; who shows the new string is machined's affair.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::{Fingerprint, Secret};

mod base32;

/// Wrong secrets until a new one takes the place of the old: room for typing errors, none for guessing.
pub const MAX_WRONG: u8 = 5;

/// The public half: the top 80 bits of the hash of the server's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pin([u8; 10]);

impl Pin {
    /// The pin of a key.
    pub fn of(key: &Fingerprint) -> Self {
        let mut top = [0; 10];
        top.iter_mut()
            .zip(key.as_bytes())
            .for_each(|(to, from)| *to = *from);
        Self(top)
    }

    /// Whether `key` is the one that was meant.
    pub fn matches(&self, key: &Fingerprint) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(key).0).is_ok()
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        base32::write_grouped(f, &self.0)
    }
}

/// The secret half. Comparing takes the same time whatever differs.
#[derive(Clone, Debug)]
pub struct PairingSecret(Secret<[u8; 5]>);

impl PairingSecret {
    /// A secret of these bytes; they must come from a cryptographic random source.
    pub fn from_bytes(bytes: [u8; 5]) -> Self {
        Self(Secret::new(bytes))
    }

    /// A new secret from the system's random source.
    ///
    /// # Errors
    /// When that source fails; nothing else will work either then.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 5];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self::from_bytes(bytes))
    }

    /// The eight characters, as they are sent and shown.
    pub fn reveal(&self) -> String {
        base32::grouped(self.0.expose())
    }
}

impl PartialEq for PairingSecret {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.0.expose(), other.0.expose()).is_ok()
    }
}

impl Eq for PairingSecret {}

impl FromStr for PairingSecret {
    type Err = PairingError;

    fn from_str(text: &str) -> Result<Self, PairingError> {
        base32::parse::<5>(text).map(Self::from_bytes)
    }
}

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("get random bytes from the system")]
pub struct NoRandomness;

/// Both halves: what the console shows and a person types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingString {
    /// Checked against the TLS peer before anything is sent.
    pub pin: Pin,
    /// Sent inside the session.
    pub secret: PairingSecret,
}

impl PairingString {
    /// All 24 characters in groups of four. It holds the secret: for the console only.
    pub fn reveal(&self) -> String {
        format!("{}-{}", self.pin, self.secret.reveal())
    }
}

impl FromStr for PairingString {
    type Err = PairingError;

    fn from_str(text: &str) -> Result<Self, PairingError> {
        let bytes = base32::parse::<15>(text)?;
        let (mut pin, mut secret) = ([0; 10], [0; 5]);
        pin.iter_mut()
            .chain(&mut secret)
            .zip(bytes)
            .for_each(|(to, from)| *to = from);
        Ok(Self {
            pin: Pin(pin),
            secret: PairingSecret::from_bytes(secret),
        })
    }
}

/// The text is no pairing string. It is not repeated here, since it may be one with a single typing error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PairingError {
    /// A character that cannot occur.
    #[error(
        "character {position} of the pairing string is {character:?}; it has only digits and letters, without U"
    )]
    Character {
        /// Which.
        character: char,
        /// Counted from 1, dashes and spaces included.
        position: usize,
    },
    /// Too few or too many.
    #[error(
        "the pairing string is {expected} characters long, not {found}; type all of it, as the console shows it"
    )]
    Length {
        /// How many there are, dashes and spaces not counted.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
}

/// What became of a presented secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one. It stays valid, since a refused configuration is sent again.
    Right,
    /// It is not; this many more wrong ones are allowed.
    Wrong {
        /// At least one.
        left: u8,
    },
    /// It is not, and it was the last allowed: a new secret has taken the place of the old.
    Replaced,
}

/// Counts wrong secrets. A right one does not reset the count, so nobody can guess in the shadow of a legitimate caller.
#[derive(Debug)]
pub struct Guard {
    secret: PairingSecret,
    wrong: u8,
}

impl Guard {
    /// Guards `secret`.
    pub fn new(secret: PairingSecret) -> Self {
        Self { secret, wrong: 0 }
    }

    /// The secret that is valid now.
    pub fn secret(&self) -> &PairingSecret {
        &self.secret
    }

    /// Judges `presented`; `fresh` is asked for a new secret when the last allowed attempt is wrong.
    ///
    /// # Errors
    /// When `fresh` fails. The old secret then stays, but nothing is right until a later call gets a new one.
    pub fn check<E>(
        &mut self,
        presented: &PairingSecret,
        fresh: impl FnOnce() -> Result<PairingSecret, E>,
    ) -> Result<Verdict, E> {
        if self.wrong < MAX_WRONG {
            if *presented == self.secret {
                return Ok(Verdict::Right);
            }
            self.wrong += 1;
        }
        if self.wrong < MAX_WRONG {
            return Ok(Verdict::Wrong {
                left: MAX_WRONG - self.wrong,
            });
        }
        *self = Self::new(fresh()?);
        Ok(Verdict::Replaced)
    }
}

#[cfg(test)]
mod tests;
