//! Brings links up and down and sets their MTU, as the merged `LinkSpecs` say.

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use resources::net::{Dhcp4Spec, LinkSpec};

use super::plan::plan;
use crate::kernel::{Failures, Kernel};

/// The controller.
#[derive(Debug)]
pub struct LinkApply(pub Kernel);

cosi::declare! {
    LinkApply as "network.link.apply" {
        reads LinkSpec;
        reads Dhcp4Spec;
    }
}

impl Controller for LinkApply {
    fn sources(&mut self) -> Vec<Source> {
        vec![self.0.links()]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let netlink = self.0.netlink();
        let wanted: Vec<_> = cx
            .list::<LinkSpec>()
            .iter()
            .map(|s| (*s.spec).clone())
            .collect();
        let dhcp: Vec<_> = cx
            .list::<Dhcp4Spec>()
            .iter()
            .map(|s| (*s.spec).clone())
            .collect();
        let plan = plan(&wanted, &dhcp, &netlink.links().await?);
        let mut failures = Failures::new(plan.waiting);
        for op in &plan.ops {
            let result = netlink.change_link(op.index, op.change).await;
            if result.is_ok() {
                tracing::info!(link = %op.link, up = ?op.change.up, mtu = ?op.change.mtu, "link changed");
            }
            failures.note(result);
        }
        failures.outcome()
    }
}
