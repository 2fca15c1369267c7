//! A node: its state, its controllers, its disk, and what runs its services.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use etcd::CLIENT_PORT;
use jiff::Timestamp;
use machined::block::volume::apply::EPHEMERAL;
use machined::kubernetes::etcd::apply::Apply;
use machined::kubernetes::etcd::bootstrap::{Beginning, Bootstrap};
use machined::kubernetes::etcd::member::{self, Member};
use machined::kubernetes::etcd::service::CONDITION;
use machined::network::lookup::Lookup;
use resources::config::{ACTIVE, MachineConfig};
use resources::kubernetes::{ETCD, EtcdSpec, KUBERNETES, KubernetesSpec, NodeStatus};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use resources::runtime::{Condition, ServiceSpec, ServiceState, ServiceStatus};
use store::{Resource, Spec, Store, Transaction};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use super::programs::program;

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
    /// Its controllers and its services, while it lives.
    life: Option<(JoinHandle<()>, JoinHandle<()>)>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

fn put<S: Spec>(store: &Store, id: &str, spec: S) {
    let transaction = Transaction::owned("test").put(Resource::in_default(id, spec));
    store.commit(transaction, Timestamp::now()).unwrap();
}

fn get<S: Spec>(store: &Store, id: &str) -> Option<S> {
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
        let disk = tempfile::tempdir().unwrap();
        let mut node = Self {
            name: name.to_owned(),
            address,
            bootstrap: bootstrap(disk.path()),
            disk,
            store: Store::new(1),
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
        put(
            store,
            ETCD,
            EtcdSpec {
                heartbeat_ms: 300,
                election_ms: 3000,
                quota_bytes: 2 << 30,
            },
        );
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
        until(&format!("{} to say {words:?}", self.name), async || {
            let condition = get::<Condition>(&self.store, member::CONDITION)?;
            (!condition.met && condition.message.contains(words)).then_some(())
        })
        .await;
    }

    pub(crate) fn client_address(&self) -> SocketAddr {
        SocketAddr::from((self.address, CLIENT_PORT))
    }

    async fn etcdctl(&self, args: &[&str]) -> Option<String> {
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
            .output()
            .await
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then_some(text)
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

/// What runs the services of a node, as far as etcd needs it.
struct Services {
    store: Store,
    disk: PathBuf,
    address: Ipv4Addr,
}

/// One that runs.
struct Running {
    args: Vec<String>,
    child: Child,
}

impl Services {
    async fn run(self) {
        let mut etcd: Option<Running> = None;
        let mut restored: Option<Running> = None;
        loop {
            etcd = self.keep_etcd(etcd).await;
            restored = self.keep_restore(restored).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn tell(&self, id: &str, state: ServiceState) {
        let before = get::<ServiceStatus>(&self.store, id);
        if before.is_none_or(|it| it.state != state) {
            let status = ServiceStatus {
                state,
                ..ServiceStatus::default()
            };
            put(&self.store, id, status);
        }
    }

    /// The arguments on this machine, where several nodes are.
    fn args(&self, spec: &ServiceSpec) -> Vec<String> {
        let files = self.disk.join("files").display().to_string();
        let data = self.disk.join("etcd").display().to_string();
        let address = self.address;
        let here = |arg: &String| {
            arg.replace("/run/garboard/kubernetes/etcd", &files)
                .replace("/var/lib/etcd", &data)
                .replace("https://127.0.0.1:2379,", "")
                .replace("127.0.0.1:2381", &format!("{address}:2381"))
        };
        spec.args.iter().map(here).collect()
    }

    fn spawn(&self, name: &str, args: Vec<String>) -> Running {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.disk.join("log"))
            .unwrap();
        let child = Command::new(program(name))
            .args(&args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        Running {
            args,
            child: child.unwrap(),
        }
    }

    /// etcd as its spec has it: it is started when its condition is met, and again when it ended or is another one.
    async fn keep_etcd(&self, running: Option<Running>) -> Option<Running> {
        let wanted = get::<ServiceSpec>(&self.store, "etcd").map(|it| self.args(&it));
        if let Some(mut running) = running {
            let ended = running.child.try_wait().unwrap().is_some();
            if wanted.as_ref() == Some(&running.args) && !ended {
                return Some(running);
            }
            running.child.kill().await.unwrap();
        }
        let met = get::<Condition>(&self.store, CONDITION).is_some_and(|it| it.met);
        match wanted.filter(|_| met) {
            Some(args) => {
                self.tell("etcd", ServiceState::Running);
                Some(self.spawn("etcd", args))
            }
            None => {
                self.tell("etcd", ServiceState::Stopped);
                None
            }
        }
    }

    /// The program that makes data of a snapshot, once.
    async fn keep_restore(&self, running: Option<Running>) -> Option<Running> {
        const ID: &str = "etcd-restore-1";
        let Some(mut running) = running else {
            let spec = get::<ServiceSpec>(&self.store, ID)?;
            let over = get::<ServiceStatus>(&self.store, ID).is_some();
            return (!over).then(|| self.spawn("etcdutl", self.args(&spec)));
        };
        match running.child.try_wait().unwrap() {
            None => Some(running),
            Some(status) => {
                let state = match status.success() {
                    true => ServiceState::Finished,
                    false => ServiceState::Failed,
                };
                self.tell(ID, state);
                None
            }
        }
    }
}
