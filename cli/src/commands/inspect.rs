//! `osctl processes`, `memory`, `mounts`, `netstat`: what nodes are busy with at this moment.

use std::cmp::Reverse;
use std::future::Future;

use anyhow::Result;
use api::v1alpha1 as v1;
use api::v1alpha1::inspect_service_client::InspectServiceClient;
use clap::ValueEnum;
use serde::Serialize;
use tonic::Status;
use tonic::transport::Channel;

use crate::fleet::Session;
use crate::output::{self, Format, size};

type Client = InspectServiceClient<Channel>;

/// One line of an answer.
trait Row: Serialize {
    const HEADINGS: &'static [&'static str];

    fn cells(&self) -> Vec<String>;
}

/// The order of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// By number
    Pid,
    /// The busiest since their start first
    Cpu,
    /// The largest in memory first
    Memory,
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

/// `osctl processes`.
pub(crate) async fn processes(
    session: &Session,
    order: Order,
    kernel: bool,
    format: Format,
) -> Result<()> {
    show(session, format, |mut client| async move {
        let answer = client.processes(v1::ProcessesRequest {}).await?;
        let all = answer.into_inner().processes.into_iter();
        let mut rows: Vec<_> = all
            .map(Process::from)
            .filter(|process| kernel || !process.is_of_kernel())
            .collect();
        arrange(&mut rows, order);
        Ok(rows)
    })
    .await
}

/// `osctl memory`.
pub(crate) async fn memory(session: &Session, format: Format) -> Result<()> {
    show(session, format, |mut client| async move {
        let answer = client.memory(v1::MemoryRequest {}).await?;
        Ok(vec![Memory::from(answer.into_inner())])
    })
    .await
}

/// `osctl mounts`.
pub(crate) async fn mounts(session: &Session, format: Format) -> Result<()> {
    show(session, format, |mut client| async move {
        let answer = client.mounts(v1::MountsRequest {}).await?;
        let mounts = answer.into_inner().mounts.into_iter();
        Ok(mounts.map(Mount::from).collect())
    })
    .await
}

/// `osctl netstat`.
pub(crate) async fn netstat(session: &Session, listening: bool, format: Format) -> Result<()> {
    show(session, format, |mut client| async move {
        let answer = client.sockets(v1::SocketsRequest {}).await?;
        let sockets = answer.into_inner().sockets.into_iter().map(Socket::from);
        Ok(sockets
            .filter(|socket| !listening || socket.listens())
            .collect())
    })
    .await
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    pid: u32,
    parent: u32,
    state: String,
    threads: u32,
    cpu_seconds: f64,
    virtual_bytes: u64,
    resident_bytes: u64,
    command: String,
    arguments: Vec<String>,
    started: String,
}

impl From<v1::Process> for Process {
    fn from(said: v1::Process) -> Self {
        let cpu = std::time::Duration::from_micros(said.cpu_microseconds);
        let started = said.started.as_ref().map(super::stream::time);
        Self {
            pid: said.pid,
            parent: said.parent,
            state: said.state,
            threads: said.threads,
            cpu_seconds: cpu.as_secs_f64(),
            virtual_bytes: said.virtual_bytes,
            resident_bytes: said.resident_bytes,
            command: said.command,
            arguments: said.arguments,
            started: started.unwrap_or_default(),
        }
    }
}

impl Process {
    /// Threads of the kernel have no command line; neither have the dead, which somebody forgot to collect.
    fn is_of_kernel(&self) -> bool {
        self.arguments.is_empty() && self.state != "Z"
    }

    fn line(&self) -> String {
        if self.arguments.is_empty() {
            format!("[{}]", self.command)
        } else {
            self.arguments.join(" ")
        }
    }
}

fn arrange(processes: &mut [Process], order: Order) {
    match order {
        Order::Pid => processes.sort_by_key(|process| process.pid),
        Order::Cpu => processes.sort_by(|a, b| b.cpu_seconds.total_cmp(&a.cpu_seconds)),
        Order::Memory => processes.sort_by_key(|process| Reverse(process.resident_bytes)),
    }
}

impl Row for Process {
    const HEADINGS: &'static [&'static str] =
        &["PID", "STATE", "THREADS", "CPU TIME", "MEMORY", "COMMAND"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.pid.to_string(),
            self.state.clone(),
            self.threads.to_string(),
            format!("{:.2} s", self.cpu_seconds),
            size(self.resident_bytes),
            self.line(),
        ]
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    total_bytes: u64,
    available_bytes: u64,
    free_bytes: u64,
    cached_bytes: u64,
    buffer_bytes: u64,
    shared_bytes: u64,
    dirty_bytes: u64,
    slab_reclaimable_bytes: u64,
    slab_bytes: u64,
}

impl From<v1::MemoryResponse> for Memory {
    fn from(said: v1::MemoryResponse) -> Self {
        Self {
            total_bytes: said.total_bytes,
            available_bytes: said.available_bytes,
            free_bytes: said.free_bytes,
            cached_bytes: said.cached_bytes,
            buffer_bytes: said.buffer_bytes,
            shared_bytes: said.shared_bytes,
            dirty_bytes: said.dirty_bytes,
            slab_reclaimable_bytes: said.slab_reclaimable_bytes,
            slab_bytes: said.slab_bytes,
        }
    }
}

impl Row for Memory {
    const HEADINGS: &'static [&'static str] =
        &["TOTAL", "AVAILABLE", "FREE", "CACHED", "SHARED", "KERNEL"];

    fn cells(&self) -> Vec<String> {
        let kernel = self.slab_bytes.saturating_add(self.slab_reclaimable_bytes);
        [
            self.total_bytes,
            self.available_bytes,
            self.free_bytes,
            self.cached_bytes,
            self.shared_bytes,
            kernel,
        ]
        .map(size)
        .to_vec()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mount {
    target: String,
    source: String,
    filesystem: String,
    options: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    total_bytes: u64,
    used_bytes: u64,
    available_bytes: u64,
    inodes: u64,
    used_inodes: u64,
}

impl From<v1::Mount> for Mount {
    fn from(said: v1::Mount) -> Self {
        Self {
            target: said.target,
            source: said.source,
            filesystem: said.filesystem,
            options: said.options,
            usage: said.usage.map(|usage| Usage {
                total_bytes: usage.total_bytes,
                used_bytes: usage.used_bytes,
                available_bytes: usage.available_bytes,
                inodes: usage.inodes,
                used_inodes: usage.used_inodes,
            }),
        }
    }
}

impl Usage {
    /// Of what programs can have, in whole percent, rounded up as df does: full is never called less.
    fn percent(self) -> u64 {
        let reachable = u128::from(self.used_bytes) + u128::from(self.available_bytes);
        let percent = (u128::from(self.used_bytes) * 100).div_ceil(reachable.max(1));
        u64::try_from(percent).unwrap_or(100)
    }
}

impl Row for Mount {
    const HEADINGS: &'static [&'static str] =
        &["TARGET", "SOURCE", "TYPE", "SIZE", "AVAILABLE", "USE"];

    fn cells(&self) -> Vec<String> {
        let [total, available, percent] = match self.usage {
            Some(usage) => [
                size(usage.total_bytes),
                size(usage.available_bytes),
                format!("{}%", usage.percent()),
            ],
            None => Default::default(),
        };
        vec![
            self.target.clone(),
            self.source.clone(),
            self.filesystem.clone(),
            total,
            available,
            percent,
        ]
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Socket {
    protocol: String,
    local: String,
    remote: String,
    state: String,
    uid: u32,
    receive_bytes: u32,
    send_bytes: u32,
    pid: u32,
    command: String,
}

impl From<v1::Socket> for Socket {
    fn from(said: v1::Socket) -> Self {
        Self {
            protocol: said.protocol,
            local: said.local,
            remote: said.remote,
            state: said.state,
            uid: said.uid,
            receive_bytes: said.receive_bytes,
            send_bytes: said.send_bytes,
            pid: said.pid,
            command: said.command,
        }
    }
}

impl Socket {
    /// Whether it waits for anybody: UDP has no word for it but no peer either.
    fn listens(&self) -> bool {
        self.state == "listen" || (self.state.is_empty() && self.remote.ends_with(":0"))
    }
}

impl Row for Socket {
    const HEADINGS: &'static [&'static str] = &["PROTOCOL", "LOCAL", "REMOTE", "STATE", "PROCESS"];

    fn cells(&self) -> Vec<String> {
        let process = match self.pid {
            0 => String::new(),
            pid => format!("{pid}/{}", self.command),
        };
        vec![
            self.protocol.clone(),
            self.local.clone(),
            self.remote.clone(),
            self.state.clone(),
            process,
        ]
    }
}

#[cfg(test)]
mod tests;
