//! Which links DHCP has not had its say about.
//!
//! A lease is remembered by machined as long as networkd is away, and by networkd as long as machined is. When both are lost at
//! once nobody remembers it; the kernel still has its address and routes, and absence from the specs proves nothing about them
//! until a server has spoken, or has not for so long that none will.

use std::collections::BTreeSet;

use cosi::{Cx, Reads};
use resources::net::{Dhcp4Lease, Dhcp4Spec, LinkName};

use super::client::{NO_CARRIER, PATIENCE};

/// The links with DHCP where what a former life leased must not be taken for unwanted: no server has spoken yet, or what it
/// said is not `back` as merged specs.
#[must_use]
pub fn undecided<C: Reads<Dhcp4Spec> + Reads<Dhcp4Lease>>(
    cx: &Cx<'_, C>,
    back: impl Fn(&LinkName, &Dhcp4Lease) -> bool,
) -> BTreeSet<LinkName> {
    let (specs, leases) = (cx.list::<Dhcp4Spec>(), cx.list::<Dhcp4Lease>());
    let specs: Vec<_> = specs.iter().map(|s| (*s.spec).clone()).collect();
    decide(&specs, leases.iter().map(|l| (l.id(), &*l.spec)), back)
}

fn decide<'a>(
    wanted: &[Dhcp4Spec],
    leases: impl IntoIterator<Item = (&'a str, &'a Dhcp4Lease)>,
    back: impl Fn(&LinkName, &Dhcp4Lease) -> bool,
) -> BTreeSet<LinkName> {
    let mut undecided: BTreeSet<LinkName> = wanted
        .iter()
        .filter(|spec| spec.enabled)
        .map(|spec| spec.link.clone())
        .collect();
    for (id, lease) in leases {
        undecided.retain(|link| link.as_str() != id || !is_decided(lease, |l| back(link, l)));
    }
    undecided
}

fn is_decided(lease: &Dhcp4Lease, back: impl Fn(&Dhcp4Lease) -> bool) -> bool {
    if lease.address.is_some() {
        return back(lease);
    }
    let failed = !lease.error.is_empty() && lease.error != NO_CARRIER;
    failed || lease.attempts > PATIENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(link: &str, enabled: bool) -> Dhcp4Spec {
        Dhcp4Spec {
            link: link.parse().unwrap(),
            enabled,
            ..Dhcp4Spec::default()
        }
    }

    /// Whether a link with DHCP and this lease is undecided.
    fn with(lease: &Dhcp4Lease, back: bool) -> bool {
        !decide(&[spec("eth0", true)], [("eth0", lease)], |_, _| back).is_empty()
    }

    #[test]
    fn a_link_is_decided_once_a_server_has_spoken_or_none_will() {
        let asking = Dhcp4Lease::default();
        assert!(with(&asking, true));
        let patient = Dhcp4Lease {
            attempts: PATIENCE,
            ..asking.clone()
        };
        assert!(with(&patient, true));
        let unheard = Dhcp4Lease {
            attempts: PATIENCE + 1,
            ..asking.clone()
        };
        assert!(!with(&unheard, true));
        let refused = Dhcp4Lease {
            error: "server 192.0.2.1 refused the address".into(),
            ..asking.clone()
        };
        assert!(!with(&refused, true));
        let unplugged = Dhcp4Lease {
            error: NO_CARRIER.into(),
            ..asking
        };
        assert!(with(&unplugged, true));
        let leased = Dhcp4Lease {
            address: Some("192.0.2.7/24".parse().unwrap()),
            ..Dhcp4Lease::default()
        };
        assert!(with(&leased, false));
        assert!(!with(&leased, true));
    }

    #[test]
    fn only_links_with_dhcp_count() {
        let wanted = [spec("eth0", true), spec("eth1", false), spec("eth2", true)];
        let lease = Dhcp4Lease {
            error: "refused".into(),
            ..Dhcp4Lease::default()
        };
        let undecided = decide(&wanted, [("eth2", &lease), ("eth3", &lease)], |_, _| true);
        assert_eq!(
            Vec::from_iter(undecided),
            ["eth0".parse::<LinkName>().unwrap()]
        );
    }
}
