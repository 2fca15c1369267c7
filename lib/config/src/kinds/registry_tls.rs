//! `RegistryTls`: whom a registry or a mirror is believed by, and what the node shows it.

use derive::Schema;
use serde::{Deserialize, Serialize};

use super::{KeyPair, no};
use crate::document::{Kind, kind};
use crate::types::{Certificate, RegistryHost};

/// Whom a registry, or a mirror of one, is believed by, and what the node shows of itself.
///
/// Authorities that are to be believed of every server are `TrustedRoots`.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: RegistryTls
/// name: registry.example.org:5000
/// ca: |
///   -----BEGIN CERTIFICATE-----
///   MIIBszCCAVmgAwIBAgIUExampleExampleExampleExampleMAoGCCqGSM49BAMC
///   -----END CERTIFICATE-----
/// client:
///   certificate: |
///     -----BEGIN CERTIFICATE-----
///     MIIBszCCAVmgAwIBAgIUExampleExampleExampleExampleMAoGCCqGSM49BAMC
///     -----END CERTIFICATE-----
///   key: |
///     -----BEGIN PRIVATE KEY-----
///     MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgExampleExample
///     -----END PRIVATE KEY-----
/// insecureSkipVerify: false
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryTlsConfig {
    /// The server, as the names of its images begin or as its URL in a `RegistryMirror` has it.
    pub name: RegistryHost,
    /// Authorities that it is believed by, beside those that every server is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<Certificate>,
    /// The certificate that the node shows it, and its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<KeyPair>,
    /// Whether its certificate is not looked at, so that anybody on the way there can answer in its place. It is told as a warning.
    #[serde(default = "no")]
    pub insecure_skip_verify: bool,
}

impl Kind for RegistryTlsConfig {
    kind!(RegistryTls, name);
}
