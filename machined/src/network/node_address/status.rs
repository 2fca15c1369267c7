//! The node's own addresses, of those its links have.

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::net::{AddressStatus, CURRENT, Cidr, NodeAddress};

/// The controller.
#[derive(Debug, Default)]
pub struct Status;

cosi::declare! {
    Status as "network.node-address.status" {
        reads AddressStatus;
        writes NodeAddress;
    }
}

impl Transform for Status {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let statuses = view.list::<AddressStatus>();
        let addresses = addresses(statuses.iter().map(|it| &*it.spec));
        out.put(CURRENT, NodeAddress { addresses });
        Ok(Outcome::Done)
    }
}

/// Addresses that reach beyond their link and are certain, by link, IPv4 first, then by value.
#[must_use]
pub fn addresses<'a>(statuses: impl IntoIterator<Item = &'a AddressStatus>) -> Vec<Cidr> {
    let mut usable: Vec<&AddressStatus> = statuses
        .into_iter()
        .filter(|it| matches!(it.scope.as_str(), "global" | "site"))
        .filter(|it| !it.tentative && !it.address.address().is_loopback())
        .collect();
    usable.sort_by(|left, right| {
        let key = |it: &AddressStatus| (it.address.address().is_ipv6(), it.address);
        (&left.link, key(left)).cmp(&(&right.link, key(right)))
    });
    let mut addresses: Vec<Cidr> = Vec::new();
    for status in usable {
        if !addresses.contains(&status.address) {
            addresses.push(status.address);
        }
    }
    addresses
}
