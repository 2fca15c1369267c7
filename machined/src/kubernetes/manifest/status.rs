//! Says how far the cluster's own workloads are: the proxy of services on every node, and the name server.

use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::config::MachineConfig;
use resources::kubernetes::{
    KUBERNETES, KubernetesSpec, ManifestStatus, NodeStatus, WorkloadStatus,
};
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::Condition;
use serde_json::Value;

use super::NAMESPACE;
use crate::kubernetes::admin::Admins;
use crate::kubernetes::client::{Client, ClientError};
use crate::kubernetes::static_pod::ready::API_SERVER;

/// How soon the cluster is asked again while pods are missing, and while none is.
const SOON: Duration = Duration::from_secs(5);
const LATER: Duration = Duration::from_secs(60);

/// A kind of workload, and where it keeps its numbers.
#[derive(Clone, Copy, Debug)]
struct Kind {
    name: &'static str,
    path: &'static str,
    /// How many pods it should have; a field that the object may be without.
    wanted: &'static str,
    /// How many are ready.
    ready: &'static str,
}

const DAEMON_SET: Kind = Kind {
    name: "DaemonSet",
    path: "daemonsets",
    wanted: "/status/desiredNumberScheduled",
    ready: "/status/numberReady",
};

const DEPLOYMENT: Kind = Kind {
    name: "Deployment",
    path: "deployments",
    wanted: "/spec/replicas",
    ready: "/status/readyReplicas",
};

/// The workloads by their names, in [`NAMESPACE`].
const WORKLOADS: [(&str, Kind); 2] = [("kube-proxy", DAEMON_SET), ("coredns", DEPLOYMENT)];

/// The controller.
#[derive(Debug)]
pub struct Status {
    admins: Admins,
}

cosi::declare! {
    Status as "kubernetes.manifest.status" {
        reads MachineConfig;
        reads KubernetesSpec;
        reads HostnameSpec;
        reads ManifestStatus;
        reads NodeStatus;
        reads Condition;
        writes WorkloadStatus;
    }
}

/// What an object says of its pods.
fn read(kind: Kind, object: &Value) -> WorkloadStatus {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
    let count = |pointer: &str| {
        let count = u32::try_from(number(pointer).unwrap_or(0));
        count.unwrap_or(u32::MAX)
    };
    let status = WorkloadStatus {
        kind: kind.name.to_owned(),
        present: true,
        wanted: count(kind.wanted),
        ready: count(kind.ready),
        reason: String::new(),
    };
    // Numbers of before a change say nothing.
    let seen = number("/status/observedGeneration").unwrap_or(0);
    let reason = if seen < number("/metadata/generation").unwrap_or(1) {
        "the controller manager has not looked at it yet".to_owned()
    } else if status.ready < status.wanted {
        format!("{} of {} pods are ready", status.ready, status.wanted)
    } else {
        String::new()
    };
    WorkloadStatus { reason, ..status }
}

impl Status {
    /// Asks by these.
    #[must_use]
    pub fn new(admins: Admins) -> Self {
        Self { admins }
    }
}

async fn look(client: &Client, name: &str, kind: Kind) -> Result<WorkloadStatus, ClientError> {
    let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/{}/{name}", kind.path);
    match client.get(&path).await {
        Ok(object) => Ok(read(kind, &object)),
        Err(error) if error.is_not_found() => Ok(WorkloadStatus {
            kind: kind.name.to_owned(),
            ..WorkloadStatus::default()
        }),
        Err(error) => Err(error),
    }
}

impl Controller for Status {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let cluster = cx.get::<KubernetesSpec>(KUBERNETES);
        let name = cx.get::<HostnameSpec>(HOSTNAME);
        let (true, Some(name)) = (cluster.is_some_and(|it| it.spec.control_plane), name) else {
            cx.replace::<WorkloadStatus>();
            return Ok(Outcome::Done);
        };
        if !cx
            .get::<Condition>(API_SERVER)
            .is_some_and(|it| it.spec.met)
        {
            // What it said last stays, and the condition wakes this.
            return Ok(Outcome::Done);
        }
        let documents = crate::config::documents(cx.parts().0)?;
        let trust = documents.kubernetes_trust();
        let client = self.admins.client(trust, &name.spec.hostname, cx.now())?;
        let mut again = LATER;
        for (name, kind) in WORKLOADS {
            let status = look(&client, name, kind).await?;
            // That one is created, and that a node comes or gets ready, wakes this.
            if !status.reason.is_empty() {
                again = SOON;
            }
            cx.put(name, status);
        }
        Ok(Outcome::Requeue(again))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_are_counted_once_somebody_has_looked() {
        let daemons = |generation: u32, ready: u32| {
            json!({
                "metadata": {"generation": generation},
                "status": {"observedGeneration": 1, "desiredNumberScheduled": 3, "numberReady": ready},
            })
        };
        let of = |object: &Value| {
            let status = read(DAEMON_SET, object);
            (status.wanted, status.ready, status.reason)
        };
        assert_eq!(of(&daemons(1, 3)), (3, 3, String::new()));
        let short = "2 of 3 pods are ready".to_owned();
        assert_eq!(of(&daemons(1, 2)), (3, 2, short));
        assert!(of(&daemons(2, 3)).2.contains("not looked at it yet"));
        assert!(of(&json!({})).2.contains("not looked at it yet"));
    }

    #[test]
    fn a_deployment_of_none_is_complete() {
        let none = json!({
            "metadata": {"generation": 4},
            "spec": {"replicas": 0},
            "status": {"observedGeneration": 4},
        });
        let status = read(DEPLOYMENT, &none);
        assert!(status.present && status.reason.is_empty());
        let two = json!({
            "metadata": {"generation": 4},
            "spec": {"replicas": 2},
            "status": {"observedGeneration": 4, "readyReplicas": 1},
        });
        assert_eq!(read(DEPLOYMENT, &two).reason, "1 of 2 pods are ready");
    }
}
