//! What runs the services of a node.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use machined::kubernetes::etcd::service::CONDITION;
use resources::runtime::{Condition, ServiceSpec, ServiceState, ServiceStatus};
use store::Store;
use tokio::process::{Child, Command};

use super::node::{get, put};
use super::programs::program;

/// What runs the services of a node, as far as etcd needs it.
pub(crate) struct Services {
    pub(crate) store: Store,
    pub(crate) disk: PathBuf,
    pub(crate) address: Ipv4Addr,
}

/// One that runs.
struct Running {
    args: Vec<String>,
    child: Child,
}

impl Services {
    pub(crate) async fn run(self) {
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
