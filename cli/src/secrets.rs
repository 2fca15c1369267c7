//! The secrets bundle of a cluster: the authorities that everything else is issued from.

mod kubernetes;

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use config::{
    ClusterId, ClusterIdentityConfig, DiskSelector, Document, DocumentName, Documents, Hostname,
    KeyPair, KubernetesEndpoint, SystemDiskConfig,
};
use jiff::{SignedDuration, Timestamp};
use pki::{Authority, Names, Role, Roles};
use serde::{Deserialize, Serialize};

use crate::context::{Context, Node};
use crate::files;
use kubernetes::KubernetesFile;

/// The authority's name in its certificate.
const AUTHORITY: &str = "garboard";

/// The certificate of a worker that runs no Kubernetes holds as long as its authority: it has nobody to renew it.
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
    /// What its Kubernetes needs; absent in those that were made before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kubernetes: Option<KubernetesFile>,
}

/// What a node is to be.
#[derive(Clone, Debug)]
pub(crate) struct NodePlan {
    /// Its part in the cluster.
    pub(crate) role: config::Role,
    /// Its name.
    pub(crate) hostname: Hostname,
    /// What tells its disk from others; without one it keeps nothing.
    pub(crate) disk: Option<DiskSelector>,
    /// Where the API of Kubernetes is; without one it runs nothing of Kubernetes.
    pub(crate) kubernetes: Option<KubernetesEndpoint>,
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

impl AuthorityFile {
    /// A new authority that is called so.
    fn generate(name: &str, now: Timestamp) -> Result<Self> {
        let made = Authority::generate(name, now);
        let made = made.with_context(|| format!("making the authority {name}"))?;
        let own = made.identity();
        Ok(Self {
            certificate: own.certificate_pem().to_owned(),
            key: own.key_pem().expose().clone(),
        })
    }

    /// As a config has it.
    fn pair(&self) -> Result<KeyPair> {
        Ok(KeyPair::from_pem(&self.certificate, &self.key)?)
    }
}

impl Secrets {
    /// New secrets, of a cluster that is called so.
    pub(crate) fn generate(name: DocumentName, now: Timestamp) -> Result<Self> {
        let mut secrets = Self {
            api: AuthorityFile::generate(AUTHORITY, now)?,
            cluster: None,
            kubernetes: None,
        };
        secrets.complete(name, now)?;
        Ok(secrets)
    }

    /// Makes what secrets of an older osctl lack, and leaves alone what is there; says what that was.
    pub(crate) fn complete(
        &mut self,
        name: DocumentName,
        now: Timestamp,
    ) -> Result<Vec<&'static str>> {
        let mut made = Vec::new();
        if self.cluster.is_none() {
            let own = self.authority()?;
            // A hash of a key made by chance is as good as chance. It stays what it is when the authority changes.
            let fingerprint = own.identity().certificate().fingerprint.to_string();
            let id: String = fingerprint.chars().take(32).collect();
            let id = id.parse().context("making the id of the cluster")?;
            self.cluster = Some(ClusterFile { name, id });
            made.push("the cluster's identity");
        }
        if let Some(kubernetes) = &mut self.kubernetes {
            if kubernetes.complete()? {
                made.push("the token that workers join with");
            }
        } else {
            self.kubernetes = Some(KubernetesFile::generate(now)?);
            made.push("the secrets of Kubernetes");
        }
        Ok(made)
    }

    /// What the cluster is called, when it has an identity.
    pub(crate) fn cluster(&self) -> Option<&DocumentName> {
        self.cluster.as_ref().map(|it| &it.name)
    }

    /// Where the API of Kubernetes is, when that was said.
    pub(crate) fn endpoint(&self) -> Option<&KubernetesEndpoint> {
        self.kubernetes.as_ref()?.endpoint.as_ref()
    }

    /// Remembers where the API of Kubernetes is.
    pub(crate) fn set_endpoint(&mut self, endpoint: KubernetesEndpoint) {
        if let Some(kubernetes) = &mut self.kubernetes {
            kubernetes.endpoint = Some(endpoint);
        }
    }

    /// Whether they have those of Kubernetes.
    pub(crate) fn has_kubernetes(&self) -> bool {
        self.kubernetes.is_some()
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

    /// The documents of a node.
    pub(crate) fn node(&self, plan: &NodePlan, now: Timestamp) -> Result<Documents> {
        let ca = self
            .api
            .certificate
            .parse()
            .context("the authority's certificate")?;
        let hostname = &plan.hostname;
        let documents = match plan.role {
            config::Role::ControlPlane => {
                let issuer = self.api.pair().context("the authority")?;
                config::generate::control_plane(ca, issuer, Some(hostname.clone()))
            }
            // It joins, and a control plane issues what it answers with.
            config::Role::Worker if plan.kubernetes.is_some() && self.has_kubernetes() => {
                config::generate::worker(ca, None, Some(hostname.clone()))
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
                config::generate::worker(ca, Some(serving), Some(hostname.clone()))
            }
        };
        let documents = documents.context("building the documents")?;
        let disk = plan.disk.clone().map(|selector| {
            let wipe = false;
            Document::from(SystemDiskConfig { selector, wipe })
        });
        let cluster = self.cluster.clone().map(|ClusterFile { name, id }| {
            Document::from(ClusterIdentityConfig { cluster: name, id })
        });
        let mut documents: Vec<Document> = documents.iter().cloned().collect();
        documents.extend(cluster);
        documents.extend(disk);
        if let (Some(endpoint), Some(secrets)) = (&plan.kubernetes, &self.kubernetes) {
            documents.extend(secrets.documents(plan.role, endpoint.clone())?);
        }
        Documents::new(documents).context("building the documents")
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

    fn plan(role: config::Role) -> NodePlan {
        NodePlan {
            role,
            hostname: "a".parse().unwrap(),
            disk: None,
            kubernetes: KubernetesEndpoint::from_host("10.5.0.2").ok(),
        }
    }

    fn made() -> Secrets {
        Secrets::generate("production".parse().unwrap(), Timestamp::UNIX_EPOCH).unwrap()
    }

    fn node(secrets: &Secrets, role: config::Role) -> Documents {
        let documents = secrets.node(&plan(role), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(documents.validate(), []);
        documents
    }

    #[test]
    fn nodes_know_their_cluster_unless_its_secrets_are_older() {
        let made = made();
        let mut read: Secrets = files::parse_secret(&made.to_yaml().unwrap()).unwrap();
        let before = node(&read, config::Role::ControlPlane);
        let identity = before.cluster_identity().unwrap();
        assert_eq!(identity.cluster.as_str(), "production");
        assert_eq!(Some(&identity.id), made.cluster.as_ref().map(|it| &it.id));
        read.cluster = None;
        read.kubernetes = None;
        let text = read.to_yaml().unwrap();
        assert!(!text.contains("cluster") && !text.contains("kubernetes"));
        let mut old: Secrets = files::parse_secret(&text).unwrap();
        let older = node(&old, config::Role::ControlPlane);
        assert_eq!(older.cluster_identity(), None);
        assert_eq!(older.kubernetes(), None);
        // What is made for them is of the same cluster.
        let name: DocumentName = "production".parse().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(old.complete(name.clone(), now).unwrap().len(), 2);
        let after = node(&old, config::Role::ControlPlane);
        assert_eq!(after.cluster_identity(), Some(identity));
        assert_eq!(after.api_trust(), before.api_trust());
        let text = old.to_yaml().unwrap();
        assert_eq!(old.complete(name, now).unwrap(), Vec::<&str>::new());
        assert_eq!(old.to_yaml().unwrap(), text);
    }

    #[test]
    fn workers_join_with_a_token_that_older_secrets_get() {
        let mut old = made();
        let text = old.to_yaml().unwrap();
        let lines = text.lines().filter(|it| !it.contains("joinToken"));
        let text = lines.collect::<Vec<_>>().join("\n");
        old = files::parse_secret(&text).unwrap();
        let error = old
            .node(&plan(config::Role::Worker), Timestamp::UNIX_EPOCH)
            .unwrap_err();
        assert!(error.to_string().contains("--add-missing"), "{error}");
        assert_eq!(node(&old, config::Role::ControlPlane).join(), None);
        let name: DocumentName = "production".parse().unwrap();
        let added = old.complete(name, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(added, ["the token that workers join with"]);
        let token = |it: &Secrets| node(it, config::Role::Worker).join().unwrap().token.clone();
        assert_eq!(
            Some(token(&old)),
            node(&old, config::Role::ControlPlane)
                .join()
                .map(|it| it.token.clone())
        );
        assert_ne!(token(&old), token(&made()));
    }

    #[test]
    fn a_worker_without_kubernetes_carries_its_own_certificate() {
        let plan = NodePlan {
            kubernetes: None,
            ..plan(config::Role::Worker)
        };
        let documents = made().node(&plan, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(documents.validate(), []);
        assert!(documents.api_trust().unwrap().serving.is_some());
        assert_eq!(documents.join(), None);
    }

    #[test]
    fn a_worker_gets_no_authority_of_kubernetes() {
        let made = made();
        let plane_config = node(&made, config::Role::ControlPlane);
        let worker_config = node(&made, config::Role::Worker);
        assert_eq!(plane_config.kubernetes(), worker_config.kubernetes());
        let of = |it: &Documents| it.kubernetes_trust().cloned().unwrap();
        let (plane, worker) = (of(&plane_config), of(&worker_config));
        assert_eq!(plane.ca, worker.ca);
        assert_eq!(worker.control_plane, None);
        assert_eq!(worker_config.join(), plane_config.join());
        assert_eq!(worker_config.api_trust().unwrap().serving, None);
        // A key of the cluster in any form: PEM, and the two that have none.
        let text = worker_config.to_yaml().unwrap();
        assert!(!text.contains("PRIVATE KEY"), "{text}");
        let keys = plane.control_plane.unwrap();
        for key in [&keys.issuer, &keys.aggregator, &keys.etcd].map(|it| it.key.as_pem()) {
            let body = key.lines().nth(1).unwrap();
            assert!(!text.contains(body));
        }
        assert!(!text.contains(keys.encryption_key.as_base64()));
        assert_eq!(keys.issuer.certificate, plane.ca);
        for pair in [keys.issuer, keys.aggregator, keys.etcd] {
            let authority = Authority::from_pem(pair.certificate.as_pem(), pair.key.as_pem());
            authority.unwrap();
        }
        pki::kubernetes::ServiceAccountKey::from_pem(keys.service_account_key.as_pem()).unwrap();
    }
}
