//! The pairing string this node shows, and the count of wrong ones.
//!
//! One per process: the console reads it here, the maintenance service presents secrets here. The rules are `pki::pairing::Guard`'s.

use std::sync::{Mutex, PoisonError};

use pki::Identity;
use pki::pairing::{Guard, NoRandomness, PairingSecret, PairingString, Pin, Verdict};
use tokio::sync::watch;

/// The pairing state of a node in maintenance mode.
#[derive(Debug)]
pub struct Pairing {
    pin: Pin,
    guard: Mutex<Guard>,
    shown: watch::Sender<PairingString>,
}

impl Pairing {
    /// Pairing for the key of `own`, the identity that the maintenance endpoint presents.
    pub fn new(own: &Identity, secret: PairingSecret) -> Self {
        let pin = Pin::of(&own.certificate().fingerprint);
        let shown = watch::Sender::new(PairingString {
            pin,
            secret: secret.clone(),
        });
        Self {
            pin,
            guard: Mutex::new(Guard::new(secret)),
            shown,
        }
    }

    /// The string to show on the console, now and whenever it changes.
    pub fn shown(&self) -> watch::Receiver<PairingString> {
        self.shown.subscribe()
    }

    /// Judges a presented secret.
    pub(super) fn present(&self, secret: &PairingSecret) -> Result<Verdict, NoRandomness> {
        let mut guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = guard.check(secret, PairingSecret::random)?;
        if verdict == Verdict::Replaced {
            let secret = guard.secret().clone();
            self.shown.send_replace(PairingString {
                pin: self.pin,
                secret,
            });
        }
        Ok(verdict)
    }
}
