//! Checks that need more than one document, or more than one field.
//!
//! What one field can say wrong is refused by its type when the document is read.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::document::{Document, Documents};
use crate::kinds::{ApiTrustConfig, LinkConfig, Role};
use crate::problem::Problem;

impl Documents {
    /// What is wrong with the documents taken together; empty when nothing is.
    ///
    /// A config without `Machine` is a partial one (a host name, an address before anything else)
    /// and fine; a `Machine` needs its `ApiTrust`, or nobody could reach the node again.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut owners: BTreeMap<IpAddr, &str> = BTreeMap::new();
        let mut hosts: BTreeMap<&str, &str> = BTreeMap::new();
        for placed in &self.placed {
            let mut say = |message| problems.push(self.sources.problem(placed.place, message));
            match &placed.document {
                Document::Machine(_) => self.check_machine(&mut say),
                Document::ApiTrust(it) => self.check_trust(it, &mut say),
                Document::Link(it) => {
                    self.check_link(it, &mut say);
                    for address in it.addresses.iter().map(crate::Cidr::address) {
                        if let Some(other) = owners.insert(address, it.name.as_str()) {
                            say(format!("{address} is on link `{other}` already"));
                        }
                    }
                }
                Document::StaticHost(it) => {
                    for name in it.names().map(crate::Hostname::as_str) {
                        if let Some(other) = hosts.insert(name, it.name.as_str()) {
                            say(format!(
                                "`{name}` is a name of StaticHost `{other}` already"
                            ));
                        }
                    }
                }
                Document::Hostname(_)
                | Document::Dhcp4(_)
                | Document::Resolver(_)
                | Document::Sysctl(_)
                | Document::KernelModule(_) => {}
            }
        }
        problems
    }

    fn check_machine(&self, say: &mut impl FnMut(String)) {
        if self.api_trust().is_none() {
            say(
                "a Machine needs an ApiTrust document: without it nobody can reach the node".into(),
            );
        }
    }

    fn check_trust(&self, trust: &ApiTrustConfig, say: &mut impl FnMut(String)) {
        match self.machine().map(|it| it.role) {
            None => say("ApiTrust needs a Machine document with the node's role".into()),
            Some(Role::ControlPlane) if trust.issuer.is_none() => {
                say("ApiTrust of a control-plane node needs `issuer`".into());
            }
            Some(Role::ControlPlane) if trust.serving.is_some() => {
                say("ApiTrust of a control-plane node has no `serving`: it issues its own".into());
            }
            Some(Role::Worker) if trust.issuer.is_some() => {
                say(
                    "ApiTrust of a worker must not hold `issuer`: a worker has no authority".into(),
                );
            }
            Some(Role::Worker) if trust.serving.is_none() => {
                say("ApiTrust of a worker needs `serving`".into());
            }
            Some(_) => {}
        }
    }

    fn check_link(&self, link: &LinkConfig, say: &mut impl FnMut(String)) {
        let name = &link.name;
        let dhcp = self.dhcp4().any(|it| it.name == *name && it.enabled);
        let ipv6 = link.addresses.iter().any(|it| it.address().is_ipv6());
        if let Some(mtu) = link.mtu.filter(|mtu| ipv6 && !mtu.carries_ipv6()) {
            say(format!(
                "link `{name}` has an IPv6 address, which needs an MTU of 1280, not {mtu}"
            ));
        }
        for (index, route) in link.routes.iter().enumerate() {
            let earlier = link.routes.iter().take(index);
            if earlier
                .into_iter()
                .any(|it| it.to() == route.to() && it.metric() == route.metric())
            {
                say(format!(
                    "link `{name}` has two routes to {} of one metric",
                    route.to()
                ));
            }
            let Some(via) = route.via() else { continue };
            // With DHCP the gateway's network may be learned, so nothing can be said before.
            if !dhcp && !reachable(link, via) {
                say(format!(
                    "no address or route of link `{name}` reaches the gateway {via}"
                ));
            }
        }
    }
}

/// Whether `via` is in a network of the link, or behind a route without a gateway.
fn reachable(link: &LinkConfig, via: IpAddr) -> bool {
    let link_local = matches!(via, IpAddr::V6(it) if it.is_unicast_link_local());
    let mut on_link = link.routes.iter().filter(|it| it.via().is_none());
    link_local
        || link.addresses.iter().any(|it| it.network().contains(via))
        || on_link.any(|it| it.to().contains(via))
}
