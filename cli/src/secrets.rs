//! The secrets bundle of a cluster: the authority that everything else is issued from.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use config::{
    ClusterId, ClusterIdentityConfig, DiskSelector, Document, DocumentName, Documents, Hostname,
    KeyPair, SystemDiskConfig,
};
use jiff::{SignedDuration, Timestamp};
use pki::{Authority, Names, Role, Roles};
use serde::{Deserialize, Serialize};

use crate::context::{Context, Node};
use crate::files;

/// The authority's name in its certificate.
const AUTHORITY: &str = "garboard";

/// A worker's own certificate holds as long as its authority: it has no way to renew it before it can join a cluster.
const WORKER_LIFETIME: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// The file that `gen secrets` writes. Whoever has it is the cluster's owner.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secrets {
    /// The authority of the nodes' API.
    api: AuthorityFile,
    /// Which cluster it is; absent in those that were made before clusters had an identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterFile>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterFile {
    name: DocumentName,
    id: ClusterId,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorityFile {
    certificate: String,
    key: String,
}

impl Secrets {
    /// New secrets, of a cluster that is called so.
    pub(crate) fn generate(name: DocumentName, now: Timestamp) -> Result<Self> {
        let authority = Authority::generate(AUTHORITY, now).context("making the authority")?;
        let own = authority.identity();
        let certificate = own.certificate_pem().to_owned();
        // A hash of a key made by chance is as good as chance. It stays what it is when the authority changes.
        let fingerprint = own.certificate().fingerprint.to_string();
        let id: String = fingerprint.chars().take(32).collect();
        let id = id.parse().context("making the id of the cluster")?;
        Ok(Self {
            api: AuthorityFile {
                certificate,
                key: own.key_pem().expose().clone(),
            },
            cluster: Some(ClusterFile { name, id }),
        })
    }

    /// Reads a bundle.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let reading = || format!("reading secrets from {}", path.display());
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                "there is no {}: `osctl gen secrets` makes the secrets of a new cluster, --secrets names a file elsewhere",
                path.display()
            ),
            other => other.with_context(reading)?,
        };
        files::parse_secret(&text).with_context(reading)
    }

    /// The bundle as YAML.
    pub(crate) fn to_yaml(&self) -> Result<String> {
        serde_yaml::to_string(self).context("writing secrets as YAML")
    }

    fn authority(&self) -> Result<Authority> {
        Authority::from_pem(&self.api.certificate, &self.api.key)
            .context("using the authority of the secrets")
    }

    /// The documents of a node, and with a selector of the disk it is to have.
    pub(crate) fn node(
        &self,
        role: config::Role,
        hostname: &Hostname,
        disk: Option<DiskSelector>,
        now: Timestamp,
    ) -> Result<Documents> {
        let ca = self
            .api
            .certificate
            .parse()
            .context("the authority's certificate")?;
        let documents = match role {
            config::Role::ControlPlane => {
                let issuer = KeyPair::from_pem(&self.api.certificate, &self.api.key)
                    .context("the authority")?;
                config::generate::control_plane(ca, issuer, Some(hostname.clone()))
            }
            config::Role::Worker => {
                let name = hostname.as_str();
                let mut names = Names::loopback();
                names.names.insert(name.to_owned());
                let serving =
                    self.authority()?
                        .issue_serving(name, &names, WORKER_LIFETIME, now)?;
                let serving =
                    KeyPair::from_pem(serving.certificate_pem(), serving.key_pem().expose())?;
                config::generate::worker(ca, serving, Some(hostname.clone()))
            }
        };
        let documents = documents.context("building the documents")?;
        let disk = disk.map(|selector| {
            let wipe = false;
            Document::from(SystemDiskConfig { selector, wipe })
        });
        let cluster = self.cluster.clone().map(|ClusterFile { name, id }| {
            Document::from(ClusterIdentityConfig { cluster: name, id })
        });
        Documents::new(documents.iter().cloned().chain(cluster).chain(disk))
            .context("building the documents")
    }

    /// A context for a person or program.
    pub(crate) fn client(
        &self,
        subject: &str,
        role: Role,
        lifetime: SignedDuration,
        nodes: Vec<Node>,
        now: Timestamp,
    ) -> Result<Context> {
        let roles = Roles::from_organizations([role.organization()]);
        let issued = self
            .authority()?
            .issue_client(subject, roles, lifetime, now)?;
        Ok(Context {
            ca: self.api.certificate.clone(),
            certificate: issued.certificate_pem().to_owned(),
            key: issued.key_pem().expose().clone(),
            nodes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_know_their_cluster_unless_its_secrets_are_older() {
        let now = Timestamp::UNIX_EPOCH;
        let made = Secrets::generate("production".parse().unwrap(), now).unwrap();
        let mut read: Secrets = files::parse_secret(&made.to_yaml().unwrap()).unwrap();
        let (role, hostname) = (config::Role::ControlPlane, "a".parse().unwrap());
        let node = read.node(role, &hostname, None, now).unwrap();
        let identity = node.cluster_identity().unwrap();
        assert_eq!(identity.cluster.as_str(), "production");
        assert_eq!(Some(&identity.id), made.cluster.as_ref().map(|it| &it.id));
        read.cluster = None;
        let text = read.to_yaml().unwrap();
        assert!(!text.contains("cluster"));
        let old: Secrets = files::parse_secret(&text).unwrap();
        let node = old.node(role, &hostname, None, now).unwrap();
        assert_eq!(node.cluster_identity(), None);
    }
}
