//! A node, as far as images are fetched.

use std::fs::{self, File};
use std::future::pending;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use containerd::Client;
use cosi::{Rest, Runtime};
use jiff::Timestamp;
use machined::images::{self, Places, registries, registry};
use machined::runtime::trusted_roots;
use resources::config::{ACTIVE, MachineConfig};
use store::{Resource, Store, Transaction};
use tempfile::TempDir;
use tokio::sync::watch;

/// Far longer than anything here takes, so that a hang is a failure and not a stuck run.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// containerd's settings on every node.
const SETTINGS: &str = include_str!("../../../image/root/etc/containerd/config.toml");

/// The node.
pub(crate) struct Node {
    folder: TempDir,
    store: Store,
    rest: Rest,
    runtime: Mutex<Option<Runtime>>,
    client: Client,
    containerd: Child,
}

fn program() -> PathBuf {
    let folder = std::env::var_os("GARBOARD_CONTAINERD").expect(
        "GARBOARD_CONTAINERD, a folder with containerd's programs: `cargo xtask test` sets it; by hand it is what \
         `cargo run -p garboard-image -- go build containerd` prints",
    );
    PathBuf::from(folder).join("containerd")
}

/// The settings with other places, and with layers that are put together without a filesystem of their own.
fn settings(folder: &Path) -> String {
    let here = |name: &str| format!("'{}'", folder.join(name).display());
    let mut text = SETTINGS.to_owned();
    for (on_a_node, in_the_test) in [
        ("'/var/lib/containerd'", here("root")),
        ("'/run/containerd'", here("state")),
        ("'/run/containerd/containerd.sock'", here("sock")),
        ("'/run/containerd/containerd.sock.ttrpc'", here("ttrpc")),
        (
            "'/run/garboard/registries:/etc/containerd/certs.d'",
            here("registries"),
        ),
        ("'/run/cdi'", here("cdi")),
        ("'/opt/cni/bin', '/usr/lib/cni'", here("cni")),
        ("'/run/cni/net.d'", here("net.d")),
        ("  'io.containerd.snapshotter.v1.native',\n", String::new()),
        (
            "snapshotter = 'overlayfs'",
            "snapshotter = 'native'".to_owned(),
        ),
    ] {
        assert_eq!(text.matches(on_a_node).count(), 1, "{on_a_node}");
        text = text.replace(on_a_node, &in_the_test);
    }
    text
}

impl Node {
    /// Starts containerd, and the registry with the images that came with the node, of which there are none.
    pub(crate) async fn start() -> Self {
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.expect("ip (iproute2) is needed").success());
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        fs::write(&config, settings(folder.path())).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let containerd = Command::new(program())
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let store = Store::new(1);
        let mut runtime = Runtime::new("machined", store.clone());
        runtime.register(trusted_roots::config::Config).unwrap();
        runtime.register(registries::config::Config).unwrap();
        let place = folder.path().join("registries");
        runtime
            .register(registries::apply::Apply::new(place))
            .unwrap();
        let node = Self {
            client: Client::new(&folder.path().join("sock")),
            rest: runtime.rest(),
            runtime: Mutex::new(Some(runtime)),
            containerd: containerd.expect("containerd"),
            store,
            folder,
        };
        node.answers().await;
        node
    }

    async fn answers(&self) {
        let start = Instant::now();
        while self.client.image("none.example.org/none:1").await.is_err() {
            assert!(start.elapsed() < PATIENCE, "{}", self.log());
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Does something while the controllers run and the images that came with the node are served.
    pub(crate) async fn live(&self, body: impl Future<Output = ()>) {
        let runtime = self.runtime.lock().unwrap().take().unwrap();
        let (_told, faults) = watch::channel(images::Faults::default());
        let (_status, own) = images::parts(Places::default(), faults).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", registry::PORT)).unwrap();
        tokio::select! {
            _ = runtime.run(pending()) => unreachable!("it has no end"),
            error = own.serve(listener) => panic!("{error}"),
            () = body => {}
        }
    }

    /// Gives it these documents, and waits until all has come of them that comes.
    pub(crate) async fn configure(&self, documents: &[&str]) {
        let documents = documents.iter().chain(&["kind: Hostname\nhostname: a"]);
        let texts: Vec<String> = documents
            .map(|it| format!("apiVersion: garboard/v1alpha1\n{it}\n"))
            .collect();
        let text = texts.join("---\n");
        config::check("test", text.as_bytes()).unwrap_or_else(|it| panic!("{it}"));
        let spec = MachineConfig {
            text,
            ..MachineConfig::default()
        };
        let transaction = Transaction::owned("test").put(Resource::in_default(ACTIVE, spec));
        self.store
            .commit(transaction, Timestamp::UNIX_EPOCH)
            .unwrap();
        self.rest.reached().await;
    }

    async fn pull(&self, reference: &str) -> Result<String, String> {
        let pulled = self.client.pull(reference).await;
        pulled.map_err(|error| cosi::report(&error))?;
        let image = self.client.image(reference).await.unwrap();
        Ok(image.expect("it was pulled").digest)
    }

    /// Fetches an image as a kubelet does, again if something was too slow; its digest.
    pub(crate) async fn fetches(&self, reference: &str) -> String {
        let start = Instant::now();
        loop {
            match self.pull(reference).await {
                Ok(digest) => return digest,
                Err(told) => assert!(start.elapsed() < PATIENCE, "{told}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Fails to fetch an image, and says this of it.
    pub(crate) async fn refuses(&self, reference: &str, why: &str) {
        let start = Instant::now();
        loop {
            match self.pull(reference).await {
                Ok(_) => panic!("{reference} was fetched"),
                Err(told) if told.contains(why) => return,
                Err(told) => assert!(start.elapsed() < PATIENCE, "{told}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.containerd.kill());
        drop(self.containerd.wait());
    }
}
