//! Reports the addresses there are.

use std::collections::BTreeMap;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use netlink::{Address, AddressScope, Link};
use resources::net::{AddressStatus, Cidr, KERNEL_TAG};

use crate::kernel::Kernel;

/// The controller.
#[derive(Debug)]
pub struct AddressStatuses(pub Kernel);

cosi::declare! {
    AddressStatuses as "network.address.status" {
        writes AddressStatus;
    }
}

impl Controller for AddressStatuses {
    fn sources(&mut self) -> Vec<Source> {
        vec![self.0.addresses()]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let netlink = self.0.netlink();
        let (links, addresses) = (netlink.links().await?, netlink.addresses().await?);
        cx.replace::<AddressStatus>();
        for (id, status) in statuses(&links, &addresses) {
            cx.put(id, status);
        }
        Ok(Outcome::Done)
    }
}

/// One status per address, with its id; an address on a link that vanished between the two readings is left out.
#[must_use]
pub fn statuses(links: &[Link], addresses: &[Address]) -> BTreeMap<String, AddressStatus> {
    addresses.iter().filter_map(|a| status(links, a)).collect()
}

fn status(links: &[Link], address: &Address) -> Option<(String, AddressStatus)> {
    let link = links.iter().find(|l| l.index == address.index)?;
    let status = AddressStatus {
        address: Cidr::new(address.address, address.length)?,
        link: link.name.parse().ok()?,
        link_index: link.index,
        scope: scope(address.scope).to_owned(),
        managed: address.protocol == KERNEL_TAG,
        tentative: address.tentative,
    };
    Some((format!("{}/{}", status.link, status.address), status))
}

fn scope(scope: AddressScope) -> &'static str {
    match scope {
        AddressScope::Global => "global",
        AddressScope::Site => "site",
        AddressScope::Link => "link",
        AddressScope::Host => "host",
        AddressScope::Other => "nowhere",
    }
}
