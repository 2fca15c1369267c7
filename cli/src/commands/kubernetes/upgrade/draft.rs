//! A node's config with another version of Kubernetes in it.

use anyhow::Result;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::{ApplyConfigRequest, ApplyConfigResponse};
use config::KubernetesVersion;
use config::patch::{Text, apply};

use crate::commands::config::patch::{fetch, request};
use crate::fleet::Session;

/// What the node is given, and how that is different.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    request: ApplyConfigRequest,
    /// The lines that change, secrets redacted.
    pub(super) diff: String,
}

/// A patch that says the version.
fn patch(to: KubernetesVersion) -> String {
    format!("{{kind: Kubernetes, version: {to}}}")
}

impl Draft {
    /// Made of the config that the node runs.
    pub(super) async fn of(session: &Session, node: &str, to: KubernetesVersion) -> Result<Self> {
        let fetched = session.again(node, fetch).await?;
        let name = "its config";
        let before = config::parse(name, &fetched.documents)?;
        let config = Text {
            name,
            bytes: &fetched.documents,
        };
        let text = patch(to);
        let patch = Text {
            name: "the version",
            bytes: text.as_bytes(),
        };
        let patched = apply(config, &[patch])?;
        let request = request(
            &patched.text,
            fetched.generation,
            &session.context,
            &patched.documents,
        )?;
        Ok(Self {
            request,
            diff: config::diff(&before, &patched.documents),
        })
    }

    /// What the node would make of it.
    pub(super) async fn try_out(
        &self,
        session: &Session,
        node: &str,
    ) -> Result<ApplyConfigResponse> {
        let request = ApplyConfigRequest {
            dry_run: true,
            ..self.request.clone()
        };
        give(session, node, request).await
    }

    /// Has the node run it.
    pub(super) async fn give(self, session: &Session, node: &str) -> Result<ApplyConfigResponse> {
        give(session, node, self.request).await
    }
}

async fn give(
    session: &Session,
    node: &str,
    request: ApplyConfigRequest,
) -> Result<ApplyConfigResponse> {
    let given = session.again(node, |channel| {
        let request = request.clone();
        async move {
            let mut client = MachineServiceClient::new(channel);
            Ok(client.apply_config(request).await?.into_inner())
        }
    });
    given.await
}
