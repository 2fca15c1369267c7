//! `osctl upgrade-k8s`: another version of Kubernetes on all nodes of a cluster, one at a time.
//!
//! ```text
//! look -> plan (the rules) -> images on every node -> API servers, one by one -> their kubelets
//!                                                                            -> kube-proxy, CoreDNS -> workers, one by one
//! ```
//!
//! What is done is in the nodes' configs and in the cluster, and nowhere else: said again, it goes on where it was cut off.

mod act;
mod draft;
mod facts;
mod plan;
mod pull;
mod report;

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use config::KubernetesVersion;

use self::act::Act;
use self::draft::Draft;
use self::facts::{Facts, Node};
use self::plan::Plan;
use crate::exit::{Changes, usage};
use crate::explain::sentence;
use crate::fleet::Session;
use crate::output::Format;

/// Where to, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Upgrade {
    /// The version, such as 1.37.1
    #[arg(long, value_name = "VERSION", value_parser = plan::version)]
    to: KubernetesVersion,
    /// Show what would be done and how each node's config would be different, and change nothing; exit code 3 says that there is
    /// something to do
    #[arg(long)]
    dry_run: bool,
    /// How many seconds one step on one node may take
    #[arg(long, value_name = "SECONDS", default_value_t = 1200, value_parser = clap::value_parser!(u64).range(1..))]
    wait: u64,
}

/// Looks, plans, and does it.
pub(super) async fn run(session: &Session, command: &Upgrade, format: Format) -> Result<()> {
    let nodes = look(session).await?;
    let plan = plan::plan(command.to, &nodes).map_err(refused)?;
    if command.dry_run {
        let changes = dry_run(session, &plan, format).await?;
        return if changes { Err(Changes.into()) } else { Ok(()) };
    }
    let limit = Duration::from_secs(command.wait);
    let done = Act::new(session, &plan, limit).run().await?;
    report::done(&plan, &done, format)
}

/// One line for each thing that speaks against it.
fn refused(problems: Vec<String>) -> anyhow::Error {
    match problems.as_slice() {
        [one] => anyhow!("nothing was changed: {one}"),
        more => anyhow!("nothing was changed:\n  {}", more.join("\n  ")),
    }
}

/// What each of the nodes says: those that were named, or all of the cluster.
async fn look(session: &Session) -> Result<Vec<Node>> {
    let mut nodes = ask(session, session.names()?).await?;
    if session.asked.is_empty() {
        // The context may lack some; the cluster reaches them.
        let mut more: Vec<String> = nodes
            .iter()
            .flat_map(|it| it.facts.nodes.keys().cloned())
            .collect();
        more.sort_unstable();
        more.dedup();
        more.retain(|name| nodes.iter().all(|it| it.facts.own != *name));
        nodes.extend(ask(session, more).await?);
    }
    let (with, without): (Vec<_>, Vec<_>) =
        nodes.into_iter().partition(|it| it.facts.cluster.is_some());
    if let Some(node) = without.first()
        && (with.is_empty() || !session.asked.is_empty())
    {
        return Err(usage(format!("{}: it runs no Kubernetes", node.name)));
    }
    Ok(with)
}

/// What each of these says; all have to.
async fn ask(session: &Session, names: Vec<String>) -> Result<Vec<Node>> {
    let asked = names.into_iter().map(|name| async move {
        let facts = session.again(&name, Facts::of).await;
        let node = |facts| Node {
            name: name.clone(),
            facts,
        };
        facts.map(node).map_err(|error| (name.clone(), error))
    });
    let (mut nodes, mut silent) = (Vec::new(), Vec::new());
    for answer in futures_util::future::join_all(asked).await {
        match answer {
            Ok(node) => nodes.push(node),
            Err((name, error)) => silent.push(format!("{name}: {}", sentence(&error))),
        }
    }
    if silent.is_empty() {
        return Ok(nodes);
    }
    bail!(
        "nothing was changed: every node has to say what it runs, and some do not: {}; see to them, take lost ones out with `kubectl delete node`, or name the others with -n",
        silent.join("; ")
    )
}

/// Shows what would be done; whether there is anything.
async fn dry_run(session: &Session, plan: &Plan, format: Format) -> Result<bool> {
    let mut drafts = Vec::new();
    for todo in plan.todo.iter().filter(|it| it.config) {
        let draft = Draft::of(session, &todo.node, plan.to).await;
        let draft = draft.with_context(|| todo.node.clone())?;
        let told = draft.try_out(session, &todo.node).await;
        drafts.push((
            todo.node.clone(),
            draft,
            told.with_context(|| todo.node.clone())?,
        ));
    }
    let workloads = match plan.planes.first() {
        Some(plane) if plan.whole => act::workloads(session, plane, Some(plan.to)).await?,
        _ => Vec::new(),
    };
    report::would(plan, &drafts, &workloads, format)?;
    Ok(!plan.todo.is_empty() || workloads.iter().any(act::is_other))
}
