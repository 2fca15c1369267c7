//! `ApiTrust`: whom the node's API trusts, and what it shows of itself.

use derive::Schema;
use serde::{Deserialize, Serialize};

use crate::document::{Kind, kind};
use crate::types::{Certificate, PrivateKey};

/// Whom the node's API trusts, and what it shows of itself: a control-plane node issues its own
/// serving certificates, a worker is given one.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: ApiTrust
/// ca: |
///   -----BEGIN CERTIFICATE-----
///   MIIBszCCAVmgAwIBAgIUExampleExampleExampleExampleMAoGCCqGSM49BAMC
///   -----END CERTIFICATE-----
/// issuer:
///   certificate: |
///     -----BEGIN CERTIFICATE-----
///     MIIBszCCAVmgAwIBAgIUExampleExampleExampleExampleMAoGCCqGSM49BAMC
///     -----END CERTIFICATE-----
///   key: |
///     -----BEGIN PRIVATE KEY-----
///     MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgExampleExample
///     -----END PRIVATE KEY-----
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiTrustConfig {
    /// The authorities whose client certificates are accepted.
    pub ca: Certificate,
    /// The authority this node issues its own serving certificates with; control-plane only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<KeyPair>,
    /// The serving certificate of a node that has no issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<KeyPair>,
}

/// A certificate and its private key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyPair {
    /// The certificate, and what it hangs on.
    pub certificate: Certificate,
    /// Its private key.
    pub key: PrivateKey,
}

impl Kind for ApiTrustConfig {
    kind!(ApiTrust);
}
