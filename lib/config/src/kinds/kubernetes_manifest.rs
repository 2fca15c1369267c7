//! `KubernetesManifest`: objects that a cluster begins with, beside its own.

use derive::Schema;
use serde::{Deserialize, Serialize};

use crate::document::{Kind, kind};
use crate::types::{DocumentName, KubernetesObjects, Sha256, WebUrl};

/// Objects that a control plane creates once in the life of its cluster, written here or fetched.
///
/// Every object is created once: whoever changes or deletes it afterwards has the last word, and a later change of this document creates
/// what is new in it alone. All nodes of a control plane need the same documents. An object with the kind, namespace and name of one that
/// the cluster would begin with stands in its place when it is written here; one that is fetched does not. `osctl get manifeststatuses`
/// shows how far it is, as `config-` and the name, and why not further.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: KubernetesManifest
/// name: team
/// inline: |
///   apiVersion: v1
///   kind: Namespace
///   metadata:
///     name: team
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesManifestConfig {
    /// What they are called here.
    pub name: DocumentName,
    /// The objects. The text counts as a secret: a `Secret` may be among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<KubernetesObjects>,
    /// Where they are fetched, over https, at every start of the node; 4 MiB at most. What is new there is created, so say `sha256` where
    /// that must not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<WebUrl>,
    /// What is fetched has this SHA-256; anything else is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
}

impl Kind for KubernetesManifestConfig {
    kind!(KubernetesManifest, name);
}
