//! `osctl support`: everything that tells what a node is like, in one file for whoever is asked for help.
//!
//! No secret goes in: kinds of resources that hold some are left out, and the config comes redacted from the node itself.
//! What a node does not answer is a line in its `errors.txt`, not the end of the rest.

mod bundle;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use api::v1alpha1 as v1;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use clap::Args;
use cosi::wire::{Client, Query};
use jiff::Timestamp;
use store::meta::{Namespace, ResourceDefinition, Sensitivity};
use store::{Registry, Spec};
use tonic::transport::Channel;

use bundle::{File, write};

use super::{inspect, stream, version};
use crate::explain::sentence;
use crate::fleet::{Session, within};
use crate::output::{self, counted};
use crate::progress::Progress;

/// Where the bundle goes.
#[derive(Debug, Args)]
pub(crate) struct Support {
    /// The file to write [default: support-TIME.tar.gz, in this folder]
    file: Option<PathBuf>,
}

/// Asks the nodes for everything and writes it down.
pub(crate) async fn run(session: &Session, support: &Support, now: Timestamp) -> Result<()> {
    let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let named = || PathBuf::from(format!("support-{time}.tar.gz"));
    let path = support.file.clone().unwrap_or_else(named);
    let patience = session.patience;
    if path.symlink_metadata().is_ok() {
        bail!("{} exists; give another name", path.display());
    }
    let progress = Progress::new();
    let answers = session
        .each_in_its_own_time(|node, channel| {
            let progress = &progress;
            async move {
                let mut collected = Collected::new(node, patience, progress);
                collected.everything(&channel).await;
                Ok((collected.files(), collected.errors.len()))
            }
        })
        .await?;
    drop(progress);
    let mut files = vec![File::new("osctl.txt", own(&time))];
    let mut errors = 0;
    for (_, (told, missing)) in &answers.good {
        files.extend(told.iter().cloned());
        errors += missing;
    }
    if !answers.good.is_empty() {
        write(&path, &files, now)?;
        say(&path, answers.good.len(), errors)?;
    }
    answers.finish()
}

fn say(path: &Path, nodes: usize, errors: usize) -> Result<()> {
    let shown = path.display();
    output::line(&format!("wrote {shown}, of {}", counted(nodes, "node")))?;
    if errors > 0 {
        output::note(&format!(
            "{} could not be had; errors.txt of the node tells which and why",
            counted(errors, "part")
        ));
    }
    Ok(())
}

fn own(time: &str) -> Vec<u8> {
    format!("osctl {}\ncollected {time}\n", version::own()).into_bytes()
}

/// What one node has told.
struct Collected<'a> {
    node: String,
    patience: std::time::Duration,
    progress: &'a Progress,
    parts: Vec<File>,
    errors: Vec<String>,
}

impl<'a> Collected<'a> {
    fn new(node: String, patience: std::time::Duration, progress: &'a Progress) -> Self {
        Self {
            node,
            patience,
            progress,
            parts: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// The files of this node, each below its name.
    fn files(&self) -> Vec<File> {
        let folder = bundle::name(&self.node);
        let mut files: Vec<File> = self.parts.iter().map(|part| part.below(&folder)).collect();
        if !self.errors.is_empty() {
            let text = self.errors.join("\n") + "\n";
            files.push(File::new("errors.txt", text.into_bytes()).below(&folder));
        }
        files
    }

    /// One part; that it cannot be had is noted.
    async fn part(&mut self, name: &str, part: impl Future<Output = Result<Vec<u8>>>) {
        self.progress.tell(format!("{}: {name}", self.node));
        match within(self.patience, part).await {
            Ok(content) if content.is_empty() => {}
            Ok(content) => self.parts.push(File::new(name, content)),
            Err(error) => self.errors.push(format!("{name}: {}", sentence(&error))),
        }
    }

    async fn everything(&mut self, channel: &Channel) {
        let machine = || MachineServiceClient::new(channel.clone());
        self.part("version.yaml", async {
            let said = machine().version(v1::VersionRequest {}).await?.into_inner();
            yaml(&version::Version::from(said))
        })
        .await;
        self.part("config.yaml", async {
            let request = v1::GetConfigRequest {
                reveal_secrets: false,
            };
            Ok(machine().get_config(request).await?.into_inner().documents)
        })
        .await;
        self.part("dmesg.log", stream::all_of_dmesg(machine()))
            .await;
        self.part("events.log", stream::all_events(machine())).await;
        for (name, look) in inspect::EVERYTHING {
            let part = inspect::everything(channel.clone(), look);
            self.part(&format!("{name}.yaml"), part).await;
        }
        self.resources(channel).await;
        let services = self.services(channel).await;
        for service in services {
            let name = format!("logs/{}.log", bundle::name(&service));
            self.part(&name, stream::whole_log(machine(), service))
                .await;
        }
    }

    /// Every resource that holds no secret.
    async fn resources(&mut self, channel: &Channel) {
        let client = Client::new(channel.clone(), Arc::new(Registry::new()));
        let listed = within(self.patience, kinds(&client)).await;
        let (kinds, namespaces) = match listed {
            Ok(listed) => listed,
            Err(error) => {
                self.errors.push(format!("resources: {}", sentence(&error)));
                return;
            }
        };
        for kind in kinds {
            let name = format!("resources/{}.yaml", bundle::name(&kind.to_lowercase()));
            self.part(&name, resources(&client, &kind, &namespaces))
                .await;
        }
    }

    async fn services(&mut self, channel: &Channel) -> Vec<String> {
        let client = Client::new(channel.clone(), Arc::new(Registry::new()));
        let kind = resources::runtime::ServiceStatus::DEFINITION;
        let query = Query::default();
        let listed = async { Ok(client.list(kind.namespace, kind.ty, &query).await?) };
        match within(self.patience, listed).await {
            Ok(services) => {
                let ids = services.iter().map(|it| it.metadata.id.to_string());
                ids.collect()
            }
            Err(error) => {
                self.errors.push(format!("logs: {}", sentence(&error)));
                Vec::new()
            }
        }
    }
}

fn yaml(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    Ok(serde_yaml::to_string(value)
        .context("writing YAML")?
        .into_bytes())
}

/// The kinds that hold no secrets, and all namespaces.
async fn kinds(client: &Client) -> Result<(Vec<String>, Vec<String>)> {
    let types = ResourceDefinition::DEFINITION;
    let all = client
        .list(types.namespace, types.ty, &Query::default())
        .await?;
    let open = all
        .iter()
        .filter_map(|resource| resource.spec::<ResourceDefinition>())
        .filter(|definition| definition.sensitivity != Sensitivity::Sensitive)
        .map(|definition| definition.ty.clone())
        .collect();
    let spaces = Namespace::DEFINITION;
    let all = client
        .list(spaces.namespace, spaces.ty, &Query::default())
        .await?;
    let namespaces = all.iter().map(|it| it.metadata.id.to_string()).collect();
    Ok((open, namespaces))
}

/// All resources of a kind, wherever they are.
async fn resources(client: &Client, kind: &str, namespaces: &[String]) -> Result<Vec<u8>> {
    let mut text = String::new();
    for namespace in namespaces {
        for resource in client.list(namespace, kind, &Query::default()).await? {
            text.push_str("---\n");
            text.push_str(&resource.to_yaml()?);
        }
    }
    Ok(text.into_bytes())
}
