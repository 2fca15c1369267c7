//! A node: its state, its controllers, its disk, and what runs its services.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use etcd::CLIENT_PORT;
use jiff::Timestamp;
use machined::block::volume::apply::EPHEMERAL;
use machined::kubernetes::etcd::apply::Apply;
use machined::kubernetes::etcd::bootstrap::{Beginning, Bootstrap};
use machined::kubernetes::etcd::member::{self, Member};
use machined::kubernetes::etcd::snapshots;
use machined::network::lookup::Lookup;
use resources::config::{ACTIVE, MachineConfig};
use resources::kubernetes::{ETCD, EtcdSnapshot, EtcdSpec, KUBERNETES, KubernetesSpec, NodeStatus};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use resources::runtime::Condition;
use store::{Resource, Spec, Store, Transaction};
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use super::programs::program;
use super::services::Services;

/// Far longer than anything here takes, even where three members share a busy disk.
const PATIENCE: Duration = Duration::from_secs(600);

/// Looks again and again until there is something; fails the test when there never is.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A node of a control plane.
pub(crate) struct Node {
    name: String,
    address: Ipv4Addr,
    disk: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) bootstrap: Bootstrap,
    /// How its etcd is to run.
    wanted: EtcdSpec,
    /// Its controllers and its services, while it lives.
    life: Option<(JoinHandle<()>, JoinHandle<()>)>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

pub(crate) fn put<S: Spec>(store: &Store, id: &str, spec: S) {
    let transaction = Transaction::owned("test").put(Resource::in_default(id, spec));
    store.commit(transaction, Timestamp::now()).unwrap();
}

pub(crate) fn get<S: Spec>(store: &Store, id: &str) -> Option<S> {
    let snapshot = store.snapshot();
    let found = snapshot.get_as::<S>(S::DEFINITION.namespace, id);
    found.map(|it| (*it.spec).clone())
}

/// Where a node has its data: a user namespace knows one user alone.
fn bootstrap(disk: &Path) -> Bootstrap {
    Bootstrap::new(disk.join("etcd"), nix::unistd::getuid().as_raw())
}

impl Node {
    /// A new one with an empty disk, which lives.
    pub(crate) async fn start(cluster: &Cluster, name: &str, address: Ipv4Addr) -> Self {
        let wanted = EtcdSpec {
            heartbeat_ms: 300,
            election_ms: 3000,
            quota_bytes: 2 << 30,
            ..EtcdSpec::default()
        };
        Self::start_with(cluster, name, address, wanted).await
    }

    /// The same with an etcd that runs otherwise.
    pub(crate) async fn start_with(
        cluster: &Cluster,
        name: &str,
        address: Ipv4Addr,
        wanted: EtcdSpec,
    ) -> Self {
        let disk = tempfile::tempdir().unwrap();
        let mut node = Self {
            name: name.to_owned(),
            address,
            bootstrap: bootstrap(disk.path()),
            disk,
            store: Store::new(1),
            wanted,
            life: None,
        };
        node.live(cluster).await;
        node
    }

    /// Has it begin another life, with the disk that it has.
    pub(crate) async fn live(&mut self, cluster: &Cluster) {
        self.end();
        let files = self.disk.path().join("files");
        fs::create_dir_all(&files).unwrap();
        for (name, text) in cluster.files(&self.name, self.address) {
            fs::write(files.join(name), text).unwrap();
        }
        self.store = Store::new(1);
        self.bootstrap = bootstrap(self.disk.path());
        self.facts(cluster);
        let mut controllers = cosi::Runtime::new("machined", self.store.clone());
        let apply = Apply::new(self.bootstrap.clone());
        controllers.register(apply).unwrap();
        let lookup = Lookup::new(|name| Box::pin(async move { Err(format!("no {name}")) }));
        let member = Member::new(self.bootstrap.clone(), lookup);
        controllers.register(member).unwrap();
        let kept = snapshots::apply::Apply::new(self.kept_in(), self.client_address());
        controllers.register(kept).unwrap();
        let services = Services {
            store: self.store.clone(),
            disk: self.disk.path().to_owned(),
            address: self.address,
        };
        self.life = Some((
            tokio::spawn(async move {
                controllers.run(std::future::pending()).await;
            }),
            tokio::spawn(services.run()),
        ));
    }

    /// What other controllers of a node know.
    fn facts(&self, cluster: &Cluster) {
        let store = &self.store;
        let range = |it: &str| it.parse().unwrap();
        put(
            store,
            KUBERNETES,
            KubernetesSpec {
                // All that a new node knows of the others.
                endpoint: "https://127.0.1.1:6443".to_owned(),
                pod_ranges: vec![range("10.244.0.0/16")],
                service_ranges: vec![range("10.96.0.0/12")],
                control_plane: true,
                ..KubernetesSpec::default()
            },
        );
        put(store, ETCD, self.wanted.clone());
        let addresses = vec![range(&format!("{}/8", self.address))];
        put(store, CURRENT, NodeAddress { addresses });
        put(
            store,
            HOSTNAME,
            HostnameSpec {
                hostname: self.name.clone(),
                ..HostnameSpec::default()
            },
        );
        put(
            store,
            ACTIVE,
            MachineConfig {
                generation: 1,
                text: cluster.config.clone(),
                ..MachineConfig::default()
            },
        );
        let two = NodeStatus {
            control_plane: true,
            addresses: vec!["127.0.1.2".to_owned()],
            ..NodeStatus::default()
        };
        put(store, "cp-2", two);
        let met = Condition {
            met: true,
            message: String::new(),
        };
        put(store, EPHEMERAL, met);
    }

    fn end(&mut self) {
        if let Some((controllers, services)) = self.life.take() {
            controllers.abort();
            services.abort();
        }
    }

    /// Ends all that runs on it at once.
    pub(crate) async fn kill(&mut self) {
        if let Some((controllers, services)) = self.life.take() {
            controllers.abort();
            services.abort();
            // Its processes end with what keeps them.
            drop((controllers.await, services.await));
        }
    }

    /// Has its etcd run otherwise, from now on.
    pub(crate) fn want(&mut self, change: impl FnOnce(&mut EtcdSpec)) {
        change(&mut self.wanted);
        put(&self.store, ETCD, self.wanted.clone());
    }

    /// Where the snapshots are that it keeps: on its disk, beside etcd's data.
    pub(crate) fn kept_in(&self) -> PathBuf {
        self.disk.path().join("snapshots")
    }

    /// The snapshots that it says it keeps, the oldest first.
    pub(crate) fn kept(&self) -> Vec<(String, EtcdSnapshot)> {
        let snapshot = self.store.snapshot();
        let rows = snapshot.list_as::<EtcdSnapshot>(EtcdSnapshot::DEFINITION.namespace);
        let rows = rows.map(|it| (it.metadata.id.to_string(), (*it.spec).clone()));
        // By their numbers, which all have six digits here.
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|one, two| one.0.cmp(&two.0));
        rows
    }

    pub(crate) fn lose_disk(&self) {
        fs::remove_dir_all(self.bootstrap.folder()).unwrap();
    }

    /// Says that the cluster begins here.
    pub(crate) async fn begin(&self) {
        let begun = self.bootstrap.begin(&self.store).await.unwrap();
        assert_eq!(begun, Beginning::Ordered);
        let again = self.bootstrap.begin(&self.store).await.unwrap();
        assert_eq!(again, Beginning::Before);
    }

    pub(crate) async fn votes(&self) {
        until(&format!("{} to vote", self.name), async || {
            let condition = get::<Condition>(&self.store, member::CONDITION)?;
            condition.met.then_some(())
        })
        .await;
    }

    /// Waits until the condition of its membership is not met and says this.
    pub(crate) async fn says(&self, words: &str) {
        self.says_of(member::CONDITION, false, words).await;
    }

    /// Waits until a condition is met, or is not, and says this; gives all that it says.
    pub(crate) async fn says_of(&self, condition: &str, met: bool, words: &str) -> String {
        until(&format!("{} to say {words:?}", self.name), async || {
            let condition = get::<Condition>(&self.store, condition)?;
            let says = condition.met == met && condition.message.contains(words);
            says.then_some(condition.message)
        })
        .await
    }

    pub(crate) fn client_address(&self) -> SocketAddr {
        SocketAddr::from((self.address, CLIENT_PORT))
    }

    /// Asks its member something, with what it reads; what it answered, when that was no error.
    pub(crate) async fn etcdctl(&self, args: &[&str]) -> Option<String> {
        self.etcdctl_with(args, Path::new("/dev/null")).await.ok()
    }

    /// The same with what it reads from a file; the error is what it said.
    pub(crate) async fn etcdctl_with(&self, args: &[&str], input: &Path) -> Result<String, String> {
        let file = |name: &str| self.disk.path().join("files").join(name);
        let output = Command::new(program("etcdctl"))
            .arg(format!("--endpoints=https://{}", self.client_address()))
            .arg("--cacert")
            .arg(file("ca.crt"))
            .arg("--cert")
            .arg(file("server.pem"))
            .arg("--key")
            .arg(file("server.pem"))
            .args(args)
            .stdin(fs::File::open(input).unwrap())
            .output()
            .await
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        match output.status.success() {
            true => Ok(text(output.stdout)),
            false => Err(text(output.stderr)),
        }
    }

    /// Writes through its member, which needs a majority.
    pub(crate) async fn put(&self, key: &str, value: &str) {
        until(&format!("{key}={value} to be written"), async || {
            self.etcdctl(&["put", key, value]).await
        })
        .await;
    }

    /// Waits until its own data has a value.
    pub(crate) async fn knows(&self, key: &str, value: &str) {
        until(
            &format!("{} to know {key}={value}", self.name),
            async || {
                let get = ["get", key, "--consistency=s", "--print-value-only"];
                let text = self.etcdctl(&get).await?;
                (text.trim() == value).then_some(())
            },
        )
        .await;
    }
}
