//! What all pods of the control plane have in common.

use resources::kubernetes::StaticPod;
use serde_json::{Value, json};

use super::Facts;
use crate::kubernetes::component::Component;
use crate::kubernetes::flags::{self, Flag};
use crate::kubernetes::image;

/// The annotation with what stands for the files that a program reads once.
const INPUTS: &str = "garboard/inputs";

/// How the kubelet asks whether a program is well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Health {
    /// The address it answers at.
    pub host: &'static str,
    /// The port.
    pub port: u16,
    /// Whether it lives.
    pub alive: &'static str,
    /// Whether it can be asked for what it is for.
    pub ready: &'static str,
}

/// A pod with one program in it.
#[derive(Debug)]
pub(super) struct Pod {
    /// Who it is.
    pub component: Component,
    /// What it is told, without its name.
    pub flags: Vec<Flag>,
    /// Folders of the node that it may write to.
    pub writes: Vec<&'static str>,
    /// How it is asked for its health.
    pub health: Health,
    /// The condition that it begins at; empty: at once.
    pub condition: &'static str,
    /// The part of a processor that is kept for it, in thousandths.
    pub milli_cpu: u32,
    /// The memory that is kept for it, in MiB.
    pub memory: u32,
}

impl Pod {
    /// The resource; none of a part that may not run.
    pub(super) fn render(&self, facts: &Facts<'_>) -> Option<StaticPod> {
        let version = match self.component {
            Component::ApiServer => &facts.release.api_server,
            _ => &facts.release.clients,
        };
        if version.is_empty() {
            return None;
        }
        let image = image::reference(self.component, version, facts.cluster.images);
        let name = self.component.name();
        let uid = self.component.uid();
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": "kube-system",
                "labels": {"component": name, "tier": "control-plane"},
                "annotations": {INPUTS: facts.inputs},
            },
            "spec": {
                // There is no network of pods before there is an API server.
                "hostNetwork": true,
                "priorityClassName": "system-node-critical",
                "securityContext": {
                    "runAsUser": uid,
                    "runAsGroup": uid,
                    "runAsNonRoot": true,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [self.container(&image)],
                "volumes": self.volumes(),
            },
        });
        Some(StaticPod {
            image,
            manifest: format!("{manifest:#}\n"),
            condition: self.condition.to_owned(),
        })
    }

    fn container(&self, image: &str) -> Value {
        let name = self.component.name();
        let mut command = vec![name.to_owned()];
        command.extend(flags::arguments(&self.flags));
        let Health {
            host,
            port,
            alive,
            ready,
            ..
        } = self.health;
        // Slow machines, and those with many objects, take minutes to start; one that answered once has less time.
        let probe = |path: &str, period: u32, failures: u32| {
            json!({
                "httpGet": {"host": host, "path": path, "port": port, "scheme": "HTTPS"},
                "periodSeconds": period,
                "timeoutSeconds": 15,
                "failureThreshold": failures,
            })
        };
        json!({
            "name": name,
            "image": image,
            "command": command,
            "resources": {
                "requests": {
                    "cpu": format!("{}m", self.milli_cpu),
                    "memory": format!("{}Mi", self.memory),
                },
            },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": true,
            },
            "startupProbe": probe(alive, 5, 120),
            "livenessProbe": probe(alive, 10, 8),
            "readinessProbe": probe(ready, 5, 3),
            "volumeMounts": self.mounts(),
        })
    }

    /// Its own folder, and those it writes to.
    fn folders(&self) -> impl Iterator<Item = (String, String, bool)> {
        let own = self.component.folder().display().to_string();
        let written = self.writes.iter().enumerate();
        let written =
            written.map(|(index, path)| (format!("data-{index}"), (*path).to_owned(), false));
        std::iter::once(("own".to_owned(), own, true)).chain(written)
    }

    fn mounts(&self) -> Vec<Value> {
        let each = self.folders();
        each.map(|(name, path, read_only)| json!({"name": name, "mountPath": path, "readOnly": read_only}))
            .collect()
    }

    fn volumes(&self) -> Vec<Value> {
        // The folder must be there: one that the kubelet makes is root's.
        let each = self.folders();
        each.map(|(name, path, _)| json!({"name": name, "hostPath": {"path": path, "type": "Directory"}}))
            .collect()
    }
}
