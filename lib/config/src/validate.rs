//! Checks that need more than one document, or more than one field.
//!
//! What one field can say wrong is refused by its type when the document is read.

mod api_server;
mod kubernetes;
mod registries;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::document::{Document, Documents, Placed};
use crate::kinds::{ApiTrustConfig, EtcdConfig, LinkConfig, Role, StaticHostConfig};
use crate::problem::Problem;

/// Something that is wrong with a document beside others.
struct Fault {
    /// The part of the document it is about.
    path: Vec<String>,
    message: String,
    help: &'static str,
}

impl Fault {
    fn new(path: &[&str], message: impl Into<String>, help: &'static str) -> Self {
        Self {
            path: path.iter().map(|it| (*it).to_owned()).collect(),
            message: message.into(),
            help,
        }
    }
}

impl Documents {
    /// What is right and should be thought over all the same, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.registry_warnings();
        warnings.extend(self.etcd().into_iter().flat_map(EtcdConfig::advice));
        warnings.extend(self.policy_warnings());
        warnings
    }

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
            let faults = match &placed.document {
                Document::Machine(_) => self.check_machine(),
                Document::ApiTrust(it) => self.check_trust(it),
                Document::Link(it) => {
                    let mut faults = self.check_link(it);
                    faults.extend(check_owners(it, &mut owners));
                    faults.extend(self.check_link_of_cluster(it));
                    faults
                }
                Document::StaticHost(it) => check_names(it, &mut hosts),
                Document::Kubernetes(it) => self.check_kubernetes(it),
                Document::KubernetesTrust(it) => self.check_kubernetes_trust(it),
                Document::Join(it) => self.check_join(it),
                Document::Kubelet(it) => self.check_kubelet(it),
                Document::Etcd(it) => self.check_etcd(it),
                Document::KubernetesManifest(it) => self.check_kubernetes_manifest(it),
                Document::ApiServer(it) => self.check_api_server(it),
                Document::RegistryMirror(it) => registries::check_mirror(it),
                Document::RegistryTls(it) => registries::check_tls(it),
                Document::ClusterIdentity(_)
                | Document::Hostname(_)
                | Document::Dhcp4(_)
                | Document::Resolver(_)
                | Document::Time(_)
                | Document::Environment(_)
                | Document::Console(_)
                | Document::LogDestination(_)
                | Document::TrustedRoots(_)
                | Document::Sysctl(_)
                | Document::KernelModule(_)
                | Document::SystemDisk(_)
                | Document::RegistryAuth(_) => Vec::new(),
            };
            let faults = faults.into_iter();
            problems.extend(faults.map(|fault| self.located(placed, fault)));
        }
        problems
    }

    fn located(&self, placed: &Placed, fault: Fault) -> Problem {
        let path: Vec<&str> = fault.path.iter().map(String::as_str).collect();
        let place = placed.place_of(&path);
        let problem = self.sources.problem(place, fault.message);
        problem.help(Some(fault.help.to_owned()))
    }

    fn check_machine(&self) -> Vec<Fault> {
        if self.api_trust().is_some() {
            return Vec::new();
        }
        let message = "a Machine needs an ApiTrust document: without it nobody can reach the node";
        let help = "add one with the `ca` whose clients the node shall believe";
        vec![Fault::new(&[], message, help)]
    }

    fn check_trust(&self, trust: &ApiTrustConfig) -> Vec<Fault> {
        let fault = match self.machine().map(|it| it.role) {
            None => Fault::new(
                &[],
                "ApiTrust needs a Machine document with the node's role",
                "add one with `role: control-plane` or `role: worker`",
            ),
            Some(Role::ControlPlane) if trust.issuer.is_none() => Fault::new(
                &[],
                "ApiTrust of a control-plane node needs `issuer`",
                "add the cluster's authority as `issuer`, or make the node a worker",
            ),
            Some(Role::ControlPlane) if trust.serving.is_some() => Fault::new(
                &["serving"],
                "ApiTrust of a control-plane node has no `serving`: it issues its own",
                "remove `serving`",
            ),
            Some(Role::Worker) if trust.issuer.is_some() => Fault::new(
                &["issuer"],
                "ApiTrust of a worker must not hold `issuer`: a worker has no authority",
                "remove `issuer`; `osctl gen config --role worker` writes what a worker has",
            ),
            Some(Role::Worker) if self.join().is_some() && trust.serving.is_some() => Fault::new(
                &["serving"],
                "ApiTrust of a worker that joins has no `serving`: a control plane issues it",
                "remove `serving`, or `Join`",
            ),
            Some(Role::Worker) if self.join().is_none() && trust.serving.is_none() => Fault::new(
                &[],
                "ApiTrust of a worker without a Join document needs `serving`",
                "add a certificate for the node, and its key, as `serving`; with Kubernetes, add the cluster's `Join`",
            ),
            Some(_) => return Vec::new(),
        };
        vec![fault]
    }

    fn check_link(&self, link: &LinkConfig) -> Vec<Fault> {
        let name = &link.name;
        let dhcp = self.dhcp4().any(|it| it.name == *name && it.enabled);
        let ipv6 = link.addresses.iter().any(|it| it.address().is_ipv6());
        let mut faults = Vec::new();
        if let Some(mtu) = link.mtu.filter(|mtu| ipv6 && !mtu.carries_ipv6()) {
            let message =
                format!("link `{name}` has an IPv6 address, which needs an MTU of 1280, not {mtu}");
            faults.push(Fault::new(
                &["mtu"],
                message,
                "raise the MTU, or remove the IPv6 addresses",
            ));
        }
        for (index, route) in link.routes.iter().enumerate() {
            let number = index.to_string();
            let mut earlier = link.routes.iter().take(index);
            if earlier.any(|it| it.to() == route.to() && it.metric() == route.metric()) {
                let to = route.to();
                let message = format!("link `{name}` has two routes to {to} of one metric");
                let help = "remove one, or give it another `metric`; the lower one is preferred";
                faults.push(Fault::new(&["routes", &number], message, help));
            }
            let Some(via) = route.via() else { continue };
            // With DHCP the gateway's network may be learned, so nothing can be said before.
            if !dhcp && !reachable(link, via) {
                let message =
                    format!("no address or route of link `{name}` reaches the gateway {via}");
                let help = "give the link an address in the gateway's network, or a route to it without `via`";
                faults.push(Fault::new(&["routes", &number, "via"], message, help));
            }
        }
        faults
    }
}

/// Two links with one address.
fn check_owners<'a>(link: &'a LinkConfig, owners: &mut BTreeMap<IpAddr, &'a str>) -> Vec<Fault> {
    let addresses = link.addresses.iter().map(crate::Cidr::address).enumerate();
    let twice = addresses.filter_map(|(index, address)| {
        let other = owners.insert(address, link.name.as_str())?;
        let message = format!("{address} is on link `{other}` already");
        let help = "an address is on one link; remove one of the two";
        Some(Fault::new(
            &["addresses", &index.to_string()],
            message,
            help,
        ))
    });
    twice.collect()
}

/// Two hosts with one name.
fn check_names<'a>(
    host: &'a StaticHostConfig,
    owners: &mut BTreeMap<&'a str, &'a str>,
) -> Vec<Fault> {
    let own = owners.insert(host.name.as_str(), host.name.as_str());
    let own = own.map(|other| (vec!["name".to_owned()], &host.name, other));
    let aliases = host.aliases.iter().enumerate();
    let twice = aliases.filter_map(|(index, alias)| {
        let other = owners.insert(alias.as_str(), host.name.as_str())?;
        Some((vec!["aliases".to_owned(), index.to_string()], alias, other))
    });
    own.into_iter()
        .chain(twice)
        .map(|(path, name, other)| Fault {
            path,
            message: format!("`{name}` is a name of StaticHost `{other}` already"),
            help: "a name leads to one host; remove it from one of the two",
        })
        .collect()
}

/// Whether `via` is in a network of the link, or behind a route without a gateway.
fn reachable(link: &LinkConfig, via: IpAddr) -> bool {
    let link_local = matches!(via, IpAddr::V6(it) if it.is_unicast_link_local());
    let mut on_link = link.routes.iter().filter(|it| it.via().is_none());
    link_local
        || link.addresses.iter().any(|it| it.network().contains(via))
        || on_link.any(|it| it.to().contains(via))
}
