//! The service that etcd is. Pure.

use std::net::{IpAddr, SocketAddr};

use ::etcd::{CLIENT_PORT, PEER_PORT};
use resources::kubernetes::{EtcdSpec, ImageSource};
use resources::runtime::{ServiceCheck, ServiceCheckKind, ServiceMount, ServiceSpec};

use super::data;
use crate::block::volume::apply::EPHEMERAL;
use crate::kubernetes::component::Component;
use crate::kubernetes::files::FILES;
use crate::kubernetes::flags::{Flag, arguments};
use crate::kubernetes::image;

/// Where it answers whether it is well, without a certificate and on this node alone.
const HEALTH: &str = "127.0.0.1:2381";

/// The condition that there is data to serve, or an order to begin anew.
pub const CONDITION: &str = "etcd";

/// What the service follows from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The name of the node, which is that of the member.
    pub node: &'a str,
    /// The address at which other members reach it.
    pub address: IpAddr,
    /// Whose image is run.
    pub images: ImageSource,
    /// How it is to run.
    pub wanted: &'a EtcdSpec,
    /// What stands for the content of the files that it reads once.
    pub inputs: &'a str,
    /// The members it was told of when it joined; `None` of one that a cluster began with.
    pub joined: Option<&'a str>,
}

impl Facts<'_> {
    /// Where the other members reach this one.
    #[must_use]
    pub fn peer_url(&self) -> String {
        peer_url(self.address)
    }
}

/// Where other members reach the one at an address.
#[must_use]
pub fn peer_url(address: IpAddr) -> String {
    format!("https://{}", SocketAddr::new(address, PEER_PORT))
}

/// Where the program is in an image; that of the project has no entrypoint.
fn program(images: ImageSource) -> &'static str {
    match images {
        ImageSource::Bundle => "/usr/bin/etcd",
        ImageSource::Upstream => "/usr/local/bin/etcd",
    }
}

/// What it is told. What that is of other members counts only while it has no data of its own.
fn flags(facts: &Facts<'_>) -> Vec<Flag> {
    let file = |name| Component::Etcd.file(name);
    let Facts {
        node,
        address,
        wanted,
        ..
    } = *facts;
    let client = SocketAddr::new(address, CLIENT_PORT);
    let peer = facts.peer_url();
    vec![
        ("name", node.to_owned()),
        ("data-dir", data::FOLDER.to_owned()),
        (
            "listen-client-urls",
            format!("https://127.0.0.1:{CLIENT_PORT},https://{client}"),
        ),
        ("advertise-client-urls", format!("https://{client}")),
        ("listen-peer-urls", peer.clone()),
        ("initial-advertise-peer-urls", peer.clone()),
        (
            "initial-cluster",
            facts
                .joined
                .map_or_else(|| format!("{node}={peer}"), str::to_owned),
        ),
        (
            "initial-cluster-state",
            if facts.joined.is_some() {
                "existing"
            } else {
                "new"
            }
            .to_owned(),
        ),
        ("client-cert-auth", "true".to_owned()),
        ("trusted-ca-file", file("ca.crt")),
        ("cert-file", file("server.pem")),
        ("key-file", file("server.pem")),
        ("peer-client-cert-auth", "true".to_owned()),
        ("peer-trusted-ca-file", file("ca.crt")),
        ("peer-cert-file", file("peer.pem")),
        ("peer-key-file", file("peer.pem")),
        ("tls-min-version", "TLS1.3".to_owned()),
        ("listen-metrics-urls", format!("http://{HEALTH}")),
        ("heartbeat-interval", wanted.heartbeat_ms.to_string()),
        ("election-timeout", wanted.election_ms.to_string()),
        ("quota-backend-bytes", wanted.quota_bytes.to_string()),
        // The API server compacts the history itself, every five minutes.
        ("auto-compaction-retention", "0".to_owned()),
    ]
}

/// The service.
#[must_use]
pub fn spec(facts: &Facts<'_>) -> ServiceSpec {
    let own = |path: String, read_only| ServiceMount {
        source: path.clone(),
        target: path,
        read_only,
        ..ServiceMount::default()
    };
    let uid = Component::Etcd.uid();
    ServiceSpec {
        image: image::reference(Component::Etcd, "", facts.images),
        program: program(facts.images).to_owned(),
        // It reads whom it believes once: it is another one when that has changed, so that it is started again.
        environment: vec![format!("GARBOARD_INPUTS={}", facts.inputs)],
        args: arguments(&flags(facts)).collect(),
        mounts: vec![
            own(Component::Etcd.folder().display().to_string(), true),
            own(data::FOLDER.to_owned(), false),
        ],
        uid,
        gid: uid,
        conditions: [EPHEMERAL, FILES, CONDITION].map(str::to_owned).into(),
        check: Some(ServiceCheck {
            kind: ServiceCheckKind::Http,
            target: format!("http://{HEALTH}/health"),
            ..ServiceCheck::default()
        }),
        // What it answers is in its memory: pages that are taken from it are read again for every call.
        memory_min: Some(64 << 20),
        // Without it nothing of the cluster can be changed.
        oom_score_adj: Some(-998),
        stop_seconds: Some(30),
        ..ServiceSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> EtcdSpec {
        EtcdSpec {
            heartbeat_ms: 300,
            election_ms: 3000,
            quota_bytes: 2 << 30,
            ..EtcdSpec::default()
        }
    }

    #[test]
    fn nobody_is_answered_without_a_certificate_but_for_its_health() {
        let spec = spec(&Facts {
            node: "cp-1",
            address: "fd00::2".parse().unwrap(),
            images: ImageSource::Bundle,
            wanted: &wanted(),
            inputs: "",
            joined: None,
        });
        let has = |flag: &str| {
            assert!(
                spec.args.iter().any(|it| it == flag),
                "{flag}: {:?}",
                spec.args
            )
        };
        has("--heartbeat-interval=300");
        has("--election-timeout=3000");
        has("--quota-backend-bytes=2147483648");
        has("--client-cert-auth=true");
        has("--peer-client-cert-auth=true");
        has("--listen-metrics-urls=http://127.0.0.1:2381");
        has("--initial-cluster=cp-1=https://[fd00::2]:2380");
        assert_ne!((spec.uid, spec.gid), (0, 0));
    }

    #[test]
    fn one_that_joins_begins_no_cluster() {
        let joined = "cp-1=https://10.0.0.1:2380,cp-2=https://10.0.0.2:2380";
        let spec = spec(&Facts {
            node: "cp-2",
            address: "10.0.0.2".parse().unwrap(),
            images: ImageSource::Bundle,
            wanted: &wanted(),
            inputs: "",
            joined: Some(joined),
        });
        let has = |flag: &str| spec.args.iter().any(|it| it == flag);
        assert!(has("--initial-cluster-state=existing"), "{:?}", spec.args);
        assert!(has(&format!("--initial-cluster={joined}")));
    }
}
