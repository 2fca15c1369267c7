//! `KubernetesTrust`: whom the cluster's Kubernetes is trusted by, and what a control plane issues certificates with.

use derive::Schema;
use serde::{Deserialize, Serialize};

use super::KeyPair;
use crate::document::{Kind, kind};
use crate::types::{Certificate, PrivateKey, SharedKey};

/// Whom the API of Kubernetes is trusted by, and on a control plane what everything else of the cluster is issued with.
///
/// `osctl gen secrets` makes it, and `osctl gen config` writes it into the config of every node: to a worker no more than `ca`. All
/// control planes of a cluster have the same.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: KubernetesTrust
/// ca: |
///   -----BEGIN CERTIFICATE-----
///   MIIBszCCAVmgAwIBAgIUExampleExampleExampleExampleMAoGCCqGSM49BAMC
///   -----END CERTIFICATE-----
/// controlPlane:
///   issuer:
///     certificate: |
///       -----BEGIN CERTIFICATE-----
///       MIIBszCCAVmgAwIBAgIUExampleExampleExampleExampleMAoGCCqGSM49BAMC
///       -----END CERTIFICATE-----
///     key: |
///       -----BEGIN PRIVATE KEY-----
///       MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgExampleExample
///       -----END PRIVATE KEY-----
///   aggregator:
///     certificate: |
///       -----BEGIN CERTIFICATE-----
///       MIIBszCCAVmgAwIBAgIUExampleExampleExampleExampleMAoGCCqGSM49BAMC
///       -----END CERTIFICATE-----
///     key: |
///       -----BEGIN PRIVATE KEY-----
///       MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgExampleExample
///       -----END PRIVATE KEY-----
///   etcd:
///     certificate: |
///       -----BEGIN CERTIFICATE-----
///       MIIBszCCAVmgAwIBAgIUExampleExampleExampleExampleMAoGCCqGSM49BAMC
///       -----END CERTIFICATE-----
///     key: |
///       -----BEGIN PRIVATE KEY-----
///       MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgExampleExample
///       -----END PRIVATE KEY-----
///   serviceAccountKey: |
///     -----BEGIN PRIVATE KEY-----
///     MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgExampleExample
///     -----END PRIVATE KEY-----
///   encryptionKey: ExampleExampleExampleExampleExampleExampleA=
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesTrustConfig {
    /// The authorities that everybody of the cluster believes of Kubernetes: the one of `controlPlane.issuer`, and while it is replaced
    /// the one before it too.
    pub ca: Certificate,
    /// What a control plane issues certificates with; no worker has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane: Option<ControlPlaneTrust>,
}

/// What a control plane issues certificates with, and the keys that all control planes of a cluster share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlPlaneTrust {
    /// The authority of Kubernetes: of its API, of kubelets and of everybody who asks the API.
    pub issuer: KeyPair,
    /// The authority of whom the API server sends requests on as, to servers that extend the API.
    pub aggregator: KeyPair,
    /// The authority of etcd: of its members and of whom they answer.
    pub etcd: KeyPair,
    /// What the tokens of service accounts are signed with.
    pub service_account_key: PrivateKey,
    /// What secrets in etcd are encrypted with.
    pub encryption_key: SharedKey,
}

impl Kind for KubernetesTrustConfig {
    kind!(KubernetesTrust);
}
