//! The controllers on a runtime: a config goes in, merged specs and files come out.

use std::path::Path;
use std::time::Duration;

use cosi::{Rest, Runtime};
use jiff::Timestamp;
use resources::config::{ACTIVE, MachineConfig};
use resources::net::{
    AddressSpec, ConfigLayer, Dhcp4Spec, HOSTNAME, HostnameSpec, LAYERED, LinkStatus, MERGED,
    RESOLVERS, ResolverSpec,
};
use store::{Resource, Spec, Store, Transaction};

use crate::network::{Host, hostname, register_pure, resolver, static_host};

/// Long enough for a busy machine; a healthy run takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(20);

fn put(store: &Store, resource: Resource) {
    let transaction = Transaction::owned("test").put(resource);
    store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
}

fn config(text: &str) -> Resource {
    let text = text.replace("kind:", "apiVersion: garboard/v1alpha1\nkind:");
    let spec = MachineConfig {
        text,
        ..MachineConfig::default()
    };
    Resource::in_default(ACTIVE, spec)
}

fn ids<S: Spec>(store: &Store, namespace: &str) -> Vec<String> {
    let snapshot = store.snapshot();
    snapshot
        .list_as::<S>(namespace)
        .map(|it| it.id().to_owned())
        .collect()
}

fn runtime(store: &Store, folder: &Path) -> Runtime {
    let mut runtime = Runtime::new("machined", store.clone());
    let host = Host {
        command_line: "",
        machine_id: "0e6bd0b46a4a4f2b9d393c6a52a5b0b3",
        folder,
    };
    register_pure(&mut runtime, host).unwrap();
    runtime
        .register(hostname::apply::Apply::with(
            folder.join("hostname"),
            |_| Ok(()),
        ))
        .unwrap();
    runtime
        .register(resolver::apply::Apply::new(folder.join("resolv.conf")))
        .unwrap();
    runtime
        .register(static_host::apply::Apply::new(folder.join("hosts")))
        .unwrap();
    runtime
}

/// What networkd says of a machine with one link and a DHCP server.
fn observe(store: &Store) {
    let link = LinkStatus {
        physical: true,
        ..LinkStatus::default()
    };
    put(store, Resource::in_default("eth0", link));
    let leased = ResolverSpec {
        servers: vec![[10, 0, 0, 53].into()],
        layer: ConfigLayer::Operator,
        ..ResolverSpec::default()
    };
    put(
        store,
        Resource::new(LAYERED, "operator/dhcp4/eth0/resolvers", leased),
    );
}

async fn reached(rest: &Rest) {
    tokio::time::timeout(DEADLINE, rest.reached())
        .await
        .expect("the controllers come to rest");
}

/// The loopback's lines, first in every `hosts` file.
const LOCAL: &str = "127.0.0.1 localhost\n::1 localhost\n::1 ip6-localhost ip6-loopback\n";

#[tokio::test]
async fn a_config_becomes_merged_specs_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(1);
    observe(&store);
    let runtime = runtime(&store, folder.path());
    let rest = runtime.rest();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = runtime.run(async {
        stopped.await.ok();
    });
    let testing = async {
        reached(&rest).await;
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("hostname"), "garboard-0e6bd0b4\n");
        assert_eq!(read("resolv.conf"), "nameserver 10.0.0.53\n");
        assert_eq!(read("hosts"), LOCAL);
        assert_eq!(ids::<Dhcp4Spec>(&store, MERGED), ["eth0"]);
        assert_eq!(ids::<AddressSpec>(&store, MERGED), [""; 0]);

        put(
            &store,
            config(
                "kind: Hostname\nhostname: node-1\n---\nkind: Resolver\nservers: [9.9.9.9]\n---\n\
                 kind: Link\nname: eth0\naddresses: [10.0.0.2/24]\n---\n\
                 kind: StaticHost\nname: registry\naddresses: [10.0.0.5, \"fd00::5\"]\n",
            ),
        );
        reached(&rest).await;
        assert_eq!(read("hostname"), "node-1\n");
        assert_eq!(read("resolv.conf"), "nameserver 9.9.9.9\n");
        assert_eq!(
            read("hosts"),
            format!("{LOCAL}10.0.0.5 registry\nfd00::5 registry\n")
        );
        assert_eq!(ids::<AddressSpec>(&store, MERGED), ["eth0/10.0.0.2/24"]);
        let dhcp4 = store
            .snapshot()
            .get_as::<Dhcp4Spec>(MERGED, "eth0")
            .unwrap();
        assert!(!dhcp4.spec.enabled);

        put(&store, config("kind: Hostname\nhostname: node-2\n"));
        reached(&rest).await;
        assert_eq!(read("hosts"), LOCAL);
        assert_eq!(ids::<AddressSpec>(&store, MERGED), [""; 0]);
        let name = store
            .snapshot()
            .get_as::<HostnameSpec>(MERGED, HOSTNAME)
            .unwrap();
        assert_eq!(name.spec.hostname, "node-2");
        let resolvers = store
            .snapshot()
            .get_as::<ResolverSpec>(MERGED, RESOLVERS)
            .unwrap();
        assert_eq!(resolvers.spec.layer, ConfigLayer::Operator);
        stop.send(()).unwrap();
    };
    let (_, ()) = tokio::join!(running, testing);
}

/// After a restart every spec is missing for a moment, and networkd may take long to say what it has.
#[tokio::test]
async fn a_name_is_not_forgotten_without_proof() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts");
    std::fs::write(&path, "10.0.0.5 registry\n").unwrap();
    let store = Store::new(1);
    let mut runtime = runtime(&store, folder.path());
    runtime.await_peer("networkd");
    let written = testkit::until("the loopback's names", || {
        let text = std::fs::read_to_string(&path).unwrap();
        text.starts_with(LOCAL).then_some(text)
    });
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        text = written => assert_eq!(text, format!("{LOCAL}10.0.0.5 registry\n")),
    }
}
