//! `osctl logs`, `osctl dmesg` and `osctl events`: what flows from one node.

use std::fmt::{self, Display, Formatter};

use anyhow::Result;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::{DmesgRequest, DmesgResponse, EventsRequest, EventsResponse, LogsRequest};
use clap::Args;
use serde::Serialize;
use tonic::Streaming;
use tonic::transport::Channel;

use crate::fleet::Session;
use crate::output::{self, Format};

type Client = MachineServiceClient<Channel>;

/// How much of a stream is asked for.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Extent {
    /// Keep showing what is added, until interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin with the last lines, this many [default: all there are]
    #[arg(long, value_name = "LINES")]
    tail: Option<u32>,
}

/// How much of a log is asked for, and of which boot.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Log {
    #[command(flatten)]
    extent: Extent,
    /// Show what the node's disk has kept of the boot before this one, whose end `osctl get reboots` tells
    #[arg(short, long, conflicts_with = "follow")]
    previous: bool,
}

/// The log of a service.
pub(crate) async fn logs(
    session: &Session,
    service: String,
    log: Log,
    format: Format,
) -> Result<()> {
    let extent = log.extent;
    let request = LogsRequest {
        previous: log.previous,
        service,
        follow: extent.follow,
        tail_lines: extent.tail,
    };
    session
        .one(|_, channel| logs_of(session, channel, request, extent, format))
        .await
}

async fn logs_of(
    session: &Session,
    channel: Channel,
    request: LogsRequest,
    extent: Extent,
    format: Format,
) -> Result<()> {
    let mut client = MachineServiceClient::new(channel);
    let mut stream = session.within(client.logs(request)).await?.into_inner();
    let mut lines = Lines::default();
    while let Some(chunk) = next(session, &mut stream, extent).await? {
        if format == Format::Table {
            output::raw(&chunk.data)?;
            continue;
        }
        for line in lines.take(&chunk.data) {
            output::entry(format, &Line { line })?;
        }
    }
    match lines.rest() {
        Some(line) => output::entry(format, &Line { line }),
        None => Ok(()),
    }
}

/// All that a service has written and that is kept.
pub(crate) async fn whole_log(mut client: Client, service: String) -> Result<Vec<u8>> {
    let request = LogsRequest {
        service,
        ..LogsRequest::default()
    };
    let mut stream = client.logs(request).await?.into_inner();
    let mut log = Vec::new();
    while let Some(chunk) = stream.message().await? {
        log.extend(chunk.data);
    }
    Ok(log)
}

/// The kernel log as far as it is kept.
pub(crate) async fn all_of_dmesg(mut client: Client) -> Result<Vec<u8>> {
    let stream = client.dmesg(DmesgRequest::default()).await?.into_inner();
    lines::<_, Record>(stream).await
}

/// The events as far as they are kept.
pub(crate) async fn all_events(mut client: Client) -> Result<Vec<u8>> {
    let stream = client.events(EventsRequest::default()).await?.into_inner();
    lines::<_, Event>(stream).await
}

/// The last events, a line each.
pub(crate) async fn last_events(mut client: Client, count: u32) -> Result<Vec<String>> {
    let request = EventsRequest {
        tail: Some(count),
        ..EventsRequest::default()
    };
    let mut stream = client.events(request).await?.into_inner();
    let mut events = Vec::new();
    while let Some(said) = stream.message().await? {
        events.push(Event::from(said).to_string());
    }
    Ok(events)
}

/// What a stream brings until it ends, one line each.
async fn lines<T, E: From<T> + Display>(mut stream: Streaming<T>) -> Result<Vec<u8>> {
    let mut lines = String::new();
    while let Some(said) = stream.message().await? {
        lines.push_str(&E::from(said).to_string());
        lines.push('\n');
    }
    Ok(lines.into_bytes())
}

/// The next message: what is there already must come in time, what is yet to happen need not.
async fn next<T>(
    session: &Session,
    stream: &mut Streaming<T>,
    extent: Extent,
) -> Result<Option<T>> {
    if extent.follow {
        return Ok(stream.message().await?);
    }
    session.within(stream.message()).await
}

#[derive(Serialize)]
struct Line {
    line: String,
}

/// Makes lines of chunks, which end anywhere.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn take(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                lines.extend(self.rest());
            }
        }
        lines
    }

    /// The line that has begun, if one has.
    fn rest(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.begun);
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        (!line.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }
}

#[derive(Serialize)]
struct Record {
    sequence: u64,
    microseconds: u64,
    level: u32,
    facility: u32,
    message: String,
}

impl From<DmesgResponse> for Record {
    fn from(said: DmesgResponse) -> Self {
        let message = String::from_utf8_lossy(&said.message).into_owned();
        let DmesgResponse {
            sequence,
            microseconds,
            level,
            facility,
            ..
        } = said;
        Self {
            sequence,
            microseconds,
            level,
            facility,
            message,
        }
    }
}

impl Display for Record {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.microseconds / 1_000_000, self.microseconds % 1_000_000);
        let message = output::printable(&self.message);
        write!(f, "[{seconds:5}.{micros:06}] {message}")
    }
}

/// The kernel log.
pub(crate) async fn dmesg(session: &Session, log: Log, format: Format) -> Result<()> {
    let extent = log.extent;
    let request = DmesgRequest {
        previous: log.previous,
        follow: extent.follow,
        tail_lines: extent.tail,
    };
    let show = |_, channel| async move {
        let mut client = MachineServiceClient::new(channel);
        let stream = session.within(client.dmesg(request)).await?.into_inner();
        entries::<_, Record>(session, stream, extent, format).await
    };
    session.one(show).await
}

#[derive(Serialize)]
struct Event {
    id: u64,
    time: String,
    r#type: String,
    subject: String,
    message: String,
}

impl From<EventsResponse> for Event {
    fn from(said: EventsResponse) -> Self {
        let time = said.time.as_ref().map(time).unwrap_or_default();
        Self {
            id: said.id,
            time,
            r#type: said.r#type,
            subject: said.subject,
            message: said.message,
        }
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let time = &self.time;
        let r#type = output::printable(&self.r#type);
        let subject = output::printable(&self.subject);
        let message = output::printable(&self.message);
        write!(f, "{time}  {type:<10}  {subject:<16}  {message}")
    }
}

/// What happened on the node.
pub(crate) async fn events(session: &Session, log: Log, format: Format) -> Result<()> {
    let extent = log.extent;
    let request = EventsRequest {
        follow: extent.follow,
        tail: extent.tail,
        previous: log.previous,
    };
    let show = |_, channel| async move {
        let mut client = MachineServiceClient::new(channel);
        let stream = session.within(client.events(request)).await?.into_inner();
        entries::<_, Event>(session, stream, extent, format).await
    };
    session.one(show).await
}

/// Shows what a stream brings, one line each for people.
async fn entries<T, E: From<T> + Serialize + Display>(
    session: &Session,
    mut stream: Streaming<T>,
    extent: Extent,
    format: Format,
) -> Result<()> {
    while let Some(said) = next(session, &mut stream, extent).await? {
        let entry = E::from(said);
        match format {
            Format::Table => output::line(&entry.to_string())?,
            _ => output::entry(format, &entry)?,
        }
    }
    Ok(())
}

/// A protobuf time as RFC 3339, whole seconds.
pub(crate) fn time(time: &prost_types::Timestamp) -> String {
    let whole = jiff::Timestamp::from_second(time.seconds).map(|time| time.to_string());
    whole.unwrap_or_else(|_| format!("{} s", time.seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flows_is_a_line_each_for_people() {
        let record = Record::from(DmesgResponse {
            microseconds: 12_000_345,
            message: b"eth0: up\x1b".to_vec(),
            ..DmesgResponse::default()
        });
        assert_eq!(record.to_string(), "[   12.000345] eth0: up\\u{1b}");
        let event = Event::from(EventsResponse {
            time: Some(prost_types::Timestamp::default()),
            r#type: "stage".into(),
            subject: "machined".into(),
            message: "booting".into(),
            ..EventsResponse::default()
        });
        let line = "1970-01-01T00:00:00Z  stage       machined          booting";
        assert_eq!(event.to_string(), line);
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for chunk in ["a", "b\n\nc", "", "d\ne"] {
            all.extend(lines.take(chunk.as_bytes()));
        }
        all.extend(lines.rest());
        assert_eq!(all, ["ab", "", "cd", "e"]);
        assert_eq!(lines.rest(), None);
    }
}
