//! The rights this process may have, checked before it reads its first packet.
//!
//! init gives them; here is the second look. More than three capabilities, or no way to find out, is a reason not to run: the whole
//! point of this process is that whoever takes it over gains little.

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::sys::prctl;
use thiserror::Error;

/// Links and addresses, DHCP's packet sockets, DHCP's low port.
const ALLOWED: [Capability; 3] = [
    Capability::CAP_NET_ADMIN,
    Capability::CAP_NET_RAW,
    Capability::CAP_NET_BIND_SERVICE,
];

/// Why the process must not run as it is.
#[derive(Debug, Error)]
pub enum RightsError {
    /// A set could not be read.
    #[error("cannot read the {set:?} capabilities")]
    Read {
        /// Which set.
        set: CapSet,
        /// What went wrong.
        source: CapsError,
    },
    /// There is a capability too many.
    #[error("the {set:?} capabilities hold {surplus}, which this process must not have")]
    TooMany {
        /// Which set.
        set: CapSet,
        /// Their names.
        surplus: String,
    },
    /// One that it needs is not there.
    #[error("the capability {0} is missing")]
    Missing(Capability),
    /// New privileges could not be given up.
    #[error("cannot give up new privileges")]
    NoNewPrivileges(#[source] Errno),
}

/// Gives up new privileges, and checks that no set holds more than is allowed and the effective one no less.
///
/// # Errors
/// When the process has other rights than it should.
pub fn check() -> Result<(), RightsError> {
    prctl::set_no_new_privs().map_err(RightsError::NoNewPrivileges)?;
    for set in [
        CapSet::Bounding,
        CapSet::Permitted,
        CapSet::Effective,
        CapSet::Inheritable,
        CapSet::Ambient,
    ] {
        let held = caps::read(None, set).map_err(|source| RightsError::Read { set, source })?;
        verdict(set, &held)?;
    }
    Ok(())
}

fn verdict(set: CapSet, held: &CapsHashSet) -> Result<(), RightsError> {
    let mut surplus: Vec<_> = held
        .iter()
        .filter(|c| !ALLOWED.contains(c))
        .map(Capability::to_string)
        .collect();
    surplus.sort();
    if !surplus.is_empty() {
        let surplus = surplus.join(", ");
        return Err(RightsError::TooMany { set, surplus });
    }
    let missing = ALLOWED.into_iter().find(|c| !held.contains(c));
    match missing {
        Some(capability) if matches!(set, CapSet::Effective) => {
            Err(RightsError::Missing(capability))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_and_no_other() {
        let three: CapsHashSet = ALLOWED.into();
        assert!(verdict(CapSet::Effective, &three).is_ok());
        let mut four = three.clone();
        four.insert(Capability::CAP_SYS_ADMIN);
        let error = verdict(CapSet::Bounding, &four).unwrap_err();
        assert!(error.to_string().contains("CAP_SYS_ADMIN"), "{error}");
        let two: CapsHashSet = ALLOWED.into_iter().skip(1).collect();
        assert!(verdict(CapSet::Ambient, &two).is_ok());
        assert!(matches!(
            verdict(CapSet::Effective, &two),
            Err(RightsError::Missing(_))
        ));
    }
}
