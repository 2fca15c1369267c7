//! `osctl config patch`: patches to the config of nodes, or to a file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::{ApplyConfigRequest, ApplyConfigResponse, GetConfigRequest, GetConfigResponse};
use clap::Args;
use config::patch::{Patched, Text, apply, check};
use serde::Serialize;
use tonic::transport::Channel;

use super::documents::{keeps_the_way_in, read, usable};
use super::effect::Effect;
use super::{Applied, report, shown, would_change};
use crate::context::Context;
use crate::exit::{Changes, usage};
use crate::files::{Existing, write_secret};
use crate::fleet::Session;
use crate::output::{self, Format};

/// Patches, and what to patch.
#[derive(Debug, Args)]
pub(crate) struct Patch {
    /// A file of patches, - for standard input, or a patch itself in {} or []; can be given several times
    #[arg(short, long = "patch", value_name = "PATCH", required = true)]
    patches: Vec<String>,
    /// Patch this file instead of the config of nodes, and print the outcome, secrets and all; - reads standard input
    #[arg(short, long)]
    pub(crate) file: Option<PathBuf>,
    /// Write the outcome into the file instead
    #[arg(long, requires = "file", conflicts_with = "dry_run")]
    in_place: bool,
    /// Show what would be different and change nothing; exit code 3 says that there are changes
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    effect: Effect,
}

/// A patch as it was read.
struct Named {
    name: String,
    bytes: Vec<u8>,
}

impl Named {
    fn text(&self) -> Text<'_> {
        Text {
            name: &self.name,
            bytes: &self.bytes,
        }
    }
}

/// Reads the patches; what is wrong with one of them alone is told before anybody is asked.
fn patches(patch: &Patch) -> Result<Vec<Named>> {
    let count = patch.patches.len();
    let inputs = patch.patches.iter().filter(|it| *it == "-").count();
    let file = usize::from(patch.file.as_deref() == Some(Path::new("-")));
    if inputs + file > 1 {
        return Err(usage("standard input can be read once"));
    }
    let named = patch.patches.iter().enumerate().map(|(index, argument)| {
        let named = if is_inline(argument) {
            let number = if count > 1 {
                format!(" {}", index + 1)
            } else {
                String::new()
            };
            Named {
                name: format!("patch{number}"),
                bytes: argument.clone().into_bytes(),
            }
        } else {
            let (name, bytes) = read(Path::new(argument))?;
            Named { name, bytes }
        };
        check(named.text())?;
        Ok(named)
    });
    named.collect()
}

/// Whether an argument is a patch itself and not the name of a file.
fn is_inline(argument: &str) -> bool {
    argument.trim_start().starts_with(['{', '[']) || argument.contains('\n')
}

fn patched(name: &str, bytes: &[u8], patches: &[Named]) -> Result<Patched> {
    let texts: Vec<Text<'_>> = patches.iter().map(Named::text).collect();
    let patched = apply(Text { name, bytes }, &texts)?;
    if let Some(trust) = patched.documents.api_trust() {
        usable(trust).context("ApiTrust, as patched")?;
    }
    for note in &patched.notes {
        output::note(&format!("note: {note}"));
    }
    Ok(patched)
}

/// What patches would make of a file.
#[derive(Serialize)]
struct Tried<'a> {
    file: String,
    diff: &'a str,
}

/// Patches a file, offline.
pub(crate) fn file(patch: &Patch, file: &Path, format: Format) -> Result<()> {
    patch.effect.refuse()?;
    let patches = patches(patch)?;
    let (name, bytes) = read(file)?;
    let patched = patched(&name, &bytes, &patches)?;
    if patch.dry_run {
        let before = config::parse(&name, &bytes)?;
        let diff = config::diff(&before, &patched.documents);
        match format {
            Format::Table => output::raw(diff.as_bytes())?,
            _ => output::value(
                format,
                &Tried {
                    file: name,
                    diff: &diff,
                },
            )?,
        }
        return if diff.is_empty() {
            Ok(())
        } else {
            Err(Changes.into())
        };
    }
    if !patch.in_place {
        return shown(patched.text.into_bytes(), format);
    }
    if file == Path::new("-") {
        return Err(usage("--in-place needs a file, and standard input is none"));
    }
    if patched.text.as_bytes() == bytes {
        return output::line(&format!("{name} is as it was"));
    }
    write_secret(file, &patched.text, Existing::Replace)?;
    output::line(&format!("wrote {name}"))
}

/// Patches the config of running nodes.
pub(crate) async fn nodes(session: &Session, patch: &Patch, format: Format) -> Result<()> {
    patch.effect.check()?;
    let patches = patches(patch)?;
    let answers = session
        .each_changed(|channel| node(channel, &session.context, &patches, patch))
        .await?;
    report(&answers.good, format)?;
    let changes = would_change(&answers.good);
    answers.finish()?;
    changes
}

async fn node(
    channel: Channel,
    context: &Context,
    patches: &[Named],
    patch: &Patch,
) -> Result<Applied> {
    let &Patch {
        dry_run, effect, ..
    } = patch;
    let fetched = fetch(channel.clone()).await?;
    let patched = patched("its config", &fetched.documents, patches)?;
    if patched.text.as_bytes() == fetched.documents {
        let same = ApplyConfigResponse {
            generation: fetched.generation,
            ..ApplyConfigResponse::default()
        };
        return Ok(Applied::new(same, dry_run, effect));
    }
    let before = config::parse("its config", &fetched.documents)?;
    let request = request(
        &patched.text,
        fetched.generation,
        context,
        &patched.documents,
    )?;
    let request = effect.of(ApplyConfigRequest { dry_run, ..request });
    let mut client = MachineServiceClient::new(channel);
    let answer = client.apply_config(request).await?.into_inner();
    let diff = dry_run.then(|| config::diff(&before, &patched.documents));
    Ok(Applied {
        diff: diff.filter(|it| !it.is_empty()),
        ..Applied::new(answer, dry_run, effect)
    })
}

/// The config that a node runs, secrets and all.
pub(crate) async fn fetch(channel: Channel) -> Result<GetConfigResponse> {
    let all = GetConfigRequest {
        reveal_secrets: true,
    };
    let answer = MachineServiceClient::new(channel).get_config(all).await;
    let answer = answer.context("fetching the config")?.into_inner();
    if answer.generation == 0 {
        bail!("the node has no config yet; `osctl config apply -n NODE` gives it one");
    }
    Ok(answer)
}

/// The request that gives a node the config made of the one of that generation.
pub(crate) fn request(
    text: &str,
    generation: u64,
    context: &Context,
    documents: &config::Documents,
) -> Result<ApplyConfigRequest> {
    keeps_the_way_in("the config", documents, context)?;
    Ok(ApplyConfigRequest {
        documents: text.as_bytes().to_vec(),
        expected_generation: Some(generation),
        ..ApplyConfigRequest::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_told_from_the_name_of_a_file() {
        for inline in ["{kind: Link}", " [{op: test}]", "kind: Link\nname: a"] {
            assert!(is_inline(inline), "{inline}");
        }
        for file in ["a.yaml", "-", "kind: Link"] {
            assert!(!is_inline(file), "{file}");
        }
    }
}
