//! `osctl processes`, `memory`, `stats`, `mounts`, `netstat`, `ls`: what nodes are busy with at this moment.

mod file;
mod memory;
mod mount;
mod process;
mod socket;
mod stats;

use std::future::Future;

use anyhow::{Context as _, Result};
use api::v1alpha1 as v1;
use api::v1alpha1::inspect_service_client::InspectServiceClient;
use clap::Subcommand;
use futures_util::TryStreamExt;
use serde::Serialize;
use tonic::Status;
use tonic::transport::Channel;

use file::File;
use memory::Memory;
use mount::Mount;
use process::{Order, Process, arrange};
use socket::Socket;
use stats::Stats;

use crate::fleet::Session;
use crate::output::{self, Format};

type Client = InspectServiceClient<Channel>;

/// One line of an answer.
trait Row: Serialize {
    const HEADINGS: &'static [&'static str];

    fn cells(&self) -> Vec<String>;
}

/// Asks the nodes, and shows what they say line by line.
async fn show<R: Row, F>(
    session: &Session,
    format: Format,
    call: impl Fn(Client) -> F,
) -> Result<()>
where
    F: Future<Output = Result<Vec<R>, Status>>,
{
    let answers = session
        .each(|channel| {
            let client = Client::new(channel).max_decoding_message_size(api::MAX_RESPONSE);
            let rows = call(client);
            async move { Ok(rows.await?) }
        })
        .await?;
    let rows: Vec<(String, &R)> = answers
        .good
        .iter()
        .flat_map(|(node, rows)| rows.iter().map(|row| (node.clone(), row)))
        .collect();
    if format != Format::Table {
        output::values_per_node(format, &rows)?;
    } else if !answers.good.is_empty() {
        output::line(&drawn(&rows, answers.are_of_one()).join("\n"))?;
    }
    answers.finish()
}

fn drawn<R: Row>(rows: &[(String, &R)], of_one: bool) -> Vec<String> {
    let node = (!of_one).then_some("NODE").into_iter();
    let headings: Vec<_> = node.chain(R::HEADINGS.iter().copied()).collect();
    let cells = |(node, row): &(String, &R)| {
        let node = (!of_one).then(|| node.clone()).into_iter();
        node.chain(row.cells()).collect()
    };
    output::drawn(&headings, &rows.iter().map(cells).collect::<Vec<_>>())
}

/// What there is to look at.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the processes of nodes
    Processes {
        /// In which order
        #[arg(long, value_name = "ORDER", default_value = "pid")]
        sort: Order,
        /// Show the threads of the kernel too
        #[arg(long)]
        kernel: bool,
    },
    /// Show what the memory of nodes is used for
    Memory,
    /// Show what the services of nodes use: processors, memory, disks
    Stats,
    /// Show the filesystems of nodes and how full they are
    Mounts,
    /// Show the TCP and UDP sockets of nodes, and whose they are
    Netstat {
        /// Show only those that wait for anybody
        #[arg(short, long)]
        listening: bool,
    },
    /// List the files of nodes
    Ls {
        /// A folder, or one file
        #[arg(default_value = "/")]
        path: String,
        /// How many folders deep
        #[arg(long, value_name = "FOLDERS", default_value_t = 1,
              value_parser = clap::value_parser!(u32).range(1..))]
        depth: u32,
    },
}

/// Asks the nodes, and shows what they say.
pub(crate) async fn run(session: &Session, command: Command, format: Format) -> Result<()> {
    match command {
        Command::Processes { sort, kernel } => {
            let call = |client| processes(client, sort, kernel);
            show(session, format, call).await
        }
        Command::Memory => show(session, format, memory).await,
        Command::Stats => show(session, format, stats).await,
        Command::Mounts => show(session, format, mounts).await,
        Command::Netstat { listening } => {
            show(session, format, |client| sockets(client, listening)).await
        }
        Command::Ls { path, depth } => {
            let call = |client| files(client, path.clone(), depth);
            show(session, format, call).await
        }
    }
}

/// What `everything` can look at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    Processes,
    Memory,
    Stats,
    Mounts,
    Sockets,
}

/// All that there is to look at without naming something, and what to call it.
pub(crate) const EVERYTHING: [(&str, Look); 5] = [
    ("processes", Look::Processes),
    ("memory", Look::Memory),
    ("stats", Look::Stats),
    ("mounts", Look::Mounts),
    ("sockets", Look::Sockets),
];

/// One answer, whole and as YAML.
pub(crate) async fn everything(channel: Channel, look: Look) -> Result<Vec<u8>> {
    let client = Client::new(channel).max_decoding_message_size(api::MAX_RESPONSE);
    let text = match look {
        Look::Processes => serde_yaml::to_string(&processes(client, Order::Pid, true).await?),
        Look::Memory => serde_yaml::to_string(&memory(client).await?),
        Look::Stats => serde_yaml::to_string(&stats(client).await?),
        Look::Mounts => serde_yaml::to_string(&mounts(client).await?),
        Look::Sockets => serde_yaml::to_string(&sockets(client, false).await?),
    };
    Ok(text.context("writing YAML")?.into_bytes())
}

async fn processes(mut client: Client, order: Order, kernel: bool) -> Result<Vec<Process>, Status> {
    let answer = client.processes(v1::ProcessesRequest {}).await?;
    let all = answer.into_inner().processes.into_iter().map(Process::from);
    let mut rows: Vec<_> = all
        .filter(|process| kernel || !process.is_of_kernel())
        .collect();
    arrange(&mut rows, order);
    Ok(rows)
}

async fn memory(mut client: Client) -> Result<Vec<Memory>, Status> {
    let answer = client.memory(v1::MemoryRequest {}).await?;
    Ok(vec![answer.into_inner().into()])
}

async fn stats(mut client: Client) -> Result<Vec<Stats>, Status> {
    let answer = client.stats(v1::StatsRequest {}).await?;
    let services = answer.into_inner().services.into_iter();
    Ok(services.map(Stats::from).collect())
}

async fn mounts(mut client: Client) -> Result<Vec<Mount>, Status> {
    let answer = client.mounts(v1::MountsRequest {}).await?;
    let mounts = answer.into_inner().mounts.into_iter();
    Ok(mounts.map(Mount::from).collect())
}

async fn sockets(mut client: Client, listening: bool) -> Result<Vec<Socket>, Status> {
    let answer = client.sockets(v1::SocketsRequest {}).await?;
    let all = answer.into_inner().sockets.into_iter().map(Socket::from);
    Ok(all
        .filter(|socket| !listening || socket.listens())
        .collect())
}

async fn files(mut client: Client, path: String, depth: u32) -> Result<Vec<File>, Status> {
    let asked = v1::ListFilesRequest {
        path: path.clone(),
        depth,
    };
    let answer = client.list_files(asked).await?;
    let named = |said| File::of(&path, said);
    let mut files: Vec<_> = answer.into_inner().map_ok(named).try_collect().await?;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}
