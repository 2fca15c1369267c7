//! Where the other members of etcd may be, and asking whoever answers.
//!
//! A node that is new to a cluster knows little of it: the endpoint of its API, which is a control plane or leads to one, and,
//! as soon as it can ask that, the nodes. Whoever answers proves itself by the cluster's own authority of etcd, so asking in the
//! wrong place is asking in vain and no more.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ::config::Host;
use ::etcd::{CLIENT_PORT, Client, Member, Members};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use resources::kubernetes::{KUBERNETES, KubernetesSpec, NodeStatus};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use rustls::ClientConfig;
use store::{Spec as _, Store};

use super::join::Own;
use super::service;
use crate::kubernetes::address;
use crate::network::lookup::Lookup;

/// The host of an URL.
fn host(url: &str) -> Option<Host> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse().ok()
}

/// All places where another member may answer: the endpoint, the nodes of the control plane, and those that the node was told of
/// when it joined. The node's own addresses are none.
pub fn places<'a>(
    cluster: &KubernetesSpec,
    nodes: impl IntoIterator<Item = &'a NodeStatus>,
    joined: Option<&str>,
    own: &[IpAddr],
) -> BTreeSet<Host> {
    let control_planes = nodes.into_iter().filter(|it| it.control_plane);
    let addresses = control_planes.flat_map(|it| &it.addresses);
    let addresses = addresses.filter_map(|it| it.parse().ok().map(Host::Address));
    let told = joined.unwrap_or_default().split(',');
    let told = told.filter_map(|pair| host(pair.split_once('=')?.1));
    let mut all: BTreeSet<_> = addresses.chain(told).collect();
    all.extend(host(&cluster.endpoint));
    all.retain(|it| !matches!(it, Host::Address(address) if own.contains(address)));
    all
}

/// The addresses of places, each once. What cannot be looked up now leads nowhere.
async fn addresses(places: BTreeSet<Host>, lookup: &Lookup, own: &[IpAddr]) -> BTreeSet<IpAddr> {
    let mut found = BTreeSet::new();
    for place in places {
        found.extend(lookup.addresses(&place).await.unwrap_or_default());
    }
    found.retain(|it| !own.contains(it));
    found
}

/// Asks all at once who the members are; gives the first answer, and whom to ask further. Cancel-safe: it changes nothing.
pub async fn ask(
    places: BTreeSet<Host>,
    lookup: &Lookup,
    own: &[IpAddr],
    tls: &Arc<ClientConfig>,
) -> Option<(Client, Members)> {
    let addresses = addresses(places, lookup, own).await;
    let asked = addresses.into_iter().map(|address| async move {
        let client = Client::new(SocketAddr::new(address, CLIENT_PORT), Arc::clone(tls));
        let members = client.members().await;
        (client, members)
    });
    let mut answers: FuturesUnordered<_> = asked.collect();
    while let Some((client, members)) = answers.next().await {
        match members {
            Ok(members) => return Some((client, members)),
            Err(error) => tracing::debug!(error = cosi::report(&error), "no member of etcd"),
        }
    }
    None
}

/// Who the node of a store is to the others; `None` while that is not known.
#[must_use]
pub fn own(store: &Store) -> Option<Own> {
    let snapshot = store.snapshot();
    let cluster =
        snapshot.get_as::<KubernetesSpec>(KubernetesSpec::DEFINITION.namespace, KUBERNETES)?;
    let addresses = snapshot.get_as::<NodeAddress>(NodeAddress::DEFINITION.namespace, CURRENT)?;
    let hostname = snapshot.get_as::<HostnameSpec>(HostnameSpec::DEFINITION.namespace, HOSTNAME)?;
    let address = *address::of(&cluster.spec, &addresses.spec).first()?;
    Some(Own {
        name: hostname.spec.hostname.clone(),
        peer_url: service::peer_url(address),
    })
}

/// Whether etcd of this node's cluster goes on elsewhere, as far as a store tells where and the node was told when it joined; who
/// said so. Cancel-safe: it changes nothing.
pub async fn elsewhere(
    store: &Store,
    joined: Option<&str>,
    tls: &Arc<ClientConfig>,
) -> Option<(Client, Members)> {
    let (places, own) = {
        let snapshot = store.snapshot();
        let namespace = KubernetesSpec::DEFINITION.namespace;
        let cluster = snapshot.get_as::<KubernetesSpec>(namespace, KUBERNETES)?;
        let nodes = snapshot.list_as::<NodeStatus>(NodeStatus::DEFINITION.namespace);
        let nodes: Vec<_> = nodes.map(|it| it.spec).collect();
        let addresses =
            snapshot.get_as::<NodeAddress>(NodeAddress::DEFINITION.namespace, CURRENT)?;
        let own = addresses.spec.addresses.iter();
        let own: Vec<_> = own.map(|it| it.address()).collect();
        let nodes = nodes.iter().map(|it| &**it);
        (places(&cluster.spec, nodes, joined, &own), own)
    };
    ask(places, &Lookup::of(store.clone()), &own, tls).await
}

/// Whether a member answers. Cancel-safe: it changes nothing.
pub async fn is_up(member: &Member, tls: &Arc<ClientConfig>) -> Option<SocketAddr> {
    for address in member.clients() {
        let status = Client::new(address, Arc::clone(tls)).status().await;
        if status.is_ok_and(|it| it.member == member.id) {
            return Some(address);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(places: &BTreeSet<Host>) -> Vec<String> {
        places.iter().map(Host::to_string).collect()
    }

    #[test]
    fn everybody_who_may_know_is_asked_but_oneself() {
        let cluster = KubernetesSpec {
            endpoint: "https://api.lab:6443".to_owned(),
            ..KubernetesSpec::default()
        };
        let node = |address: &str, control_plane| NodeStatus {
            addresses: vec![address.to_owned()],
            control_plane,
            ..NodeStatus::default()
        };
        let nodes = [
            node("10.0.0.1", true),
            node("10.0.0.2", true),
            node("10.0.0.9", false),
        ];
        let joined = "cp-1=https://10.0.0.1:2380,cp-4=https://[fd00::4]:2380";
        let own: IpAddr = "10.0.0.2".parse().unwrap();
        let found = places(&cluster, &nodes, Some(joined), &[own]);
        assert_eq!(texts(&found), ["10.0.0.1", "fd00::4", "api.lab"]);
        let alone = KubernetesSpec {
            endpoint: "https://10.0.0.2:6443".to_owned(),
            ..KubernetesSpec::default()
        };
        assert!(places(&alone, &[], None, &[own]).is_empty());
    }
}
