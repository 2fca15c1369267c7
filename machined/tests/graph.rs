//! The picture of the controllers in docs/architecture.md is what the engine itself prints.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use machined::api::{Endpoint, Pairing};
use machined::block::volume::{self, Volumes};
use machined::block::{Disks, bundle};
use machined::config::Storage;
use machined::controllers::{Effects, Parts, register};
use machined::images::{self, Faults, Places};
use machined::kubernetes::admin::Admins;
use machined::kubernetes::balancer;
use machined::kubernetes::etcd::bootstrap::Bootstrap;
use machined::kubernetes::manifest::fetch::{Fetch, Way};
use machined::network::Host;
use machined::network::lookup::Lookup;
use machined::runtime::console::Consoles;
use machined::runtime::console::apply::{ConsoleController, Fixed};
use machined::runtime::console::level::Level;
use machined::runtime::events::Events;
use machined::runtime::service::{self, Orders};
use machined::runtime::{kernel_module, kernel_param};
use pki::pairing::PairingSecret;
use store::Store;
use sys::uevent::Listener;
use tokio::sync::watch;

const BEGIN: &str = "<!-- The engine prints what follows; GARBOARD_BLESS=1 cargo test -p garboard-machined --test graph -->\n";
const END: &str = "<!-- The engine printed this. -->\n";

/// A node like any other.
fn host() -> Host<'static> {
    Host {
        folder: Path::new("/run/garboard"),
        command_line: "",
        machine_id: "0123456789abcdef0123456789abcdef",
    }
}

/// What works on disks.
fn disks(folder: &Path, faults: watch::Sender<Faults>) -> Disks {
    let listener = Listener::open().expect("the kernel's announcements");
    Disks {
        volumes: volume::apply::Apply::new(
            Volumes::new(folder, folder, folder),
            watch::Sender::new(Storage::Looking),
        ),
        bundles: bundle::apply::Apply::new(folder, folder, folder, listener, faults),
    }
}

/// Both runtimes with all their controllers, as one graph.
fn graph() -> String {
    let identity = pki::maintenance_identity().expect("an identity");
    let endpoint = Endpoint::maintenance(&identity, None).expect("an endpoint");
    let pairing = Pairing::new(&identity, PairingSecret::from_bytes([0; 5]));
    let fixed = Fixed {
        version: String::new(),
        api_port: 0,
        fingerprint: String::new(),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let params = kernel_param::apply::Apply::new("/proc/sys".into(), folder.path());
    let places = service::apply::Places {
        groups: folder.path().join("groups"),
        records: folder.path().join("services"),
        logs: folder.path().join("logs"),
        roots: folder.path().join("containers"),
        containerd: folder.path().join("containerd.sock"),
    };
    let services = service::apply::Apply::new(places, Orders::default());
    let (faults, told) = watch::channel(Faults::new());
    let effects = Effects {
        params: params.expect("a folder"),
        modules: kernel_module::apply::Apply::new("/usr/lib/modules".into(), ""),
        disks: Some(disks(folder.path(), faults)),
        services: services.expect("a folder"),
        images: images::parts(Places::default(), told).expect("a watch").0,
    };
    let store = Store::new(1);
    let lookup = Lookup::of(store.clone());
    let parts = Parts {
        effects,
        manifests: Fetch::new(Way::of(store.clone())),
        balancer: balancer::parts(lookup.clone(), folder.path().join("kubelet")).0,
        lookup,
        console: ConsoleController::new(
            Consoles::active(""),
            Level::new(folder.path().join("printk"), folder.path().join("kept")),
            fixed,
            pairing.shown(),
        ),
        endpoint: watch::Sender::new(Arc::new(endpoint)),
        events: Arc::new(Events::default()),
        identity,
        devices: Listener::open().expect("the kernel's announcements"),
        bootstrap: Bootstrap::new(folder.path().join("etcd"), 0),
        admins: Admins::default(),
    };
    let mut runtime = cosi::Runtime::new("machined", store);
    register(&mut runtime, parts, host()).expect("no two controllers claim the same");
    let mut graph = cosi::Graph::default();
    for node in runtime.graph().nodes() {
        graph.add(*node).expect("machined's own");
    }
    for node in networkd::daemon::nodes() {
        graph
            .add(node)
            .expect("networkd writes nothing that machined writes");
    }
    format!("```mermaid\n{}```\n", graph.to_mermaid())
}

#[tokio::test]
async fn generated_picture_of_the_controllers_is_the_engines() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/architecture.md");
    let page = std::fs::read_to_string(&path).expect("docs/architecture.md");
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("the marker before the picture");
    let (_, after) = rest.split_once(END).expect("the marker after the picture");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", graph());
    if std::env::var_os("GARBOARD_BLESS").is_some() {
        std::fs::write(&path, &wanted).expect("written");
    }
    let page = std::fs::read_to_string(&path).expect("docs/architecture.md");
    assert!(
        page == wanted,
        "docs/architecture.md is behind; `cargo xtask gen` writes it"
    );
}
