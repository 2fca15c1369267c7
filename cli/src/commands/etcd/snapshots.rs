//! `osctl etcd snapshots`: the snapshots that nodes take by themselves and keep.

use std::path::PathBuf;

use anyhow::Result;
use api::v1alpha1 as v1;
use clap::Subcommand;
use serde::Serialize;

use super::snapshot::{self, Source};
use super::{client, if_any};
use crate::fleet::Session;
use crate::output::{self, Format, size};

/// What to do about them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show them
    List,
    /// Copy one into a file
    ///
    /// The node is chosen with -n: each has its own. The file is for you alone to read, and is there whole or not at all; whether it
    /// is what etcd said is checked as it comes in.
    Get {
        /// Which one, as the list has it
        name: String,
        #[command(flatten)]
        into: ToFile,
    },
}

/// Where one goes.
#[derive(Debug, clap::Args)]
pub(crate) struct ToFile {
    /// The file, which must not be there yet
    pub(super) file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub(super) force: bool,
}

/// Does it.
pub(super) async fn run(session: &Session, command: Command, format: Format) -> Result<()> {
    match command {
        Command::List => list(session, format).await,
        Command::Get { name, into } => {
            snapshot::run(session, &Source::Kept(name), &into, format).await
        }
    }
}

/// One of a node.
#[derive(Serialize)]
struct Kept<'a> {
    name: &'a str,
    taken: &'a str,
    bytes: u64,
    revision: u64,
    version: &'a str,
    sha256: &'a str,
    problem: &'a str,
}

/// Those of a node, for programs.
#[derive(Serialize)]
struct All<'a> {
    snapshots: Vec<Kept<'a>>,
}

impl<'a> Kept<'a> {
    fn of(it: &'a v1::EtcdKeptSnapshot) -> Self {
        Self {
            name: &it.name,
            taken: &it.taken,
            bytes: it.size,
            revision: it.revision,
            version: &it.version,
            sha256: &it.sha256,
            problem: &it.problem,
        }
    }

    fn row(&self, node: &str) -> Vec<String> {
        vec![
            node.to_owned(),
            self.name.to_owned(),
            self.taken.to_owned(),
            size(self.bytes),
            self.revision.to_string(),
            self.version.to_owned(),
            self.sha256.get(..SUM).unwrap_or(self.sha256).to_owned(),
            self.problem.to_owned(),
        ]
    }
}

/// What people compare of a sum; programs get all of it.
const SUM: usize = 12;

async fn list(session: &Session, format: Format) -> Result<()> {
    let named = !session.asked.is_empty();
    let answers = session.each(|channel| async move {
        let request = v1::EtcdSnapshotsRequest {};
        let answer = if_any(client(channel).snapshots(request).await, named)?;
        Ok(answer.map(|it| it.into_inner().snapshots))
    });
    let mut answers = answers.await?;
    answers.good.retain(|(_, kept)| kept.is_some());
    let answers = answers.map(Option::unwrap_or_default);
    let of_nodes = answers.good.iter();
    if format != Format::Table {
        let all = of_nodes.map(|(node, kept)| {
            let snapshots = kept.iter().map(Kept::of).collect();
            (node.clone(), All { snapshots })
        });
        output::values_per_node(format, &all.collect::<Vec<_>>())?;
        return answers.finish();
    }
    let rows = of_nodes.flat_map(|(node, kept)| kept.iter().map(|it| Kept::of(it).row(node)));
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() && !answers.good.is_empty() {
        output::line(
            "no snapshots are kept; `snapshots` of a document `Etcd` has nodes take some",
        )?;
    } else if !rows.is_empty() {
        let headings = [
            "NODE", "NAME", "TAKEN", "SIZE", "REVISION", "VERSION", "SHA256", "PROBLEM",
        ];
        output::table(&headings, &rows)?;
    }
    answers.finish()
}
