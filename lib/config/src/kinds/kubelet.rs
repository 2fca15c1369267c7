//! `Kubelet`: the node as Kubernetes sees it.

use std::collections::{BTreeMap, BTreeSet};

use derive::Schema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::Role;
use crate::document::{Kind, kind};
use crate::types::{Bytes, Cpu, LabelKey, LabelValue, NodeLabelKey, Taint};

/// What a kubelet takes when nobody says otherwise.
const MAX_PODS: u16 = 110;
/// A node without pods would not even have those of a control plane.
const FEWEST_PODS: u16 = 1;
/// More than anybody runs on one node: Kubernetes is tested with 110.
const MOST_PODS: u16 = 1000;

/// What the API server takes of the annotations of one thing (`TotalAnnotationSizeLimitB`).
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// The node as Kubernetes sees it: its labels, annotations and taints, and what of it pods cannot have. A node without this document is
/// one with an empty one.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Kubelet
/// labels:
///   example.org/rack: r12
///   topology.kubernetes.io/zone: zone-a
/// annotations:
///   example.org/contact: storage team
/// taints:
///   - dedicated=storage:NoSchedule
/// maxPods: 110
/// systemReserved:
///   cpu: 50m
///   memory: 256Mi
///   ephemeralStorage: 256Mi
///   processes: 100
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeletConfig {
    /// Labels of the node. Roles and other labels below `kubernetes.io` are not the node's to give.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<NodeLabelKey, LabelValue>,
    /// Annotations of the node, 256 KiB at most.
    #[serde(
        default,
        deserialize_with = "annotations",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<LabelKey, String>,
    /// Taints of the node. A worker joins the cluster with them, and afterwards `kubectl taint` changes them. Left out, a control plane has
    /// `node-role.kubernetes.io/control-plane:NoSchedule` and a worker none; `[]` is none, so that pods come to a control plane too.
    #[serde(
        default,
        deserialize_with = "taints",
        skip_serializing_if = "Option::is_none"
    )]
    pub taints: Option<Vec<Taint>>,
    /// How many pods the node takes, up to 1000; with `network: builtin` and IPv4 up to 253.
    #[serde(default = "max_pods")]
    pub max_pods: PodCount,
    /// What of the node is for its own programs, containerd and the kubelet, and not for pods.
    #[serde(default = "ReservedConfig::default")]
    pub system_reserved: ReservedConfig,
}

/// What of a node is not for pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReservedConfig {
    /// Processors.
    #[serde(default = "cpu")]
    pub cpu: Cpu,
    /// Memory.
    #[serde(default = "memory")]
    pub memory: Bytes,
    /// Space below `/var`.
    #[serde(default = "ephemeral_storage")]
    pub ephemeral_storage: Bytes,
    /// Numbers of processes and threads.
    #[serde(default = "processes")]
    pub processes: u32,
}

/// How many pods a node takes, 1 to 1000.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Schema,
)]
#[serde(try_from = "i64", into = "u16")]
#[schema(integer, least = FEWEST_PODS, most = MOST_PODS)]
pub struct PodCount(u16);

/// Why a number is none of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node takes {FEWEST_PODS} to {MOST_PODS} pods, not {0}")]
pub struct PodCountError(i64);

impl PodCount {
    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

/// For numbers as they are written, which may be anything.
impl TryFrom<i64> for PodCount {
    type Error = PodCountError;

    fn try_from(count: i64) -> Result<Self, PodCountError> {
        let bounds = FEWEST_PODS..=MOST_PODS;
        let fits = u16::try_from(count).ok().filter(|it| bounds.contains(it));
        fits.map(Self).ok_or(PodCountError(count))
    }
}

impl From<PodCount> for u16 {
    fn from(count: PodCount) -> Self {
        count.0
    }
}

impl KubeletConfig {
    /// The taints that a node of this role joins with.
    #[must_use]
    pub fn taints(&self, role: Role) -> Vec<Taint> {
        match (&self.taints, role) {
            (Some(taints), _) => taints.clone(),
            (None, Role::ControlPlane) => vec![Taint::of_control_planes()],
            (None, Role::Worker) => Vec::new(),
        }
    }
}

/// As an empty document.
impl Default for KubeletConfig {
    fn default() -> Self {
        Self {
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            taints: None,
            max_pods: max_pods(),
            system_reserved: ReservedConfig::default(),
        }
    }
}

impl Default for ReservedConfig {
    fn default() -> Self {
        Self {
            cpu: cpu(),
            memory: memory(),
            ephemeral_storage: ephemeral_storage(),
            processes: processes(),
        }
    }
}

fn max_pods() -> PodCount {
    PodCount(MAX_PODS)
}

fn cpu() -> Cpu {
    Cpu::milli(50)
}

/// Ten times what the node's own programs need at rest, for containerd, the kubelet and the cache of what they read.
fn memory() -> Bytes {
    Bytes::mebi(256)
}

fn ephemeral_storage() -> Bytes {
    Bytes::mebi(256)
}

fn processes() -> u32 {
    100
}

fn annotations<'de, D: Deserializer<'de>>(
    reader: D,
) -> Result<BTreeMap<LabelKey, String>, D::Error> {
    let annotations = BTreeMap::<LabelKey, String>::deserialize(reader)?;
    let sizes = annotations.iter();
    let size: usize = sizes.map(|(key, it)| key.as_str().len() + it.len()).sum();
    match size {
        0..=MAX_ANNOTATIONS => Ok(annotations),
        _ => Err(de::Error::custom(format!(
            "annotations have at most {MAX_ANNOTATIONS} bytes together, these have {size}"
        ))),
    }
}

fn taints<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Vec<Taint>>, D::Error> {
    let Some(taints) = Option::<Vec<Taint>>::deserialize(reader)? else {
        return Ok(None);
    };
    let mut seen = BTreeSet::new();
    // The API server tells them apart so.
    match taints.iter().find(|it| !seen.insert((&it.key, it.effect))) {
        Some(twice) => Err(de::Error::custom(format!(
            "there are two taints `{}` that do `{}`",
            twice.key,
            twice.effect.word()
        ))),
        None => Ok(Some(taints)),
    }
}

impl Kind for KubeletConfig {
    kind!(Kubelet);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_plane_keeps_pods_away_unless_it_says_otherwise() {
        let mut kubelet = KubeletConfig::default();
        let own = vec![Taint::of_control_planes()];
        assert_eq!(kubelet.taints(Role::ControlPlane), own);
        assert_eq!(kubelet.taints(Role::Worker), []);
        kubelet.taints = Some(Vec::new());
        assert_eq!(kubelet.taints(Role::ControlPlane), []);
    }

    #[test]
    fn nothing_said_is_the_default() {
        let text = "apiVersion: garboard/v1alpha1\nkind: Kubelet\nsystemReserved: {}\n";
        let documents = crate::parse("test", text.as_bytes()).unwrap();
        assert_eq!(documents.kubelet(), Some(&KubeletConfig::default()));
    }

    #[test]
    fn annotations_are_bounded() {
        let long = "x".repeat(MAX_ANNOTATIONS);
        let text =
            format!("apiVersion: garboard/v1alpha1\nkind: Kubelet\nannotations: {{a: {long}}}\n");
        let problems = crate::parse("test", text.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(problems.contains("these have 262145"), "{problems}");
    }
}
