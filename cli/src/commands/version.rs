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
    /// The name of its cluster; empty where its config does not say, or the node is of a version that does not.
    #[serde(skip_serializing_if = "String::is_empty")]
    cluster: String,
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
            cluster: said.cluster,
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

/// The table of the nodes that answered. A kernel's name has the architecture in it already. A column that says nothing,
/// or nothing but what another one says, is left out: with all of them, a terminal would have no room.
fn table(nodes: &[(String, Version)], of_one: bool) -> Vec<String> {
    let renamed = nodes.iter().any(|(name, said)| *name != said.hostname);
    let clusters = nodes.iter().any(|(_, said)| !said.cluster.is_empty());
    let row = |name: &str, said: [&str; 5]| -> Vec<String> {
        let [hostname, stage, version, kernel, cluster] = said;
        let columns = [
            (!of_one, name),
            (of_one || renamed, hostname),
            (true, stage),
            (true, version),
            (true, kernel),
            (clusters, cluster),
        ];
        let shown = columns.into_iter().filter(|(shown, _)| *shown);
        shown.map(|(_, cell)| cell.to_owned()).collect()
    };
    let headings = row(
        "NODE",
        ["HOSTNAME", "STAGE", "VERSION", "KERNEL", "CLUSTER"],
    );
    let headings: Vec<_> = headings.iter().map(String::as_str).collect();
    let rows: Vec<_> = nodes
        .iter()
        .map(|(name, said)| {
            let Version {
                hostname,
                stage,
                version,
                kernel,
                cluster,
                ..
            } = said;
            row(name, [hostname, stage, version, kernel, cluster])
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
            cluster: "production".into(),
        };
        (name.to_owned(), version)
    }

    #[test]
    fn the_node_is_named_where_there_are_several_and_the_table_fits() {
        let one = table(&[node("garboard-cp-1")], true);
        assert_eq!(
            one,
            [
                "HOSTNAME       STAGE        VERSION  KERNEL                      CLUSTER",
                "garboard-cp-1  maintenance  0.1.0    6.12.107+deb13-cloud-amd64  production",
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

    #[test]
    fn a_name_that_is_not_the_contexts_is_shown_and_a_cluster_only_where_there_is_one() {
        let alone = |name: &str| {
            let (name, said) = node(name);
            let cluster = String::new();
            (name, Version { cluster, ..said })
        };
        let mut nodes = [alone("cp-1"), alone("cp-2")];
        let headings = |nodes: &[_]| table(nodes, false).first().cloned().expect("headings");
        let words = |line: String| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(headings(&nodes)), "NODE STAGE VERSION KERNEL");
        let text = serde_json::to_string(&nodes).expect("JSON");
        assert!(!text.contains("cluster"), "{text}");
        nodes[0].1.hostname = "renamed".into();
        nodes[1].1.cluster = "lab".into();
        let all = "NODE HOSTNAME STAGE VERSION KERNEL CLUSTER";
        assert_eq!(words(headings(&nodes)), all);
        let text = serde_json::to_string(&nodes).expect("JSON");
        assert!(text.contains("\"cluster\":\"lab\""), "{text}");
    }
}
