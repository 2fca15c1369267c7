//! From documents to files.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use cosi::Runtime;
use jiff::Timestamp;
use resources::config::{ACTIVE, MachineConfig};
use resources::images::{CachedImage, RegistryStatus};
use store::{Resource, Spec, Store, Transaction};

use super::apply::Apply;
use super::config::Config;
use crate::runtime::trusted_roots;

const API: &str = "apiVersion: garboard/v1alpha1\n";

fn commit<S: Spec>(store: &Store, id: &str, spec: S) {
    let transaction = Transaction::owned("test").put(Resource::in_default(id, spec));
    store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
}

fn configure(store: &Store, documents: &[&str]) {
    let documents = documents.iter().chain(&["kind: Hostname\nhostname: a"]);
    let texts: Vec<String> = documents.map(|it| format!("{API}{it}\n")).collect();
    let spec = MachineConfig {
        text: texts.join("---\n"),
        ..MachineConfig::default()
    };
    commit(store, ACTIVE, spec);
}

fn runtime(store: &Store, folder: &Path) -> Runtime {
    let mut runtime = Runtime::new("machined", store.clone());
    runtime.register(Config).unwrap();
    runtime.register(trusted_roots::config::Config).unwrap();
    runtime
        .register(Apply::new(folder.join("registries")))
        .unwrap();
    runtime
}

/// Runs the controllers until there is nothing left to do, again after each step.
async fn through(runtime: Runtime, steps: &[&dyn Fn()]) {
    let rest = runtime.rest();
    let testing = async {
        for step in steps {
            rest.reached().await;
            step();
        }
    };
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        () = testing => {}
    }
}

fn status(store: &Store, id: &str) -> Option<RegistryStatus> {
    let found = store
        .snapshot()
        .get_as::<RegistryStatus>(RegistryStatus::DEFINITION.namespace, id);
    found.map(|it| (*it.spec).clone())
}

const MIRROR: &str =
    "kind: RegistryMirror\nname: docker.io\nendpoints: [{url: 'https://m.lab:5000'}]";
const AUTH: &str = "kind: RegistryAuth\nname: m.lab:5000\nusername: me\npassword: hunter2";

#[tokio::test]
async fn what_documents_say_is_written_and_goes_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(1);
    let hosts = |name: &str| {
        fs::read_to_string(folder.path().join(format!("registries/{name}/hosts.toml"))).ok()
    };
    let authority = pki::Authority::generate("lab", Timestamp::now()).unwrap();
    let pem = authority.identity().certificate_pem();
    let indented: String = pem.lines().map(|line| format!("  {line}\n")).collect();
    let roots = format!("kind: TrustedRoots\nname: lab\ncertificates: |\n{indented}");
    through(runtime(&store, folder.path()), &[
        &|| {
            // Nothing is said yet, and all the same the registry itself is all there is to be asked.
            let any = hosts("_default").unwrap();
            assert!(!any.contains("host.") && !any.contains("ca ="), "{any}");
            configure(&store, &[MIRROR, AUTH, &roots]);
        },
        &|| {
            let docker = hosts("docker.io").unwrap();
            assert!(docker.contains("[host.\"https://m.lab:5000\".header]\nAuthorization = \"Basic bWU6aHVudGVyMg==\"\n"), "{docker}");
            let certificate = folder.path().join("registries/docker.io/../.certificates/0.pem");
            assert_eq!(fs::read_to_string(certificate).unwrap(), pem);
            assert!(hosts("_default").unwrap().contains("ca ="));
            assert!(!docker.contains(":3172"), "{docker}");
            let status = status(&store, "docker.io").unwrap();
            assert_eq!(status.mirrors, ["https://m.lab:5000"]);
                assert!(status.fallback);
            assert_eq!(status.credentials, ["https://m.lab:5000"]);
            commit(&store, "docker.io/library/busybox:1", CachedImage::default());
        },
        &|| {
            let docker = hosts("docker.io").unwrap();
            assert!(docker.contains("[host.\"http://127.0.0.1:3172\"]"), "{docker}");
            configure(&store, &[]);
        },
        &|| {
            let docker = hosts("docker.io").unwrap();
            assert!(docker.contains(":3172") && !docker.contains("m.lab"), "{docker}");
            assert_eq!(hosts("m.lab:5000"), None);
            assert_eq!(status(&store, "docker.io"), None);
        },
    ]).await;
}

/// The state begins anew with a daemon, and for a moment nobody has said anything.
#[tokio::test]
async fn what_a_daemon_before_has_written_stays_until_the_config_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(1);
    configure(&store, &[MIRROR, AUTH]);
    through(runtime(&store, folder.path()), &[&|| ()]).await;
    let place = folder.path().join("registries");
    let before = File::open(place.join("docker.io/hosts.toml")).unwrap();

    let store = Store::new(2);
    let mut late = Runtime::new("machined", store.clone());
    late.register(Apply::new(place.clone())).unwrap();
    late.register(Config).unwrap();
    configure(&store, &[MIRROR, AUTH]);
    through(late, &[&|| ()]).await;
    let names = before.metadata().unwrap().nlink();
    assert_eq!(names, 1, "it was written anew");
}
