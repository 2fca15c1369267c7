//! A program that machined keeps running.
//!
//! In `runtime`, id: the service's name, of letters, digits and `-`. Written by whoever wants the service: the image, or the
//! controller of a part that needs one. How it is doing is the [`ServiceStatus`](super::ServiceStatus) of the same name.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum, SpecMessage};

/// What becomes of a service whose process ended by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceRestart {
    /// It is started again.
    #[default]
    Always = 0,
    /// It is started again unless it exited with status 0.
    OnFailure = 1,
    /// It is left ended.
    Never = 2,
}

/// How it is found out whether a service is well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceCheckKind {
    /// A file is there.
    #[default]
    File = 0,
    /// A unix socket takes a connection.
    Unix = 1,
    /// A TCP port takes a connection.
    Tcp = 2,
    /// An HTTP request is answered with a status of 200 to 299.
    Http = 3,
}

/// A look at a service from outside. No program is run for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, SpecMessage)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ServiceCheck {
    /// How.
    #[field(1)]
    pub kind: ServiceCheckKind,
    /// What: a path, an address with a port, or `http://ADDRESS:PORT/PATH`.
    #[field(2)]
    pub target: String,
    /// Seconds between two looks; absent: 10. Until the first one passes it is every second.
    #[field(3)]
    pub interval_seconds: Option<u32>,
    /// Seconds that an answer may take; absent: 5.
    #[field(4)]
    pub timeout_seconds: Option<u32>,
    /// So many looks in a row that fail make it unhealthy; absent: 3.
    #[field(5)]
    pub failures: Option<u32>,
}

/// Which mounts made on one side of a mount of a container are seen on the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum MountPropagation {
    /// None.
    #[default]
    Private = 0,
    /// The container sees those of the node.
    Slave = 1,
    /// Both see those of the other.
    Shared = 2,
}

/// A file or folder of the node in a container, with all that is mounted below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, SpecMessage)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ServiceMount {
    /// Where it is on the node, from the root. Empty: a folder in memory, which is empty at every start and that all may
    /// write to, as `/tmp`.
    #[field(1)]
    pub source: String,
    /// Where it is in the container, from its root.
    #[field(2)]
    pub target: String,
    /// Whether the container can only read it, and all that is mounted below it.
    #[field(3)]
    pub read_only: bool,
    /// Which mounts that are made later are seen on both sides.
    #[field(4)]
    pub propagation: MountPropagation,
}

/// What a service should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[spec(
    type = "ServiceSpecs.runtime.garboard",
    namespace = "runtime",
    columns(("PROGRAM", "program"), ("RESTART", "restart"), ("NEEDS", "needs"))
)]
pub struct ServiceSpec {
    /// The program, from the root; of the image where there is one. Empty: what the image has for it.
    #[field(1)]
    pub program: String,
    /// Its arguments, without its own name. With neither program nor arguments, they are those of the image.
    #[field(2)]
    pub args: Vec<String>,
    /// Its environment, `NAME=VALUE` each, and nothing beside it but a `PATH` and what the image has.
    #[field(3)]
    pub environment: Vec<String>,
    /// The user it runs as, by number. With an image, when this and the group are 0: those of the image.
    #[field(4)]
    pub uid: u32,
    /// Its group, by number.
    #[field(5)]
    pub gid: u32,
    /// Its other groups, by number.
    #[field(6)]
    pub groups: Vec<u32>,
    /// What it may do beyond what any user may, as `CAP_NET_ADMIN`; `all` alone: all that machined itself may. What is not
    /// named here neither it nor anything it starts can ever get.
    #[field(7)]
    pub capabilities: Vec<String>,
    /// The most memory it gets, in bytes.
    #[field(8)]
    pub memory_max: Option<u64>,
    /// The memory beyond which it is slowed down and made to give some back, in bytes.
    #[field(9)]
    pub memory_high: Option<u64>,
    /// The memory that nobody takes from it, in bytes.
    #[field(10)]
    pub memory_min: Option<u64>,
    /// Its share of busy processors, 1 to 10000; the kernel's own is 100.
    #[field(11)]
    pub cpu_weight: Option<u32>,
    /// The most processes and threads.
    #[field(12)]
    pub pids_max: Option<u32>,
    /// How gladly the kernel kills it for memory, -1000 (never) to 1000; absent: 0.
    #[field(13)]
    pub oom_score_adj: Option<i32>,
    /// Services that are started before it and stopped after it, where there are any of these names.
    #[field(14)]
    pub after: Vec<String>,
    /// The same of services without which it is not started: they must run, and be well where that is looked after.
    #[field(15)]
    pub needs: Vec<String>,
    /// Conditions, by id, that must be met before it is started.
    #[field(16)]
    pub conditions: Vec<String>,
    /// How its health is found out; absent: nobody looks.
    #[field(17)]
    pub check: Option<ServiceCheck>,
    /// What becomes of it when it ends by itself. It waits a second, and twice as long every time, a minute at most; two
    /// minutes of running well make it a second again.
    #[field(18)]
    pub restart: ServiceRestart,
    /// The signal that asks it to end; empty: `SIGTERM`.
    #[field(19)]
    pub stop_signal: String,
    /// Seconds it then has before it is killed with all it started; absent: 10.
    #[field(20)]
    pub stop_seconds: Option<u32>,
    /// The OCI image that its program and all it reads is from, as `registry.k8s.io/etcd:3.6.4`; empty: the node's own root.
    /// It then needs `containerd` for its start.
    #[field(21)]
    pub image: String,
    /// What of the node is in its container, in this order. `/proc`, `/dev` and `/sys` are there unless said otherwise.
    #[field(22)]
    pub mounts: Vec<ServiceMount>,
}
