//! When a certificate is replaced: what every kind of it has in common.

use jiff::Timestamp;

use crate::{Certificate, Names};

/// What to do about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It does until then, if nothing else changes.
    Keep {
        /// Half of its life.
        until: Timestamp,
    },
    /// A new one is needed now.
    Renew(Reason),
}

/// Why a new certificate is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is none yet.
    First,
    /// Another authority signs now.
    Signer,
    /// It says something else of its holder.
    Holder,
    /// Its holder goes by other names or addresses.
    Names,
    /// Half of its life is over.
    HalfLife,
    /// The clock was set back to before it began.
    Clock,
}

/// Decides about `current` at `now`, whose holder is to answer for these names. Who signed it and who holds it are the
/// caller's to look at.
pub fn plan(now: Timestamp, current: Option<&Certificate>, wanted: &Names) -> Plan {
    let Some(current) = current else {
        return Plan::Renew(Reason::First);
    };
    if now < current.not_before {
        return Plan::Renew(Reason::Clock);
    }
    if current.names != *wanted {
        return Plan::Renew(Reason::Names);
    }
    let until = current.half_life();
    if now >= until {
        Plan::Renew(Reason::HalfLife)
    } else {
        Plan::Keep { until }
    }
}
