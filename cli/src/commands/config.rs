//! `osctl config`: the config of nodes.

mod documents;
pub(crate) mod edit;
mod effect;
pub(crate) mod history;
pub(crate) mod patch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::maintenance_service_client::MaintenanceServiceClient;
use api::v1alpha1::{ApplyConfigRequest, ApplyConfigResponse, GetConfigRequest, PairRequest};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use pki::pairing::PairingString;
use serde::Serialize;
use tonic::transport::Channel;

use self::documents::{checked, keeps_the_way_in, read};
use self::effect::Effect;
use crate::connect;
use crate::exit::{Changes, usage};
use crate::fleet::{Session, within};
use crate::output::{self, Format};

/// What to do with configs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Give nodes a config: running nodes by your certificate, a new one by its pairing string
    Apply(Apply),
    /// Change the config of nodes, or a file, by patches
    ///
    /// A patch is YAML. A document like those of the config is merged into the one of its kind and name: maps merge, lists
    /// replace, `null` removes a field, `$patch: delete` the document. A list is a JSON patch (RFC 6902); its paths are
    /// /KIND/FIELD or /KIND/NAME/FIELD.
    ///
    /// Each node's config is fetched, patched and given back, secrets and all, and is refused if somebody changed it in
    /// between. An example:
    ///
    /// osctl config patch --dry-run -p '{kind: Hostname, hostname: node-2}'
    Patch(patch::Patch),
    /// Change the config of one node in your editor
    ///
    /// The editor is $VISUAL, else $EDITOR, else vi. It gets the config as the node has it, with its secrets, in a file that
    /// only you can read. What is wrong with it is written above it, and the editor opened again; a file left as it was
    /// changes nothing, and an empty one neither.
    Edit(edit::Edit),
    /// Check a config without a node
    Validate {
        /// The file of YAML documents; - reads standard input
        #[arg(short, long, required_unless_present = "schema")]
        file: Option<PathBuf>,
        /// Print the JSON Schema of a document instead, for editors that check YAML as it is written
        #[arg(long, conflicts_with = "file")]
        schema: bool,
    },
    /// Show the config a node runs
    Show {
        /// Show secrets as well; needs the admin role
        #[arg(long)]
        reveal_secrets: bool,
    },
    #[command(flatten)]
    Past(history::Past),
}

/// A config to be applied.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The file of YAML documents, which are applied as a whole; - reads standard input
    #[arg(short, long)]
    file: PathBuf,
    /// The pairing string on the console of a node that waits in maintenance mode
    #[arg(long, value_name = "STRING")]
    pub(crate) pairing: Option<String>,
    /// Say what would happen and change nothing; exit code 3 says that there are changes
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    effect: Effect,
    /// Apply it though it is for a node of another role or cluster, or for a disk that is not there
    #[arg(long)]
    force: bool,
}

/// Checks a file, offline; without one, prints what a document looks like.
pub(crate) fn validate(file: Option<&Path>, format: Format) -> Result<()> {
    let Some(file) = file else {
        return output::raw(config::schema::json().as_bytes());
    };
    #[derive(Serialize)]
    struct Valid {
        file: String,
        documents: usize,
        warnings: Vec<String>,
    }
    let (file, bytes) = read(file)?;
    let valid = checked(&file, &bytes)?;
    let (documents, warnings) = (valid.iter().count(), valid.warnings());
    if format != Format::Table {
        let valid = Valid {
            file,
            documents,
            warnings,
        };
        return output::value(format, &valid);
    }
    for warning in &warnings {
        output::note(&format!("{file}: warning: {warning}"));
    }
    let documents = output::counted(documents, "document");
    output::line(&format!("{file}: {documents}, valid"))
}

/// Applies a file to running nodes.
pub(crate) async fn apply(session: &Session, apply: &Apply, format: Format) -> Result<()> {
    apply.effect.check()?;
    let (name, bytes) = read(&apply.file)?;
    let documents = checked(&name, &bytes)?;
    keeps_the_way_in(&name, &documents, &session.context)?;
    let request = apply.request(bytes);
    let answers = session
        .each_changed(|channel| {
            let request = request.clone();
            async move {
                Ok(MachineServiceClient::new(channel)
                    .apply_config(request)
                    .await?
                    .into_inner())
            }
        })
        .await?;
    let answers = answers.map(|answer| Applied::new(answer, apply.dry_run, apply.effect));
    report(&answers.good, format)?;
    let changes = would_change(&answers.good);
    answers.finish()?;
    changes
}

/// Applies a file to a node that waits in maintenance mode, which is known by its pairing string alone.
pub(crate) async fn pair(
    asked: &[String],
    apply: &Apply,
    pairing: &str,
    patience: Duration,
    format: Format,
) -> Result<()> {
    let [address] = asked else {
        return Err(usage("--pairing is for one node; name its address with -n"));
    };
    apply.effect.check()?;
    let pairing: PairingString = pairing.parse().context("reading the pairing string")?;
    let (name, bytes) = read(&apply.file)?;
    checked(&name, &bytes)?;
    let address = connect::with_port(address)?;
    let answer = give(&pairing, &address, apply.request(bytes), patience).await?;
    let applied = Applied::new(answer, apply.dry_run, apply.effect);
    let applied = [(address, applied)];
    report(&applied, format)?;
    would_change(&applied)
}

/// Pairs with a waiting node. What comes next counts only on this connection, so it needs no secret of its own.
pub(crate) async fn paired(
    pairing: &PairingString,
    address: &str,
    patience: Duration,
) -> Result<Channel> {
    let channel = connect::connect_pinned(pairing.pin, address, patience).await?;
    let mut node = MaintenanceServiceClient::new(channel.clone());
    let now = Timestamp::now();
    let time = prost_types::Timestamp {
        seconds: now.as_second(),
        nanos: now.subsec_nanosecond(),
    };
    let secret = pairing.secret.reveal();
    let pair = node.pair(PairRequest {
        secret,
        time: Some(time),
    });
    within(patience, async { Ok(pair.await?) })
        .await
        .context("pairing")?;
    Ok(channel)
}

/// Pairs with a waiting node and gives it its config.
pub(crate) async fn give(
    pairing: &PairingString,
    address: &str,
    config: ApplyConfigRequest,
    patience: Duration,
) -> Result<ApplyConfigResponse> {
    let mut node = MaintenanceServiceClient::new(paired(pairing, address, patience).await?);
    let apply = node.apply_config(config);
    let answer = within(patience, async { Ok(apply.await?) })
        .await
        .context("applying the config")?;
    Ok(answer.into_inner())
}

impl Apply {
    fn request(&self, documents: Vec<u8>) -> ApplyConfigRequest {
        self.effect.of(ApplyConfigRequest {
            documents,
            dry_run: self.dry_run,
            force: self.force,
            ..ApplyConfigRequest::default()
        })
    }
}

/// The request that gives a node these documents.
pub(crate) fn request(documents: Vec<u8>) -> ApplyConfigRequest {
    ApplyConfigRequest {
        documents,
        ..ApplyConfigRequest::default()
    }
}

/// Shows what a node runs.
pub(crate) async fn show(session: &Session, reveal_secrets: bool, format: Format) -> Result<()> {
    session
        .one(|_, channel| async move {
            let mut client = MachineServiceClient::new(channel);
            let answer = client.get_config(GetConfigRequest { reveal_secrets });
            shown(session.within(answer).await?.into_inner().documents, format)
        })
        .await
}

fn shown(documents: Vec<u8>, format: Format) -> Result<()> {
    if format != Format::Json {
        return output::raw(&documents);
    }
    let text = String::from_utf8(documents).context("reading the node's config")?;
    // YAML 1.1 has more words for true and false; here they are text, and a link may be called `y`.
    let options = serde_yaml::options! { strict_booleans: true };
    let values: Vec<serde_json::Value> = serde_yaml::from_multiple_with_options(&text, options)
        .context("reading the node's config")?;
    output::value(format, &values)
}

/// What a node made of a config.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Applied {
    dry_run: bool,
    mode: &'static str,
    /// The one that runs, is tried or is staged: for a dry run the one before.
    generation: u64,
    changes: Vec<String>,
    warnings: Vec<String>,
    /// The lines that would change, secrets redacted; of a patch that is only tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

impl Applied {
    fn new(answer: ApplyConfigResponse, dry_run: bool, effect: Effect) -> Self {
        let ApplyConfigResponse {
            generation,
            changes,
            warnings,
        } = answer;
        Self {
            dry_run,
            mode: effect.mode().word(),
            generation,
            changes,
            warnings,
            diff: None,
        }
    }

    /// What was done to a node, in words.
    fn sentence(&self, node: &str) -> String {
        let generation = self.generation;
        match (self.dry_run, generation) {
            _ if self.changes.is_empty() => {
                format!("the same as before; generation {generation} runs")
            }
            (false, _) => match self.mode {
                "staged" => format!("staged generation {generation} for the next boot"),
                "try" => format!(
                    "trying generation {generation}; `osctl config confirm -n {node}` keeps it, and without that it is left again"
                ),
                _ => format!("applied generation {generation}"),
            },
            (true, 0) => "nothing was changed; this would be the first generation".to_owned(),
            (true, _) => {
                format!("nothing was changed; generation {generation} would be followed by")
            }
        }
    }
}

fn report(applied: &[(String, Applied)], format: Format) -> Result<()> {
    if format != Format::Table {
        return output::values_per_node(format, applied);
    }
    for (node, applied) in applied {
        output::line(&format!("{node}: {}", applied.sentence(node)))?;
        for change in &applied.changes {
            output::line(&format!("  {change}"))?;
        }
        if let Some(diff) = &applied.diff {
            output::raw(diff.as_bytes())?;
        }
        for warning in &applied.warnings {
            output::note(&format!("{node}: warning: {warning}"));
        }
    }
    Ok(())
}

fn would_change(applied: &[(String, Applied)]) -> Result<()> {
    let any = applied
        .iter()
        .any(|(_, applied)| applied.dry_run && !applied.changes.is_empty());
    if any { Err(Changes.into()) } else { Ok(()) }
}
