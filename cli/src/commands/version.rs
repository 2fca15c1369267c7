//! `osctl version`: what this program is and what the nodes run.

use std::sync::LazyLock;

use anyhow::Result;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::{VersionRequest, VersionResponse};
use serde::Serialize;

use crate::fleet::Session;
use crate::output::{self, Format};

/// What a node said of itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: String,
    revision: String,
    built: String,
    kernel: String,
    architecture: String,
    machine_uuid: String,
    hostname: String,
    stage: String,
}

impl From<VersionResponse> for Version {
    fn from(said: VersionResponse) -> Self {
        Self {
            version: said.version,
            revision: said.revision,
            built: said
                .built
                .map(|time| super::stream::time(&time))
                .unwrap_or_default(),
            kernel: said.kernel,
            architecture: said.architecture,
            machine_uuid: said.machine_uuid,
            hostname: said.hostname,
            stage: said.stage,
        }
    }
}

/// The version of this program, with the commit it was built from where that is known.
pub(crate) fn own() -> &'static str {
    static OWN: LazyLock<String> = LazyLock::new(|| {
        let version = env!("CARGO_PKG_VERSION");
        match option_env!("GARBOARD_REVISION") {
            Some(revision) => format!("{version} ({revision})"),
            None => version.to_owned(),
        }
    });
    &OWN
}

/// Asks the nodes.
pub(crate) async fn run(session: &Session, format: Format) -> Result<()> {
    let answers = session
        .each(|channel| async move {
            let answer = MachineServiceClient::new(channel)
                .version(VersionRequest {})
                .await?;
            Ok(Version::from(answer.into_inner()))
        })
        .await?;
    let headings = ["HOSTNAME", "STAGE", "VERSION", "REVISION", "KERNEL", "ARCH"];
    output::per_node(format, &answers.good, &headings, |version| {
        let fields = [
            &version.hostname,
            &version.stage,
            &version.version,
            &version.revision,
            &version.kernel,
            &version.architecture,
        ];
        fields.into_iter().cloned().collect()
    })?;
    answers.finish()
}
