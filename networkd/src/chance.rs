//! Chance for transaction numbers and for spreading retries: not for secrets.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// A splitmix64 generator, seeded from the system.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        // The standard library seeds its hashes from the system's generator.
        Self(RandomState::new().build_hasher().finish())
    }

    pub(crate) fn roll(&mut self) -> u32 {
        // The constants are splitmix64's.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_differ() {
        let mut dice = Dice::new();
        let rolls: std::collections::BTreeSet<_> = (0..100).map(|_| dice.roll()).collect();
        assert!(rolls.len() > 95);
    }
}
