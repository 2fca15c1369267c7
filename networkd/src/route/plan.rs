//! What to do so that the kernel has the routes that are wanted: pure.
//!
//! Ours is what carries the kernel tag; everything else stays. A route that changes is never gone in between: the new one is put beside
//! the old one first, and only when that went well the old one is taken away. Replacing a route that is still wanted in another form is
//! a change, not a removal, so it needs no leave to delete.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netlink::{Address, Link, Route};
use resources::net::{Cidr, KERNEL_TAG, RouteSpec};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Add a route, then take away the forms it had before.
    Add(Route, Vec<Route>),
    /// Put a route in the place of another that the kernel cannot hold beside it.
    Replace(Route),
    /// Take one of ours away.
    Remove(Route),
}

/// The changes, in order, and what could not be planned yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to do.
    pub ops: Vec<Op>,
    /// What is missing for the rest, in words.
    pub waiting: Vec<String>,
}

/// What the kernel is now.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// The links.
    pub links: &'a [Link],
    /// Their addresses.
    pub addresses: &'a [Address],
    /// The routes.
    pub routes: &'a [Route],
}

/// What makes two routes two forms of the same one.
type Key = (u32, IpAddr, u8, u32, u32);

fn key(route: &Route) -> Key {
    (
        route.table,
        route.destination,
        route.length,
        route.metric,
        route.index,
    )
}

/// Equal in everything a packet notices. Who made it and whether the gateway needed a hint do not matter.
fn same(a: &Route, b: &Route) -> bool {
    key(a) == key(b) && (a.gateway, a.source, a.mtu) == (b.gateway, b.source, b.mtu)
}

fn is_ours(route: &&Route) -> bool {
    route.protocol == KERNEL_TAG
}

/// Plans from the wanted routes and what there is. Nothing unwanted is removed unless that is allowed.
#[must_use]
pub fn plan(wanted: &[RouteSpec], observed: Observed<'_>, deletions: bool) -> Plan {
    let mut plan = Plan::default();
    // The last of two specs for one route counts; the merge lets no two through.
    let mut goals: BTreeMap<Key, Result<Route, String>> = BTreeMap::new();
    for spec in wanted {
        match kernel_form(spec, observed) {
            Ok((route, obstacle)) => {
                let key = key(&route);
                goals.insert(key, obstacle.map_or(Ok(route), Err));
            }
            Err(no_link) => plan.waiting.push(no_link),
        }
    }
    for (goal, route) in &goals {
        match route {
            Ok(route) => plan.ops.extend(towards(route, observed.routes)),
            // It waits, and what stands of it meanwhile is still wanted.
            Err(obstacle) => plan
                .waiting
                .push(format!("{obstacle} for route {}/{}", goal.1, goal.2)),
        }
    }
    if deletions {
        let ours = observed.routes.iter().filter(is_ours);
        let unwanted = ours.filter(|r| !goals.contains_key(&key(r)));
        plan.ops.extend(unwanted.cloned().map(Op::Remove));
    }
    plan
}

fn towards(goal: &Route, routes: &[Route]) -> Vec<Op> {
    let forms = || routes.iter().filter(|r| key(r) == key(goal));
    let old: Vec<_> = forms()
        .filter(is_ours)
        .filter(|r| !same(r, goal))
        .cloned()
        .collect();
    if forms().any(|r| same(r, goal)) {
        return Vec::from_iter((!old.is_empty()).then(|| Op::Add(goal.clone(), old)));
    }
    // IPv6 tells routes to one destination apart by gateway alone, so another form of the same gateway cannot stand beside it.
    let (collide, rest): (Vec<_>, Vec<_>) = old
        .into_iter()
        .partition(|r| goal.destination.is_ipv6() && r.gateway == goal.gateway);
    if !collide.is_empty() && forms().count() == 1 {
        return vec![Op::Replace(goal.clone())];
    }
    // Among several the kernel replaces the first, which may be somebody else's: ours makes room instead.
    let room = collide.into_iter().map(Op::Remove);
    room.chain([Op::Add(goal.clone(), rest)]).collect()
}

/// The route as the kernel would show it, with what stands in its way now; an error when its link does not exist.
fn kernel_form(
    spec: &RouteSpec,
    observed: Observed<'_>,
) -> Result<(Route, Option<String>), String> {
    let link = observed.links.iter().find(|l| l.name == spec.link.as_str());
    let link = link.ok_or_else(|| format!("link {} for route {}", spec.link, spec.destination))?;
    let destination = spec.destination.network();
    let route = Route {
        table: spec.kernel_table(),
        destination: destination.address(),
        length: destination.length(),
        metric: Route::kernel_metric(destination.address(), spec.metric),
        index: link.index,
        gateway: spec.gateway,
        source: spec.source,
        mtu: spec.mtu,
        onlink: spec
            .gateway
            .is_some_and(|g| !reachable(g, link.index, observed.addresses)),
        protocol: KERNEL_TAG,
    };
    let has_source = |s: IpAddr| {
        observed
            .addresses
            .iter()
            .any(|a| a.address == s && !a.tentative)
    };
    let obstacle = if !link.up {
        Some(format!("link {} to be up", spec.link))
    } else {
        spec.source
            .filter(|s| !has_source(*s))
            .map(|s| format!("address {s}"))
    };
    Ok((route, obstacle))
}

/// Whether an address of the link puts the gateway on it; else the kernel must be told to take it for a neighbour.
fn reachable(gateway: IpAddr, index: u32, addresses: &[Address]) -> bool {
    let link_local = matches!(gateway, IpAddr::V6(g) if g.is_unicast_link_local());
    let covers = |a: &Address| Cidr::new(a.address, a.length).is_some_and(|c| c.contains(gateway));
    link_local || addresses.iter().filter(|a| a.index == index).any(covers)
}

#[cfg(test)]
mod tests;
