//! Does what is planned, node by node.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use api::v1alpha1::etcd_service_client::EtcdServiceClient;
use api::v1alpha1::upgrade_service_client::UpgradeServiceClient;
use api::v1alpha1::{EtcdAlarmsRequest, UpdateWorkloadsRequest, Workload, WorkloadsRequest};
use config::KubernetesVersion;
use config::skew::Release;
use tonic::transport::Channel;

use super::draft::Draft;
use super::facts::Facts;
use super::plan::{Plan, Todo};
use super::pull::pull;
use crate::commands::kubernetes::seen;
use crate::fleet::Session;
use crate::progress::Progress;

/// What is done with.
pub(super) struct Act<'a> {
    session: &'a Session,
    plan: &'a Plan,
    limit: Duration,
    progress: Progress,
}

/// What a look finds to be missing still; nothing when all is there.
type Missing = Result<Option<String>>;

/// The objects of a cluster, as a node of its control plane knows them, compared with a version or that of its config.
pub(super) async fn workloads(
    session: &Session,
    plane: &str,
    version: Option<KubernetesVersion>,
) -> Result<Vec<Workload>> {
    let version = version.map(|it| it.to_string()).unwrap_or_default();
    let ask = |channel: Channel| {
        let version = version.clone();
        async move {
            let request = WorkloadsRequest { version };
            let answer = UpgradeServiceClient::new(channel)
                .workloads(request)
                .await?;
            Ok(answer.into_inner().workloads)
        }
    };
    session
        .again(plane, ask)
        .await
        .with_context(|| plane.to_owned())
}

/// Has kube-proxy and the name server given the images of the config.
async fn give(channel: Channel) -> Result<()> {
    let request = UpdateWorkloadsRequest {};
    UpgradeServiceClient::new(channel)
        .update_workloads(request)
        .await?;
    Ok(())
}

/// Whether one has another image than it is to have.
pub(super) fn is_other(workload: &Workload) -> bool {
    !workload.wanted.is_empty() && workload.image != workload.wanted
}

/// What is missing of the first that is not what it is to be, or does not run by that.
fn unfinished(workloads: &[Workload], counts: impl Fn(&Workload) -> bool) -> Option<String> {
    let mut counted = workloads.iter().filter(|it| counts(it));
    counted.find_map(|it| {
        if is_other(it) {
            return Some(format!("{} has {}", it.name, it.image));
        }
        let waits = it.left.is_empty() && !it.waits.is_empty();
        waits.then(|| format!("{}: {}", it.name, it.waits))
    })
}

fn is_pod(workload: &Workload) -> bool {
    workload.name.starts_with("Pod ")
}

impl<'a> Act<'a> {
    /// Gives each step on each node so long.
    pub(super) fn new(session: &'a Session, plan: &'a Plan, limit: Duration) -> Self {
        Self {
            session,
            plan,
            limit,
            progress: Progress::new(),
        }
    }

    fn to(&self) -> Release {
        self.plan.to.into()
    }

    /// All of it; what the cluster runs then.
    pub(super) async fn run(&self) -> Result<Vec<Workload>> {
        let Plan {
            to, todo, whole, ..
        } = self.plan;
        let fetch: Vec<_> = todo.iter().map(|it| it.node.as_str()).collect();
        pull(self.session, &fetch, *to, self.limit, &self.progress).await?;
        for plane in self.plan.of(true) {
            self.api_server(plane).await?;
        }
        if !whole {
            return Ok(Vec::new());
        }
        for plane in self.plan.of(true) {
            self.follows(plane).await?;
            self.pods(&plane.node).await?;
        }
        let workloads = match self.plan.planes.first() {
            Some(plane) => self.update(plane).await?,
            None => Vec::new(),
        };
        for worker in self.plan.of(false) {
            self.config(worker).await?;
            self.follows(worker).await?;
        }
        Ok(workloads)
    }

    /// Gives a node of the control plane its config, once etcd is well everywhere: without its own one no API server starts, and
    /// nobody knows then which of two changes it was.
    async fn api_server(&self, todo: &Todo) -> Result<()> {
        for plane in &self.plan.planes {
            let missing = || self.etcd(plane);
            self.wait(
                plane,
                "etcd",
                missing,
                "`osctl etcd status` and `osctl logs etcd` tell more",
            )
            .await?;
        }
        self.config(todo).await?;
        let (node, to) = (todo.node.as_str(), self.to());
        let missing = || async move {
            let facts = self.session.again(node, Facts::of).await?;
            Ok(facts.serving(to))
        };
        let way_out = format!(
            "`osctl -n {node} get releases,apiservers` tells more; while it has not answered as {to}, `osctl -n {node} config rollback` goes back"
        );
        self.wait(node, "its API server", missing, &way_out).await?;
        self.progress
            .done(&format!("{node}: its API server is {to}"));
        Ok(())
    }

    /// Gives a node its config, unless it has it.
    async fn config(&self, todo: &Todo) -> Result<()> {
        let node = todo.node.as_str();
        if !todo.config {
            return Ok(());
        }
        self.progress.step(format!("{node}: gets its config"));
        let given = async {
            let draft = Draft::of(self.session, node, self.plan.to).await?;
            draft.give(self.session, node).await
        };
        given.await.with_context(|| {
            format!("{node}: giving it its config; say the same again to go on")
        })?;
        Ok(())
    }

    /// Waits until a node's kubelet is the new one.
    async fn follows(&self, todo: &Todo) -> Result<()> {
        let (node, to) = (todo.node.as_str(), self.to());
        let missing = || async move {
            let facts = self.session.again(node, Facts::of).await?;
            Ok(facts.following(to))
        };
        let way_out =
            format!("`osctl -n {node} get releases` and `osctl -n {node} logs kubelet` tell more");
        self.wait(node, "its kubelet", missing, &way_out).await?;
        self.progress
            .done(&format!("{node}: it is Ready with kubelet {to}"));
        Ok(())
    }

    /// Waits until the pods of a control plane's node are the new ones.
    async fn pods(&self, node: &str) -> Result<()> {
        let missing = || async move {
            let workloads = workloads(self.session, node, None).await?;
            Ok(unfinished(&workloads, is_pod))
        };
        let way_out = "`kubectl -n kube-system get pods` tells more";
        self.wait(node, "its pods of the control plane", missing, way_out)
            .await
    }

    /// Gives kube-proxy and the name server their images, and waits until they run by them.
    async fn update(&self, plane: &str) -> Result<Vec<Workload>> {
        self.progress
            .step("kube-proxy and CoreDNS get their images".to_owned());
        let missing = || async move {
            let workloads = workloads(self.session, plane, None).await?;
            if workloads.iter().any(|it| is_other(it) && !is_pod(it)) {
                self.session.again(plane, give).await?;
            }
            Ok(unfinished(&workloads, |_| true))
        };
        let way_out = "`kubectl -n kube-system get pods -o wide` tells more";
        self.wait(plane, "kube-proxy and CoreDNS", missing, way_out)
            .await?;
        let mut workloads = workloads(self.session, plane, None).await?;
        workloads.retain(|it| !is_pod(it));
        for it in workloads.iter().filter(|it| it.left.is_empty()) {
            self.progress.done(&format!("{} has {}", it.name, it.image));
        }
        Ok(workloads)
    }

    async fn etcd(&self, plane: &str) -> Missing {
        let facts = self.session.again(plane, Facts::of).await?;
        if let Some(waits) = facts.service("etcd") {
            return Ok(Some(waits));
        }
        let ask = |channel: Channel| async move {
            let answer = EtcdServiceClient::new(channel)
                .alarms(EtcdAlarmsRequest {})
                .await?;
            Ok(answer.into_inner().alarms)
        };
        let alarms = self.session.again(plane, ask).await?;
        let first = alarms.first();
        Ok(first.map(|it| {
            format!(
                "etcd has the alarm {}; docs/etcd.md tells what to do",
                it.alarm
            )
        }))
    }

    /// Waits until nothing is missing of something on a node.
    async fn wait<F>(
        &self,
        node: &str,
        what: &str,
        missing: impl Fn() -> F,
        way_out: &str,
    ) -> Result<()>
    where
        F: Future<Output = Missing>,
    {
        let look = || async {
            let missing = missing().await?;
            Ok(missing.map(|it| format!("{node}: {it}")))
        };
        let done = seen::wait(self.limit, seen::LOOK, &self.progress, look).await;
        done.map_err(|last| {
            let to = self.plan.to;
            let seconds = self.limit.as_secs();
            anyhow!(
                "{node}: {what}: not done after {seconds} s: {last} ({way_out}; `osctl upgrade-k8s --to {to}` goes on from here)"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(name: &str, image: &str, wanted: &str) -> Workload {
        Workload {
            name: name.to_owned(),
            image: image.to_owned(),
            wanted: wanted.to_owned(),
            ..Workload::default()
        }
    }

    #[test]
    fn what_is_left_alone_is_not_waited_for() {
        let mut proxy = workload("DaemonSet a", "own:1", "");
        proxy.left = "somebody gave it this image".to_owned();
        proxy.waits = "1 of 2 pods are available".to_owned();
        let mut dns = workload("Deployment b", "b:1", "b:2");
        let all = |it: &Workload| !is_pod(it);
        let told = |proxy: &Workload, dns: &Workload| {
            unfinished(&[proxy.clone(), dns.clone()], all).unwrap_or_default()
        };
        assert_eq!(told(&proxy, &dns), "Deployment b has b:1");
        dns.image = "b:2".to_owned();
        dns.waits = "1 of 2 pods are of it".to_owned();
        assert_eq!(told(&proxy, &dns), "Deployment b: 1 of 2 pods are of it");
        dns.waits.clear();
        assert_eq!(told(&proxy, &dns), "");
    }

    #[test]
    fn pods_are_looked_at_by_themselves() {
        let all = [
            workload("Pod a", "a:2", "a:2"),
            workload("Deployment b", "b:1", "b:2"),
        ];
        assert_eq!(unfinished(&all, is_pod), None);
        assert!(unfinished(&all, |_| true).is_some());
    }
}
