//! What of the secrets is Kubernetes': three authorities, and two keys that all control planes share.

use anyhow::{Context as _, Result, bail};
use config::{
    ControlPlaneTrust, Document, JoinConfig, KubeletConfig, KubernetesConfig, KubernetesEndpoint,
    KubernetesTrustConfig, KubernetesVersion, Role,
};
use jiff::Timestamp;
use pki::kubernetes::{self, ServiceAccountKey};
use serde::{Deserialize, Serialize};

use super::AuthorityFile;

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KubernetesFile {
    /// Where its API is, for configs that name no other place; absent while nobody has said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<KubernetesEndpoint>,
    issuer: AuthorityFile,
    aggregator: AuthorityFile,
    etcd: AuthorityFile,
    service_account_key: String,
    encryption_key: String,
    /// What workers show who want to join; absent in those that were made before any could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    join_token: Option<String>,
}

impl KubernetesFile {
    /// New ones.
    pub(super) fn generate(now: Timestamp) -> Result<Self> {
        let account = ServiceAccountKey::generate()?;
        Ok(Self {
            endpoint: None,
            issuer: AuthorityFile::generate(kubernetes::AUTHORITY, now)?,
            aggregator: AuthorityFile::generate(kubernetes::AGGREGATOR, now)?,
            etcd: AuthorityFile::generate(kubernetes::ETCD, now)?,
            service_account_key: account.private_pem().expose().clone(),
            encryption_key: kubernetes::shared_key()?.expose().clone(),
            join_token: Some(token()?),
        })
    }

    /// Makes the token of those that have none; whether that was so.
    pub(super) fn complete(&mut self) -> Result<bool> {
        if self.join_token.is_some() {
            return Ok(false);
        }
        self.join_token = Some(token()?);
        Ok(true)
    }

    /// The documents of a node of Kubernetes whose API is there.
    pub(super) fn documents(
        &self,
        role: Role,
        endpoint: KubernetesEndpoint,
    ) -> Result<Vec<Document>> {
        let control_plane = match role {
            Role::ControlPlane => Some(self.control_plane()?),
            Role::Worker => None,
        };
        let ca = self.issuer.certificate.parse();
        let ca = ca.context("the certificate of the authority of Kubernetes")?;
        let cluster = KubernetesConfig::new(KubernetesVersion::NEWEST, endpoint);
        let mut documents = vec![
            cluster.into(),
            KubernetesTrustConfig { ca, control_plane }.into(),
            KubeletConfig::default().into(),
        ];
        documents.extend(self.join(role)?.map(Document::from));
        Ok(documents)
    }

    /// How workers join. A control plane whose secrets are older lets nobody.
    fn join(&self, role: Role) -> Result<Option<JoinConfig>> {
        let token = match (&self.join_token, role) {
            (Some(token), _) => token.parse(),
            (None, Role::ControlPlane) => return Ok(None),
            (None, Role::Worker) => bail!(
                "the secrets have no token for workers to join with, as they were made by an older osctl: `osctl gen secrets --add-missing` adds it and leaves the rest as it is; control planes need it in their configs, too"
            ),
        };
        Ok(Some(JoinConfig {
            token: token.context("the token that workers join with")?,
            former_tokens: Vec::new(),
            control_planes: Vec::new(),
        }))
    }

    fn control_plane(&self) -> Result<ControlPlaneTrust> {
        let account = self.service_account_key.parse();
        let encryption = self.encryption_key.parse();
        Ok(ControlPlaneTrust {
            issuer: self.issuer.pair().context("the authority of Kubernetes")?,
            aggregator: self
                .aggregator
                .pair()
                .context("the authority of the front proxy")?,
            etcd: self.etcd.pair().context("the authority of etcd")?,
            service_account_key: account.context("the key of service accounts")?,
            encryption_key: encryption.context("the key that secrets are encrypted with")?,
        })
    }
}

fn token() -> Result<String> {
    Ok(kubernetes::shared_key()?.expose().clone())
}
