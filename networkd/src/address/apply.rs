//! Puts the merged `AddressSpecs` onto links.

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use netlink::Netlink;
use resources::net::{AddressSpec, Dhcp4Lease, Dhcp4Spec};

use super::plan::{Op, plan};
use crate::dhcp4::undecided;
use crate::kernel::{Failures, Kernel};

/// The controller.
#[derive(Debug)]
pub struct AddressApply(pub Kernel);

cosi::declare! {
    AddressApply as "network.address.apply" {
        reads AddressSpec;
        reads Dhcp4Spec;
        reads Dhcp4Lease;
    }
}

impl Controller for AddressApply {
    fn sources(&mut self) -> Vec<Source> {
        vec![self.0.addresses()]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let netlink = self.0.netlink();
        let wanted: Vec<_> = cx
            .list::<AddressSpec>()
            .iter()
            .map(|s| (*s.spec).clone())
            .collect();
        let (links, observed) = (netlink.links().await?, netlink.addresses().await?);
        let mut plan = plan(&wanted, &links, &observed, cx.deletions_allowed());
        let spared = undecided(cx, |link, lease| {
            let leased = |s: &AddressSpec| s.link == *link && Some(s.address) == lease.address;
            wanted.iter().any(leased)
        });
        plan.ops.retain(|op| match op {
            Op::Remove(link, address) => address.address.is_ipv6() || !spared.contains(link),
            Op::Put(..) => true,
        });
        let mut failures = Failures::new(plan.waiting);
        for op in &plan.ops {
            failures.note(apply(netlink, op).await);
        }
        failures.outcome()
    }
}

async fn apply(netlink: &Netlink, op: &Op) -> Result<(), netlink::Error> {
    match op {
        Op::Put(link, address) => {
            netlink.put_address(address).await?;
            tracing::info!(%link, address = %address.address, length = address.length, "address added");
        }
        Op::Remove(link, address) => {
            netlink.remove_address(address).await?;
            tracing::info!(%link, address = %address.address, length = address.length, "address removed");
        }
    }
    Ok(())
}
