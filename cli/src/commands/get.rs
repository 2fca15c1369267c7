//! `osctl get`, `osctl services` and others: resources of nodes, by the names that the node itself gives its types.

pub(crate) mod disks;
mod secrets;
mod table;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use cosi::wire::{Client, Query, Watch, WireEvent};
use serde::Serialize;
use store::meta::ResourceDefinition;
use store::{Reference, Registry, Resource, Spec};
use tonic::transport::Channel;

use crate::fleet::{Answers, Session, within};
use crate::output::{self, Format};

/// Which resources.
#[derive(Clone, Debug, Args)]
pub(crate) struct Get {
    /// The type, by any of its names; `osctl get rd` lists them
    r#type: String,
    /// The id of one resource [default: all of the type]
    id: Option<String>,
    /// Look in this namespace [default: the type's own]
    #[arg(long)]
    namespace: Option<String>,
    /// Only resources whose id matches this regular expression
    #[arg(long, value_name = "REGEX", conflicts_with = "id")]
    matching: Option<String>,
    /// Keep showing what changes, until interrupted; for one node
    #[arg(short, long)]
    watch: bool,
}

impl Get {
    /// All resources of a type.
    pub(crate) fn all(r#type: &str) -> Self {
        Self {
            r#type: r#type.to_owned(),
            id: None,
            namespace: None,
            matching: None,
            watch: false,
        }
    }
}

/// A type as the node describes it.
struct Kind {
    definition: ResourceDefinition,
    namespace: String,
}

/// Shows resources.
pub(crate) async fn run(session: &Session, get: Get, format: Format) -> Result<()> {
    if get.watch {
        let watch = |node, channel| watch(node, channel, &get, session.patience, format);
        return session.one(watch).await;
    }
    let answers = session.each(|channel| list(channel, &get)).await?;
    show(&answers, format)?;
    answers.finish()
}

async fn list(channel: Channel, get: &Get) -> Result<(Kind, Vec<Resource>)> {
    let client = client(channel);
    let kind = kind(&client, get).await?;
    let resources = match &get.id {
        Some(id) => vec![client.get(&reference(&kind, id)).await?],
        None => {
            let query = Query {
                ids: get.matching.clone(),
                ..Query::default()
            };
            client
                .list(&kind.namespace, &kind.definition.ty, &query)
                .await?
        }
    };
    Ok((kind, resources))
}

fn client(channel: Channel) -> Client {
    // A new registry knows the type of types, the only one osctl needs: all others it shows as the node describes them.
    Client::new(channel, Arc::new(Registry::new()))
}

fn reference(kind: &Kind, id: &str) -> Reference {
    Reference::new(kind.namespace.as_str(), kind.definition.ty.as_str(), id)
}

/// Finds the type that a person means.
async fn kind(client: &Client, get: &Get) -> Result<Kind> {
    let types = ResourceDefinition::DEFINITION;
    let all = client
        .list(types.namespace, types.ty, &Query::default())
        .await;
    let all = all.context("asking for the types of resources")?;
    let definitions: Vec<_> = all
        .iter()
        .filter_map(|resource| resource.spec::<ResourceDefinition>())
        .collect();
    let definition = meant(&definitions, &get.r#type)?.clone();
    let namespace = get
        .namespace
        .clone()
        .unwrap_or_else(|| definition.default_namespace.clone());
    Ok(Kind {
        definition,
        namespace,
    })
}

/// The one type that answers to a name.
fn meant<'a>(
    definitions: &[&'a ResourceDefinition],
    asked: &str,
) -> Result<&'a ResourceDefinition> {
    let found: Vec<_> = definitions
        .iter()
        .filter(|definition| definition.answers_to(asked))
        .collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let names = definitions
                .iter()
                .flat_map(|definition| definition.all_aliases.iter().map(String::as_str));
            let nearest = config::nearest(asked, names);
            let hint = nearest
                .map(|name| format!("; did you mean {name:?}?"))
                .unwrap_or_default();
            bail!("no type of resources is called {asked:?}{hint} (`osctl get rd` lists them)")
        }
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|definition| definition.ty.to_lowercase())
                .collect();
            bail!(
                "{asked:?} is short for several types; choose one: {}",
                names.join(", ")
            )
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    node: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    metadata: serde_json::Value,
    spec: serde_json::Value,
}

fn shown<'a>(node: &'a str, event: Option<&'a str>, resource: &Resource) -> Result<Shown<'a>> {
    #[derive(serde::Deserialize)]
    struct Document {
        metadata: serde_json::Value,
        spec: serde_json::Value,
    }
    let mut document: Document =
        serde_yaml::from_str(&resource.to_yaml()?).context("reading a resource")?;
    secrets::hide(&resource.metadata.ty, &mut document.spec);
    Ok(Shown {
        node,
        event,
        metadata: document.metadata,
        spec: document.spec,
    })
}

/// What a node answered: the type as it describes it, and the resources.
type Listed = (String, (Kind, Vec<Resource>));

fn show(answers: &Answers<(Kind, Vec<Resource>)>, format: Format) -> Result<()> {
    let good = &answers.good;
    if format != Format::Table {
        let entries = each(good)
            .map(|(node, _, resource)| shown(node, None, resource))
            .collect::<Result<Vec<_>>>()?;
        return output::value(format, &entries);
    }
    let Some((headings, rows)) = rows(good, answers.are_of_one()) else {
        return Ok(());
    };
    output::table(&headings, &rows)?;
    if let (Some((_, (kind, _))), true) = (good.first(), rows.is_empty()) {
        // Headings alone leave a person in doubt whether that is all.
        output::note(&format!("there are none in namespace {}", kind.namespace));
    }
    Ok(())
}

fn each(good: &[Listed]) -> impl Iterator<Item = (&str, &Kind, &Resource)> {
    good.iter().flat_map(|(node, (kind, list))| {
        list.iter()
            .map(move |resource| (node.as_str(), kind, resource))
    })
}

/// The table of what nodes answered, which has headings even where there is nothing else; none without an answer.
fn rows(good: &[Listed], of_one: bool) -> Option<(Vec<&str>, Vec<Vec<String>>)> {
    let (_, (kind, _)) = good.first()?;
    let heading = (!of_one).then_some("NODE");
    let headings = heading.into_iter().chain(["ID"]);
    let headings = headings.chain(table::headings(&kind.definition)).collect();
    let rows = each(good).map(|(node, kind, resource)| {
        let node = (!of_one).then(|| node.to_owned());
        node.into_iter()
            .chain([resource.metadata.id.to_string()])
            .chain(table::cells(&kind.definition, resource))
            .collect()
    });
    Some((headings, rows.collect()))
}

async fn watch(
    node: String,
    channel: Channel,
    get: &Get,
    patience: Duration,
    format: Format,
) -> Result<()> {
    let client = client(channel);
    let kind = within(patience, kind(&client, get)).await?;
    let query = Query {
        ids: get.matching.clone(),
        ..Query::default()
    };
    // One resource comes by itself as the first event; a kind must be asked for what is there.
    let request = Watch {
        id: get.id.clone(),
        query,
        contents: get.id.is_none(),
        ..Watch::default()
    };
    let begin = client.watch(&kind.namespace, &kind.definition.ty, &request);
    let mut events = within(patience, async { Ok(begin.await?) }).await?;
    let headings: Vec<_> = ["EVENT", "ID", "VERSION"]
        .into_iter()
        .chain(table::headings(&kind.definition))
        .map(str::to_owned)
        .collect();
    let mut table = output::GrowingTable::new(headings);
    while let Some(told) = events.next().await? {
        let (event, resource) = match told.event {
            WireEvent::Created(resource) => ("created", resource),
            WireEvent::Updated { new, .. } => ("updated", new),
            WireEvent::Destroyed(resource) => ("destroyed", resource),
            WireEvent::Errored(reason) => bail!("the watch broke: {reason}"),
            WireEvent::Bootstrapped => {
                table.flush()?;
                continue;
            }
            WireEvent::Noop => continue,
        };
        match format {
            Format::Table => {
                let metadata = &resource.metadata;
                let mut row = vec![
                    event.to_owned(),
                    metadata.id.to_string(),
                    metadata.version.to_string(),
                ];
                row.extend(table::cells(&kind.definition, &resource));
                table.add(row);
                // What is there at first comes at once and is drawn together; a single resource has no such end.
                if get.id.is_some() || table.is_begun() {
                    table.flush()?;
                }
            }
            _ => output::entry(format, &shown(&node, Some(event), &resource)?)?,
        }
    }
    bail!("the node ended the watch")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(ty: &str, aliases: &[&str]) -> ResourceDefinition {
        let all_aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        ResourceDefinition {
            ty: ty.to_owned(),
            all_aliases,
            ..ResourceDefinition::default()
        }
    }

    #[test]
    fn a_name_means_one_type_or_says_why_not() {
        let (spec, status) = (
            definition("LinkSpecs.net", &["ls"]),
            definition("LinkStatuses.net", &["link", "links", "ls"]),
        );
        let all = [&spec, &status];
        assert_eq!(meant(&all, "LINKS").expect("found").ty, "LinkStatuses.net");
        assert_eq!(
            meant(&all, "linkspecs.net").expect("found").ty,
            "LinkSpecs.net"
        );
        let several = meant(&all, "ls").expect_err("ambiguous").to_string();
        assert_eq!(
            several,
            "\"ls\" is short for several types; choose one: linkspecs.net, linkstatuses.net"
        );
        let unknown = meant(&all, "lins").expect_err("unknown").to_string();
        assert!(unknown.contains("did you mean \"link\"?"), "{unknown}");
    }
}
