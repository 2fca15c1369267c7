//! The parts of a control plane that run on a node: who each is, and where it finds what is told to nobody else.

use std::path::PathBuf;

/// Where every part has a folder of its own. It is in memory: keys are made anew at every boot, or come with the config.
pub const FOLDER: &str = "/run/garboard/kubernetes";

/// A part of Kubernetes, or etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// Keeps the cluster's state.
    Etcd,
    /// Serves the API.
    ApiServer,
    /// Runs the controllers.
    ControllerManager,
    /// Chooses nodes for pods.
    Scheduler,
    /// Runs the pods of this node.
    Kubelet,
}

impl Component {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Etcd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kubelet,
    ];

    /// Its name, which is also that of its image, its pod or service, and its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
        }
    }

    /// The user and group it runs as: one each, so that none reads what another one has. networkd is 50.
    #[must_use]
    pub fn uid(self) -> u32 {
        match self {
            Self::Etcd => 60,
            Self::ApiServer => 61,
            Self::ControllerManager => 62,
            Self::Scheduler => 63,
            // It mounts, and owns what pods are made of.
            Self::Kubelet => 0,
        }
    }

    /// The folder with what it alone may read.
    #[must_use]
    pub fn folder(self) -> PathBuf {
        PathBuf::from(FOLDER).join(self.name())
    }

    /// A file in there.
    #[must_use]
    pub fn file(self, name: &str) -> String {
        format!("{FOLDER}/{}/{name}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nobody_is_another_one() {
        let uids: BTreeSet<_> = Component::ALL.map(Component::uid).into();
        let names: BTreeSet<_> = Component::ALL.map(Component::name).into();
        assert_eq!((uids.len(), names.len()), (5, 5));
    }
}
