//! `osctl context`: the clusters that osctl knows.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use crate::connect::parse_node;
use crate::context::{self, Context, ContextFile, Contexts, Node};
use crate::output::{self, Format};

/// What to do with contexts.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show all contexts and how many nodes each knows; the current one has a star
    List,
    /// Choose the context that commands use
    Use {
        /// The name of a context
        name: String,
    },
    /// Add a context from PEM files
    Add(Add),
    /// Take the contexts of another file
    Merge {
        /// The file, as `gen crt --file` wrote it
        file: PathBuf,
        /// Replace contexts of the same name
        #[arg(long)]
        force: bool,
    },
    /// Show who you are in a context, how long your certificate is valid, and the nodes
    Info {
        /// The name of a context [default: the current one]
        name: Option<String>,
    },
    /// Tell a context of a node: a new one, or the new name or address of one it knows
    SetNode {
        /// The name in its certificate, and where its API is reached; without a port it is 50000
        #[arg(value_name = "NAME=ADDRESS")]
        node: String,
    },
    /// Remove a context; the cluster is not touched
    Remove {
        /// The name of a context
        name: String,
    },
}

/// A context from PEM files.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// What to call it
    name: String,
    /// The certificate of the authority of the nodes
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// Your certificate
    #[arg(long, value_name = "FILE")]
    crt: PathBuf,
    /// Your key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A node of the cluster by the name in its certificate; may be given several times
    #[arg(long = "node", value_name = "NAME=ADDRESS")]
    nodes: Vec<String>,
    /// Replace the context if it exists
    #[arg(long)]
    force: bool,
}

/// Does it; `chosen` is the context of `--context`.
pub(crate) fn run(
    command: Command,
    chosen: Option<&str>,
    file: &ContextFile,
    format: Format,
    now: Timestamp,
) -> Result<()> {
    match command {
        Command::List => list(&file.load()?, format),
        Command::Use { name } => {
            change(file, &name, |contexts, name| {
                contexts.current = Some(name.to_owned());
            })?;
            output::line(&format!("the current context is {name}"))
        }
        Command::Remove { name } => {
            change(file, &name, |contexts, name| {
                contexts.contexts.remove(name);
                contexts.current.take_if(|current| current == name);
            })?;
            output::line(&format!("removed context {name}"))
        }
        Command::SetNode { node } => set_node(file, chosen, parse_node(&node)?),
        Command::Add(add) => {
            let force = add.force;
            let made = read(add)?;
            merge(file, made, force)
        }
        Command::Merge { file: other, force } => {
            let text = std::fs::read_to_string(&other)
                .with_context(|| format!("reading {}", other.display()))?;
            let made = context::parse(&text).with_context(|| {
                format!(
                    "{} is not a file that `osctl gen crt --file` wrote",
                    other.display()
                )
            })?;
            merge(file, made, force)
        }
        Command::Info { name } => info(file, name.as_deref().or(chosen), format, now),
    }
}

fn list(contexts: &Contexts, format: Format) -> Result<()> {
    #[derive(Serialize)]
    struct Entry<'a> {
        name: &'a str,
        current: bool,
        nodes: Vec<&'a str>,
    }
    let current = |name: &str| contexts.current.as_deref() == Some(name);
    let entries: Vec<_> = contexts
        .contexts
        .iter()
        .map(|(name, context)| {
            let nodes = context
                .nodes
                .iter()
                .map(|node| node.name.as_str())
                .collect();
            Entry {
                name,
                current: current(name),
                nodes,
            }
        })
        .collect();
    if format != Format::Table {
        return output::value(format, &entries);
    }
    let star = |current| if current { "*" } else { "" }.to_owned();
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            vec![
                star(entry.current),
                entry.name.to_owned(),
                entry.nodes.len().to_string(),
            ]
        })
        .collect();
    output::table(&["CURRENT", "NAME", "NODES"], &rows)?;
    if rows.is_empty() {
        output::note(
            "there are no contexts; `osctl cluster create`, `osctl gen crt` and `osctl context add` make some",
        );
    }
    Ok(())
}

fn change(file: &ContextFile, name: &str, change: impl FnOnce(&mut Contexts, &str)) -> Result<()> {
    file.change(|contexts| {
        if !contexts.contexts.contains_key(name) {
            bail!(
                "no context named {name:?} in {}; there are: {}",
                file.path().display(),
                contexts.names()
            );
        }
        change(contexts, name);
        Ok(())
    })
}

fn set_node(file: &ContextFile, chosen: Option<&str>, node: Node) -> Result<()> {
    let told = format!("{} is at {}", node.name, node.address);
    let (name, _) = file.pick(chosen)?;
    file.change(|contexts| {
        let context = contexts.contexts.get_mut(&name);
        context
            .with_context(|| format!("context {name:?} was removed meanwhile"))?
            .set_node(node);
        Ok(())
    })?;
    output::line(&format!("context {name}: {told}"))
}

/// Adds contexts to the user's; a person may take the new one for the current one, so it is said which that is.
pub(crate) fn merge(file: &ContextFile, made: Contexts, force: bool) -> Result<()> {
    let (names, current) = file.change(|contexts| {
        let names = contexts.merge(made, force)?;
        Ok((names, contexts.current.clone()))
    })?;
    let path = file.path().display();
    let list = names.join(", ");
    match (current, names.as_slice()) {
        (Some(current), [name, ..]) if !names.contains(&current) => output::line(&format!(
            "added to {path}: {list}; the current one is still {current}, `osctl context use {name}` changes that"
        )),
        _ => output::line(&format!("added to {path}: {list}")),
    }
}

fn read(add: Add) -> Result<Contexts> {
    let text = |path: &PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
    };
    let nodes = add
        .nodes
        .iter()
        .map(|node| parse_node(node))
        .collect::<Result<_>>()?;
    let made = Context {
        ca: text(&add.ca)?,
        certificate: text(&add.crt)?,
        key: text(&add.key)?,
        nodes,
    };
    pki::Trust::from_pem(&made.ca).with_context(|| add.ca.display().to_string())?;
    pki::Identity::from_pem(&made.certificate, &made.key)
        .with_context(|| add.crt.display().to_string())?;
    Ok(Contexts {
        current: None,
        contexts: [(add.name, made)].into(),
    })
}

fn info(file: &ContextFile, name: Option<&str>, format: Format, now: Timestamp) -> Result<()> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Info {
        name: String,
        subject: String,
        roles: Vec<String>,
        not_after: String,
        not_before: String,
        valid: bool,
        nodes: Vec<Node>,
    }
    let (name, context) = file.pick(name)?;
    let own = context.own_certificate(&name)?;
    let info = Info {
        name,
        subject: own.subject.clone(),
        roles: own
            .roles
            .iter()
            .map(|role| role.organization().to_owned())
            .collect(),
        not_after: own.not_after.to_string(),
        not_before: own.not_before.to_string(),
        valid: own.is_valid_at(now),
        nodes: context.nodes,
    };
    if format != Format::Table {
        return output::value(format, &info);
    }
    let holds = if info.valid {
        info.not_after.clone()
    } else if now < own.not_before {
        format!("{}, but only from {} on", info.not_after, info.not_before)
    } else {
        format!(
            "{}, which is over; `osctl gen crt` issues a new one",
            info.not_after
        )
    };
    let mut rows = vec![
        vec!["context".to_owned(), info.name.clone()],
        vec!["subject".to_owned(), info.subject.clone()],
        vec!["roles".to_owned(), info.roles.join(", ")],
        vec!["valid until".to_owned(), holds],
    ];
    rows.extend(info.nodes.iter().map(|node| {
        vec![
            "node".to_owned(),
            format!("{} at {}", node.name, node.address),
        ]
    }));
    output::table(&["FIELD", "VALUE"], &rows)
}
