//! Reports the routes there are.

use std::collections::BTreeMap;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use netlink::{Link, Route};
use resources::net::{Cidr, KERNEL_TAG, LinkName, RouteStatus, route_id};

use crate::kernel::Kernel;

/// The kernel's table of local addresses, `RT_TABLE_LOCAL`: it only mirrors the addresses.
const LOCAL_TABLE: u32 = 255;

/// The controller.
#[derive(Debug)]
pub struct RouteStatuses(pub Kernel);

cosi::declare! {
    RouteStatuses as "network.route.status" {
        writes RouteStatus;
    }
}

impl Controller for RouteStatuses {
    fn sources(&mut self) -> Vec<Source> {
        vec![self.0.routes()]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let netlink = self.0.netlink();
        let (links, routes) = (netlink.links().await?, netlink.routes().await?);
        cx.replace::<RouteStatus>();
        for (id, status) in statuses(&links, &routes) {
            cx.put(id, status);
        }
        Ok(Outcome::Done)
    }
}

/// One status per route, with its id. Routes that differ only in what the id leaves out get a number.
#[must_use]
pub fn statuses(links: &[Link], routes: &[Route]) -> BTreeMap<String, RouteStatus> {
    let mut statuses = BTreeMap::new();
    for status in routes
        .iter()
        .filter(|r| r.table != LOCAL_TABLE)
        .filter_map(|r| status(links, r))
    {
        let id = route_id(
            status.table,
            status.destination,
            &status.link,
            status.metric,
        );
        let free = (1_u32..).map(|n| {
            if n == 1 {
                id.clone()
            } else {
                format!("{id}/{n}")
            }
        });
        let id = free
            .into_iter()
            .find(|id| !statuses.contains_key(id))
            .unwrap_or(id);
        statuses.insert(id, status);
    }
    statuses
}

fn status(links: &[Link], route: &Route) -> Option<RouteStatus> {
    let link: LinkName = links
        .iter()
        .find(|l| l.index == route.index)?
        .name
        .parse()
        .ok()?;
    Some(RouteStatus {
        destination: Cidr::new(route.destination, route.length)?,
        gateway: route.gateway,
        link,
        link_index: route.index,
        metric: route.metric,
        source: route.source,
        table: route.table,
        protocol: protocol(route.protocol),
        mtu: route.mtu,
    })
}

/// The names of `rtm_protocol` that occur on a node; others keep their number.
fn protocol(protocol: u8) -> String {
    match protocol {
        1 => "redirect".to_owned(),
        2 => "kernel".to_owned(),
        3 => "boot".to_owned(),
        4 => "static".to_owned(),
        9 => "ra".to_owned(),
        KERNEL_TAG => "garboard".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_routes_that_differ_in_their_gateway_are_two() {
        let links = [Link {
            index: 2,
            name: "eth0".to_owned(),
            ..Link::default()
        }];
        let route = |gateway: &str| Route {
            table: 254,
            destination: "0.0.0.0".parse().unwrap(),
            length: 0,
            metric: 1024,
            index: 2,
            gateway: Some(gateway.parse().unwrap()),
            source: None,
            mtu: None,
            onlink: false,
            protocol: KERNEL_TAG,
        };
        let ids: Vec<_> = statuses(&links, &[route("10.0.0.1"), route("10.0.0.2")])
            .into_keys()
            .collect();
        assert_eq!(ids, ["eth0/0.0.0.0/0/1024", "eth0/0.0.0.0/0/1024/2"]);
    }
}
