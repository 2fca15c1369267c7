//! A lease: what a server gave and until when, in time since boot.
//!
//! Owns the three times and their sanity. Time never comes from here, and never from a clock that can be set.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use resources::net::{Dhcp4Lease, Dhcp4Phase};

use super::message::Terms;

/// A lease of this many seconds never ends (RFC 2131, 3.3).
const FOR_EVER: u32 = u32::MAX;

/// A lease somebody holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    /// What was given.
    pub terms: Terms,
    /// Who gave it.
    pub server: Ipv4Addr,
    /// When.
    pub acquired: Duration,
    /// When to ask that server for more time.
    pub renew: Duration,
    /// When to ask any server.
    pub rebind: Duration,
    /// When the address must go; never, when absent.
    pub expires: Option<Duration>,
}

impl Lease {
    /// The lease that a server's word gives, counted from when it was asked for.
    #[must_use]
    pub fn new(terms: Terms, server: Ipv4Addr, asked: Duration) -> Self {
        let seconds = u64::from(terms.seconds);
        let told = |t: Option<u32>| t.map(u64::from).filter(|t| *t > 0);
        let rebind = told(terms.rebind)
            .filter(|t| *t < seconds)
            .unwrap_or(seconds * 7 / 8);
        // A server's T1 counts only when the three times come in order.
        let renew = told(terms.renew)
            .filter(|t| *t < rebind)
            .unwrap_or(seconds / 2)
            .min(rebind);
        let at = |seconds| asked + Duration::from_secs(seconds);
        Self {
            server,
            acquired: asked,
            renew: at(renew),
            rebind: at(rebind),
            expires: (terms.seconds != FOR_EVER).then(|| at(seconds)),
            terms,
        }
    }

    /// The address alone.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        match self.terms.address.address() {
            IpAddr::V4(a) => a,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        }
    }

    /// True once the address must not be used any more.
    #[must_use]
    pub fn is_over(&self, now: Duration) -> bool {
        self.expires.is_some_and(|e| now >= e)
    }

    /// What the node remembers and shows of it.
    #[must_use]
    pub fn to_resource(&self, phase: Dhcp4Phase) -> Dhcp4Lease {
        let terms = &self.terms;
        Dhcp4Lease {
            phase,
            address: Some(terms.address),
            server: Some(self.server),
            routers: terms.routers.clone(),
            routes: terms.routes.clone(),
            resolvers: terms.resolvers.clone(),
            domain: terms.domain.clone(),
            hostname: terms.hostname.clone(),
            time_servers: terms.time_servers.clone(),
            mtu: terms.mtu,
            lease_seconds: terms.seconds,
            acquired_at: self.acquired.as_secs(),
            renew_at: self.renew.as_secs(),
            rebind_at: self.rebind.as_secs(),
            expires_at: self.expires.map(|e| e.as_secs()),
            ..Dhcp4Lease::default()
        }
    }

    /// The lease an earlier life of this process held, unless it is over or from another boot.
    #[must_use]
    pub fn from_resource(kept: &Dhcp4Lease, now: Duration) -> Option<Self> {
        let address = kept.address.filter(|a| a.address().is_ipv4())?;
        let at = Duration::from_secs;
        let lease = Self {
            terms: Terms {
                address,
                seconds: kept.lease_seconds,
                renew: None,
                rebind: None,
                routers: kept.routers.clone(),
                routes: kept.routes.clone(),
                resolvers: kept.resolvers.clone(),
                time_servers: kept.time_servers.clone(),
                domain: kept.domain.clone(),
                hostname: kept.hostname.clone(),
                mtu: kept.mtu,
            },
            server: kept.server?,
            acquired: at(kept.acquired_at),
            renew: at(kept.renew_at),
            rebind: at(kept.rebind_at),
            expires: kept.expires_at.map(at),
        };
        // Given later than now means before this boot.
        (lease.acquired <= now && !lease.is_over(now)).then_some(lease)
    }
}
