//! Who is believed as what, by the rules of TLS, and when a certificate is made anew.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{ServerName, UnixTime};

use super::*;
use crate::{AUTHORITY_LIFETIME, BACK_DATED, Trust, tls};

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

/// The table of a node in a cluster of both families.
fn table(addresses: &[&str]) -> Vec<CertificateSpec> {
    let addresses: BTreeSet<IpAddr> = addresses.iter().map(|it| it.parse().unwrap()).collect();
    let services = ["10.96.0.1".parse().unwrap(), "fd00:20::1".parse().unwrap()];
    let mut endpoint = Names::default();
    endpoint.names.insert("k8s.example.org".to_owned());
    wanted(&ControlPlane {
        node: "node-1",
        addresses: &addresses,
        endpoint: &endpoint,
        services: &services,
        dns_domain: "cluster.local",
    })
}

fn spec(purpose: Purpose) -> CertificateSpec {
    let mut table = table(&["10.5.0.2", "fd00::2"]).into_iter();
    table.find(|it| it.purpose == purpose).unwrap()
}

fn authority(name: &str) -> Authority {
    Authority::generate(name, now()).unwrap()
}

fn unix(moment: Timestamp) -> UnixTime {
    let seconds = u64::try_from(moment.as_second()).unwrap();
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

/// Whether a client that trusts `authority` takes the holder for the server of this name.
fn serves(authority: &Authority, holder: &Identity, name: &str, at: Timestamp) -> bool {
    let trust = Trust::from_pem(authority.identity().certificate_pem()).unwrap();
    let verifier =
        WebPkiServerVerifier::builder_with_provider(trust.roots(), tls::provider()).build();
    let (chain, _) = holder.der().unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let verified = verifier
        .unwrap()
        .verify_server_cert(&chain[0], &[], &name, &[], unix(at));
    verified.is_ok()
}

/// Whether a server that trusts `authority` takes the holder for a client.
fn asks(authority: &Authority, holder: &Identity, at: Timestamp) -> bool {
    let trust = Trust::from_pem(authority.identity().certificate_pem()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(trust.roots(), tls::provider()).build();
    let (chain, _) = holder.der().unwrap();
    let verified = verifier
        .unwrap()
        .verify_client_cert(&chain[0], &[], unix(at));
    verified.is_ok()
}

#[test]
fn there_is_one_for_each_purpose_and_each_has_a_name_of_its_own() {
    let table = table(&["10.5.0.2"]);
    let names: BTreeSet<&str> = table.iter().map(|it| it.purpose.name()).collect();
    assert_eq!((table.len(), names.len()), (10, 10));
    assert!(table.iter().all(|it| it.purpose != Purpose::Admin));
    assert!(table.iter().all(|it| it.group != Some(MASTERS)));
}

#[test]
fn the_table() {
    let table = table(&["10.5.0.2"]);
    let rows: Vec<String> = table
        .iter()
        .map(|it| {
            let usage = match (it.usage.client, it.usage.server) {
                (true, true) => "both",
                (true, false) => "client",
                _ => "server",
            };
            let (name, group) = (it.purpose.name(), it.group.unwrap_or("-"));
            let names = it.names.names.len() + it.names.addresses.len();
            format!("{name} {:?} {} {group} {usage} {names}", it.signer, it.user)
        })
        .collect();
    assert_eq!(
        rows,
        [
            "apiserver Kubernetes kube-apiserver - server 12",
            "apiserver-kubelet-client Kubernetes kube-apiserver-kubelet-client garboard:kubelet-admins client 0",
            "apiserver-etcd-client Etcd kube-apiserver-etcd-client - client 0",
            "front-proxy-client Aggregator front-proxy-client - client 0",
            "controller-manager Kubernetes system:kube-controller-manager - client 0",
            "scheduler Kubernetes system:kube-scheduler - client 0",
            "kubelet Kubernetes system:node:node-1 system:nodes client 0",
            "kubelet-serving Kubernetes system:node:node-1 system:nodes server 5",
            "etcd-server Etcd node-1 - both 5",
            "etcd-peer Etcd node-1 - both 5",
        ]
    );
}

#[test]
fn every_certificate_says_what_its_row_says() {
    let authority = authority("kubernetes");
    for spec in table(&["10.5.0.2", "fd00::2"]) {
        let issued = authority.issue(&spec, now()).unwrap();
        let facts = issued.certificate();
        let name = spec.purpose.name();
        assert_eq!(facts.subject, spec.user, "{name}");
        let groups: Vec<&str> = facts.organizations.iter().map(String::as_str).collect();
        assert_eq!(groups, spec.group.into_iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(
            (&facts.names, facts.usage),
            (&spec.names, spec.usage),
            "{name}"
        );
        assert_eq!(facts.not_before, now() - BACK_DATED, "{name}");
        assert_eq!(facts.not_after, now() + LIFETIME, "{name}");
        assert!(!facts.authority, "{name}");
        let own = authority.identity().certificate();
        let until = now() + LIFETIME / 2;
        assert_eq!(
            spec.plan(Some(facts), own, now()),
            Plan::Keep { until },
            "{name}"
        );
    }
}

#[test]
fn the_api_server_is_believed_by_all_its_names_and_by_no_other() {
    let authority = authority("kubernetes");
    let issued = authority.issue(&spec(Purpose::ApiServer), now()).unwrap();
    for name in [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "node-1",
        "k8s.example.org",
        "127.0.0.1",
        "::1",
        "10.5.0.2",
        "fd00::2",
        "10.96.0.1",
        "fd00:20::1",
    ] {
        assert!(serves(&authority, &issued, name, now()), "{name}");
    }
    for name in [
        "node-2",
        "example.org",
        "10.96.0.2",
        "kubernetes.default.svc.other",
    ] {
        assert!(!serves(&authority, &issued, name, now()), "{name}");
    }
    assert!(!asks(&authority, &issued, now()), "it asks nobody with it");
    assert!(!serves(&authority, &issued, "node-1", now() + LIFETIME * 2));
    let early = now() - BACK_DATED * 2;
    assert!(!serves(&authority, &issued, "node-1", early));
}

#[test]
fn who_is_somebody_to_one_authority_is_nobody_to_the_others() {
    let (kubernetes, etcd) = (authority("kubernetes"), authority("etcd"));
    let of = |authority: &Authority, purpose| authority.issue(&spec(purpose), now()).unwrap();
    let to_etcd = of(&etcd, Purpose::ApiServerEtcdClient);
    assert!(asks(&etcd, &to_etcd, now()) && !asks(&kubernetes, &to_etcd, now()));
    let kubelet = of(&kubernetes, Purpose::Kubelet);
    assert!(asks(&kubernetes, &kubelet, now()) && !asks(&etcd, &kubelet, now()));
    assert!(!serves(&kubernetes, &kubelet, "node-1", now()));
    let serving = of(&kubernetes, Purpose::KubeletServing);
    assert!(serves(&kubernetes, &serving, "10.5.0.2", now()));
    assert!(!asks(&kubernetes, &serving, now()));
    for purpose in [Purpose::EtcdServer, Purpose::EtcdPeer] {
        let member = of(&etcd, purpose);
        assert!(asks(&etcd, &member, now()) && serves(&etcd, &member, "10.5.0.2", now()));
        assert!(!serves(&kubernetes, &member, "10.5.0.2", now()));
    }
}

#[test]
fn an_administrator_may_everything_for_a_short_time() {
    let authority = authority("kubernetes");
    let issued = authority.issue(&admin("mina", ADMIN_LIFETIME), now());
    let issued = issued.unwrap();
    let facts = issued.certificate();
    assert_eq!(facts.subject, "mina");
    assert_eq!(facts.organizations, ["system:masters"]);
    assert!(asks(&authority, &issued, now()));
    let after = now() + ADMIN_LIFETIME * 2;
    assert!(!asks(&authority, &issued, after));
}

#[test]
fn a_certificate_is_made_anew_for_a_reason() {
    let authority = authority("kubernetes");
    let own = authority.identity().certificate();
    let wanted = spec(Purpose::KubeletServing);
    let issued = authority.issue(&wanted, now()).unwrap();
    let current = Some(issued.certificate());
    let renew = |reason| Plan::Renew(reason);
    assert_eq!(wanted.plan(None, own, now()), renew(Reason::First));
    let half = now() + LIFETIME / 2;
    assert_eq!(wanted.plan(current, own, half), renew(Reason::HalfLife));
    let before = now() - BACK_DATED * 2;
    assert_eq!(wanted.plan(current, own, before), renew(Reason::Clock));
    let moved = table(&["10.5.0.3"]);
    let moved = moved
        .iter()
        .find(|it| it.purpose == wanted.purpose)
        .unwrap();
    assert_eq!(moved.plan(current, own, now()), renew(Reason::Names));
    let other = Authority::generate("kubernetes", now()).unwrap();
    let other = other.identity().certificate();
    assert_eq!(wanted.plan(current, other, now()), renew(Reason::Signer));
    let holders = [
        CertificateSpec {
            user: "system:node:node-2".to_owned(),
            ..wanted.clone()
        },
        CertificateSpec {
            group: None,
            ..wanted.clone()
        },
        CertificateSpec {
            usage: Usage::BOTH,
            ..wanted
        },
    ];
    for holder in holders {
        assert_eq!(holder.plan(current, own, now()), renew(Reason::Holder));
    }
}

#[test]
fn near_the_end_of_its_authority_a_certificate_holds_no_longer_than_that() {
    let authority = authority("kubernetes");
    let own = authority.identity().certificate();
    let late = now() + AUTHORITY_LIFETIME - SignedDuration::from_hours(48);
    let wanted = spec(Purpose::Scheduler);
    let issued = authority.issue(&wanted, late).unwrap();
    let facts = issued.certificate();
    assert_eq!(facts.not_after, own.not_after);
    let until = late + SignedDuration::from_hours(24);
    assert_eq!(wanted.plan(Some(facts), own, late), Plan::Keep { until });
}
