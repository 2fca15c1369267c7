//! `ApiServer`: what the API servers of a cluster admit and write down.

use std::fmt;

use derive::Schema;
use serde::{Deserialize, Serialize};

use crate::document::{Kind, kind};
use crate::types::KubernetesSettings;

/// What the API servers of a cluster admit, and what they write down of calls. All nodes of a control plane need the same document, and a
/// change of it starts the API server of its node again; one that refuses its settings does not start, and its log says why.
///
/// Without it, `PodSecurity` refuses pods that go against the `baseline` of the Pod Security Standards, and warns of what goes against
/// `restricted`, but in `kube-system`; a label of a namespace says otherwise for it. Calls that change something are written down, and who
/// reads secrets.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: ApiServer
/// admission:
///   - plugin: AlwaysPullImages
///   - plugin: PodSecurity
///     configuration: |
///       apiVersion: pod-security.admission.config.k8s.io/v1
///       kind: PodSecurityConfiguration
///       defaults:
///         enforce: restricted
///       exemptions:
///         namespaces: [kube-system]
/// auditPolicy: |
///   apiVersion: audit.k8s.io/v1
///   kind: Policy
///   rules:
///     - level: Metadata
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiServerConfig {
    /// Plugins that are to have a say, beside those that Kubernetes runs by itself and `NodeRestriction`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admission: Vec<AdmissionConfig>,
    /// What is written down instead of what is by default: `Policy` of `audit.k8s.io/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_policy: Option<KubernetesSettings>,
}

impl Kind for ApiServerConfig {
    kind!(ApiServer);
}

/// A plugin that has a say in what is admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdmissionConfig {
    /// Which.
    pub plugin: AdmissionPlugin,
    /// Its settings, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<KubernetesSettings>,
}

/// Plugins that people choose. Kubernetes runs others by itself; some need files that a node has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
pub enum AdmissionPlugin {
    /// Pods have their images looked for at every start, so that nobody runs what another one may pull.
    AlwaysPullImages,
    /// Services have no addresses that their authors think of.
    #[serde(rename = "DenyServiceExternalIPs")]
    DenyServiceExternalIps,
    /// Events are limited. It needs its settings.
    EventRateLimit,
    /// Pods that ask for a device tolerate the taint of its name.
    ExtendedResourceToleration,
    /// No anti-affinity over more than nodes.
    LimitPodHardAntiAffinityTopology,
    /// Namespaces are made when something is put there.
    NamespaceAutoProvision,
    /// Who may not delete an object does not have another one own it.
    OwnerReferencesPermissionEnforcement,
    /// Annotations of namespaces say which nodes their pods come to.
    PodNodeSelector,
    /// The Pod Security Standards.
    PodSecurity,
    /// Namespaces say what their pods tolerate.
    PodTolerationRestriction,
    /// What of quotas is looked at.
    ResourceQuota,
}

impl AdmissionPlugin {
    /// The version and the kind of its settings, where it has any.
    #[must_use]
    pub fn settings(self) -> Option<(&'static str, &'static str)> {
        // Types of k8s.io/kubernetes/plugin/pkg/admission, k8s.io/pod-security-admission and k8s.io/apiserver.
        match self {
            Self::EventRateLimit => {
                Some(("eventratelimit.admission.k8s.io/v1alpha1", "Configuration"))
            }
            Self::PodSecurity => Some((
                "pod-security.admission.config.k8s.io/v1",
                "PodSecurityConfiguration",
            )),
            Self::PodTolerationRestriction => Some((
                "podtolerationrestriction.admission.k8s.io/v1alpha1",
                "Configuration",
            )),
            Self::ResourceQuota => {
                Some(("apiserver.config.k8s.io/v1", "ResourceQuotaConfiguration"))
            }
            _ => None,
        }
    }

    /// As Kubernetes has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AlwaysPullImages => "AlwaysPullImages",
            Self::DenyServiceExternalIps => "DenyServiceExternalIPs",
            Self::EventRateLimit => "EventRateLimit",
            Self::ExtendedResourceToleration => "ExtendedResourceToleration",
            Self::LimitPodHardAntiAffinityTopology => "LimitPodHardAntiAffinityTopology",
            Self::NamespaceAutoProvision => "NamespaceAutoProvision",
            Self::OwnerReferencesPermissionEnforcement => "OwnerReferencesPermissionEnforcement",
            Self::PodNodeSelector => "PodNodeSelector",
            Self::PodSecurity => "PodSecurity",
            Self::PodTolerationRestriction => "PodTolerationRestriction",
            Self::ResourceQuota => "ResourceQuota",
        }
    }
}

impl fmt::Display for AdmissionPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
