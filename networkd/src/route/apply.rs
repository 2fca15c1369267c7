//! Puts the merged `RouteSpecs` into the kernel's tables.

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use netlink::Netlink;
use resources::net::{Dhcp4Lease, Dhcp4Spec, RouteSpec};

use super::plan::{Observed, Op, plan};
use crate::dhcp4::undecided;
use crate::kernel::{Failures, Kernel};

/// The controller.
#[derive(Debug)]
pub struct RouteApply(pub Kernel);

cosi::declare! {
    RouteApply as "network.route.apply" {
        reads RouteSpec;
        reads Dhcp4Spec;
        reads Dhcp4Lease;
    }
}

impl Controller for RouteApply {
    fn sources(&mut self) -> Vec<Source> {
        vec![self.0.routes()]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let netlink = self.0.netlink();
        let wanted: Vec<_> = cx
            .list::<RouteSpec>()
            .iter()
            .map(|s| (*s.spec).clone())
            .collect();
        let links = netlink.links().await?;
        let observed = Observed {
            links: &links,
            addresses: &netlink.addresses().await?,
            routes: &netlink.routes().await?,
        };
        let mut plan = plan(&wanted, observed, cx.deletions_allowed());
        let spared = undecided(cx, |link, lease| {
            let source = lease.address.map(|it| it.address());
            let leased = |r: &RouteSpec| r.link == *link && r.source == source;
            (lease.routers.is_empty() && lease.routes.is_empty()) || wanted.iter().any(leased)
        });
        let is_spared = |index| {
            let link = links.iter().find(|l| l.index == index);
            link.is_some_and(|l| spared.iter().any(|name| name.as_str() == l.name))
        };
        plan.ops.retain(|op| match op {
            Op::Remove(route) => route.destination.is_ipv6() || !is_spared(route.index),
            Op::Add(..) | Op::Replace(_) => true,
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
        Op::Add(route, old) => {
            netlink.add_route(route).await?;
            tracing::info!(%route, "route added");
            for old in old {
                netlink.remove_route(old).await?;
                tracing::info!(route = %old, "old form of the route removed");
            }
        }
        Op::Replace(route) => {
            netlink.replace_route(route).await?;
            tracing::info!(%route, "route replaced");
        }
        Op::Remove(route) => {
            netlink.remove_route(route).await?;
            tracing::info!(%route, "route removed");
        }
    }
    Ok(())
}
