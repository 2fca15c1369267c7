//! Unicast routes.
//!
//! Adding never replaces another route to the same destination: with two links on one metric both routes stand side by side.
//! A route is removed by everything that tells it apart, so never another one instead.

use std::fmt;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric,
    RouteNextHopFlags, RouteProtocol, RouteScope, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::address::family;
use crate::request::unless;
use crate::{Error, Netlink};

/// `EEXIST`: exactly this route stands already.
const STANDS: [i32; 1] = [17];
/// `ESRCH` and `ENODEV`: the route, or the link under it, was gone already.
const GONE: [i32; 2] = [3, 19];
/// The metric the kernel gives an IPv6 route that asks for none (`IP6_RT_PRIO_USER`).
const V6_METRIC: u32 = 1024;

/// One unicast route with one next hop.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The routing table; 254 is the main one.
    pub table: u32,
    /// The destination, without host bits.
    pub destination: IpAddr,
    /// The length of the destination's prefix.
    pub length: u8,
    /// The lower one wins.
    pub metric: u32,
    /// The link's number.
    pub index: u32,
    /// The next hop; absent for what is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The preferred source address.
    pub source: Option<IpAddr>,
    /// The largest packet, where the route limits it.
    pub mtu: Option<u32>,
    /// The gateway counts as on the link even where no prefix says so.
    pub onlink: bool,
    /// Who made it (`rtm_protocol`).
    pub protocol: u8,
}

impl Route {
    /// The metric as the kernel will report it.
    #[must_use]
    pub fn kernel_metric(destination: IpAddr, metric: u32) -> u32 {
        if destination.is_ipv6() && metric == 0 {
            V6_METRIC
        } else {
            metric
        }
    }

    /// `None` for what is no unicast route out of a link, such as the kernel's broadcast and cached entries.
    pub(crate) fn parse(message: &RouteMessage) -> Option<Self> {
        let header = &message.header;
        let unicast =
            header.kind == RouteType::Unicast && !header.flags.contains(RouteFlags::Cloned);
        let any = match header.address_family {
            AddressFamily::Inet => IpAddr::from([0; 4]),
            AddressFamily::Inet6 => IpAddr::from([0; 16]),
            _ => return None,
        };
        let most = if any.is_ipv4() { 32 } else { 128 };
        if !unicast || header.destination_prefix_length > most {
            return None;
        }
        let mut route = Self {
            table: u32::from(header.table),
            destination: any,
            length: header.destination_prefix_length,
            metric: 0,
            index: 0,
            gateway: None,
            source: None,
            mtu: None,
            onlink: header.flags.contains(RouteFlags::Onlink),
            protocol: header.protocol.into(),
        };
        for attribute in &message.attributes {
            route.take(attribute);
        }
        (route.index != 0).then_some(route)
    }

    fn take(&mut self, attribute: &RouteAttribute) {
        match attribute {
            RouteAttribute::Table(table) => self.table = *table,
            RouteAttribute::Priority(metric) => self.metric = *metric,
            RouteAttribute::Oif(index) => self.index = *index,
            RouteAttribute::Destination(a) => self.destination = ip(a).unwrap_or(self.destination),
            RouteAttribute::Gateway(a) => self.gateway = ip(a),
            RouteAttribute::Via(RouteVia::Inet(a)) => self.gateway = Some(IpAddr::V4(*a)),
            RouteAttribute::Via(RouteVia::Inet6(a)) => self.gateway = Some(IpAddr::V6(*a)),
            RouteAttribute::PrefSource(a) => self.source = ip(a),
            RouteAttribute::Metrics(metrics) => {
                self.mtu = metrics.iter().find_map(|m| match m {
                    RouteMetric::Mtu(mtu) => Some(*mtu),
                    _ => None,
                })
            }
            // Several next hops: the first stands for all, as nobody here makes such routes.
            RouteAttribute::MultiPath(hops) => {
                if let Some(hop) = hops.first() {
                    self.index = hop.interface_index;
                    self.onlink = hop.flags.contains(RouteNextHopFlags::Onlink);
                    hop.attributes.iter().for_each(|a| self.take(a));
                }
            }
            _ => {}
        }
    }

    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(self.destination),
            destination_prefix_length: self.length,
            // Tables beyond one byte travel in the attribute alone.
            table: u8::try_from(self.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
            protocol: RouteProtocol::from(self.protocol),
            scope: if self.gateway.is_some() || self.destination.is_ipv6() {
                RouteScope::Universe
            } else {
                RouteScope::Link
            },
            kind: RouteType::Unicast,
            flags: if self.onlink {
                RouteFlags::Onlink
            } else {
                RouteFlags::empty()
            },
            ..RouteHeader::default()
        };
        let attributes = &mut message.attributes;
        if self.length > 0 {
            attributes.push(RouteAttribute::Destination(self.destination.into()));
        }
        attributes.push(RouteAttribute::Table(self.table));
        attributes.push(RouteAttribute::Oif(self.index));
        attributes.push(RouteAttribute::Priority(self.metric));
        attributes.extend(self.gateway.map(|g| hop(self.destination, g)));
        attributes.extend(self.source.map(|s| RouteAttribute::PrefSource(s.into())));
        attributes.extend(
            self.mtu
                .map(|m| RouteAttribute::Metrics(vec![RouteMetric::Mtu(m)])),
        );
        message
    }
}

fn hop(destination: IpAddr, gateway: IpAddr) -> RouteAttribute {
    match (destination, gateway) {
        (IpAddr::V4(_), IpAddr::V6(g)) => RouteAttribute::Via(RouteVia::Inet6(g)),
        _ => RouteAttribute::Gateway(gateway.into()),
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(a) => Some(IpAddr::V4(*a)),
        RouteAddress::Inet6(a) => Some(IpAddr::V6(*a)),
        _ => None,
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route to {}/{}", self.destination, self.length)?;
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        write!(f, " on link {} metric {}", self.index, self.metric)
    }
}

impl Netlink {
    /// Every unicast route of every table but the kernel's own `local`, in a stable order.
    ///
    /// # Errors
    /// When the kernel refuses, or the table never holds still.
    pub async fn routes(&self) -> Result<Vec<Route>, Error> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut request = RouteMessage::default();
            request.header.address_family = family;
            let entries = self
                .dump("routes", RouteNetlinkMessage::GetRoute(request))
                .await?;
            routes.extend(entries.iter().filter_map(|e| match e {
                RouteNetlinkMessage::NewRoute(m) => Route::parse(m),
                _ => None,
            }));
        }
        routes.sort();
        Ok(routes)
    }

    /// Adds a route beside any others; one that stands already is fine.
    ///
    /// # Errors
    /// When the kernel refuses, for instance because the link is down or the gateway cannot be reached.
    pub async fn add_route(&self, route: &Route) -> Result<(), Error> {
        let request = RouteNetlinkMessage::NewRoute(route.message());
        let done = self
            .change(request, NLM_F_CREATE | NLM_F_APPEND, || route.to_string())
            .await;
        unless(done, &STANDS)
    }

    /// Puts a route in the place of the first one with the same destination, table and metric, without a gap.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn replace_route(&self, route: &Route) -> Result<(), Error> {
        let request = RouteNetlinkMessage::NewRoute(route.message());
        self.change(request, NLM_F_CREATE | NLM_F_REPLACE, || route.to_string())
            .await
    }

    /// Removes exactly this route; one that is gone already is fine.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn remove_route(&self, route: &Route) -> Result<(), Error> {
        let request = RouteNetlinkMessage::DelRoute(route.message());
        unless(self.change(request, 0, || route.to_string()).await, &GONE)
    }
}
