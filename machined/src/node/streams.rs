//! What flows out of the node: service logs, the kernel's log, events. Each is a stream that is pulled, so a reader
//! that stops reading costs one message.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use api::v1alpha1 as v1;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::task::spawn_blocking;

use crate::api::{Answers, Failure};
use crate::runtime::events::{Event, Events, HISTORY, LOG, all as written};
use crate::runtime::journal::{Journal, JournalError, KERNEL};
use crate::runtime::kmsg::{KmsgError, Reader, Record, parse};
use crate::runtime::logs::{LogError, Logs};

/// Where the kernel's log is read.
const KMSG: &str = "/dev/kmsg";

/// A service's log, beginning with a whole line.
///
/// # Errors
/// The service has no log, or it cannot be read.
pub(super) async fn logs(
    logs: &Logs,
    journal: &Journal,
    request: &v1::LogsRequest,
) -> Result<Answers<v1::LogsResponse>, Failure> {
    if request.previous {
        let (name, tail) = (&request.service, request.tail_lines);
        let chunks = previous(journal, name, tail, request.follow).await?;
        return Ok(chunks.map_ok(|data| v1::LogsResponse { data }).boxed());
    }
    let reader = logs
        .open(&request.service, request.tail_lines)
        .map_err(log_failure)?;
    if request.follow {
        let follower = reader.follow().map_err(log_failure)?;
        let lines = stream::try_unfold(follower, |mut follower| async move {
            let data = follower.next().await.map_err(log_failure)?;
            Ok(Some((v1::LogsResponse { data }, follower)))
        });
        return Ok(lines.boxed());
    }
    let lines = stream::try_unfold(reader, |mut reader| async move {
        let data = reader.next_ready().map_err(log_failure)?;
        Ok(data.map(|data| (v1::LogsResponse { data }, reader)))
    });
    Ok(lines.boxed())
}

/// A log of the boot before, which lies on a disk that may be slow.
async fn previous(
    journal: &Journal,
    name: &str,
    tail: Option<u32>,
    follow: bool,
) -> Result<Answers<Vec<u8>>, Failure> {
    if follow {
        let text = "a boot that is over says nothing more; leave out `--follow` or `--previous`";
        return Err(Failure::invalid(text));
    }
    let (journal, name) = (journal.clone(), name.to_owned());
    let opened = blocking(move || journal.previous(&name)).await?;
    if let Some(lines) = tail {
        let bytes = blocking(move || opened.tail(lines)).await?;
        let chunks = bytes
            .chunks(::api::MAX_CHUNK)
            .map(|chunk| Ok(chunk.to_vec()));
        return Ok(stream::iter(chunks.collect::<Vec<_>>()).boxed());
    }
    let chunks = stream::try_unfold(opened, |mut log| async move {
        let (chunk, log) = blocking(move || log.next_chunk().map(|chunk| (chunk, log))).await?;
        Ok(chunk.map(|chunk| (chunk, log)))
    });
    Ok(chunks.boxed())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, Failure> {
    let done = spawn_blocking(work).await;
    let done =
        done.map_err(|error| Failure::internal(format!("a thread to read with: {error}")))?;
    done.map_err(|error| match error {
        JournalError::NoPlace | JournalError::NoFormer | JournalError::Unknown { .. } => {
            Failure::not_found(error.to_string())
        }
        other => Failure::internal(cosi::report(&other)),
    })
}

fn log_failure(error: LogError) -> Failure {
    match error {
        LogError::Unknown { .. } => Failure::not_found(error.to_string()),
        other => Failure::internal(cosi::report(&other)),
    }
}

/// The kernel's log, whole records.
///
/// # Errors
/// It cannot be read.
pub(super) async fn dmesg(
    journal: &Journal,
    request: &v1::DmesgRequest,
) -> Result<Answers<v1::DmesgResponse>, Failure> {
    if request.previous {
        let chunks = previous(journal, KERNEL, request.tail_lines, request.follow).await?;
        return Ok(records(chunks));
    }
    let mut reader = Reader::open(Path::new(KMSG)).map_err(kmsg_failure)?;
    let kept = match request.tail_lines {
        None => VecDeque::new(),
        Some(count) => last_records(&mut reader, usize::try_from(count).unwrap_or(usize::MAX))
            .map_err(kmsg_failure)?,
    };
    let kept = stream::iter(kept.into_iter().map(|record| Ok(dmesg_response(record))));
    if request.follow {
        let follower = reader.follow().map_err(kmsg_failure)?;
        let coming = stream::try_unfold(follower, |mut follower| async move {
            let record = follower.next().await.map_err(kmsg_failure)?;
            Ok(Some((dmesg_response(record), follower)))
        });
        return Ok(kept.chain(coming).boxed());
    }
    let rest = stream::try_unfold(reader, |mut reader| async move {
        let record = reader.next_ready().map_err(kmsg_failure)?;
        Ok(record.map(|record| (dmesg_response(record), reader)))
    });
    Ok(kept.chain(rest).boxed())
}

/// The records in the chunks of a kept log, which end anywhere. What is no record was cut off with the power.
fn records(chunks: Answers<Vec<u8>>) -> Answers<v1::DmesgResponse> {
    let state = (chunks, Vec::new());
    let records = stream::try_unfold(state, |(mut chunks, mut begun)| async move {
        let Some(chunk) = chunks.try_next().await? else {
            return Ok::<_, Failure>(None);
        };
        begun.extend(chunk);
        let whole = begun
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let rest = begun.split_off(whole);
        let lines = begun.split(|byte| *byte == b'\n');
        let records: Vec<_> = lines
            .filter_map(parse)
            .map(|it| Ok(dmesg_response(it)))
            .collect();
        Ok(Some((stream::iter(records), (chunks, rest))))
    });
    records.try_flatten().boxed()
}

/// Reads to the present end and keeps the last records, at most what the kernel itself can hold.
fn last_records(reader: &mut Reader, count: usize) -> Result<VecDeque<Record>, KmsgError> {
    let mut kept = VecDeque::new();
    while let Some(record) = reader.next_ready()? {
        kept.push_back(record);
        if kept.len() > count {
            kept.pop_front();
        }
    }
    Ok(kept)
}

fn dmesg_response(record: Record) -> v1::DmesgResponse {
    v1::DmesgResponse {
        sequence: record.sequence,
        microseconds: record.micros,
        level: record.level.into(),
        facility: record.facility,
        message: record.text.into_bytes(),
    }
}

fn kmsg_failure(error: KmsgError) -> Failure {
    Failure::internal(cosi::report(&error))
}

/// What happened, and what happens.
///
/// # Errors
/// Those of the boot before are asked for, and there are none or they cannot be read.
pub(super) async fn events(
    events: &Arc<Events>,
    journal: &Journal,
    request: &v1::EventsRequest,
) -> Result<Answers<v1::EventsResponse>, Failure> {
    if request.previous {
        // No more than are kept of this boot.
        let most = u32::try_from(HISTORY).unwrap_or(u32::MAX);
        let tail = request.tail.map_or(most, |tail| tail.min(most));
        let chunks = previous(journal, LOG, Some(tail), request.follow).await?;
        let log: Vec<Vec<u8>> = chunks.try_collect().await?;
        let log = log.concat();
        let told = written(&log).map(|event| Ok(event_response(event)));
        return Ok(stream::iter(told.collect::<Vec<_>>()).boxed());
    }
    let after = request
        .tail
        .map_or(0, |count| events.position_before_last(count.into()));
    let kept = events.after(after);
    let after = kept.last().map_or(after, |event| event.id);
    let kept = stream::iter(kept.into_iter().map(|event| Ok(event_response(event))));
    if !request.follow {
        return Ok(kept.boxed());
    }
    let state = (Arc::clone(events), events.subscribe(), after);
    let coming = stream::try_unfold(state, |(events, mut changes, after)| async move {
        // The ring lives as long as the process, so its sender is never gone while we are here.
        drop(changes.wait_for(|newest| *newest > after).await);
        let batch = events.after(after);
        let after = batch.last().map_or(after, |event| event.id);
        let batch = stream::iter(batch.into_iter().map(|event| Ok(event_response(event))));
        Ok::<_, Failure>(Some((batch, (events, changes, after))))
    });
    Ok(kept.chain(coming.try_flatten()).boxed())
}

fn event_response(event: Event) -> v1::EventsResponse {
    v1::EventsResponse {
        id: event.id,
        time: Some(super::wire_time(event.time)),
        r#type: event.kind,
        subject: event.subject,
        message: event.message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn records_are_whole_however_their_log_was_cut_up() {
        let text = "6,1,10,-;one\n27,2,20,-;two; and more\nno record\n6,3,30,-;cut of";
        for size in [1, 7, 20, 100] {
            let chunks = text.as_bytes().chunks(size).map(|it| Ok(it.to_vec()));
            let chunks = stream::iter(chunks.collect::<Vec<_>>()).boxed();
            let records: Vec<_> = records(chunks).try_collect().await.expect("records");
            let told: Vec<_> = records
                .iter()
                .map(|it| (it.sequence, it.level, it.facility, it.message.as_slice()))
                .collect();
            let second = (2, 3, 3, &b"two; and more"[..]);
            assert_eq!(told, [(1, 6, 0, &b"one"[..]), second], "{size}");
        }
    }
}
