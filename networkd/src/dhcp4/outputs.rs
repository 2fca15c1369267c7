//! From a lease to specs of the `operator` layer: address, routes, resolvers, name, time servers.
//!
//! Pure. What the merge in machined makes of them is not known here.

use std::net::{IpAddr, Ipv4Addr};

use resources::net::{
    AddressSpec, Cidr, ConfigLayer, HostnameSpec, LinkName, ResolverSpec, RouteSpec, TimeSpec,
};

use super::lease::Lease;

/// Where DHCP stands among the sources.
const LAYER: ConfigLayer = ConfigLayer::Operator;
/// What the id of every output starts with, before the link's name.
pub(super) const PREFIX: &str = "operator/dhcp4/";

/// The specs of one lease, each with its id in the layered namespace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outputs {
    /// Addresses.
    pub addresses: Vec<(String, AddressSpec)>,
    /// Routes.
    pub routes: Vec<(String, RouteSpec)>,
    /// Name servers.
    pub resolvers: Vec<(String, ResolverSpec)>,
    /// Names for the node.
    pub hostname: Vec<(String, HostnameSpec)>,
    /// Time servers.
    pub time: Vec<(String, TimeSpec)>,
}

/// The specs of the lease a link holds.
#[must_use]
pub fn outputs(link: &LinkName, metric: u32, lease: &Lease) -> Outputs {
    let terms = &lease.terms;
    let prefix = format!("{PREFIX}{link}");
    let address = AddressSpec {
        address: terms.address,
        link: link.clone(),
        layer: LAYER,
    };
    let routes = hops(lease).into_iter().map(|(destination, gateway)| {
        let spec = RouteSpec {
            destination,
            gateway,
            link: link.clone(),
            metric,
            source: Some(IpAddr::V4(lease.address())),
            table: 0,
            mtu: terms.mtu,
            layer: LAYER,
        };
        (format!("{prefix}/{destination}"), spec)
    });
    let search = Some(terms.domain.clone()).filter(|d| !d.is_empty());
    Outputs {
        addresses: vec![(format!("{prefix}/{}", terms.address), address)],
        routes: routes.collect(),
        resolvers: (!terms.resolvers.is_empty())
            .then(|| {
                let spec = ResolverSpec {
                    servers: terms.resolvers.iter().copied().map(IpAddr::V4).collect(),
                    search: search.into_iter().collect(),
                    layer: LAYER,
                };
                (prefix.clone(), spec)
            })
            .into_iter()
            .collect(),
        hostname: (!terms.hostname.is_empty())
            .then(|| {
                let spec = HostnameSpec {
                    hostname: terms.hostname.clone(),
                    domain: terms.domain.clone(),
                    layer: LAYER,
                };
                (prefix.clone(), spec)
            })
            .into_iter()
            .collect(),
        time: (!terms.time_servers.is_empty())
            .then(|| {
                let spec = TimeSpec {
                    servers: terms.time_servers.iter().map(Ipv4Addr::to_string).collect(),
                    enabled: true,
                    layer: LAYER,
                };
                (prefix.clone(), spec)
            })
            .into_iter()
            .collect(),
    }
}

impl Outputs {
    /// Adds those of another link.
    pub fn append(&mut self, other: Self) {
        self.addresses.extend(other.addresses);
        self.routes.extend(other.routes);
        self.resolvers.extend(other.resolvers);
        self.hostname.extend(other.hostname);
        self.time.extend(other.time);
    }
}

/// Destination and next hop of every route, one per destination. Classless routes take the place of the routers (RFC 3442); of
/// several routers only the first counts, for the kernel would use no other.
fn hops(lease: &Lease) -> Vec<(Cidr, Option<IpAddr>)> {
    let terms = &lease.terms;
    let told: Vec<_> = if terms.routes.is_empty() {
        terms
            .routers
            .iter()
            .take(1)
            .map(|r| (Cidr::ALL_V4, Some(IpAddr::V4(*r))))
            .collect()
    } else {
        terms
            .routes
            .iter()
            .map(|r| (r.destination, r.gateway))
            .collect()
    };
    let mut hops: Vec<(Cidr, Option<IpAddr>)> = Vec::new();
    for (destination, gateway) in told {
        if !hops.iter().any(|(d, _)| *d == destination) {
            hops.push((destination, gateway));
        }
    }
    hops
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use resources::net::Dhcp4Route;

    use super::super::message::Terms;
    use super::*;

    fn lease(terms: Terms) -> Lease {
        Lease::new(terms, Ipv4Addr::new(10, 0, 0, 1), Duration::ZERO)
    }

    fn terms() -> Terms {
        Terms {
            address: "10.0.0.9/24".parse().unwrap(),
            seconds: 600,
            routers: vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)],
            ..Terms::default()
        }
    }

    fn link() -> LinkName {
        "eth0".parse().unwrap()
    }

    #[test]
    fn the_first_router_is_the_default_route() {
        let made = outputs(&link(), 1024, &lease(terms()));
        let [(id, route)] = &made.routes[..] else {
            panic!("{made:?}")
        };
        assert_eq!(id, "operator/dhcp4/eth0/0.0.0.0/0");
        assert_eq!(route.gateway, Some("10.0.0.1".parse().unwrap()));
        assert_eq!(route.source, Some("10.0.0.9".parse().unwrap()));
        assert_eq!(made.addresses[0].0, "operator/dhcp4/eth0/10.0.0.9/24");
        assert!(made.resolvers.is_empty() && made.hostname.is_empty());
    }

    #[test]
    fn classless_routes_replace_routers() {
        let to = |d: &str| Dhcp4Route {
            destination: d.parse().unwrap(),
            gateway: None,
        };
        let routes = vec![to("172.16.0.0/12"), to("172.16.0.0/12")];
        let made = outputs(&link(), 1, &lease(Terms { routes, ..terms() }));
        let [(_, route)] = &made.routes[..] else {
            panic!("{made:?}")
        };
        assert_eq!(route.destination.to_string(), "172.16.0.0/12");
    }
}
