//! `TrustedRoots`: certificate authorities that the node believes when it asks others.

use derive::Schema;
use serde::{Deserialize, Serialize};

use crate::document::{Kind, kind};
use crate::types::{Certificate, DocumentName};

/// Certificate authorities that the node believes when it asks others over TLS: a registry or a proxy of one's own.
///
/// They are written to `/etc/ssl/certs/ca-certificates.crt`, where programs look for them. Who may call the node is another matter:
/// that is `ApiTrust`. `osctl get trustedroots` shows what was read of each document.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: TrustedRoots
/// name: corporate
/// certificates: |
///   -----BEGIN CERTIFICATE-----
///   MIIBszCCAVmgAwIBAgIUExampleExampleExampleExampleMAoGCCqGSM49BAMC
///   -----END CERTIFICATE-----
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedRootsConfig {
    /// What they are called here.
    pub name: DocumentName,
    /// One or more of them in PEM.
    pub certificates: Certificate,
}

impl Kind for TrustedRootsConfig {
    kind!(TrustedRoots, name);
}
