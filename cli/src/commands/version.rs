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
pub(crate) struct Version {
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
    if format == Format::Table {
        let lines = table(&answers.good, answers.are_of_one());
        if !answers.good.is_empty() {
            output::line(&lines.join("\n"))?;
        }
    } else {
        output::values_per_node(format, &answers.good)?;
    }
    answers.finish()
}

/// The table of the nodes that answered. A kernel's name has the architecture in it already.
fn table(nodes: &[(String, Version)], of_one: bool) -> Vec<String> {
    let node = (!of_one).then_some("NODE").into_iter();
    let headings: Vec<_> = node
        .chain(["HOSTNAME", "STAGE", "VERSION", "KERNEL"])
        .collect();
    let rows: Vec<Vec<_>> = nodes
        .iter()
        .map(|(name, said)| {
            let own = [&said.hostname, &said.stage, &said.version, &said.kernel];
            let name = (!of_one).then_some(name).into_iter();
            name.chain(own).cloned().collect()
        })
        .collect();
    output::drawn(&headings, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> (String, Version) {
        let version = Version {
            version: "0.1.0".into(),
            revision: "772b6d201372".into(),
            built: "2026-11-21T12:20:52Z".into(),
            kernel: "6.12.107+deb13-cloud-amd64".into(),
            architecture: "x86_64".into(),
            machine_uuid: "2ac2b0ac-7a0b-4c2c-9c3c-0d4f0c5a1f10".into(),
            hostname: name.into(),
            stage: "maintenance".into(),
        };
        (name.to_owned(), version)
    }

    #[test]
    fn the_node_is_named_where_there_are_several_and_the_table_fits() {
        let one = table(&[node("garboard-cp-1")], true);
        assert_eq!(
            one,
            [
                "HOSTNAME       STAGE        VERSION  KERNEL",
                "garboard-cp-1  maintenance  0.1.0    6.12.107+deb13-cloud-amd64",
            ]
        );
        let two = table(&[node("garboard-cp-1"), node("garboard-cp-2")], false);
        assert!(two.iter().all(|line| line.len() <= 80), "{two:?}");
        assert!(
            two.iter()
                .skip(1)
                .all(|line| line.starts_with("garboard-cp-"))
        );
    }
}
