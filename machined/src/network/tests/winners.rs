//! Merging: the order in which sources speak never matters, merging again changes nothing, and a
//! weaker source never takes from a stronger one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use resources::net::{
    AddressSpec, Cidr, ConfigLayer, Dhcp4Spec, HostnameSpec, LinkName, LinkSpec, ResolverSpec,
    RouteSpec,
};

use crate::network::{address, dhcp4, hostname, link, resolver, route};

fn layer() -> impl Strategy<Value = ConfigLayer> {
    prop_oneof![
        Just(ConfigLayer::Default),
        Just(ConfigLayer::CommandLine),
        Just(ConfigLayer::Platform),
        Just(ConfigLayer::Operator),
        Just(ConfigLayer::Config),
    ]
}

/// Few names and addresses, so that sources speak of the same things.
fn link_name() -> impl Strategy<Value = LinkName> {
    "eth[0-2]".prop_map(|it| it.parse().unwrap())
}

fn cidr() -> impl Strategy<Value = Cidr> {
    (0u8..3, 23u8..26)
        .prop_map(|(last, length)| Cidr::new([10, 0, 0, last].into(), length).unwrap())
}

fn addresses() -> impl Strategy<Value = AddressSpec> {
    (cidr(), link_name(), layer()).prop_map(|(address, link, layer)| AddressSpec {
        address,
        link,
        layer,
    })
}

fn routes() -> impl Strategy<Value = RouteSpec> {
    let gateway = of((0u8..3).prop_map(|it| IpAddr::from([10, 0, 0, it])));
    (cidr(), gateway, link_name(), 0u32..2, layer()).prop_map(
        |(destination, gateway, link, metric, layer)| RouteSpec {
            destination,
            gateway,
            link,
            metric,
            layer,
            ..RouteSpec::default()
        },
    )
}

fn links() -> impl Strategy<Value = LinkSpec> {
    (link_name(), any::<bool>(), of(1000u32..1003), layer()).prop_map(|(name, up, mtu, layer)| {
        LinkSpec {
            name,
            up,
            mtu,
            layer,
        }
    })
}

fn dhcp4s() -> impl Strategy<Value = Dhcp4Spec> {
    (link_name(), any::<bool>(), 0u32..3, layer()).prop_map(|(link, enabled, metric, layer)| {
        Dhcp4Spec {
            link,
            enabled,
            metric,
            layer,
        }
    })
}

fn hostnames() -> impl Strategy<Value = HostnameSpec> {
    let name = prop_oneof![
        "[a-c]",
        Just(String::new()),
        Just("not.one".to_owned()),
        Just("No".to_owned())
    ];
    (name, "[a-c]?", layer()).prop_map(|(hostname, domain, layer)| HostnameSpec {
        hostname,
        domain,
        layer,
    })
}

fn resolvers() -> impl Strategy<Value = ResolverSpec> {
    let servers = vec((0u8..4).prop_map(|it| IpAddr::from([10, 0, 0, it])), 0..3);
    (servers, vec("[a-c]", 0..2), layer()).prop_map(|(servers, search, layer)| ResolverSpec {
        servers,
        search,
        layer,
    })
}

/// Specs by id, and the same pairs in another order.
fn shuffled<S: std::fmt::Debug + Clone + 'static>(
    spec: impl Strategy<Value = S> + 'static,
) -> impl Strategy<Value = (BTreeMap<String, S>, Vec<(String, S)>)> {
    btree_map("[a-z]{1,3}", spec, 0..8).prop_flat_map(|specs| {
        let pairs: Vec<(String, S)> = specs.clone().into_iter().collect();
        (Just(specs), Just(pairs).prop_shuffle())
    })
}

fn pairs<'a, S>(specs: impl IntoIterator<Item = (&'a String, &'a S)>) -> Vec<(&'a str, &'a S)> {
    specs
        .into_iter()
        .map(|(id, spec)| (id.as_str(), spec))
        .collect()
}

macro_rules! keyed {
    ($name:ident, $strategy:ident, $merge:path, $thing:expr) => {
        proptest! {
            #[test]
            fn $name((specs, other) in shuffled($strategy())) {
                let merged = $merge(pairs(&specs));
                let reordered = $merge(other.iter().map(|(id, it)| (id.as_str(), it)));
                prop_assert_eq!(&merged, &reordered, "order matters");
                prop_assert_eq!(&$merge(pairs(&merged)), &merged, "not idempotent");
                for spec in specs.values() {
                    let winner = &merged[&$thing(spec)];
                    prop_assert!(winner.layer >= spec.layer, "a weaker source won");
                }
                for (id, winner) in &merged {
                    prop_assert_eq!(id, &$thing(winner), "an id that names something else");
                }
            }
        }
    };
}

keyed!(
    merged_addresses,
    addresses,
    address::merge::merge,
    AddressSpec::merged_id
);
keyed!(
    merged_routes,
    routes,
    route::merge::merge,
    RouteSpec::merged_id
);
keyed!(merged_links, links, link::merge::merge, |it: &LinkSpec| it
    .name
    .to_string());
keyed!(
    merged_dhcp4,
    dhcp4s,
    dhcp4::merge::merge,
    |it: &Dhcp4Spec| it.link.to_string()
);

proptest! {
    #[test]
    fn an_mtu_is_kept_from_the_strongest_that_names_one((specs, _) in shuffled(links())) {
        let merged = link::merge::merge(pairs(&specs));
        for (name, winner) in &merged {
            let named = specs.iter().filter(|(_, it)| it.name.as_str() == name && it.mtu.is_some());
            let strongest = named.max_by_key(|(id, it)| (it.layer, std::cmp::Reverse((*id).clone())));
            prop_assert_eq!(winner.mtu, strongest.and_then(|(_, it)| it.mtu));
        }
    }

    #[test]
    fn merged_hostname((specs, other) in shuffled(hostnames())) {
        let merged = hostname::merge::merge(pairs(&specs));
        let reordered = hostname::merge::merge(other.iter().map(|(id, it)| (id.as_str(), it)));
        prop_assert_eq!(&merged, &reordered);
        let good: Vec<_> = specs.values().filter(|it| it.hostname.len() == 1).collect();
        prop_assert_eq!(merged.is_none(), good.is_empty());
        if let Some(winner) = merged {
            prop_assert!(good.iter().all(|it| it.layer <= winner.layer));
            prop_assert!(good.contains(&&winner));
        }
    }

    #[test]
    fn merged_resolvers((specs, other) in shuffled(resolvers())) {
        let merged = resolver::merge::merge(pairs(&specs));
        let reordered = resolver::merge::merge(other.iter().map(|(id, it)| (id.as_str(), it)));
        prop_assert_eq!(&merged, &reordered);
        let speaking: Vec<_> = specs.values().filter(|it| !it.servers.is_empty()).collect();
        prop_assert_eq!(merged.is_none(), speaking.is_empty());
        if let Some(merged) = merged {
            prop_assert!(speaking.iter().all(|it| it.layer <= merged.layer));
            let strongest = speaking.iter().filter(|it| it.layer == merged.layer);
            for server in strongest.flat_map(|it| &it.servers) {
                prop_assert_eq!(merged.servers.iter().filter(|it| *it == server).count(), 1);
            }
            let again = resolver::merge::merge([("a", &merged)]);
            prop_assert_eq!(again, Some(merged));
        }
    }
}
