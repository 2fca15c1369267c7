//! Puts the merged `RouteSpecs` into the kernel's tables.

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use netlink::Netlink;
use resources::net::RouteSpec;

use super::plan::{Observed, Op, plan};
use crate::kernel::{Failures, Kernel};

/// The controller.
#[derive(Debug)]
pub struct RouteApply(pub Kernel);

cosi::declare! {
    RouteApply as "network.route.apply" {
        reads RouteSpec;
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
        let observed = Observed {
            links: &netlink.links().await?,
            addresses: &netlink.addresses().await?,
            routes: &netlink.routes().await?,
        };
        let plan = plan(&wanted, observed, cx.deletions_allowed());
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
