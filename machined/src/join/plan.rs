//! Whether a worker needs other certificates than it has. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use pki::renewal::Reason;
use pki::{Identity, Trust};

use super::Held;

/// What the certificates are held against.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The name of the node.
    pub(super) name: &'a str,
    /// Its addresses now.
    pub(super) addresses: &'a BTreeSet<IpAddr>,
    /// Its addresses when it asked last; those of a life before are not known.
    pub(super) asked_with: Option<&'a BTreeSet<IpAddr>>,
    /// The authorities of the nodes' API.
    pub(super) api: &'a Trust,
    /// Those of Kubernetes.
    pub(super) kubernetes: &'a Trust,
    pub(super) now: Timestamp,
}

/// Why others are needed; `None`, not before half of their life.
pub(super) fn reason(held: &Held, wanted: &Wanted<'_>) -> Option<Reason> {
    let (Some(machine), Some(kubelet)) = (&held.machine, &held.kubelet) else {
        return Some(Reason::First);
    };
    if !holds(machine, wanted.api, wanted) || !holds(&kubelet.serving, wanted.kubernetes, wanted) {
        return Some(Reason::Signer);
    }
    // An address may be in none of them, as no call from it got through. One that the node lost is in none of them any more.
    let certified = &machine.certificate().names.addresses;
    let moved = match wanted.asked_with {
        Some(before) => before != wanted.addresses,
        None => !certified.is_subset(wanted.addresses),
    };
    if moved {
        return Some(Reason::Names);
    }
    let all = [machine, &kubelet.client, &kubelet.serving];
    let due = all
        .iter()
        .any(|it| it.certificate().half_life() <= wanted.now);
    due.then_some(Reason::HalfLife)
}

/// Whether a certificate is good for the name now, in the eyes of who believes these authorities.
pub(super) fn holds(identity: &Identity, trust: &Trust, wanted: &Wanted<'_>) -> bool {
    let pem = identity.certificate_pem();
    trust.server(pem, wanted.name, wanted.now).is_some()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use pki::{Authority, Names, SERVING_LIFETIME};

    use super::*;
    use crate::join::Kubelet;

    fn start() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn addresses(of: &[&str]) -> BTreeSet<IpAddr> {
        of.iter().map(|it| it.parse().unwrap()).collect()
    }

    fn names() -> Names {
        Names {
            names: ["worker-1".to_owned()].into(),
            addresses: addresses(&["10.5.0.3"]),
        }
    }

    fn trust(authority: &Authority) -> Trust {
        Trust::from_pem(authority.identity().certificate_pem()).unwrap()
    }

    /// What a worker got, and whom its cluster believes.
    fn joined() -> (Held, Trust, Trust) {
        let [api, kubernetes] =
            ["api", "kubernetes"].map(|it| Authority::generate(it, start()).unwrap());
        let machine = api.issue_serving("worker-1", &names(), SERVING_LIFETIME, start());
        let [client, serving] = pki::kubernetes::joined("worker-1", &names())
            .map(|it| kubernetes.issue(&it, start()).unwrap());
        let held = Held {
            machine: Some(machine.unwrap()),
            kubelet: Some(Kubelet { client, serving }),
        };
        (held, trust(&api), trust(&kubernetes))
    }

    fn wanted<'a>(own: &'a BTreeSet<IpAddr>, api: &'a Trust, kubernetes: &'a Trust) -> Wanted<'a> {
        Wanted {
            name: "worker-1",
            addresses: own,
            asked_with: None,
            api,
            kubernetes,
            now: start(),
        }
    }

    #[test]
    fn they_are_asked_for_at_half_of_their_life_and_when_there_are_none() {
        let (whole, api, kubernetes) = joined();
        let own = addresses(&["10.5.0.3"]);
        let base = wanted(&own, &api, &kubernetes);
        let (half, second) = (SERVING_LIFETIME / 2, SignedDuration::from_secs(1));
        for (passed, expected) in [
            (SignedDuration::ZERO, None),
            (half - second, None),
            (half, Some(Reason::HalfLife)),
            (SERVING_LIFETIME * 2, Some(Reason::Signer)),
            (-SignedDuration::from_hours(2), Some(Reason::Signer)),
        ] {
            let now = start() + passed;
            assert_eq!(reason(&whole, &Wanted { now, ..base }), expected);
        }
        let (machine, kubelet) = (None, None);
        for part in [
            Held {
                machine,
                ..whole.clone()
            },
            Held { kubelet, ..whole },
        ] {
            assert_eq!(reason(&part, &base), Some(Reason::First));
        }
    }

    #[test]
    fn they_are_asked_for_when_something_is_another_thing() {
        let (whole, api, kubernetes) = joined();
        let other = trust(&Authority::generate("api", start()).unwrap());
        let own = addresses(&["10.5.0.3"]);
        let more = addresses(&["10.5.0.3", "fd00::3"]);
        let moved = addresses(&["10.5.0.4"]);
        let base = wanted(&own, &api, &kubernetes);
        let now_at = |addresses| Wanted { addresses, ..base };
        let asked_with = |with| Wanted {
            asked_with: Some(with),
            ..base
        };
        let (names, signer) = (Some(Reason::Names), Some(Reason::Signer));
        for (wanted, expected) in [
            (asked_with(&own), None),
            (asked_with(&more), names),
            (now_at(&more), None),
            (now_at(&moved), names),
            // A node that was called something else, and one of another cluster.
            (
                Wanted {
                    name: "worker-2",
                    ..base
                },
                signer,
            ),
            (
                Wanted {
                    api: &other,
                    ..base
                },
                signer,
            ),
            (
                Wanted {
                    kubernetes: &other,
                    ..base
                },
                signer,
            ),
        ] {
            assert_eq!(reason(&whole, &wanted), expected);
        }
    }
}
