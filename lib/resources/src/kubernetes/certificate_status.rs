//! A certificate that the node holds for its part of a Kubernetes cluster. It is renewed at half of its life.
//!
//! Written by machined in `kubernetes`, id: what it is for, such as `apiserver` or `etcd-peer`.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One certificate, without its key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "CertificateStatuses.kubernetes.garboard",
    namespace = "kubernetes",
    aliases("certificate", "certificates"),
    columns(("EXPIRES", "expires"))
)]
pub struct CertificateStatus {
    /// Who holds it: its common name.
    #[field(1)]
    pub holder: String,
    /// The groups that the holder is in.
    #[field(2)]
    pub groups: Vec<String>,
    /// The names and addresses that it answers for.
    #[field(3)]
    pub names: Vec<String>,
    /// When it ends.
    #[field(4)]
    pub expires: String,
    /// The file that it is in.
    #[field(5)]
    pub file: String,
}
