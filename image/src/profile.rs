//! The two images: `generic` for any machine, `cloud` small for virtual ones.

use clap::ValueEnum;

use crate::select::{Rules, SelectError};

/// Which kernel and modules an image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Debian's generic kernel: metal and virtual machines.
    Generic,
    /// Debian's cloud kernel: virtual machines only, no USB, no real network cards.
    Cloud,
}

impl Profile {
    /// Its name, which is also its folder's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Cloud => "cloud",
        }
    }

    /// The set of the lock that holds its kernel.
    #[must_use]
    pub fn kernel_set(self) -> &'static str {
        match self {
            Self::Generic => "kernel-generic",
            Self::Cloud => "kernel-cloud",
        }
    }

    /// Whether it carries firmware and microcode: the devices of virtual machines need none.
    #[must_use]
    pub fn has_firmware(self) -> bool {
        self == Self::Generic
    }

    /// Its module lists.
    ///
    /// # Errors
    /// When a list is not well formed.
    pub fn modules(self) -> Result<Rules, SelectError> {
        let mut rules = Rules::default();
        rules.add("common.txt", include_str!("../modules/common.txt"))?;
        match self {
            Self::Generic => rules.add("generic.txt", include_str!("../modules/generic.txt"))?,
            Self::Cloud => rules.add("cloud.txt", include_str!("../modules/cloud.txt"))?,
        }
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_well_formed() {
        for profile in Profile::value_variants() {
            profile.modules().unwrap();
        }
    }
}
