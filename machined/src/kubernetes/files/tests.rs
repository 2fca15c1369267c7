//! Every file that a part of Kubernetes is told of is there, and certificates stay as long as they do.

use std::collections::{BTreeMap, BTreeSet};

use ::config::{ApiServerConfig, Documents};
use jiff::{SignedDuration, Timestamp};
use pki::kubernetes::{Authorities, ControlPlane, Purpose, ServiceAccountKey, shared_key, wanted};
use pki::{Authority, Names};
use resources::kubernetes::{ImageSource, KubeletSpec, KubernetesRelease, KubernetesSpec};

use super::certificates::{held, place};
use super::texts::{self, Facts, files};
use crate::kubernetes::component::Component;
use crate::kubernetes::{etcd, kubelet, static_pod};

fn pem(text: &str) -> String {
    text.lines().map(|line| format!("      {line}\n")).collect()
}

fn pair(authority: &Authority) -> String {
    let identity = authority.identity();
    format!(
        "    certificate: |\n{}    key: |\n{}",
        pem(identity.certificate_pem()),
        pem(identity.key_pem().expose())
    )
}

fn documents(now: Timestamp) -> Documents {
    let [kubernetes, aggregator, etcd] =
        ["kubernetes", "front", "etcd"].map(|name| Authority::generate(name, now).unwrap());
    let accounts = ServiceAccountKey::generate().unwrap();
    let text = format!(
        "apiVersion: garboard/v1alpha1\nkind: Machine\nrole: control-plane\n---\n\
         apiVersion: garboard/v1alpha1\nkind: Kubernetes\nversion: 1.37.1\nendpoint: https://api.example.org:6443\n---\n\
         apiVersion: garboard/v1alpha1\nkind: KubernetesTrust\nca: |\n{}controlPlane:\n  issuer:\n{}  aggregator:\n{}  etcd:\n{}  \
         serviceAccountKey: |\n{}  encryptionKey: {}\n",
        pem(kubernetes.identity().certificate_pem()),
        pair(&kubernetes),
        pair(&aggregator),
        pair(&etcd),
        pem(accounts.private_pem().expose()),
        shared_key().unwrap().expose(),
    );
    ::config::parse("test", text.as_bytes()).unwrap()
}

fn authorities(documents: &Documents) -> Authorities {
    let trust = documents.kubernetes_trust().unwrap();
    super::apply::authorities(trust, trust.control_plane.as_ref().unwrap()).unwrap()
}

/// The words of all programs that name a file of ours.
fn told(cluster: &KubernetesSpec, node: &KubeletSpec) -> BTreeSet<String> {
    let address = "10.5.0.2".parse().unwrap();
    let release = KubernetesRelease {
        api_server: "1.37.1".to_owned(),
        clients: "1.37.1".to_owned(),
        ..KubernetesRelease::default()
    };
    let pods = static_pod::pods(&static_pod::Facts {
        cluster,
        release: &release,
        address,
        election: std::time::Duration::ZERO,
        server: &ApiServerConfig::default(),
        inputs: "",
    });
    let etcd = etcd::service::spec(&etcd::service::Facts {
        node: "cp-1",
        address,
        images: ImageSource::Bundle,
        wanted: &resources::kubernetes::EtcdSpec::default(),
        inputs: "",
        joined: None,
    });
    let facts = kubelet::service::Facts {
        cluster,
        version: &release.clients,
        node,
        name: "cp-1",
        addresses: &[address],
        inputs: "",
    };
    let kubelet = kubelet::service::spec(&facts);
    let settings = kubelet::settings::config(cluster, node).to_string();
    let texts = pods
        .values()
        .map(|pod| pod.manifest.clone())
        .chain([settings]);
    let texts = texts.chain(etcd.args).chain(kubelet.args);
    let words = texts.flat_map(|text| {
        let words = text.split(['"', '=', ',']).map(str::to_owned);
        words.collect::<Vec<_>>()
    });
    words
        .filter(|word| word.starts_with("/run/garboard/kubernetes/") && word.contains('.'))
        .collect()
}

#[test]
fn every_file_that_somebody_is_told_of_is_there() {
    let now = Timestamp::now();
    let documents = documents(now);
    let (cluster, node) = crate::kubernetes::config::wanted(&documents).unwrap();
    let trust = documents.kubernetes_trust().unwrap();
    let facts = Facts {
        cluster: &cluster,
        node: &node,
        name: "cp-1",
        trust,
    };
    let server = ApiServerConfig::default();
    let files = files(&facts, trust.control_plane.as_ref().unwrap(), &server).unwrap();
    let mut there: BTreeSet<String> = files
        .iter()
        .flat_map(|(component, files)| files.keys().map(|name| component.file(name)))
        .collect();
    let plane = ControlPlane {
        node: "cp-1",
        addresses: &BTreeSet::new(),
        endpoint: &Names::default(),
        services: &[],
        dns_domain: "cluster.local",
    };
    let places: Vec<_> = wanted(&plane)
        .iter()
        .filter_map(|it| place(it.purpose))
        .collect();
    assert_eq!(places.len(), wanted(&plane).len());
    there.extend(places.iter().map(|(component, name)| component.file(name)));
    assert_eq!(
        there.len(),
        files.values().map(BTreeMap::len).sum::<usize>() + places.len()
    );
    let told = told(&cluster, &node);
    assert!(told.len() > 15, "{told:?}");
    for word in &told {
        assert!(there.contains(word), "{word} is in no folder: {there:?}");
    }
    let kubelet = &files[&Component::Kubelet]["kubeconfig"];
    assert!(
        kubelet.contains("/run/garboard/kubernetes/kubelet/client.pem"),
        "{kubelet}"
    );
    let leading = files.values().filter_map(|it| it.get("kubeconfig"));
    let by_the_balancer = |it: &&String| it.contains("server: https://127.0.0.1:7445\n");
    assert_eq!(leading.filter(by_the_balancer).count(), 3);
    assert_eq!(place(Purpose::Admin), None);
}

#[test]
fn a_kubelet_needs_no_key_of_the_cluster() {
    let documents = documents(Timestamp::now());
    let (cluster, node) = crate::kubernetes::config::wanted(&documents).unwrap();
    let facts = Facts {
        cluster: &cluster,
        node: &node,
        name: "worker-1",
        trust: documents.kubernetes_trust().unwrap(),
    };
    let files = texts::kubelet(&facts).unwrap();
    let kubeconfig = &files["kubeconfig"];
    assert!(kubeconfig.contains("system:node:worker-1"), "{kubeconfig}");
    assert!(files.values().all(|it| !it.contains("PRIVATE KEY")));
}

#[test]
fn a_certificate_stays_until_half_of_its_life_is_over() {
    let now = Timestamp::now();
    let authorities = authorities(&documents(now));
    let addresses = BTreeSet::from(["10.5.0.2".parse().unwrap()]);
    let plane = ControlPlane {
        node: "cp-1",
        addresses: &addresses,
        endpoint: &Names::default(),
        services: &[],
        dns_domain: "cluster.local",
    };
    for spec in wanted(&plane) {
        let first = held(&spec, None, &authorities, now).unwrap();
        let again = held(&spec, Some(&first.text), &authorities, now).unwrap();
        assert_eq!(first.text, again.text, "{:?}", spec.purpose);
        let before = first.until - SignedDuration::from_secs(1);
        assert_eq!(
            held(&spec, Some(&first.text), &authorities, before)
                .unwrap()
                .text,
            first.text
        );
        let after = held(&spec, Some(&first.text), &authorities, first.until).unwrap();
        assert_ne!(after.text, first.text, "{:?}", spec.purpose);
        let broken = held(&spec, Some("-----BEGIN"), &authorities, now).unwrap();
        assert!(broken.certificate.is_valid_at(now));
    }
}

#[test]
fn the_endpoint_is_a_name_or_an_address_in_certificates() {
    let of = |host: &str| {
        let text = format!(
            "apiVersion: garboard/v1alpha1\nkind: Kubernetes\nversion: 1.37.1\nendpoint: https://{host}:6443\n"
        );
        let documents = ::config::parse("test", text.as_bytes()).unwrap();
        super::endpoint(documents.kubernetes().unwrap())
    };
    let six = of("[fd00::2]");
    assert_eq!(six.addresses, BTreeSet::from(["fd00::2".parse().unwrap()]));
    assert!(six.names.is_empty());
    let name = of("api.example.org");
    assert_eq!(name.names, BTreeSet::from(["api.example.org".to_owned()]));
    assert!(name.addresses.is_empty());
}

#[test]
fn what_ran_out_while_the_node_was_off_is_issued_anew() {
    let then = Timestamp::now();
    let authorities = authorities(&documents(then));
    let addresses = BTreeSet::from(["10.5.0.2".parse().unwrap()]);
    let plane = ControlPlane {
        node: "cp-1",
        addresses: &addresses,
        endpoint: &Names::default(),
        services: &[],
        dns_domain: "cluster.local",
    };
    let later = then + SignedDuration::from_hours(400 * 24);
    // The other way round is a clock that has lost its battery.
    for (before, now) in [(then, later), (later, then)] {
        for spec in wanted(&plane) {
            let old = held(&spec, None, &authorities, before).unwrap();
            assert!(!old.certificate.is_valid_at(now), "{:?}", spec.purpose);
            let new = held(&spec, Some(&old.text), &authorities, now).unwrap();
            assert_ne!(new.text, old.text, "{:?}", spec.purpose);
            assert!(new.certificate.is_valid_at(now), "{:?}", spec.purpose);
            assert!(new.until > now && new.until < new.certificate.not_after);
        }
    }
}
