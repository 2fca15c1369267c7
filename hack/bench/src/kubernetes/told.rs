//! What a machine tells of its processes and of etcd, and the rows that follow from it. Pure.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::memory::Weight;
use crate::row::{Row, Unit};

/// How many ticks of the kernel's accounts are a second: USER_HZ, which is the same on every machine (proc(5)).
const TICKS: f64 = 100.0;

/// What etcd says when it serves.
const SERVES: &str = "ready to serve client requests";

/// What every node runs, by the names that the kernel knows: the first fifteen letters.
const NODE: [(&str, &str); 7] = [
    ("init", "init"),
    ("machined", "machined"),
    ("networkd", "networkd"),
    ("containerd", "containerd"),
    ("containerd-shim", "containerd-shim"),
    ("kubelet", "kubelet"),
    ("kube-proxy", "kube-proxy"),
];

/// What a control plane runs besides.
const PLANE: [(&str, &str); 4] = [
    ("etcd", "etcd"),
    ("kube-apiserver", "kube-apiserver"),
    ("kube-controller", "kube-controller-manager"),
    ("kube-scheduler", "kube-scheduler"),
];

/// Moments of a start, in seconds since the power came, and how long etcd took for itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Start {
    /// PID 1's first instruction.
    pub(super) user: f64,
    /// The API server's process began.
    pub(super) began: f64,
    /// The API server said that it is ready.
    pub(super) api: f64,
    /// The node was Ready.
    pub(super) ready: f64,
    /// A pod on it answered.
    pub(super) pod: f64,
    /// From etcd's first word until it serves.
    pub(super) etcd: f64,
}

impl Start {
    /// The rows.
    pub(super) fn rows(&self) -> Vec<Row> {
        let server = self.api - self.began;
        let added = self.ready - self.user - self.etcd - server;
        let seconds = |name: &str, value| {
            let name = format!("kubernetes.boot.{name}");
            Row::new(name, Unit::Seconds, vec![value])
        };
        vec![
            Row::new("kubernetes.added.ratio", Unit::Ratio, vec![added / server]).budget(0.35),
            Row::new("kubernetes.added", Unit::Seconds, vec![added]),
            seconds("user", self.user),
            seconds("api", self.api),
            seconds("ready", self.ready),
            seconds("pod", self.pod),
            Row::new("kubernetes.own.etcd", Unit::Seconds, vec![self.etcd]),
            Row::new("kubernetes.own.kube-apiserver", Unit::Seconds, vec![server]),
        ]
    }
}

/// How long etcd took from its first word until it served, by the lines of its log since it was started last.
pub(super) fn etcd(log: &str) -> Option<f64> {
    let when = |line: &str| -> Option<Timestamp> {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line.get("ts")?.as_str()?.parse().ok()
    };
    let serves = log.lines().filter(|line| line.contains(SERVES));
    let serves = serves.filter_map(when).next()?;
    let first = log.lines().filter_map(when).next()?;
    Some(serves.duration_since(first).as_secs_f64())
}

/// When a process began, in seconds since its machine did, by its `/proc/PID/stat`.
pub(super) fn began(stat: &str) -> Option<f64> {
    // The name is in brackets, and may hold anything; of what follows it is the twentieth.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: f64 = fields.split_whitespace().nth(19)?.parse().ok()?;
    Some(ticks / TICKS)
}

/// How long a machine has run, in seconds, by its `/proc/uptime`.
pub(super) fn uptime(said: &str) -> Option<f64> {
    said.split_whitespace().next()?.parse().ok()
}

/// How long all its processors together have worked, in seconds, by its `/proc/stat`: everything but rest, waiting for disks, and
/// what the host took for others.
pub(super) fn busy(stat: &str) -> Option<f64> {
    let numbers = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let numbers: Option<Vec<f64>> = numbers
        .split_whitespace()
        .map(|it| it.parse().ok())
        .collect();
    let numbers = numbers?;
    let [user, nice, system, _rest, _disks, hard, soft, ..] = numbers.as_slice() else {
        return None;
    };
    Some((user + nice + system + hard + soft) / TICKS)
}

/// What the processes of a node weigh, by what its agent says of all.
pub(super) fn weights(kind: &str, plane: bool, told: &[String]) -> Result<Vec<Row>> {
    let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
    for weight in told.iter().filter_map(|line| Weight::parse(line)) {
        *bytes.entry(weight.name).or_default() += weight.proportional;
    }
    let of_plane = PLANE.iter().filter(|_| plane);
    let mut rows = Vec::new();
    let mut sum = 0;
    for (short, name) in NODE.iter().chain(of_plane) {
        let weight = bytes.get(short);
        let weight = *weight.with_context(|| format!("no {name} among {told:?}"))?;
        sum += weight;
        rows.push(Row::bytes(format!("kubernetes.pss.{kind}.{name}"), weight));
    }
    rows.push(Row::bytes(format!("kubernetes.pss.{kind}"), sum));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_add_is_the_rest() {
        let start = Start {
            user: 2.0,
            began: 8.0,
            api: 18.0,
            ready: 21.5,
            pod: 25.0,
            etcd: 6.0,
        };
        let rows = start.rows();
        // 19.5 s in all, of which etcd took 6 and the API server 10.
        let ratio = Row::new("kubernetes.added.ratio", Unit::Ratio, vec![0.35]).budget(0.35);
        assert_eq!(rows.first(), Some(&ratio));
        let added = Row::new("kubernetes.added", Unit::Seconds, vec![3.5]);
        assert!(rows.contains(&added));
        let server = Row::new("kubernetes.own.kube-apiserver", Unit::Seconds, vec![10.0]);
        assert_eq!(rows.last(), Some(&server));
    }

    #[test]
    fn etcds_own_time_is_what_its_log_says() {
        let log = "no JSON\n\
            {\"level\":\"info\",\"ts\":\"2026-11-22T06:15:30.250Z\",\"msg\":\"Running\"}\n\
            {\"level\":\"info\",\"ts\":\"2026-11-22T06:15:33.000Z\",\"msg\":\"ready to serve client requests\"}\n\
            {\"level\":\"info\",\"ts\":\"2026-11-22T06:15:39.000Z\",\"msg\":\"ready to serve client requests\"}\n";
        assert_eq!(etcd(log), Some(2.75));
        assert_eq!(etcd("{\"ts\":\"2026-11-22T06:15:30.250Z\"}\n"), None);
        assert_eq!(etcd(""), None);
    }

    #[test]
    fn the_kernels_accounts_are_read() {
        let stat = "71 (a )b) S 1 71 71 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 1234 5000 6";
        assert_eq!(began(stat), Some(12.34));
        assert_eq!(began("71 (a) S 1"), None);
        assert_eq!(uptime("350735.47 234388.90\n"), Some(350_735.47));
        let stat = "cpu  100 20 30 1000 50 6 4 70 0 0\ncpu0 1 2 3 4 5 6 7\nintr 1\n";
        assert_eq!(busy(stat), Some(1.6));
        assert_eq!(busy("cpu  1 2\n"), None);
    }

    #[test]
    fn processes_of_one_name_are_added_up() {
        let line = |name: &str| format!("{name} 7 rss=4096 pss=1024");
        let mut told: Vec<_> = NODE.iter().map(|(short, _)| line(short)).collect();
        told.push(line("containerd-shim"));
        told.push(line("agent"));
        let rows = weights("worker", false, &told).expect("all are there");
        let shims = Row::bytes("kubernetes.pss.worker.containerd-shim", 2 << 20);
        assert!(rows.contains(&shims), "{rows:?}");
        assert_eq!(
            rows.last(),
            Some(&Row::bytes("kubernetes.pss.worker", 8 << 20))
        );
        let missing = weights("control-plane", true, &told).expect_err("no etcd");
        assert!(missing.to_string().contains("no etcd"), "{missing}");
    }
}
