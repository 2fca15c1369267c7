//! What the nodes of a cluster have in common.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use etcd::{CLIENT_PORT, Check, Client};
use jiff::Timestamp;
use machined::kubernetes::etcd::access;
use pki::kubernetes::{ControlPlane, Purpose, ServiceAccountKey, shared_key, wanted};
use pki::{Authority, Names};
use rustls::ClientConfig;

/// The secrets of a cluster.
pub(crate) struct Cluster {
    etcd: Authority,
    /// The config that every node has.
    pub(crate) config: String,
}

/// A text as YAML has it, so deep.
fn block(name: &str, depth: usize, text: &str) -> String {
    let indent = "  ".repeat(depth);
    let lines = text.lines().map(|line| format!("{indent}  {line}\n"));
    format!("{indent}{name}: |\n{}", lines.collect::<String>())
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let now = Timestamp::now();
        let authority = |name| Authority::generate(name, now).unwrap();
        let (issuer, aggregator, etcd) = (
            authority("kubernetes"),
            authority("front-proxy"),
            authority("etcd"),
        );
        let pair = |name: &str, of: &Authority| {
            let identity = of.identity();
            let certificate = block("certificate", 2, identity.certificate_pem());
            let key = block("key", 2, identity.key_pem().expose());
            format!("  {name}:\n{certificate}{key}")
        };
        let account = ServiceAccountKey::generate().unwrap();
        let config = format!(
            "apiVersion: garboard/v1alpha1\nkind: KubernetesTrust\n{}controlPlane:\n{}{}{}{}  encryptionKey: {}\n",
            block("ca", 0, issuer.identity().certificate_pem()),
            pair("issuer", &issuer),
            pair("aggregator", &aggregator),
            pair("etcd", &etcd),
            block("serviceAccountKey", 1, account.private_pem().expose()),
            shared_key().unwrap().expose(),
        );
        Self { etcd, config }
    }

    /// What a member at an address has: the authority, its own certificate, and that to the others.
    pub(crate) fn files(&self, name: &str, address: Ipv4Addr) -> [(&'static str, String); 3] {
        let plane = ControlPlane {
            node: name,
            addresses: &BTreeSet::from([IpAddr::from(address)]),
            endpoint: &Names::default(),
            services: &[],
            dns_domain: "cluster.local",
        };
        let issued = |purpose: Purpose| {
            let all = wanted(&plane);
            let spec = all.iter().find(|it| it.purpose == purpose).unwrap();
            let identity = self.etcd.issue(spec, Timestamp::now()).unwrap();
            let key = identity.key_pem().expose();
            format!("{}{key}", identity.certificate_pem())
        };
        [
            ("ca.crt", self.etcd.identity().certificate_pem().to_owned()),
            ("server.pem", issued(Purpose::EtcdServer)),
            ("peer.pem", issued(Purpose::EtcdPeer)),
        ]
    }

    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        let documents = config::parse("test", self.config.as_bytes()).expect("a config");
        access::tls(&documents, Timestamp::now()).unwrap()
    }

    pub(crate) fn client(&self, address: Ipv4Addr) -> Client {
        Client::new(SocketAddr::from((address, CLIENT_PORT)), self.tls())
    }

    /// A whole snapshot.
    pub(crate) async fn snapshot(&self, address: Ipv4Addr) -> Vec<u8> {
        let mut parts = self.client(address).snapshot().await.unwrap();
        let (mut all, mut check) = (Vec::new(), Check::default());
        while let Some(part) = parts.next().await.unwrap() {
            check.take(&part.bytes).unwrap();
            all.extend(part.bytes);
        }
        assert_eq!(check.end().unwrap(), u64::try_from(all.len()).unwrap());
        all
    }
}
