use netlink::AddressScope;
use proptest::prelude::*;

use super::*;

fn links() -> Vec<Link> {
    let link = |index, name: &str, up| Link {
        index,
        name: name.to_owned(),
        up,
        ..Link::default()
    };
    vec![
        link(2, "eth0", true),
        link(3, "eth1", true),
        link(4, "down0", false),
    ]
}

fn addresses() -> Vec<Address> {
    let address = |index, text: &str| Address {
        index,
        address: text.parse().unwrap(),
        length: 24,
        protocol: KERNEL_TAG,
        scope: AddressScope::Global,
        tentative: false,
        permanent: true,
    };
    vec![address(2, "192.0.2.9"), address(3, "198.51.100.9")]
}

fn see<'a>(links: &'a [Link], addresses: &'a [Address], routes: &'a [Route]) -> Observed<'a> {
    Observed {
        links,
        addresses,
        routes,
    }
}

fn spec() -> impl Strategy<Value = RouteSpec> {
    let link = prop_oneof![Just("eth0"), Just("eth1"), Just("down0"), Just("gone0")];
    let source = prop_oneof![
        Just(None),
        Just(Some("192.0.2.9")),
        Just(Some("203.0.113.1"))
    ];
    let mtu = prop_oneof![Just(None), Just(Some(1400))];
    (link, 0..2_u32, 1..3_u8, any::<bool>(), source, mtu).prop_map(
        |(link, metric, hop, v6, source, mtu)| RouteSpec {
            destination: if v6 { Cidr::ALL_V6 } else { Cidr::ALL_V4 },
            gateway: Some(
                if v6 {
                    format!("fe80::{hop}")
                } else {
                    format!("192.0.2.{hop}")
                }
                .parse()
                .unwrap(),
            ),
            link: link.parse().unwrap(),
            metric,
            source: source.filter(|_| !v6).map(|s| s.parse().unwrap()),
            mtu,
            ..RouteSpec::default()
        },
    )
}

fn existing() -> impl Strategy<Value = Route> {
    let tag = prop_oneof![Just(2), Just(4), Just(KERNEL_TAG)];
    (spec(), tag).prop_filter_map("no link", |(spec, protocol)| {
        let (links, addresses) = (links(), addresses());
        let (route, _) = kernel_form(&spec, see(&links, &addresses, &[])).ok()?;
        Some(Route { protocol, ..route })
    })
}

/// The kernel's table after the operations.
fn apply(mut table: Vec<Route>, ops: &[Op]) -> Vec<Route> {
    let remove = |table: &mut Vec<Route>, route: &Route| {
        let at = table
            .iter()
            .position(|r| r == route)
            .expect("removed what is not there");
        table.remove(at);
    };
    for op in ops {
        match op {
            Op::Add(route, old) => {
                // One that stands already is fine, as the kernel's EEXIST is.
                if !table.iter().any(|r| same(r, route)) {
                    table.push(route.clone());
                }
                old.iter().for_each(|r| remove(&mut table, r));
            }
            Op::Replace(route) => {
                let at = table
                    .iter()
                    .position(|r| key(r) == key(route))
                    .expect("replaced what is not there");
                table[at] = route.clone();
            }
            Op::Remove(route) => remove(&mut table, route),
        }
    }
    table
}

#[test]
fn a_changed_route_beside_a_strangers_replaces_nothing() {
    let spec = RouteSpec {
        destination: "::/0".parse().unwrap(),
        gateway: Some("fe80::1".parse().unwrap()),
        link: "eth0".parse().unwrap(),
        metric: 1,
        ..RouteSpec::default()
    };
    let (links, addresses) = (links(), addresses());
    let (goal, _) = kernel_form(&spec, see(&links, &addresses, &[])).unwrap();
    let stranger = Route {
        gateway: Some("fe80::2".parse().unwrap()),
        protocol: 2,
        ..goal.clone()
    };
    let before = Route {
        mtu: Some(1400),
        ..goal.clone()
    };
    let routes = [stranger, before.clone()];
    let planned = plan(&[spec], see(&links, &addresses, &routes), true);
    assert_eq!(planned.ops, [Op::Remove(before), Op::Add(goal, vec![])]);
}

proptest! {
    #[test]
    fn converges_and_takes_nothing_of_others(
        wanted in proptest::collection::vec(spec(), 0..6),
        mut routes in proptest::collection::vec(existing(), 0..6),
        deletions in any::<bool>(),
    ) {
        let mut seen: Vec<Route> = Vec::new();
        routes.retain(|r| {
            // The kernel holds each route once, and IPv6 each gateway once.
            let twin = |o: &Route| same(o, r) || (r.destination.is_ipv6() && key(o) == key(r) && o.gateway == r.gateway);
            let fresh = !seen.iter().any(twin);
            seen.push(r.clone());
            fresh
        });
        let (links, addresses) = (links(), addresses());
        let plan = plan(&wanted, see(&links, &addresses, &routes), deletions);
        let after = apply(routes.clone(), &plan.ops);
        for route in routes.iter().filter(|r| !is_ours(r)) {
            let replaced = plan.ops.iter().any(|op| matches!(op, Op::Replace(r) if key(r) == key(route)));
            prop_assert!(replaced || after.contains(route), "{route:?} was not ours");
        }
        if !deletions {
            for route in &routes {
                prop_assert!(after.iter().any(|r| key(r) == key(route)), "{route:?} went without leave");
            }
        }
        let again = super::plan(&wanted, see(&links, &addresses, &after), deletions);
        prop_assert!(again.ops.is_empty(), "still {:?}", again.ops);
        // Every route that is not waiting stands in its last wanted form.
        for spec in &wanted {
            let Ok((route, obstacle)) = kernel_form(spec, see(&links, &addresses, &[])) else { continue };
            let last = wanted.iter().rev().find_map(|s| {
                kernel_form(s, see(&links, &addresses, &[])).ok().filter(|(r, _)| key(r) == key(&route))
            });
            let Some((last, last_obstacle)) = last else { continue };
            if obstacle.is_none() && last_obstacle.is_none() {
                prop_assert!(after.iter().any(|r| same(r, &last)));
            }
        }
    }
}

fn default_route(gateway: &str) -> RouteSpec {
    RouteSpec {
        gateway: Some(gateway.parse().unwrap()),
        link: "eth0".parse().unwrap(),
        metric: 1024,
        ..RouteSpec::default()
    }
}

#[test]
fn a_changed_gateway_is_never_a_gap_and_needs_no_leave() {
    let (links, addresses) = (links(), addresses());
    let see = |routes| see(&links, &addresses, routes);
    let old = kernel_form(&default_route("192.0.2.1"), see(&[]))
        .unwrap()
        .0;
    let new = kernel_form(&default_route("192.0.2.2"), see(&[]))
        .unwrap()
        .0;
    let table = [old.clone()];
    let plan = plan(&[default_route("192.0.2.2")], see(&table), false);
    assert_eq!(plan.ops, [Op::Add(new, vec![old])]);
}

#[test]
fn a_gateway_off_the_subnet_is_taken_for_a_neighbour() {
    let (links, addresses) = (links(), addresses());
    let form = |gateway| {
        kernel_form(&default_route(gateway), see(&links, &addresses, &[]))
            .unwrap()
            .0
    };
    assert!(!form("192.0.2.1").onlink);
    assert!(form("10.0.0.1").onlink);
}

#[test]
fn a_missing_source_or_a_link_that_is_down_is_waited_for() {
    let (links, addresses) = (links(), addresses());
    let mut spec = default_route("192.0.2.1");
    spec.source = Some("192.0.2.77".parse().unwrap());
    let mut down = default_route("192.0.2.1");
    down.link = "down0".parse().unwrap();
    let plan = plan(&[spec, down], see(&links, &addresses, &[]), true);
    assert!(plan.ops.is_empty());
    assert_eq!(plan.waiting.len(), 2, "{:?}", plan.waiting);
}
